//! dbmate: one row for each version.

use crate::formats::Migration;
use crate::postgres::connection::Connection;
use crate::postgres::history::{Memory, each, field, versioned};
use crate::postgres::trouble::PostgresError;
use crate::sql::literal;

pub(super) const COLUMNS: &[&str] = &["version"];

pub(super) fn made(table: &str) -> String {
    format!("CREATE TABLE IF NOT EXISTS {table} (version varchar primary key)")
}

pub(super) fn read(connection: &mut Connection, table: &str) -> Result<Memory, PostgresError> {
    let sql = format!("SELECT version FROM {table} ORDER BY version");
    each(connection, &sql, |row| Some(versioned(field(row, 0)?, None)))
}

pub(super) fn record(table: &str, migration: &Migration) -> String {
    format!("INSERT INTO {table} (version) VALUES ({})", literal(&migration.version))
}

pub(super) fn strike(table: &str, version: &str) -> String {
    format!("DELETE FROM {table} WHERE version = {}", literal(version))
}
