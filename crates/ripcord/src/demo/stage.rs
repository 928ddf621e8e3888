//! The stage of the demo: a directory with a project as a user would have it, and a controller
//! that runs on it as a process of its own.

use crate::api::Client;
use crate::config::Config;
use crate::demo::Options;
use crate::demo::server::Server;
use crate::failure::{Code, Failure};
use crate::store::Store;
use crate::terminal;
use crate::world::Layout;
use ripcord_core::model::{EnvironmentName, ReleaseId};
use ripcord_shop::Place;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long the controller may take to answer after its start.
const READY: Duration = Duration::from_secs(15);

/// What a canary of the demo adds to the configuration: one user in ten, and each keeps theirs.
const CANARY: &str = r#"strategy = "canary"
steps = ["10%", "analysis 1m", "50%", "analysis 1m"]
sticky = "header x-user"
lease = "10s"
"#;

/// The name of the demo's only environment.
pub(crate) const ENVIRONMENT: &str = "demo";

/// The files of one of the shop's releases, and what its command says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fixture {
    pub(crate) schema: u8,
    pub(crate) strategy: Strategy,
    pub(crate) files: &'static [(&'static str, &'static str)],
}

/// How a release of the demo takes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strategy {
    BlueGreen,
    Canary,
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
        strategy: Strategy::BlueGreen,
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
        strategy: Strategy::BlueGreen,
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
    /// A bad release whose migration only adds.
    pub(crate) const CANARY: Fixture = Fixture {
        schema: 2,
        strategy: Strategy::Canary,
        files: shop!(
            "v3-bad-canary",
            "shop.json",
            "flags.json",
            "migrations/001_shop.up.sql",
            "migrations/001_shop.down.sql",
            "migrations/002_reviews.up.sql",
            "migrations/002_reviews.down.sql",
            "migrations/003_wishes.up.sql",
            "migrations/003_wishes.down.sql"
        ),
    };
    /// A bad release with a destructive migration.
    pub(crate) const BAD: Fixture = Fixture {
        schema: 3,
        strategy: Strategy::BlueGreen,
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

macro_rules! postgres {
    ($($file:literal),+) => {
        &[$((
            concat!("migrations/", $file),
            include_str!(concat!("../../../../examples/shop/postgres/", $file))
        )),+]
    };
}

/// The shop's migrations for `PostgreSQL`, in the place of those of its releases.
const POSTGRES: &[(&str, &str)] = postgres!(
    "001_shop.up.sql",
    "001_shop.down.sql",
    "002_reviews.up.sql",
    "002_reviews.down.sql",
    "003_wishes.up.sql",
    "003_wishes.down.sql",
    "003_gifts.up.sql",
    "003_gifts.down.sql"
);

/// Where the demo plays.
#[derive(Debug, Clone)]
pub(crate) struct Stage {
    pub(crate) directory: PathBuf,
    pub(crate) listen: SocketAddr,
    preview: SocketAddr,
    /// Where the shop asks for its flags.
    pub(crate) flags: SocketAddr,
    temporary: bool,
    curtain: Arc<Mutex<Curtain>>,
    /// The database, where it is no file.
    server: Option<Arc<Server>>,
}

/// What may still happen on a stage.
#[derive(Debug)]
enum Curtain {
    /// Nothing runs yet.
    Open,
    /// The controller runs.
    Playing(Child),
    /// It is over: nothing may be written or started any more.
    Fallen,
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
        let [listen, preview, flags] = free_ports()?;
        fs::create_dir_all(&directory).map_err(cannot_write)?;
        let server = Server::make(&options.data, &directory.with_extension("postgres"));
        let server = server.inspect_err(|_| drop(fs::remove_dir(&directory)))?.map(Arc::new);
        let stage = Stage {
            directory,
            listen,
            preview,
            flags,
            temporary,
            curtain: Arc::new(Mutex::new(Curtain::Open)),
            server,
        };
        if let Some(server) = &stage.server {
            server.write_url(&stage.database_url())?;
        }
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

    pub(crate) fn database(&self) -> Place {
        match &self.server {
            Some(server) => Place::named(server.url()),
            None => Place::File(self.project().join("shop.db")),
        }
    }

    /// The database, where it is no file.
    pub(crate) fn server(&self) -> Option<&Server> {
        self.server.as_deref()
    }

    /// The file with the address of the database.
    fn database_url(&self) -> PathBuf {
        self.directory.join("database-url")
    }

    /// The document that the flags server serves.
    pub(crate) fn served_flags(&self) -> PathBuf {
        Layout::new(self.state()).environment(&EnvironmentName::from(ENVIRONMENT)).flags()
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
        let _curtain = self.unless_fallen()?;
        let project = self.project();
        let migrations = project.join("migrations");
        if migrations.exists() {
            fs::remove_dir_all(&migrations).map_err(cannot_write)?;
        }
        fs::create_dir_all(&migrations).map_err(cannot_write)?;
        for (name, text) in fixture.files {
            let other = POSTGRES.iter().find(|(other, _)| other == name);
            let text = other.filter(|_| self.server.is_some()).map_or(text, |(_, text)| text);
            fs::write(project.join(name), text).map_err(cannot_write)?;
        }
        fs::write(self.config(), self.configuration(fixture)).map_err(cannot_write)
    }

    /// Like [`Stage::dress`], but each round is a release of its own that is not watched.
    pub(crate) fn dress_round(&self, fixture: Fixture, round: usize) -> Result<(), Failure> {
        self.dress(fixture)?;
        let _curtain = self.unless_fallen()?;
        let text = self
            .configuration(fixture)
            .replace("bake = \"5s\"", "bake = \"0s\"")
            .replace("SHOP_RELEASE", &format!("ROUND = \"{round}\"\nSHOP_RELEASE"));
        fs::write(self.config(), text).map_err(cannot_write)
    }

    fn configuration(&self, fixture: Fixture) -> String {
        let strategy = match fixture.strategy {
            Strategy::BlueGreen => "",
            Strategy::Canary => CANARY,
        };
        let (variable, place) = if self.server.is_some() {
            let file = self.database_url();
            let url = format!("url = {{ secret = \"file:{}\" }}", file.display());
            ("DATABASE_URL", format!("engine = \"postgres\"\n{url}"))
        } else {
            ("DATABASE_PATH", "engine = \"sqlite\"\npath = \"shop.db\"".to_owned())
        };
        format!(
            r#"service = "shop"

[artifact]
path = "bin"
command = ["./shop", "shop", "--schema", "{schema}"]

[config]
files = ["shop.json"]
[config.environment]
CONFIG_FILE = "{{config}}/shop.json"
{variable} = "{{database}}"
FLAGS_FILE = "{{flags}}"
FAULT_LOG = "{fault_log}"
SHOP_RELEASE = "{{release}}"

[database]
{place}
migrations = "migrations"

[flags]
file = "flags.json"

[environments.{ENVIRONMENT}.flags]
serve = "{flags}"

[environments.{ENVIRONMENT}]
listen = "{listen}"
preview = "{preview}"
instances = 2
bake = "5s"
keep_warm = "10m"
checks = [{{ http = "/up", status = 200 }}, {{ http = "/products", status = 200 }}]
{strategy}
"#,
            schema = fixture.schema,
            fault_log = self.fault_log().display(),
            listen = self.listen,
            preview = self.preview,
            flags = self.flags,
        )
    }

    /// Starts the controller and waits until it answers.
    pub(crate) fn open(&self, keep: bool) -> Result<Client, Failure> {
        let mut curtain = self.unless_fallen()?;
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
        *curtain = Curtain::Playing(child);
        drop(curtain);
        let began = Instant::now();
        loop {
            if let Ok(client) = Client::of(&self.state())
                && client.status(ENVIRONMENT).is_ok()
            {
                return Ok(client);
            }
            if self.has_ended() || began.elapsed() > READY {
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
        let curtain = self.unless_fallen()?;
        let config = Config::load(&self.config())?;
        let frozen = Store::open(&self.state())?.freeze(&config, "demo")?;
        drop(curtain);
        Ok(client.create_release(frozen)?.release.id)
    }

    /// Leaves everything running, and says how to look at it and how to end it.
    pub(crate) fn leave(&self) {
        let pid = match &*self.curtain() {
            Curtain::Playing(child) => child.id(),
            Curtain::Open | Curtain::Fallen => return,
        };
        if let Some(server) = &self.server {
            server.keep();
        }
        let (config, state) = (self.config(), self.state());
        let options = format!("--config {} --state {}", config.display(), state.display());
        for line in [
            String::new(),
            format!("left running: the shop at {}", self.url()),
            format!("look:  ripcord {options} status"),
            format!("again: ripcord {options} retry v4"),
            format!("end:   kill {pid}; rm -r {}", self.directory.display()),
        ] {
            terminal::say(&line);
        }
    }

    /// Ends every process that was started, and removes the directory if it was temporary.
    pub(crate) fn strike(&self, longest: Duration) -> Result<(), Failure> {
        let before = std::mem::replace(&mut *self.curtain(), Curtain::Fallen);
        if let Curtain::Playing(mut child) = before {
            end(&mut child, longest);
        }
        if let Some(server) = &self.server {
            server.unmake();
        }
        if self.temporary {
            self.remove()?;
        }
        Ok(())
    }

    /// Something that was being written may still appear while the directory is emptied.
    fn remove(&self) -> Result<(), Failure> {
        let mut last = Ok(());
        for _ in 0..20 {
            match fs::remove_dir_all(&self.directory) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
                Err(error) => last = Err(cannot_write(error)),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        last
    }

    fn has_ended(&self) -> bool {
        match &mut *self.curtain() {
            Curtain::Playing(child) => !matches!(child.try_wait(), Ok(None)),
            Curtain::Open | Curtain::Fallen => true,
        }
    }

    /// Held while something is written or started, so that it is not over in between.
    fn unless_fallen(&self) -> Result<MutexGuard<'_, Curtain>, Failure> {
        let curtain = self.curtain();
        match &*curtain {
            Curtain::Fallen => Err(Failure::new(Code::Interrupted, "interrupted")),
            Curtain::Open | Curtain::Playing(_) => Ok(curtain),
        }
    }

    fn curtain(&self) -> MutexGuard<'_, Curtain> {
        self.curtain.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks a controller to end, with everything it started, and waits.
fn end(child: &mut Child, longest: Duration) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
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

/// Three ports that nobody listens on at this moment.
pub(crate) fn free_ports() -> Result<[SocketAddr; 3], Failure> {
    let bind = || TcpListener::bind("127.0.0.1:0");
    let (first, second) = (bind().map_err(cannot_write)?, bind().map_err(cannot_write)?);
    let third = bind().map_err(cannot_write)?;
    let address = |listener: &TcpListener| listener.local_addr().map_err(cannot_write);
    Ok([address(&first)?, address(&second)?, address(&third)?])
}

pub(crate) fn cannot_write(error: impl std::fmt::Display) -> Failure {
    Failure::new(Code::CannotWrite, error.to_string())
}

/// The bytes of a file, for comparison; a missing file is as good as an empty one.
pub(crate) fn bytes(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_default()
}
