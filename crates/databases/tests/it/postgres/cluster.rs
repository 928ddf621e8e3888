//! A real `PostgreSQL` cluster of one's own, started once per test binary, with a fresh database
//! for each test. A supervising shell ends it and removes its files when this process is gone,
//! however it went.

use postgres::{Client, NoTls};
use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The longest that a cluster may take until it answers.
const START_MAX: Duration = Duration::from_mins(1);

/// How often another port is tried.
const STARTS_MAX: u32 = 3;

/// Roles that exist in the cluster beside `postgres`.
pub(crate) const ROLES: [&str; 3] = ["ann", "bob", "\"Weird Role\""];

/// The running cluster.
pub(crate) struct Cluster {
    folder: PathBuf,
    port: u16,
    programs: PathBuf,
    /// The supervisor waits for this to close.
    _leash: ChildStdin,
    _supervisor: Child,
}

/// A database that only one test uses.
pub(crate) struct Database {
    /// Its address over the unix socket.
    pub(crate) url: String,
    pub(crate) name: String,
}

/// The cluster, started by whoever asks first.
pub(crate) fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(Cluster::own)
}

impl Cluster {
    /// A cluster that only one test uses, and may crash.
    pub(crate) fn own() -> Cluster {
        Cluster::set("")
    }

    /// The same, with settings: `-c name=value`.
    pub(crate) fn set(settings: &str) -> Cluster {
        let started = (0..STARTS_MAX).find_map(|_| Cluster::start(INITDB, settings));
        started.expect("PostgreSQL starts within a minute")
    }

    /// A replica of one that was made with `REPLICATING`.
    pub(crate) fn replica(&self) -> Cluster {
        let copy = format!(
            "pg_basebackup -D data -R -X stream -c fast --no-sync -h {} -p {} -U postgres",
            self.folder.display(),
            self.port
        );
        let started = (0..STARTS_MAX).find_map(|_| Cluster::start(&copy, REPLICATING));
        started.expect("a replica starts within a minute")
    }

    /// Its folder, in which its user may write.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// How a cluster is made.
const INITDB: &str = "initdb -D data -U postgres -A trust --no-sync -E UTF8 --locale=C.UTF-8";

/// Settings of a cluster that has replicas.
pub(crate) const REPLICATING: &str = "-c wal_level=replica -c max_wal_senders=4 -c hot_standby=on";

/// A fresh database.
pub(crate) fn database() -> Database {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let cluster = cluster();
    let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let mut client = Client::connect(&cluster.url("postgres"), NoTls).unwrap();
    client.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0")).unwrap();
    Database { url: cluster.url(&name), name }
}

/// A copy of a database that nobody is connected to.
pub(crate) fn copy(template: &str) -> Database {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let cluster = cluster();
    let name = format!("copy_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let mut client = Client::connect(&cluster.url("postgres"), NoTls).unwrap();
    client.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {template}")).unwrap();
    Database { url: cluster.url(&name), name }
}

impl Cluster {
    fn start(made: &str, settings: &str) -> Option<Cluster> {
        let programs = programs();
        let folder = tempfile::Builder::new().prefix("ripcord-pg-").tempdir().unwrap().keep();
        let user = other_user();
        if let Some(user) = user {
            let owned = Command::new("chown").arg(user).arg(&folder).status().unwrap();
            assert!(owned.success(), "chown {user} {}", folder.display());
        }
        // A port that was free a moment ago; another start is tried if it is taken by now.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let script = format!(
            "trap '' INT TERM HUP; cd {folder} || exit 1; umask 077
             {programs}/{made} >log 2>&1 &&
             {programs}/postgres -D data -k {folder} -p {port} -c listen_addresses=127.0.0.1 \
               -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c autovacuum=off \
               -c max_connections=100 -c shared_buffers=64MB -c wal_level=minimal -c max_wal_senders=0 \
               -c jit=off {settings} >>log 2>&1 & server=$!
             read -r _; kill -QUIT $server 2>/dev/null; wait $server; rm -rf {folder}",
            folder = folder.display(),
            programs = programs.display(),
        );
        let mut command = Command::new(if user.is_some() { "setpriv" } else { "sh" });
        if let Some(user) = user {
            let group = format!("--regid={}", group_of(user));
            command.args([&format!("--reuid={user}"), &group, "--clear-groups", "sh"]);
        }
        command.arg("-c");
        command.arg(script).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut supervisor = command.spawn().expect("sh and setpriv are installed");
        let leash = supervisor.stdin.take().unwrap();
        let cluster = Cluster { folder, port, programs, _leash: leash, _supervisor: supervisor };
        cluster.ready().then_some(cluster)
    }

    fn ready(&self) -> bool {
        let deadline = Instant::now() + START_MAX;
        while Instant::now() < deadline {
            if let Ok(mut client) = Client::connect(&self.url("postgres"), NoTls) {
                for role in ROLES {
                    // A replica has them from its primary.
                    drop(client.batch_execute(&format!("CREATE ROLE {role} LOGIN")));
                }
                return true;
            }
            let mut log = String::new();
            if let Ok(mut file) = std::fs::File::open(self.folder.join("log")) {
                drop(file.read_to_string(&mut log));
            }
            if log.contains("could not bind") {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    /// The address of a database over the unix socket.
    pub(crate) fn url(&self, database: &str) -> String {
        format!(
            "postgresql://postgres@/{database}?host={}&port={}",
            self.folder.display(),
            self.port
        )
    }

    /// The address of a database over the loopback interface.
    pub(crate) fn tcp(&self, user: &str, database: &str) -> String {
        format!("postgresql://{user}@127.0.0.1:{}/{database}", self.port)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// One of the server's own programs.
    pub(crate) fn program(&self, name: &str) -> Command {
        Command::new(self.programs.join(name))
    }
}

impl Database {
    /// A connection of the test's own, as a superuser.
    pub(crate) fn client(&self) -> Client {
        Client::connect(&self.url, NoTls).unwrap()
    }

    /// Runs statements.
    pub(crate) fn run(&self, sql: &str) {
        if let Err(error) = self.client().batch_execute(sql) {
            panic!("{error:?}\n{sql}");
        }
    }

    /// What `pg_dump` makes of the schema, statement by statement, sorted.
    pub(crate) fn dump(&self) -> Vec<String> {
        let output = cluster()
            .program("pg_dump")
            .args(["--schema-only", "--exclude-schema=ripcord", "--no-sync", "-d", &self.url])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let kept = text.lines().filter(|line| {
            !line.starts_with("--")
                && !line.starts_with("\\restrict")
                && !line.starts_with("\\unrestrict")
        });
        let kept = kept.collect::<Vec<_>>().join("\n");
        let mut statements: Vec<String> = kept
            .split(";\n")
            .map(|statement| ordered(statement.trim()))
            .filter(|statement| !statement.is_empty())
            .collect();
        statements.sort();
        statements
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Only to save space; the cluster is removed as a whole.
        if let Ok(mut client) = Client::connect(&cluster().url("postgres"), NoTls) {
            drop(
                client
                    .batch_execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)),
            );
        }
    }
}

/// Storage parameters are kept in the order in which they were set, which means nothing.
fn ordered(statement: &str) -> String {
    let Some((head, rest)) = statement.split_once("\nWITH (") else { return statement.to_owned() };
    let Some((parameters, tail)) = rest.split_once(')') else { return statement.to_owned() };
    let mut list: Vec<&str> = parameters.split(", ").collect();
    list.sort_unstable();
    format!("{head}\nWITH ({}){tail}", list.join(", "))
}

/// The folder of the server's programs: on the path, or where Debian keeps them by version.
fn programs() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).find(|folder| has_server(folder));
    let debian = || {
        let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
        let number =
            |folder: &PathBuf| -> Option<u32> { folder.file_name()?.to_str()?.parse().ok() };
        let folders = versions.filter_map(|entry| Some(entry.ok()?.path()));
        let newest = folders.filter(|folder| has_server(&folder.join("bin"))).max_by_key(number)?;
        Some(newest.join("bin"))
    };
    on_path.or_else(debian).expect("PostgreSQL is installed: apt-get install postgresql")
}

fn has_server(folder: &Path) -> bool {
    ["initdb", "postgres", "pg_dump"].iter().all(|program| folder.join(program).is_file())
}

/// The server refuses to run as root; then it runs as somebody else.
pub(crate) fn other_user() -> Option<&'static str> {
    let id = Command::new("id").arg("-u").output().unwrap();
    let root = String::from_utf8_lossy(&id.stdout).trim() == "0";
    let exists = |user: &&&str| {
        Command::new("id")
            .arg(user)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap()
            .success()
    };
    root.then(|| *["postgres", "nobody"].iter().find(exists).expect("a user other than root"))
}

fn group_of(user: &str) -> String {
    let output = Command::new("id").args(["-g", user]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
