//! A private `PostgreSQL` cluster of the system's own programs, reached over a unix socket in a
//! directory of its own. A supervising shell ends it and removes its files when this process is
//! gone, however it went.

use crate::demo::stage::cannot_write;
use crate::failure::{Code, Failure};
use ripcord_databases::postgres::{Connection, Limits};
use rustix::process::geteuid;
use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

/// The longest that it may take until it answers.
const START_MAX: Duration = Duration::from_mins(1);

/// The longest that its end may take before this process goes on without seeing it.
const END_MAX: Duration = Duration::from_secs(20);

/// The programs without which there is no cluster.
const PROGRAMS: [&str; 2] = ["initdb", "postgres"];

/// A running cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    folder: PathBuf,
    /// The supervisor waits for this to close.
    leash: Option<ChildStdin>,
    supervisor: Child,
}

impl Cluster {
    /// Starts one in a folder that does not exist yet, and waits until it answers.
    pub(crate) fn start(folder: &Path) -> Result<Cluster, Failure> {
        let programs = programs().ok_or_else(|| {
            Failure::new(Code::DemoFailed, "no programs of a PostgreSQL server were found")
                .hint("install it (`apt-get install postgresql`), or add the directory of `initdb` to PATH")
                .hint("`ripcord demo --database postgres://...` uses a server that runs already")
        })?;
        fs::create_dir(folder).map_err(cannot_write)?;
        let owner = other_user(folder)?;
        let script = format!(
            "trap '' INT TERM HUP; cd {folder} || exit 1; umask 077
             {programs}/initdb -D data -U postgres -A trust --no-sync -E UTF8 --no-locale >log 2>&1 &&
             {programs}/postgres -D data -k {folder} -c listen_addresses= -c fsync=off \
               -c shared_buffers=32MB -c jit=off >>log 2>&1 & server=$!
             read -r _; kill -INT $server 2>/dev/null; wait $server; rm -rf {folder}",
            folder = quoted(folder),
            programs = quoted(&programs),
        );
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some((user, group)) = owner {
            command.gid(group).uid(user);
        }
        let mut supervisor = command.spawn().map_err(cannot_write)?;
        let leash = supervisor.stdin.take();
        let cluster = Cluster { folder: folder.to_owned(), leash, supervisor };
        cluster.wait()?;
        Ok(cluster)
    }

    /// The address of a database of it.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgresql://postgres@/{database}?host={}", self.folder.display())
    }

    fn wait(&self) -> Result<(), Failure> {
        let began = Instant::now();
        loop {
            let limits = Limits { connect: Duration::from_secs(1), ..Limits::default() };
            let Err(error) = Connection::open(&self.url("postgres"), "demo", &limits) else {
                return Ok(());
            };
            let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            let failed = log.contains("FATAL") && !log.contains("starting up");
            if failed || log.contains("initdb: error") || began.elapsed() > START_MAX {
                let what = format!("the private cluster did not start ({error}):\n{log}");
                return Err(Failure::new(Code::DemoFailed, what));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Cluster {
    /// Lets go of the leash, and waits until everything is gone.
    fn drop(&mut self) {
        drop(self.leash.take());
        let began = Instant::now();
        while matches!(self.supervisor.try_wait(), Ok(None)) && began.elapsed() < END_MAX {
            std::thread::sleep(Duration::from_millis(20));
        }
        // Whose folder it is may not be who may remove it from the one around it.
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// A path as one word of a shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

/// The folder of the server's programs: on the path, or where Debian keeps them by version.
fn programs() -> Option<PathBuf> {
    let has = |folder: &PathBuf| PROGRAMS.iter().all(|program| folder.join(program).is_file());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let debian = || {
        let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
        let folders = versions.filter_map(|entry| Some(entry.ok()?.path()));
        let number =
            |folder: &PathBuf| -> Option<u32> { folder.file_name()?.to_str()?.parse().ok() };
        let newest = folders.filter(|folder| has(&folder.join("bin"))).max_by_key(number)?;
        Some(newest.join("bin"))
    };
    debian().or_else(|| std::env::split_paths(&path).find(has))
}

/// The server refuses to run as root; then the folder is given to somebody else, who runs it.
fn other_user(folder: &Path) -> Result<Option<(u32, u32)>, Failure> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd").map_err(cannot_write)?;
    let of = |wanted: &str| {
        let fields = |line: &str| -> Option<(u32, u32)> {
            let mut fields = line.split(':');
            (fields.next()? == wanted).then_some(())?;
            Some((fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?))
        };
        users.lines().find_map(fields)
    };
    let (user, group) = of("postgres").or_else(|| of("nobody")).ok_or_else(|| {
        let what = "a PostgreSQL server does not run as root, and there is no other user for it";
        Failure::new(Code::DemoFailed, what).hint("run the demo as another user than root")
    })?;
    chown(folder, Some(user), Some(group)).map_err(cannot_write)?;
    Ok(Some((user, group)))
}
