//! sql-migrate: one row for each file, by its name.

use crate::formats::Migration;
use crate::postgres::connection::Connection;
use crate::postgres::history::{Memory, each, field, versioned};
use crate::postgres::trouble::PostgresError;
use crate::sql::literal;

pub(super) const COLUMNS: &[&str] = &["id", "applied_at"];

pub(super) fn made(table: &str) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {table} (\"id\" text not null primary key, \
         \"applied_at\" timestamp with time zone)"
    )
}

pub(super) fn read(connection: &mut Connection, table: &str) -> Result<Memory, PostgresError> {
    let sql = format!("SELECT id, applied_at FROM {table} ORDER BY id");
    each(connection, &sql, |row| Some(versioned(field(row, 0)?, field(row, 1))))
}

pub(super) fn record(table: &str, migration: &Migration) -> String {
    let version = literal(&migration.version);
    format!("INSERT INTO {table} (id, applied_at) VALUES ({version}, pg_catalog.now())")
}

pub(super) fn strike(table: &str, version: &str) -> String {
    format!("DELETE FROM {table} WHERE id = {}", literal(version))
}
