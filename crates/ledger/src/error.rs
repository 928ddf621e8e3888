//! Why a state directory cannot be opened, and how errors of the store become the engine's.

use jiff::Timestamp;
use ripcord_engine::LedgerError;
use rusqlite::ErrorCode;
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// Why a state directory cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another controller uses it.
    #[error(
        "the state directory is in use by process {pid} since {since}; stop that controller, or \
         take over, which kills it"
    )]
    InUse {
        /// The process that holds the lock.
        pid: u32,
        /// Since when.
        since: Timestamp,
    },
    /// Another process holds the lock and does not say which it is.
    #[error("{} is locked by a process that does not name itself; stop that process", .0.display())]
    InUseByUnknown(PathBuf),
    /// The process that holds the lock could not be replaced.
    #[error("process {pid} holds the state directory and cannot be replaced: {why}")]
    Takeover {
        /// The process that holds the lock.
        pid: u32,
        /// What kept it there.
        why: String,
    },
    /// A newer Ripcord wrote it.
    #[error(
        "the ledger has format {found}, this version knows formats up to {known}; use the newer \
         version of ripcord that wrote it"
    )]
    NewerFormat {
        /// What was found.
        found: u32,
        /// The newest that this code knows.
        known: u32,
    },
    /// Some other database has the name of the ledger.
    #[error("{} is not a ledger of ripcord; move it away or choose another state directory", .0.display())]
    NotALedger(PathBuf),
    /// There is no ledger to read.
    #[error("there is no ledger at {}", .0.display())]
    Missing(PathBuf),
    /// Locks and fsync cannot be trusted there.
    #[error(
        "{} is on a network file system, where locks cannot be trusted; choose a local directory",
        .0.display()
    )]
    NetworkFileSystem(PathBuf),
    /// This build has a `SQLite` that can corrupt its write-ahead log.
    #[error("sqlite {0} can corrupt its write-ahead log; build ripcord with 3.51.3 or newer")]
    UnsafeSqlite(String),
    /// The directory cannot be used.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// The ledger itself is damaged or cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl OpenError {
    /// Names what was tried when the system said no.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> OpenError {
        let what = what.into();
        move |source| OpenError::Io { what, source }
    }
}

/// What an error of the store means while the entry `sequence` was read or written.
pub(crate) fn meaning(error: &rusqlite::Error, sequence: u64) -> LedgerError {
    match error.sqlite_error_code() {
        // Without a code it is a value of another type than was written, or not UTF-8.
        None | Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            damaged(sequence, error)
        }
        Some(ErrorCode::DiskFull) => LedgerError::Full(error.to_string()),
        Some(_) => LedgerError::Unusable(error.to_string()),
    }
}

/// A damaged entry.
pub(crate) fn damaged(sequence: u64, why: impl std::fmt::Display) -> LedgerError {
    LedgerError::Damaged { sequence, why: why.to_string() }
}
