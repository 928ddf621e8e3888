//! Ripcord's own schema in a target database: what was run there, what was set aside, and whether
//! a run was committed. It is made when first needed, is its owner's alone, and can be removed
//! without a trace.
//!
//! Nothing here runs migrations or reads rows of users.

mod applied;
mod delta;
mod incarnation;
mod kept;
mod marker;

pub(crate) use applied::{Applied, Intent, Run, State};
pub(crate) use delta::{Delta, Differing, Drift, Gone, Renamed, RenamedLabel};
pub(crate) use incarnation::recognise;
pub(crate) use kept::{AS_AFTER, HiddenName, Kept, KeptColumn, KeptItem};
pub(crate) use marker::{forbid, mark};

use crate::postgres::connection::Connection;
use crate::postgres::trouble::PostgresError;
use crate::sql::literal;

/// The version of its form.
const FORMAT: u32 = 1;

/// Whether a database has it.
pub(crate) fn is_there(connection: &mut Connection) -> Result<bool, PostgresError> {
    let sql = "SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n \
               ON n.oid = c.relnamespace WHERE n.nspname = 'ripcord' AND c.relname = 'database'";
    Ok(!connection.rows("Ripcord's own schema", sql)?.is_empty())
}

/// Makes it where it is missing. `incarnation` names this database from now on; it is random.
///
/// # Errors
///
/// The user may not make a schema, or a newer version of Ripcord made it.
pub(crate) fn ensure(connection: &mut Connection, incarnation: &str) -> Result<(), PostgresError> {
    let about = "Ripcord's own schema";
    if !is_there(connection)? {
        let made = format!(
            "BEGIN; SELECT pg_catalog.pg_advisory_xact_lock({LOCK_MAKING});\n{}\n\
             INSERT INTO ripcord.database (format, incarnation) VALUES ({FORMAT}, {}); COMMIT",
            include_str!("schema.sql"),
            literal(incarnation)
        );
        if let Err(error) = connection.run(about, &made) {
            // Somebody else may have made it in the same moment.
            drop(connection.run(about, "ROLLBACK"));
            if !is_there(connection)? {
                return Err(error);
            }
        }
    }
    let rows = connection.rows(about, "SELECT format FROM ripcord.database")?;
    let found = rows.first().and_then(|row| row.first().cloned().flatten()).unwrap_or_default();
    if found.parse() == Ok(FORMAT) {
        return Ok(());
    }
    Err(PostgresError::Newer { place: connection.place().to_owned(), found })
}

/// The number that a table of its own has at the server. After a restored dump it is another, and
/// then no number that was written down means what it meant.
pub(crate) fn anchor(connection: &mut Connection) -> Result<u32, PostgresError> {
    let sql = "SELECT 'ripcord.applied'::pg_catalog.regclass::pg_catalog.oid::pg_catalog.int8";
    let number = connection.number("Ripcord's own schema", sql)?;
    Ok(u32::try_from(number).unwrap_or_default())
}

/// Removes it with everything in it.
///
/// # Errors
///
/// Something of the user's hangs on it, or the user may not.
pub(crate) fn remove(connection: &mut Connection) -> Result<(), PostgresError> {
    connection.run("Ripcord's own schema", "DROP SCHEMA IF EXISTS ripcord CASCADE")
}

/// The advisory lock under which the schema is made. Any number will do that others do not use.
const LOCK_MAKING: i64 = 0x0052_4950_434f_5244;
