//! What goes wrong inside, before it is told to the executor in its own terms.

use crate::error::MigrationError;
use ripcord_engine::Failure;
use rusqlite::ErrorCode;
use thiserror::Error;

/// The result of anything that talks to the database.
pub(crate) type Result<T> = std::result::Result<T, Trouble>;

/// Why something did not work.
#[derive(Debug, Error)]
pub(crate) enum Trouble {
    #[error("{0}")]
    Sql(#[from] rusqlite::Error),
    #[error("{0}")]
    Migration(#[from] MigrationError),
    #[error("a record of Ripcord's in the database cannot be read: {0}")]
    Record(#[from] serde_json::Error),
    #[error("{what}: {source}")]
    File { what: String, source: std::io::Error },
    #[error("{0}")]
    Failure(#[from] Failure),
}

impl Trouble {
    /// A definite refusal.
    pub(crate) fn refuse(why: impl std::fmt::Display) -> Trouble {
        Trouble::Failure(Failure::definite(why))
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Failure {
        let text = trouble.to_string();
        match trouble {
            Trouble::Failure(failure) => failure,
            Trouble::Sql(error) => match error.sqlite_error_code() {
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                    Failure::transient("another process is writing to the database")
                }
                Some(ErrorCode::DiskFull) => Failure::definite(
                    "the disk of the database is full; nothing was changed, free some space",
                ),
                Some(ErrorCode::OperationInterrupted) => Failure::Interrupted,
                Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => {
                    Failure::transient(format!("the database cannot be used: {text}"))
                }
                _ => Failure::definite(format!("the database said no: {text}")),
            },
            Trouble::File { .. } => Failure::Transient(text),
            Trouble::Migration(_) | Trouble::Record(_) => Failure::Definite(text),
        }
    }
}
