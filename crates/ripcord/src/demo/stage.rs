//! The stage of the demo: a directory with a project as a user would have it, and a controller
//! that runs on it as a process of its own.

use crate::api::Client;
use crate::cli::Context;
use crate::config::Config;
use crate::demo::Options;
use crate::failure::{Code, Failure};
use crate::store::Store;
use crate::terminal;
use ripcord_core::model::ReleaseId;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long the controller may take to answer after its start.
const READY: Duration = Duration::from_secs(15);

/// The name of the demo's only environment.
pub(crate) const ENVIRONMENT: &str = "demo";

/// The files of one of the shop's releases, and what its command says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fixture {
    pub(crate) schema: u8,
    pub(crate) files: &'static [(&'static str, &'static str)],
}

macro_rules! shop {
    ($release:literal, $($file:literal),+) => {
        &[$(($file, include_str!(concat!(
            "../../../../examples/shop/releases/", $release, "/", $file
        )))),+]
    };
}

impl Fixture {
    /// The first release.
    pub(crate) const GOOD: Fixture = Fixture {
        schema: 1,
        files: shop!(
            "v1-good",
            "shop.json",
            "flags.json",
            "migrations/001_shop.up.sql",
            "migrations/001_shop.down.sql"
        ),
    };
    /// A good release with an additive migration, another configuration and a new flag.
    pub(crate) const ADDITIVE: Fixture = Fixture {
        schema: 2,
        files: shop!(
            "v2-additive",
            "shop.json",
            "flags.json",
            "migrations/001_shop.up.sql",
            "migrations/001_shop.down.sql",
            "migrations/002_reviews.up.sql",
            "migrations/002_reviews.down.sql"
        ),
    };
    /// A bad release with a destructive migration.
    pub(crate) const BAD: Fixture = Fixture {
        schema: 3,
        files: shop!(
            "v3-bad-answers",
            "shop.json",
            "flags.json",
            "migrations/001_shop.up.sql",
            "migrations/001_shop.down.sql",
            "migrations/002_reviews.up.sql",
            "migrations/002_reviews.down.sql",
            "migrations/003_gifts.up.sql",
            "migrations/003_gifts.down.sql"
        ),
    };
}

/// Where the demo plays.
#[derive(Debug, Clone)]
pub(crate) struct Stage {
    pub(crate) directory: PathBuf,
    pub(crate) listen: SocketAddr,
    preview: SocketAddr,
    temporary: bool,
    controller: Arc<Mutex<Option<Child>>>,
}

impl Stage {
    /// Makes the directory. Nothing is started yet.
    pub(crate) fn set(options: &Options) -> Result<Stage, Failure> {
        let temporary = options.directory.is_none();
        let directory = match &options.directory {
            Some(directory) => std::path::absolute(directory).unwrap_or(directory.clone()),
            None => std::env::temp_dir().join(format!("ripcord-demo-{}", std::process::id())),
        };
        if directory.exists() {
            return Err(Failure::new(
                Code::CannotWrite,
                format!("{} exists already", directory.display()),
            )
            .hint("name a directory that does not exist yet"));
        }
        let [listen, preview] = free_ports()?;
        let stage =
            Stage { directory, listen, preview, temporary, controller: Arc::new(Mutex::new(None)) };
        fs::create_dir_all(stage.project().join("bin")).map_err(cannot_write)?;
        let program = std::env::current_exe().map_err(cannot_write)?;
        fs::copy(program, stage.project().join("bin/shop")).map_err(cannot_write)?;
        stage.dress(Fixture::GOOD)?;
        Ok(stage)
    }

    /// The user's repository.
    pub(crate) fn project(&self) -> PathBuf {
        self.directory.join("project")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.project().join("ripcord.toml")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.directory.join("state")
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.project().join("shop.db")
    }

    /// Where the shop notes the faults that were its own.
    pub(crate) fn fault_log(&self) -> PathBuf {
        self.directory.join("faults.log")
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.listen)
    }

    /// Puts the files of a release into the project, as a checkout of its commit would.
    pub(crate) fn dress(&self, fixture: Fixture) -> Result<(), Failure> {
        let project = self.project();
        let migrations = project.join("migrations");
        if migrations.exists() {
            fs::remove_dir_all(&migrations).map_err(cannot_write)?;
        }
        fs::create_dir_all(&migrations).map_err(cannot_write)?;
        for (name, text) in fixture.files {
            fs::write(project.join(name), text).map_err(cannot_write)?;
        }
        fs::write(self.config(), self.configuration(fixture.schema)).map_err(cannot_write)
    }

    /// Like [`Stage::dress`], but each round is a release of its own that is not watched.
    pub(crate) fn dress_round(&self, fixture: Fixture, round: usize) -> Result<(), Failure> {
        self.dress(fixture)?;
        let text = self
            .configuration(fixture.schema)
            .replace("bake = \"5s\"", "bake = \"0s\"")
            .replace("SHOP_RELEASE", &format!("ROUND = \"{round}\"\nSHOP_RELEASE"));
        fs::write(self.config(), text).map_err(cannot_write)
    }

    fn configuration(&self, schema: u8) -> String {
        format!(
            r#"service = "shop"

[artifact]
path = "bin"
command = ["./shop", "shop", "--schema", "{schema}"]

[config]
files = ["shop.json"]
[config.environment]
CONFIG_FILE = "{{config}}/shop.json"
DATABASE_PATH = "{{database}}"
FLAGS_FILE = "{{flags}}"
FAULT_LOG = "{fault_log}"
SHOP_RELEASE = "{{release}}"

[database]
engine = "sqlite"
path = "shop.db"
migrations = "migrations"

[flags]
file = "flags.json"

[environments.{ENVIRONMENT}]
listen = "{listen}"
preview = "{preview}"
instances = 2
bake = "5s"
keep_warm = "10m"
checks = [{{ http = "/up", status = 200 }}, {{ http = "/products", status = 200 }}]
"#,
            fault_log = self.fault_log().display(),
            listen = self.listen,
            preview = self.preview,
        )
    }

    /// The options that every command of the demo has in common.
    pub(crate) fn context(&self) -> Context {
        Context::new(
            self.config(),
            Some(self.state()),
            Some(ENVIRONMENT.to_owned()),
            true,
            Some("demo".to_owned()),
        )
    }

    /// Starts the controller and waits until it answers.
    pub(crate) fn open(&self, keep: bool) -> Result<Client, Failure> {
        let program = std::env::current_exe().map_err(cannot_write)?;
        let log = File::create(self.directory.join("controller.log")).map_err(cannot_write)?;
        let mut command = Command::new(program);
        command
            .arg("serve")
            .arg("--config")
            .arg(self.config())
            .arg("--state")
            .arg(self.state())
            .arg("--stop-everything")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        if !keep {
            command.arg("--end-with-parent");
        }
        let child = command.spawn().map_err(cannot_write)?;
        *self.child() = Some(child);
        let began = Instant::now();
        loop {
            if let Ok(client) = Client::of(&self.state())
                && client.status(ENVIRONMENT).is_ok()
            {
                return Ok(client);
            }
            let ended = self.child().as_mut().and_then(|child| child.try_wait().ok().flatten());
            if ended.is_some() || began.elapsed() > READY {
                let log = fs::read_to_string(self.directory.join("controller.log"));
                return Err(Failure::new(
                    Code::NoController,
                    format!("the controller did not start:\n{}", log.unwrap_or_default()),
                ));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Freezes what is in the project into the next release.
    pub(crate) fn freeze(&self, client: &Client) -> Result<ReleaseId, Failure> {
        let config = Config::load(&self.config())?;
        let frozen = Store::open(&self.state())?.freeze(&config, "demo")?;
        Ok(client.create_release(frozen)?.release.id)
    }

    /// Leaves everything running, and says how to look at it and how to end it.
    pub(crate) fn leave(&self) {
        let pid = self.child().as_ref().map_or(0, Child::id);
        let (config, state) = (self.config(), self.state());
        let options = format!("--config {} --state {}", config.display(), state.display());
        for line in [
            String::new(),
            format!("left running: the shop at {}", self.url()),
            format!("look:  ripcord {options} status"),
            format!("again: ripcord {options} retry v3"),
            format!("end:   kill {pid}; rm -r {}", self.directory.display()),
        ] {
            terminal::say(&line);
        }
    }

    /// Ends every process that was started, and removes the directory if it was temporary.
    pub(crate) fn strike(&self, longest: Duration) -> Result<(), Failure> {
        if let Some(mut child) = self.child().take() {
            end(&mut child, longest);
        }
        if self.temporary && self.directory.exists() {
            fs::remove_dir_all(&self.directory).map_err(cannot_write)?;
        }
        Ok(())
    }

    fn child(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.controller.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks a controller to end, with everything it started, and waits.
fn end(child: &mut Child, longest: Duration) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        drop(rustix::process::kill_process(pid, rustix::process::Signal::TERM));
    }
    let began = Instant::now();
    while began.elapsed() < longest {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    terminal::say("the controller does not end; it is killed");
    drop(child.kill());
    drop(child.wait());
}

/// Two ports that nobody listens on at this moment.
pub(crate) fn free_ports() -> Result<[SocketAddr; 2], Failure> {
    let bind = || TcpListener::bind("127.0.0.1:0");
    let (first, second) = (bind().map_err(cannot_write)?, bind().map_err(cannot_write)?);
    let address = |listener: &TcpListener| listener.local_addr().map_err(cannot_write);
    Ok([address(&first)?, address(&second)?])
}

pub(crate) fn cannot_write(error: impl std::fmt::Display) -> Failure {
    Failure::new(Code::CannotWrite, error.to_string())
}

/// The bytes of a file, for comparison; a missing file is as good as an empty one.
pub(crate) fn bytes(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_default()
}
