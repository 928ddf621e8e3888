//! What became of a unit, as its shim writes it down.

use crate::process::{Process, boot, members};
use rustix::process::Signal;
use serde::{Deserialize, Serialize};

/// What became of a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Where it stands.
    pub phase: Phase,
    /// The run of the machine in which this was written.
    pub boot: String,
    /// The shim that wrote this.
    pub shim: Process,
    /// The process it runs, while it does; the head of a group of its own.
    pub child: Option<Process>,
    /// How often the process was started again since the unit was made.
    pub restarts: u32,
    /// Whether its process has stayed up for a moment.
    #[serde(default)]
    pub settled: bool,
    /// Since when it is in this phase, in milliseconds of the wall clock; for people.
    pub since_ms: u64,
    /// How its process last ended.
    pub last_exit: Option<String>,
}

/// Where a unit stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Its process is about to be started.
    Starting,
    /// Its process lives.
    Running,
    /// Its process ended and will be started again in a moment.
    Backoff,
    /// Its process was asked to end.
    Stopping,
    /// It was stopped.
    Stopped,
    /// It cannot run, and nothing is tried any more.
    Failed(Failed),
}

/// Why a unit cannot run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failed {
    /// Its process cannot be started at all: no such program, a missing secret.
    CannotStart(String),
    /// Somebody else uses its port.
    PortTaken(u16),
    /// It was started on behalf of a controller that was replaced.
    Fenced {
        /// The fence seen.
        seen: u64,
        /// That of the controller.
        ours: u64,
    },
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failed::CannotStart(why) => f.write_str(why),
            Failed::PortTaken(port) => {
                write!(f, "port {port} of 127.0.0.1 is used by another process")
            }
            Failed::Fenced { seen, ours } => {
                write!(f, "a newer controller has taken over (fence {seen}, ours is {ours})")
            }
        }
    }
}

impl Status {
    /// Kills what is left of the child and of what it started. Harmless when nothing is.
    pub(crate) fn kill_leftovers(&self) {
        for process in self.leftovers() {
            process.signal(Signal::KILL);
        }
    }

    /// What lives of the child and of what it started.
    pub(crate) fn leftovers(&self) -> Vec<Process> {
        match self.child {
            Some(child) if self.boot == boot() => members(self.shim.pid, child.pid, child.started),
            _ => Vec::new(),
        }
    }
}
