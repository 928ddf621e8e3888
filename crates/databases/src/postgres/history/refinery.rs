//! refinery: one row for each version, with a hash of name, version and script. The tool itself
//! never goes back; it does not mind when the last rows are gone.

use crate::formats::{Migration, MigrationKind};
use crate::postgres::connection::Connection;
use crate::postgres::history::{Memory, Row, each, field};
use crate::postgres::trouble::PostgresError;
use crate::sql::literal;

pub(super) const COLUMNS: &[&str] = &["version", "name", "applied_on", "checksum"];

pub(super) fn made(table: &str) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {table} (version INT4 PRIMARY KEY, name VARCHAR(255), \
         applied_on VARCHAR(255), checksum VARCHAR(255))"
    )
}

pub(super) fn read(connection: &mut Connection, table: &str) -> Result<Memory, PostgresError> {
    let sql = format!("SELECT version, name, checksum, applied_on FROM {table} ORDER BY version");
    each(connection, &sql, |row| {
        Some(Row {
            version: field(row, 0)?,
            name: field(row, 1),
            kind: MigrationKind::Versioned,
            checksum: field(row, 2),
            failed: false,
            at: field(row, 3),
        })
    })
}

pub(super) fn record(table: &str, migration: &Migration) -> String {
    format!(
        "INSERT INTO {table} (version, name, applied_on, checksum) VALUES ({}, {}, \
         pg_catalog.to_char(pg_catalog.now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), {})",
        literal(&migration.version),
        literal(&migration.name),
        literal(migration.checksum.as_deref().unwrap_or_default()),
    )
}

pub(super) fn strike(table: &str, version: &str) -> String {
    format!("DELETE FROM {table} WHERE version = {}", literal(version))
}
