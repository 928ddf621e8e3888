//! The lock of a state directory: one controller at a time. The kernel drops it when its holder
//! dies, however that happens, so there is no stale lock and no command to clear one.

use crate::error::OpenError;
use crate::process::start_time;
use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

/// The name of the lock file within the state directory.
const NAME: &str = "controller.lock";

/// How long a killed holder may take to disappear.
const TAKEOVER_MAX: Duration = Duration::from_secs(10);

/// How long a holder may take to write down who it is.
const HOLDER_NAMED_MAX: Duration = Duration::from_secs(1);

/// The pause between two looks.
const POLL: Duration = Duration::from_millis(5);

/// The lock, held as long as this value lives.
#[derive(Debug)]
pub(crate) struct StateLock {
    _file: File,
}

/// Who holds the lock, as written into it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Holder {
    pid: u32,
    /// Tells this process from a later one of the same pid.
    started: u64,
    since: Timestamp,
}

impl StateLock {
    /// Takes the lock. With `takeover`, whoever holds it is killed first, frozen or not.
    pub(crate) fn take(
        directory: &Path,
        takeover: bool,
        now: Timestamp,
    ) -> Result<StateLock, OpenError> {
        let path = directory.join(NAME);
        let failed = |what: &str| OpenError::io(format!("{what} {}", path.display()));
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed("open"))?;
        let began = Instant::now();
        let mut unnamed_since = Instant::now();
        while let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
            if error != rustix::io::Errno::WOULDBLOCK {
                return Err(failed("lock")(error.into()));
            }
            match holder(&mut file) {
                Some(holder) if !takeover => {
                    return Err(OpenError::InUse { pid: holder.pid, since: holder.since });
                }
                Some(holder) => {
                    unnamed_since = Instant::now();
                    replace(&holder, began)?;
                }
                None if unnamed_since.elapsed() > HOLDER_NAMED_MAX => {
                    return Err(OpenError::InUseByUnknown(path));
                }
                None => {}
            }
            std::thread::sleep(POLL);
        }
        name_holder(&mut file, now).map_err(failed("write"))?;
        Ok(StateLock { _file: file })
    }
}

/// The living process that the lock file names; none while a new holder has yet to write its name.
fn holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    let holder: Holder = serde_json::from_str(&text).ok()?;
    (start_time(holder.pid) == Some(holder.started)).then_some(holder)
}

/// Kills the holder. The handle is taken before the start time is checked, so that the signal
/// cannot reach a later process of the same pid.
fn replace(holder: &Holder, began: Instant) -> Result<(), OpenError> {
    let fail = |why: &str| OpenError::Takeover { pid: holder.pid, why: why.to_owned() };
    if holder.pid == std::process::id() {
        return Err(fail("it is this very process"));
    }
    if began.elapsed() > TAKEOVER_MAX {
        return Err(fail("it was killed and does not end"));
    }
    let Some(pid) = i32::try_from(holder.pid).ok().and_then(Pid::from_raw) else {
        return Err(fail("its number is not one of a process"));
    };
    let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { return Ok(()) };
    if start_time(holder.pid) != Some(holder.started) {
        return Ok(());
    }
    match pidfd_send_signal(&handle, Signal::KILL) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(fail(&format!("it cannot be killed: {error}"))),
    }
}

fn name_holder(file: &mut File, since: Timestamp) -> std::io::Result<()> {
    let pid = std::process::id();
    let holder = Holder { pid, started: start_time(pid).unwrap_or_default(), since };
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(serde_json::to_string(&holder)?.as_bytes())
}
