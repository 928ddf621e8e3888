//! What the tests share.

use jiff::Timestamp;
use ripcord_core::run::{Draft, Event, Subject};
use ripcord_ledger::{OpenOptions, SqliteLedger};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// The wall clock, which the library leaves to its caller.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_nanosecond(i128::try_from(since.as_nanos()).unwrap()).unwrap()
}

pub(crate) fn options() -> OpenOptions {
    OpenOptions { reserve_bytes: 64 * 1024, ..OpenOptions::new("1.2.3", now) }
}

pub(crate) fn open(directory: &Path) -> SqliteLedger {
    SqliteLedger::open(directory, options()).unwrap()
}

/// A fact of an environment.
pub(crate) fn fact(environment: &str, reason: &str) -> Draft {
    let event = Event::Paused { reason: reason.to_owned() };
    Draft { subject: Subject::Environment(environment.into()), by: "ada".to_owned(), event }
}

/// Numbers that look random and are the same in every run.
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end).unwrap()).unwrap()
    }
}
