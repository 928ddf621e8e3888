//! sqlx: one row for each version, with a SHA-384 of the script and the time that it took.

use crate::formats::{Migration, MigrationKind};
use crate::postgres::connection::Connection;
use crate::postgres::history::{Memory, Row, each, field};
use crate::postgres::trouble::PostgresError;
use crate::sql::literal;

pub(super) const COLUMNS: &[&str] =
    &["version", "description", "installed_on", "success", "checksum", "execution_time"];

pub(super) fn made(table: &str) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {table} (version BIGINT PRIMARY KEY, \
         description TEXT NOT NULL, installed_on TIMESTAMPTZ NOT NULL DEFAULT now(), \
         success BOOLEAN NOT NULL, checksum BYTEA NOT NULL, execution_time BIGINT NOT NULL)"
    )
}

pub(super) fn read(connection: &mut Connection, table: &str) -> Result<Memory, PostgresError> {
    let sql = format!(
        "SELECT version, description, pg_catalog.encode(checksum, 'hex'), success, installed_on \
         FROM {table} ORDER BY version"
    );
    each(connection, &sql, |row| {
        Some(Row {
            version: field(row, 0)?,
            name: field(row, 1),
            kind: MigrationKind::Versioned,
            checksum: field(row, 2),
            failed: field(row, 3).as_deref() != Some("t"),
            at: field(row, 4),
        })
    })
}

pub(super) fn record(table: &str, migration: &Migration, took_ms: u64) -> String {
    format!(
        "INSERT INTO {table} (version, description, success, checksum, execution_time) \
         VALUES ({}, {}, true, pg_catalog.decode({}, 'hex'), {})",
        literal(&migration.version),
        literal(&migration.name),
        literal(migration.checksum.as_deref().unwrap_or_default()),
        took_ms.saturating_mul(1_000_000).min(i64::MAX.unsigned_abs()),
    )
}

pub(super) fn strike(table: &str, version: &str) -> String {
    format!("DELETE FROM {table} WHERE version = {}", literal(version))
}
