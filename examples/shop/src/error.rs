//! Everything that can go wrong outside a single request.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::Place;

/// An error of the shop, its load generator or its bookkeeping.
#[derive(Debug, thiserror::Error)]
pub enum ShopError {
    /// The command line makes no sense.
    #[error("{0}; run `shop help` for the commands")]
    Usage(String),
    /// A setting in the environment is missing or wrong.
    #[error("environment variable {name} {problem}")]
    Setting {
        /// The variable.
        name: &'static str,
        /// What is wrong with it, as the rest of the sentence.
        problem: String,
    },
    /// A file or socket could not be used.
    #[error("cannot {doing} {path}: {source}", path = path.display())]
    File {
        /// What was attempted, for example `read`.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A JSON document does not parse.
    #[error("{path} is not a valid {what}: {source}", path = path.display())]
    Json {
        /// What it should have been.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Where it fails.
        source: serde_json::Error,
    },
    /// The port is not to be had.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address wanted.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The database cannot be read.
    #[error("cannot {doing} database {place}: {why}")]
    Database {
        /// What was attempted.
        doing: &'static str,
        /// The database.
        place: Place,
        /// Why not.
        why: String,
    },
    /// The server, a thread or a runtime ended where it must not.
    #[error("{what} failed: {source}")]
    Runtime {
        /// What failed.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
}
