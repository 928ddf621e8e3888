//! A unit from outside: started, found again, stopped. Whether it runs is told by its lock alone,
//! which the kernel drops with the shim, however that ends.

use crate::files::{self, Lasting};
use crate::log::last_lines;
use crate::process::Process;
use crate::shim::{FENCE_VARIABLE, secrets};
use crate::unit::spec::UnitSpec;
use crate::unit::status::{Phase, Status};
use ripcord_core::model::Fence;
use rustix::fs::{FlockOperation, flock};
use rustix::process::Signal;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use thiserror::Error;

/// How long a shim may take to begin.
const BEGIN_MAX: Duration = Duration::from_secs(10);

/// How long the shim is expected to be the very process that was started. One that finds the lock
/// taken has ended before that.
const FOREIGN_AFTER: Duration = Duration::from_secs(1);

/// How much longer than its process a shim may take to end before it is killed.
const END_GRACE: Duration = Duration::from_secs(3);

/// The pause between two looks.
const POLL: Duration = Duration::from_millis(5);

/// One unit, by its directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    directory: PathBuf,
}

/// Why something could not be done with a unit.
#[derive(Debug, Error)]
pub enum UnitError {
    /// Its directory cannot be used.
    #[error("the unit {} cannot be used: {source}", .unit.display())]
    Io {
        /// Its directory.
        unit: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The shim cannot be started.
    #[error("the shim `{program}` cannot be started: {why}")]
    Shim {
        /// The program.
        program: String,
        /// What is wrong.
        why: String,
    },
    /// It lives although it was killed.
    #[error("the unit {} does not end although it was killed", .0.display())]
    DoesNotEnd(PathBuf),
}

impl Unit {
    /// The unit of this directory, whether it exists or not.
    pub fn at(directory: impl Into<PathBuf>) -> Unit {
        Unit { directory: directory.into() }
    }

    /// Ensures that the unit runs; true when it had to be started. A unit that runs already is
    /// left as it is, whatever its spec, and is never started twice.
    ///
    /// # Errors
    ///
    /// [`UnitError`] when the directory cannot be written or the shim not be started. That the
    /// process itself fails is told by [`Unit::status`].
    pub fn ensure_running(
        &self,
        spec: &UnitSpec,
        launcher: &[OsString],
        fence: Fence,
    ) -> Result<bool, UnitError> {
        if self.is_running() {
            return Ok(false);
        }
        fs::create_dir_all(&self.directory).map_err(|source| self.io(source))?;
        if self.spec().as_ref() != Some(spec) {
            self.write(spec)?;
        }
        self.start(launcher, fence)?;
        Ok(true)
    }

    /// Whether its shim lives.
    pub fn is_running(&self) -> bool {
        // A shared lock is enough to ask, and is gone again at once.
        let Ok(lock) = File::open(self.lock_path()) else { return false };
        flock(&lock, FlockOperation::NonBlockingLockShared).is_err()
    }

    /// What became of it, as its shim last wrote; none before the first start.
    pub fn status(&self) -> Option<Status> {
        files::read(&self.directory.join("status.json")).ok().flatten()
    }

    /// What it runs; none when there is no such unit.
    pub fn spec(&self) -> Option<UnitSpec> {
        files::read(&self.spec_path()).ok().flatten()
    }

    /// Stops it gracefully, and by force when its time is over. The directory stays.
    ///
    /// # Errors
    ///
    /// [`UnitError::DoesNotEnd`] when not even force helps.
    pub fn stop(&self) -> Result<(), UnitError> {
        let (began, allowed) = (Instant::now(), self.stop_max());
        while self.is_running() {
            self.ask_to_stop();
            if began.elapsed() > allowed + END_GRACE {
                return Err(UnitError::DoesNotEnd(self.directory.clone()));
            }
            if began.elapsed() > allowed {
                self.kill();
            }
            std::thread::sleep(POLL);
        }
        self.clear();
        Ok(())
    }

    /// Whether the process has stayed up for a moment under the very shim that runs the unit now;
    /// what an earlier one wrote does not count.
    pub(crate) fn has_settled(&self, status: &Status) -> bool {
        let lives = status.phase == Phase::Running && status.settled;
        lives && self.shim() == Some(status.shim)
    }

    /// Asks the shim to stop its process and end. Asking twice is the same as once.
    pub(crate) fn ask_to_stop(&self) {
        if let Some(shim) = self.shim() {
            shim.signal(Signal::TERM);
        }
    }

    /// Kills the shim, which takes its process along.
    pub(crate) fn kill(&self) {
        if let Some(shim) = self.shim() {
            shim.signal(Signal::KILL);
        }
    }

    /// Kills what a shim that was killed could not take along, and waits until it is gone. What is
    /// read before the lock is found free cannot be about a shim that has just begun.
    pub(crate) fn clear(&self) {
        let Some(status) = self.status() else { return };
        let began = Instant::now();
        while !self.is_running() && !status.leftovers().is_empty() && began.elapsed() < END_GRACE {
            status.kill_leftovers();
            std::thread::sleep(POLL);
        }
    }

    /// How long stopping may take before force is used.
    pub(crate) fn stop_max(&self) -> Duration {
        let stop_ms = self.spec().map_or(0, |spec| spec.stop_ms);
        Duration::from_millis(stop_ms) + END_GRACE
    }

    /// Makes the unit with this spec unless there is one. Of several that try, one succeeds, and
    /// all read its spec afterwards.
    pub(crate) fn create(&self, spec: &UnitSpec) -> Result<(), UnitError> {
        fs::create_dir_all(&self.directory).map_err(|source| self.io(source))?;
        match files::create(&self.spec_path(), spec) {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => Err(self.io(source)),
            _ => Ok(()),
        }
    }

    /// Replaces what it runs from its next start on.
    pub(crate) fn write(&self, spec: &UnitSpec) -> Result<(), UnitError> {
        files::replace(&self.spec_path(), spec, Lasting::Always).map_err(|source| self.io(source))
    }

    /// Removes the directory of a unit that does not run. The spec goes first: without it there
    /// is no unit, whatever else is left.
    pub(crate) fn remove(&self) -> Result<(), UnitError> {
        for gone in [fs::remove_file(self.spec_path()), fs::remove_dir_all(&self.directory)] {
            match gone {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(self.io(source));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Starts the shim and returns when it holds the lock, or has said why it does not.
    pub(crate) fn start(&self, launcher: &[OsString], fence: Fence) -> Result<(), UnitError> {
        let program = launcher.first().cloned().unwrap_or_default();
        let program_text = program.to_string_lossy().into_owned();
        let fail = |why: String| UnitError::Shim { program: program_text.clone(), why };
        let errors = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.directory.join("shim.log"))
            .map_err(|source| self.io(source))?;
        let mut child = Command::new(&program)
            .args(launcher.iter().skip(1))
            .arg(&self.directory)
            .env(FENCE_VARIABLE, fence.0.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .map_err(|error| fail(error.to_string()))?;
        let began = Instant::now();
        let ended = loop {
            if let Some(ended) = child.try_wait().map_err(|source| self.io(source))? {
                break Some(ended);
            }
            // A launcher that starts the shim as a child of its own never has the shim's number.
            let own = self.status().is_some_and(|status| status.shim.pid == child.id());
            if (own || began.elapsed() > FOREIGN_AFTER) && self.is_running() {
                break None;
            }
            if began.elapsed() > BEGIN_MAX {
                drop(child.kill());
                drop(child.wait());
                return Err(fail("it does not begin".to_owned()));
            }
            std::thread::sleep(POLL);
        };
        let Some(ended) = ended else {
            return self.reap_later(child);
        };
        // Another shim was faster, or this one said what is wrong; else it is no shim.
        let said = self.status().is_some_and(|status| {
            status.shim.pid == child.id() && matches!(status.phase, Phase::Failed(_))
        });
        if said || self.is_running() { Ok(()) } else { Err(fail(format!("it ended ({ended})"))) }
    }

    /// Waits for the shim beside everything else, since an ended child of this process would
    /// otherwise stay in the table of processes.
    fn reap_later(&self, mut child: Child) -> Result<(), UnitError> {
        let reaper = std::thread::Builder::new().name("reaper".to_owned()).stack_size(64 * 1024);
        let started = reaper.spawn(move || drop(child.wait()));
        started.map(drop).map_err(|source| self.io(source))
    }

    /// The shim that holds the lock.
    fn shim(&self) -> Option<Process> {
        let shim = files::read(&self.lock_path()).ok().flatten()?;
        self.is_running().then_some(shim)
    }

    /// The last lines of its log, for people; what its secrets say is blotted out.
    pub fn last_lines(&self, count: usize) -> Vec<String> {
        let Some(spec) = self.spec() else { return Vec::new() };
        let mut lines = last_lines(&spec.log, count);
        for secret in secrets(&spec) {
            for line in &mut lines {
                *line = line.replace(&secret, "***");
            }
        }
        lines
    }

    /// Its directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn lock_path(&self) -> PathBuf {
        self.directory.join("lock")
    }

    fn spec_path(&self) -> PathBuf {
        self.directory.join("unit.json")
    }

    fn io(&self, source: io::Error) -> UnitError {
        UnitError::Io { unit: self.directory.clone(), source }
    }
}
