//! A site of its own for each test: a project, a state directory, free ports, a controller, and
//! the certainty that no process is left behind.

use crate::cluster::{Database, database};
use ripcord_shop::Place;
use ripcord_shop::load::{Load, LoadHandle, LoadOptions};
use serde_json::Value;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The binary under test.
pub(crate) const RIPCORD: &str = env!("CARGO_BIN_EXE_ripcord");

/// Where a test plays.
pub(crate) struct Site {
    directory: TempDir,
    pub(crate) listen: SocketAddr,
    pub(crate) preview: SocketAddr,
    controller: Option<Child>,
    /// The database, where it is no file.
    server: Option<Database>,
}

/// What a command answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Answer {
    /// The JSON on the last line of standard output.
    pub(crate) fn json(&self) -> Value {
        let last = self.stdout.lines().last().unwrap_or_default();
        serde_json::from_str(last)
            .or_else(|_| serde_json::from_str(&self.stdout))
            .unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Answer {
        assert_eq!(self.code, code, "{}\n{}", self.stdout, self.stderr);
        self
    }
}

/// An address that nobody listens at, below the ports that the system gives to whoever calls out:
/// one of those could be somebody's before it is listened at.
pub(crate) fn port() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 10_000).unwrap();
    for _ in 0..10_000 {
        let number = 12_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        if let Ok(free) = TcpListener::bind(("127.0.0.1", number)) {
            return free.local_addr().unwrap();
        }
    }
    panic!("every port is taken");
}

impl Site {
    /// A project with the shop's first release; nothing runs yet.
    pub(crate) fn new() -> Site {
        let directory = tempfile::Builder::new().prefix("ripcord-it-").tempdir().unwrap();
        let site =
            Site { listen: port(), preview: port(), directory, controller: None, server: None };
        fs::create_dir_all(site.project().join("bin")).unwrap();
        fs::hard_link(RIPCORD, site.project().join("bin/shop"))
            .or_else(|_| fs::copy(RIPCORD, site.project().join("bin/shop")).map(drop))
            .unwrap();
        site.dress("v1-good");
        site
    }

    /// A project with the shop's first release over `PostgreSQL`; nothing runs yet.
    pub(crate) fn on_postgres() -> Site {
        let mut site = Site::new();
        site.server = Some(database());
        site.name_server(&site.server().url);
        site.dress("v1-good");
        site
    }

    /// A site whose controller runs.
    pub(crate) fn open() -> Site {
        let mut site = Site::new();
        site.serve();
        site
    }

    pub(crate) fn project(&self) -> PathBuf {
        self.directory.path().join("project")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.project().join("ripcord.toml")
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.project().join("shop.db")
    }

    /// The database, of whichever kind.
    pub(crate) fn place(&self) -> Place {
        match &self.server {
            Some(server) => Place::named(&server.url),
            None => Place::File(self.database()),
        }
    }

    /// Says where the database is, from now on.
    pub(crate) fn name_server(&self, url: &str) {
        fs::write(self.path().join("database-url"), url).unwrap();
    }

    /// The database at a server.
    pub(crate) fn server(&self) -> &Database {
        self.server.as_ref().expect("a site over PostgreSQL")
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Puts one of the shop's releases into the project, as a checkout of its commit would.
    pub(crate) fn dress(&self, release: &str) {
        self.dress_with(release, |text| text);
    }

    /// Like [`Site::dress`], with a change to the configuration file.
    pub(crate) fn dress_with(&self, release: &str, change: impl Fn(String) -> String) {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/shop/releases");
        let source = source.join(release);
        let project = self.project();
        let migrations = project.join("migrations");
        drop(fs::remove_dir_all(&migrations));
        fs::create_dir_all(&migrations).unwrap();
        for name in ["shop.json", "flags.json"] {
            fs::copy(source.join(name), project.join(name)).unwrap();
        }
        for file in fs::read_dir(source.join("migrations")).unwrap() {
            let file = file.unwrap();
            let other = source.join("../../postgres").join(file.file_name());
            let from = if self.server.is_some() { other } else { file.path() };
            fs::copy(from, migrations.join(file.file_name())).unwrap();
        }
        let schema = match release {
            "v1-good" => 1,
            "v3-bad-answers" => 3,
            _ => 2,
        };
        fs::write(self.config(), change(self.configuration(schema))).unwrap();
    }

    fn configuration(&self, schema: u8) -> String {
        let faults = self.directory.path().join("faults.log");
        let (variable, place) = if self.server.is_some() {
            let file = self.path().join("database-url");
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
FAULT_LOG = "{faults}"
SHOP_RELEASE = "{{release}}"

[health]
ready_within = "5s"

[database]
{place}
migrations = "migrations"

[flags]
file = "flags.json"

[environments.test]
listen = "{listen}"
preview = "{preview}"
instances = 1
bake = "0s"
keep_warm = "10m"
drain = "5s"
checks = [{{ http = "/up", status = 200 }}]
"#,
            faults = faults.display(),
            listen = self.listen,
            preview = self.preview,
        )
    }

    /// Starts the controller and waits until it answers.
    pub(crate) fn serve(&mut self) {
        self.serve_with(&[], &[]);
    }

    /// Starts the controller with more arguments and variables.
    pub(crate) fn serve_with(&mut self, arguments: &[&str], variables: &[(&str, &str)]) {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.directory.path().join("controller.log"))
            .unwrap();
        let child = self
            .command(&["serve", "--stop-everything"])
            .args(arguments)
            .envs(variables.iter().copied())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.controller = Some(child);
        self.until("the controller answers", Duration::from_secs(20), |site| {
            let controller = site.controller.as_mut().unwrap();
            assert!(
                controller.try_wait().unwrap().is_none(),
                "the controller ended: {}",
                site.controller_log()
            );
            site.run(&["status", "--environment", "test"]).code == 0
        });
    }

    pub(crate) fn controller_log(&self) -> String {
        fs::read_to_string(self.directory.path().join("controller.log")).unwrap_or_default()
    }

    /// The process of the controller.
    pub(crate) fn controller(&mut self) -> &mut Child {
        self.controller.as_mut().unwrap()
    }

    /// Ends the controller with SIGKILL. Instances and proxy go on.
    pub(crate) fn kill_controller(&mut self) {
        let mut child = self.controller.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// A command on this site.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(RIPCORD);
        command
            .args(arguments)
            .arg("--config")
            .arg(self.config())
            .arg("--state")
            .arg(self.state())
            .env("RIPCORD_BY", "tester")
            .env_remove("RIPCORD_STATE")
            .stdin(Stdio::null())
            .current_dir(self.project());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Answer {
        let output = self.command(arguments).output().unwrap();
        Answer {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Freezes what is in the project.
    #[track_caller]
    pub(crate) fn freeze(&self) -> String {
        self.run(&["release", "create"]).expect(0).stdout.trim().to_owned()
    }

    /// Freezes one of the shop's releases.
    #[track_caller]
    pub(crate) fn release(&self, release: &str) -> String {
        self.dress(release);
        self.freeze()
    }

    /// Freezes and deploys one of the shop's releases.
    #[track_caller]
    pub(crate) fn deploy(&self, release: &str) -> String {
        let id = self.release(release);
        self.run(&["deploy", &id]).expect(0);
        id
    }

    #[track_caller]
    pub(crate) fn status(&self) -> Value {
        self.run(&["status", "--json"]).expect(0).json()
    }

    /// The release that answers users.
    pub(crate) fn answering(&self) -> Option<String> {
        get(self.listen, "/version").header("x-ripcord-release")
    }

    /// Load on the shop, accounted for to the last answer.
    pub(crate) fn load(&self, rps: u32) -> LoadHandle {
        Load::start(LoadOptions {
            url: format!("http://{}", self.listen),
            rps,
            fault_log: Some(self.directory.path().join("faults.log")),
            timeout_ms: 35_000,
            ..LoadOptions::default()
        })
        .unwrap()
    }

    /// Waits for something to become true.
    #[track_caller]
    pub(crate) fn until(
        &mut self,
        what: &str,
        longest: Duration,
        mut holds: impl FnMut(&mut Site) -> bool,
    ) {
        let began = Instant::now();
        while !holds(self) {
            assert!(began.elapsed() < longest, "{what}: not so; {}", self.controller_log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The processes of this site: their command lines name its directory, or they run in it.
    pub(crate) fn processes(&self) -> Vec<(i32, String)> {
        let directory = self.directory.path().display().to_string();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else { continue };
            if u32::try_from(pid) == Ok(std::process::id()) {
                continue;
            }
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            let cwd = fs::read_link(entry.path().join("cwd")).unwrap_or_default();
            let is_dead = fs::read_to_string(entry.path().join("stat"))
                .is_ok_and(|stat| stat.rsplit(')').next().unwrap_or("").starts_with(" Z"));
            if !is_dead && (line.contains(&directory) || cwd.starts_with(&directory)) {
                found.push((pid, line));
            }
        }
        found
    }

    /// The processes that serve as instances of a release.
    pub(crate) fn instances_of(&self, release: &str) -> Vec<(i32, String)> {
        let home = self.state().join("releases").join(release).display().to_string();
        let runs_there = |(pid, _): &(i32, String)| {
            let cwd = fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
            cwd.starts_with(&home)
        };
        self.processes().into_iter().filter(runs_there).collect()
    }

    /// Ends everything as a user would, and asserts that no process is left.
    pub(crate) fn close(self) {
        self.close_with(|| {});
    }

    /// Like [`Site::close`], with something to tidy up once nothing runs any more.
    pub(crate) fn close_with(mut self, tidy: impl FnOnce()) {
        self.end();
        let left = self.processes();
        tidy();
        assert!(left.is_empty(), "left behind: {left:?}");
    }

    fn end(&mut self) {
        if let Some(mut child) = self.controller.take() {
            signal(&child, "TERM");
            let began = Instant::now();
            while child.try_wait().unwrap().is_none() && began.elapsed() < Duration::from_secs(20) {
                std::thread::sleep(Duration::from_millis(10));
            }
            drop(child.kill());
            drop(child.wait());
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.end();
        // Only what this site started is named by its own directory.
        for (pid, _) in self.processes() {
            drop(Command::new("kill").args(["-KILL", &pid.to_string()]).status());
        }
    }
}

/// Sends a signal to a child.
pub(crate) fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()));
}

/// An answer over HTTP.
#[derive(Debug, Clone)]
pub(crate) struct HttpAnswer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl HttpAnswer {
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone())
    }
}

/// A GET request.
pub(crate) fn get(address: SocketAddr, path: &str) -> HttpAnswer {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(10)))
        .http_status_as_error(false)
        .build()
        .into();
    match agent.get(format!("http://{address}{path}")).call() {
        Ok(mut answer) => HttpAnswer {
            status: answer.status().as_u16(),
            headers: answer
                .headers()
                .iter()
                .map(|(name, value)| {
                    (name.to_string(), value.to_str().unwrap_or_default().to_owned())
                })
                .collect(),
            body: answer.body_mut().read_to_string().unwrap_or_default(),
        },
        Err(_) => HttpAnswer { status: 0, headers: Vec::new(), body: String::new() },
    }
}
