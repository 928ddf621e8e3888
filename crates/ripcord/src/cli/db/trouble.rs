//! What goes wrong with a database or a folder, as people and scripts see it.

use crate::failure::{Code, Failure};
use ripcord_databases::MigrationError;
use ripcord_databases::postgres::{Hindrance, PostgresError};

pub(super) fn failure(error: &PostgresError) -> Failure {
    let failure = Failure::new(code(error), error.to_string());
    match error.grant() {
        Some(grant) => failure.hint(format!("the role of the address lacks: {grant}")),
        None => failure,
    }
}

fn code(error: &PostgresError) -> Code {
    match error {
        PostgresError::Address { .. }
        | PostgresError::Tls { .. }
        | PostgresError::Pooled { .. }
        | PostgresError::TooOld { .. }
        | PostgresError::NoSchema { .. }
        | PostgresError::HistoryName { .. }
        | PostgresError::Newer { .. } => Code::Usage,
        PostgresError::Query { code, .. } if code == "42501" => Code::MigrationRefused,
        PostgresError::Unreachable { .. }
        | PostgresError::Query { .. }
        | PostgresError::Restless { .. }
        | PostgresError::Unsure { .. } => Code::DatabaseUnreachable,
        PostgresError::HistoryAmbiguous { .. }
        | PostgresError::HistoryForeign { .. }
        | PostgresError::NoHome { .. } => Code::HistoryUnclear,
        PostgresError::Busy { .. }
        | PostgresError::Superseded { .. }
        | PostgresError::Forbidden { .. } => Code::OperationRunning,
        PostgresError::Contended { .. } => Code::DatabaseBusy,
        PostgresError::Refused { .. }
        | PostgresError::Replica { .. }
        | PostgresError::Statement { .. } => Code::MigrationRefused,
        PostgresError::Answer { .. } => Code::Bug,
    }
}

/// What is wrong with a folder.
pub(super) fn folder_failure(error: &MigrationError) -> Failure {
    Failure::new(Code::MigrationsInvalid, error.to_string())
}

/// What stands in the way of running migrations or taking them back.
pub(super) fn hindrance(error: &Hindrance) -> Failure {
    let (code, hint) = match error {
        Hindrance::UnknownVersion { .. } => (Code::Usage, "`ripcord db status` lists them"),
        Hindrance::Failed { .. } => (
            Code::HistoryUnclear,
            "look what of it is in force, mend that, and set the tool's mark right with the tool",
        ),
        Hindrance::HalfUndone { .. } => (Code::HistoryUnclear, "run `ripcord db down` again first"),
        Hindrance::Unfinished { .. } => (Code::HistoryUnclear, "run `ripcord db up` again first"),
        Hindrance::Changed { .. } => (
            Code::EditedMigration,
            "restore the file and write a new migration; --allow-changed goes on all the same",
        ),
        Hindrance::Missing { .. } => {
            (Code::UnknownMigrations, "restore the file; --allow-missing goes on without it")
        }
        Hindrance::Late { .. } => {
            (Code::OutOfOrder, "give it a later version; --out-of-order runs it all the same")
        }
        Hindrance::Elsewhere { .. } => (
            Code::RanElsewhere,
            "`ripcord db attach` stores its scripts, so that it can be taken back by them",
        ),
    };
    Failure::new(code, error.to_string()).hint(hint)
}
