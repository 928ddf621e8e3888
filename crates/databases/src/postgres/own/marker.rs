//! Whether a run was committed. The mark is set in the transaction of what it marks, so that after
//! a lost answer the database itself says what happened. Whoever takes a run back first forbids
//! it, so that a commit that was only late can never slip in.

use crate::postgres::connection::Connection;
use crate::postgres::trouble::PostgresError;
use crate::sql::literal;

/// Marks a run as done, as part of the open transaction. False when it was done before.
///
/// # Errors
///
/// The run is forbidden, or the database cannot be asked.
pub(crate) fn mark(connection: &mut Connection, key: &str) -> Result<bool, PostgresError> {
    let key = literal(key);
    let set = format!(
        "INSERT INTO ripcord.marker (key, done) VALUES ({key}, true) \
         ON CONFLICT (key) DO NOTHING RETURNING key"
    );
    if !connection.rows("marker", &set)?.is_empty() {
        return Ok(true);
    }
    let done = format!("SELECT done FROM ripcord.marker WHERE key = {key}");
    let rows = connection.rows("marker", &done)?;
    match rows.first().and_then(|row| row.first().cloned().flatten()).as_deref() {
        Some("t") => Ok(false),
        _ => Err(PostgresError::Forbidden { place: connection.place().to_owned() }),
    }
}

/// Whether a run is done.
pub(crate) fn is_done(connection: &mut Connection, key: &str) -> Result<bool, PostgresError> {
    let sql = format!("SELECT 1 FROM ripcord.marker WHERE key = {} AND done", literal(key));
    Ok(!connection.rows("marker", &sql)?.is_empty())
}

/// Sees to it that a run which is not done never will be. False when it is done already.
///
/// A run that is just being committed is waited for, as long as the connection waits for locks.
pub(crate) fn forbid(connection: &mut Connection, key: &str) -> Result<bool, PostgresError> {
    let sql = format!(
        "INSERT INTO ripcord.marker (key, done) VALUES ({}, false) ON CONFLICT (key) DO NOTHING",
        literal(key)
    );
    connection.run("marker", &sql)?;
    Ok(!is_done(connection, key)?)
}
