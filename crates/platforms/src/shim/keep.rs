//! Keeping one process running: start, wait, start again with longer and longer pauses, and end
//! it gracefully when asked to.

use crate::fence;
use crate::files::{self, Lasting};
use crate::log::Log;
use crate::process::{Process, as_pid, boot};
use crate::shim::{FENCE_VARIABLE, PARENT_VARIABLE, REFUSED_FILE};
use crate::unit::{Failed, Phase, Status, Unit, UnitSpec};
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Signal as Kill, kill_process_group, setsid};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Stdio;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

/// The pause before the first new start; it doubles up to [`BACKOFF_MAX`].
const BACKOFF_MIN: Duration = Duration::from_millis(200);

/// The longest pause before a new start.
const BACKOFF_MAX: Duration = Duration::from_secs(10);

/// After a life of this length the next pause is the shortest again.
const GOOD_LIFE: Duration = Duration::from_secs(30);

/// How often the lock is tried, since somebody who only looks holds it for an instant.
const LOCK_ATTEMPTS: u32 = 50;

/// A process that has stayed up for this long is more than an attempt. For one that answers nobody
/// it is the only sign of being ready.
const SETTLED_AFTER: Duration = Duration::from_secs(1);

/// The pause between two looks.
const POLL: Duration = Duration::from_millis(10);

/// How long the last output of an ended process may take to reach its log.
const LAST_WORDS_MAX: Duration = Duration::from_millis(500);

/// How long what was killed may take to disappear.
const KILLED_MAX: Duration = Duration::from_secs(5);

/// Runs the unit of this directory until it is stopped or cannot run. The launcher is the command
/// that, with the directory as its last argument, calls [`crate::run_exec`]. Returns the code to
/// exit with; another shim that runs the unit already is no failure.
pub fn run_shim(directory: &Path, exec_launcher: &[OsString]) -> i32 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = runtime.and_then(|runtime| runtime.block_on(keep(directory, exec_launcher)));
    match ended {
        Ok(()) => 0,
        Err(error) => {
            // Whoever started the shim keeps its standard error in a file; there is no other place.
            drop(writeln!(io::stderr(), "{}: {error}", directory.display()));
            1
        }
    }
}

/// How a life of the process ended.
enum Ended {
    /// By itself, after this long.
    Exited(Duration),
    /// Because the shim was asked to stop.
    Stopped,
    /// It never began.
    Failed(Failed),
}

/// A shim that holds its lock.
struct Shim<'a> {
    directory: &'a Path,
    launcher: &'a [OsString],
    spec: UnitSpec,
    status: Status,
    stop: Signal,
}

async fn keep(directory: &Path, launcher: &[OsString]) -> io::Result<()> {
    let stop = signal(SignalKind::terminate())?;
    // It fails only for the head of a group, which a shim is when somebody starts it by hand.
    let _ = setsid();
    let unit = Unit::at(directory);
    let Some(lock) = take_lock(&unit).await? else { return Ok(()) };
    // Never given back by this code: the kernel does it when the whole process is gone, so that
    // a free lock means that nothing of the unit lives.
    std::mem::forget(lock);
    let none = || io::Error::new(io::ErrorKind::NotFound, "there is no unit here");
    let spec = unit.spec().ok_or_else(none)?;
    let before = unit.status();
    if let Some(before) = &before {
        kill_leftovers(before).await;
    }
    let status = first_status(before, boot());
    let mut shim = Shim { directory, launcher, spec, status, stop };
    shim.run().await;
    Ok(())
}

/// Kills what is left of a group and waits until it is gone, so that a port is free again.
async fn kill_leftovers(status: &Status) {
    let deadline = Instant::now() + KILLED_MAX;
    while !status.leftovers().is_empty() && Instant::now() < deadline {
        status.kill_leftovers();
        sleep(POLL).await;
    }
}

/// Waits until the log has the last words of the process, which are the most wanted ones. Whoever
/// left the group and holds on to the output is not waited for.
async fn finish(log: &JoinHandle<()>) {
    let deadline = Instant::now() + LAST_WORDS_MAX;
    while !log.is_finished() && Instant::now() < deadline {
        sleep(Duration::from_millis(1)).await;
    }
}

/// Takes over from the shim before, and counts its crash as one of the process. That the machine
/// was started anew is nobody's crash.
fn first_status(before: Option<Status>, boot: String) -> Status {
    let crashed = before.as_ref().is_some_and(|before| {
        before.boot == boot && matches!(before.phase, Phase::Running | Phase::Backoff)
    });
    let restarts = before.as_ref().map_or(0, |before| before.restarts);
    Status {
        phase: Phase::Starting,
        boot,
        shim: Process::myself(),
        child: None,
        restarts: restarts.saturating_add(u32::from(crashed)),
        settled: false,
        since_ms: 0,
        last_exit: before.and_then(|before| before.last_exit),
    }
}

/// How long to wait before the next start, from the pause before and the life since.
fn next_pause(before: Option<Duration>, lived: Duration) -> Duration {
    match before {
        Some(before) if lived < GOOD_LIFE => (before * 2).min(BACKOFF_MAX),
        _ => BACKOFF_MIN,
    }
}

/// The lock is the unit's life. A lock file that was removed meanwhile is not the unit's any more.
async fn take_lock(unit: &Unit) -> io::Result<Option<File>> {
    let path = unit.lock_path();
    let mut lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
    for _ in 0..LOCK_ATTEMPTS {
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let (ours, there) = (lock.metadata()?, fs::metadata(&path)?);
            if (ours.dev(), ours.ino()) != (there.dev(), there.ino()) {
                return Ok(None);
            }
            lock.set_len(0)?;
            lock.write_all(&serde_json::to_vec(&Process::myself())?)?;
            return Ok(Some(lock));
        }
        sleep(POLL).await;
    }
    Ok(None)
}

impl Shim<'_> {
    async fn run(&mut self) {
        self.enter(Phase::Starting);
        if let Some(failed) = self.fenced() {
            return self.enter(Phase::Failed(failed));
        }
        let mut pause = None;
        loop {
            let next = match self.live().await {
                Ended::Stopped => return self.enter(Phase::Stopped),
                Ended::Failed(failed) => return self.enter(Phase::Failed(failed)),
                Ended::Exited(lived) => next_pause(pause, lived),
            };
            pause = Some(next);
            self.status.restarts = self.status.restarts.saturating_add(1);
            self.enter(Phase::Backoff);
            tokio::select! {
                () = sleep(next) => {}
                _ = self.stop.recv() => return self.enter(Phase::Stopped),
            }
        }
    }

    /// Whether whoever started this shim was replaced before it got here.
    fn fenced(&self) -> Option<Failed> {
        let path = self.spec.fence_file.as_ref()?;
        let ours = std::env::var(FENCE_VARIABLE).ok().and_then(|text| text.parse().ok());
        let ours = ours.unwrap_or(0);
        match fence::seen(path) {
            Ok(seen) if seen > ours => Some(Failed::Fenced { seen, ours }),
            Ok(_) => None,
            Err(error) => {
                let why = format!("the fence {} cannot be read: {error}", path.display());
                Some(Failed::CannotStart(why))
            }
        }
    }

    /// One life of the process, from its start to its end.
    async fn live(&mut self) -> Ended {
        if let Some(port) = self.spec.port
            && TcpListener::bind(("127.0.0.1", port)).is_err()
        {
            return Ended::Failed(Failed::PortTaken(port));
        }
        let refused = self.directory.join(REFUSED_FILE);
        drop(fs::remove_file(&refused));
        let (mut child, log) = match self.spawn() {
            Ok(begun) => begun,
            Err(error) => {
                let why = format!("the shim cannot start its process: {error}");
                return Ended::Failed(Failed::CannotStart(why));
            }
        };
        let born = Instant::now();
        self.status.child = child.id().and_then(Process::find);
        self.enter(Phase::Running);
        let exit = loop {
            tokio::select! {
                exit = child.wait() => break exit,
                _ = self.stop.recv() => {
                    self.end(&mut child).await;
                    finish(&log).await;
                    return Ended::Stopped;
                }
                () = sleep_until(born + SETTLED_AFTER), if !self.status.settled => {
                    self.status.settled = true;
                    self.write_down();
                }
            }
        };
        self.status.last_exit = exit.ok().map(|exit| exit.to_string());
        kill_leftovers(&self.status).await;
        finish(&log).await;
        self.status.child = None;
        match files::read::<String>(&refused) {
            Ok(Some(why)) => Ended::Failed(Failed::CannotStart(why)),
            _ => Ended::Exited(born.elapsed()),
        }
    }

    /// Starts the second stage as the head of a group of its own, its output going to the log.
    /// This must be the thread that lives as long as the shim: the kernel ties the process to it.
    fn spawn(&self) -> io::Result<(Child, JoinHandle<()>)> {
        let empty = || io::Error::new(io::ErrorKind::InvalidInput, "the launcher is empty");
        let (program, arguments) = self.launcher.split_first().ok_or_else(empty)?;
        let (from, to) = io::pipe()?;
        let log = Log::open(&self.spec.log, self.spec.log_bytes_max)?;
        let log = std::thread::Builder::new().name("log".to_owned()).spawn(|| log.pump(from))?;
        let child = Command::new(program)
            .args(arguments)
            .arg(self.directory)
            .env(PARENT_VARIABLE, std::process::id().to_string())
            .stdin(Stdio::null())
            .stdout(to.try_clone()?)
            .stderr(to)
            .process_group(0)
            .spawn()?;
        Ok((child, log))
    }

    /// Asks the whole group to end, waits, and ends by force what is left.
    async fn end(&mut self, child: &mut Child) {
        self.enter(Phase::Stopping);
        let deadline = Instant::now() + Duration::from_millis(self.spec.stop_ms);
        // Until it is waited for, the number of the child, and so of its group, is its own.
        if let Some(group) = child.id().and_then(as_pid) {
            let _ = kill_process_group(group, Kill::TERM);
        }
        let exit = timeout_at(deadline, child.wait()).await;
        while exit.is_ok() && !self.status.leftovers().is_empty() && Instant::now() < deadline {
            sleep(POLL).await;
        }
        drop(child.start_kill());
        kill_leftovers(&self.status).await;
        let exit = timeout_at(Instant::now() + KILLED_MAX, child.wait()).await;
        self.status.last_exit = exit.ok().and_then(Result::ok).map(|exit| exit.to_string());
        self.status.child = None;
    }

    /// The unit stands elsewhere from now on.
    fn enter(&mut self, phase: Phase) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.status.since_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        self.status.phase = phase;
        self.status.settled = false;
        self.write_down();
    }

    /// Writes down where the unit stands. A full disk must not end the process, so that a status
    /// that cannot be written is only complained about.
    fn write_down(&self) {
        let path = self.directory.join("status.json");
        if let Err(error) = files::replace(&path, &self.status, Lasting::UntilBoot) {
            drop(writeln!(io::stderr(), "{}: {error}", path.display()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_until_a_good_life() {
        let check = |before: Option<u64>, lived_s: u64, expected: u64| {
            let next = next_pause(before.map(Duration::from_millis), Duration::from_secs(lived_s));
            assert_eq!(next, Duration::from_millis(expected), "{before:?} {lived_s}");
        };
        check(None, 0, 200);
        check(Some(200), 0, 400);
        check(Some(6_400), 29, 10_000);
        check(Some(10_000), 29, 10_000);
        check(Some(10_000), 30, 200);
    }

    #[test]
    fn a_crash_of_the_shim_is_counted_and_a_boot_is_not() {
        let check = |phase: Phase, boot: &str, expected: u32| {
            let before = Status { phase, restarts: 4, ..first_status(None, "today".to_owned()) };
            assert_eq!(first_status(Some(before), boot.to_owned()).restarts, expected);
        };
        check(Phase::Running, "today", 5);
        check(Phase::Backoff, "today", 5);
        check(Phase::Stopped, "today", 4);
        check(Phase::Failed(Failed::PortTaken(1)), "today", 4);
        check(Phase::Running, "tomorrow", 4);
        assert_eq!(first_status(None, "today".to_owned()).restarts, 0);
    }
}
