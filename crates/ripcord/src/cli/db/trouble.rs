//! What goes wrong with a database or a folder, as people and scripts see it.

use crate::failure::{Code, Failure};
use ripcord_databases::MigrationError;
use ripcord_databases::postgres::PostgresError;

pub(super) fn failure(error: &PostgresError) -> Failure {
    Failure::new(code(error), error.to_string())
}

fn code(error: &PostgresError) -> Code {
    match error {
        PostgresError::Address { .. }
        | PostgresError::Tls { .. }
        | PostgresError::TooOld { .. }
        | PostgresError::NoSchema { .. }
        | PostgresError::HistoryName { .. }
        | PostgresError::Newer { .. } => Code::Usage,
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
        PostgresError::Refused { .. } | PostgresError::Statement { .. } => Code::MigrationRefused,
        PostgresError::Answer { .. } => Code::Bug,
    }
}

/// What is wrong with a folder.
pub(super) fn folder_failure(error: &MigrationError) -> Failure {
    Failure::new(Code::MigrationsInvalid, error.to_string())
}
