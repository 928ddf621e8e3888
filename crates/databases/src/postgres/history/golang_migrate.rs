//! golang-migrate: one row with the version that was reached, and whether something went wrong on
//! the way there.

use crate::formats::Migration;
use crate::postgres::connection::Connection;
use crate::postgres::history::{ABOUT, Memory, field};
use crate::postgres::trouble::PostgresError;
use crate::sql::literal;

pub(super) const COLUMNS: &[&str] = &["version", "dirty"];

pub(super) fn made(table: &str) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {table} \
         (version bigint not null primary key, dirty boolean not null)"
    )
}

pub(super) fn read(connection: &mut Connection, table: &str) -> Result<Memory, PostgresError> {
    let rows = connection.rows(ABOUT, &format!("SELECT version, dirty FROM {table} LIMIT 1"))?;
    let row = rows.first();
    // After a failed first step the tool stores a version below zero.
    let version = row.and_then(|row| field(row, 0)).filter(|version| !version.starts_with('-'));
    let dirty = row.and_then(|row| field(row, 1)).as_deref() == Some("t");
    Ok(Memory::Reached { version, dirty })
}

/// The row stays where it is when a migration was run late, below what was reached.
pub(super) fn record(table: &str, migration: &Migration) -> String {
    let version = literal(&migration.version);
    format!(
        "DELETE FROM {table} WHERE version < {version}; \
         INSERT INTO {table} (version, dirty) SELECT {version}, false \
         WHERE NOT EXISTS (SELECT 1 FROM {table})"
    )
}

/// The row moves to the version before, which the tool would do; a row elsewhere says nothing of
/// this version.
pub(super) fn strike(table: &str, version: &str, before: Option<u64>) -> String {
    let version = literal(version);
    match before {
        Some(before) => {
            format!(
                "UPDATE {table} SET version = {before}, dirty = false WHERE version = {version}"
            )
        }
        None => format!("DELETE FROM {table} WHERE version = {version}"),
    }
}
