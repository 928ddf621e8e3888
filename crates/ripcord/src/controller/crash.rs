//! A plug that tests pull: the process kills itself with SIGKILL just before or after the n-th
//! entry that a plan writes, as `RIPCORD_CRASH=before:7` or `after:7` asks. Without the variable
//! this is a ledger like any other. What is tested with it is the shipped binary itself.

use ripcord_core::model::{EnvironmentName, Fence};
use ripcord_core::run::{Draft, Entry};
use ripcord_engine::{Ledger, LedgerError};
use ripcord_ledger::SqliteLedger;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where the plug is pulled.
#[derive(Debug, Default)]
pub(crate) struct CrashPoint {
    at: Option<(Side, u64)>,
    written: AtomicU64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Before,
    After,
}

impl CrashPoint {
    /// What the variable asks for; nothing when it is not set or says something else.
    pub(crate) fn from_environment() -> CrashPoint {
        let text = std::env::var("RIPCORD_CRASH").unwrap_or_default();
        let at = match text.split_once(':') {
            Some(("before", number)) => number.parse().ok().map(|number| (Side::Before, number)),
            Some(("after", number)) => number.parse().ok().map(|number| (Side::After, number)),
            _ => None,
        };
        CrashPoint { at, written: AtomicU64::new(0) }
    }

    fn pass(&self, side: Side, number: u64) {
        if self.at == Some((side, number)) {
            let own = rustix::process::getpid();
            let _ = rustix::process::kill_process(own, rustix::process::Signal::KILL);
            // SIGKILL has no handler; this thread does not get further.
            loop {
                std::thread::park();
            }
        }
    }
}

/// The ledger with the plug.
#[derive(Clone)]
pub(crate) struct Plugged {
    pub(crate) ledger: Arc<SqliteLedger>,
    pub(crate) point: Arc<CrashPoint>,
}

impl Ledger for Plugged {
    fn append(&self, draft: Draft) -> Result<Entry, LedgerError> {
        let number = self.point.written.fetch_add(1, Ordering::SeqCst) + 1;
        self.point.pass(Side::Before, number);
        let entry = self.ledger.append(draft)?;
        self.point.pass(Side::After, number);
        Ok(entry)
    }

    fn entries(
        &self,
        environment: &EnvironmentName,
        after: u64,
    ) -> Result<Vec<Entry>, LedgerError> {
        self.ledger.entries(environment, after)
    }

    fn fence(&self) -> Fence {
        self.ledger.fence()
    }
}
