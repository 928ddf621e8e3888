//! What goes wrong at the server, in the terms of the executor: whether to try again, to find out,
//! or to go back.

use crate::postgres::trouble::PostgresError;
use ripcord_engine::Failure;

/// What goes wrong here.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("{0}")]
    Postgres(#[from] PostgresError),
    #[error("{0}")]
    Failure(#[from] Failure),
}

impl Trouble {
    /// A definite refusal.
    pub(super) fn refuse(why: impl std::fmt::Display) -> Trouble {
        Trouble::Failure(Failure::definite(why))
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Failure {
        match trouble {
            Trouble::Failure(failure) => failure,
            Trouble::Postgres(error) => {
                let text = error.to_string();
                match error {
                    PostgresError::Unsure { .. } => Failure::Unknown(text),
                    PostgresError::Unreachable { .. }
                    | PostgresError::Contended { .. }
                    | PostgresError::Busy { .. }
                    | PostgresError::Superseded { .. }
                    | PostgresError::Restless { .. }
                    | PostgresError::Forbidden { .. } => Failure::Transient(text),
                    other if other.is_lost() || other.is_contention() => Failure::Transient(text),
                    _ => Failure::Definite(text),
                }
            }
        }
    }
}
