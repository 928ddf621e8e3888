//! A database of one's own at a server, made empty and dropped with everything in it. Nothing else
//! at the server is touched.

use crate::postgres::connection::{Connection, Limits};
use crate::postgres::score::with_database;
use crate::postgres::trouble::PostgresError;
use crate::sql::quoted;

const ABOUT: &str = "scratch database";

/// Makes a database of this name beside the one that the address names, and gives its address.
///
/// # Errors
///
/// There is one of this name, the user may not make any, or nobody answers.
pub fn make(address: &str, name: &str) -> Result<String, PostgresError> {
    let mut server = Connection::open(address, "scratch", &Limits::default())?;
    server.run(ABOUT, &format!("CREATE DATABASE {}", quoted(name)))?;
    Ok(with_database(address, name))
}

/// Drops it, whoever is still connected.
///
/// # Errors
///
/// The user may not, or nobody answers.
pub fn unmake(address: &str, name: &str) -> Result<(), PostgresError> {
    let mut server = Connection::open(address, "scratch", &Limits::default())?;
    server.run(ABOUT, &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted(name)))
}
