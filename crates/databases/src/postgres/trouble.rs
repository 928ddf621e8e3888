//! What can go wrong between Ripcord and a `PostgreSQL` server.

use thiserror::Error;

/// Why a server could not be asked. No message holds a password.
#[derive(Debug, Error)]
pub enum PostgresError {
    /// The address is not one.
    #[error(
        "this is not the address of a database: {why}; write postgresql://user@host:port/name or postgresql:///name?host=/socket/directory"
    )]
    Address {
        /// What is wrong with it.
        why: String,
    },
    /// The address asks for an encrypted connection.
    #[error(
        "{place} is to be reached by TLS, which is not supported; use a unix socket, a loopback address or a tunnel, with sslmode=disable"
    )]
    Tls {
        /// Host and database.
        place: String,
    },
    /// Nobody answers there, or not to us.
    #[error(
        "cannot reach {place}: {why}; check the address, that the server runs, and that it lets this user in"
    )]
    Unreachable {
        /// Host and database.
        place: String,
        /// What was tried.
        why: String,
    },
    /// The server is too old.
    #[error("{place} runs PostgreSQL {version}; the oldest that is supported is 14")]
    TooOld {
        /// Host and database.
        place: String,
        /// Its version.
        version: String,
    },
    /// A question failed.
    #[error("{place} did not answer a question about its {about}: {why}")]
    Query {
        /// Host and database.
        place: String,
        /// What was asked for.
        about: &'static str,
        /// What the server said.
        why: String,
    },
    /// The schema changed each time it was read.
    #[error(
        "the schema of {place} changed while it was read, {times} times; try again when migrations are over"
    )]
    Restless {
        /// Host and database.
        place: String,
        /// How often it was tried.
        times: u32,
    },
    /// Something named in the scope is not there.
    #[error("{place} has no schema {schema}")]
    NoSchema {
        /// Host and database.
        place: String,
        /// Which.
        schema: String,
    },
    /// The server's answer is not of the form that was asked for.
    #[error(
        "{place} answered a question about its {about} in an unexpected form: {what}; please report this"
    )]
    Answer {
        /// Host and database.
        place: String,
        /// What was asked for.
        about: &'static str,
        /// What was wrong.
        what: String,
    },
    /// A newer version of Ripcord has been at work there.
    #[error(
        "what Ripcord keeps in {place} is of form {found}, which this version does not know; use the version that wrote it, or a newer one"
    )]
    Newer {
        /// Host and database.
        place: String,
        /// The form that was found.
        found: String,
    },
    /// The run was given up, so that it must not be committed any more.
    #[error(
        "this run was given up meanwhile, so nothing of it was left in {place}; start it again"
    )]
    Forbidden {
        /// Host and database.
        place: String,
    },
}
