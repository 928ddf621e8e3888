//! The `PostgreSQL` database of a demo: at a private cluster, or at a server that somebody names.
//! In both cases it is a new one, and goes at the end.

use crate::demo::cluster::Cluster;
use crate::demo::stage::cannot_write;
use crate::failure::{Code, Failure};
use crate::terminal;
use ripcord_core::model::Digest;
use ripcord_databases::postgres::{Connection, Limits, Scope, scratch, snapshot};
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Where the demo's data is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Data {
    /// A file.
    Sqlite,
    /// A private cluster.
    Private,
    /// A new database at this server.
    At(String),
}

/// A database of the demo's own.
#[derive(Debug)]
pub(crate) struct Server {
    url: String,
    /// What is to go at the end.
    left: Mutex<Left>,
}

#[derive(Debug)]
enum Left {
    Nothing,
    Cluster(Cluster),
    Database { beside: String, name: String },
}

impl Server {
    /// Makes it; none where the data is in a file.
    pub(crate) fn make(data: &Data, folder: &Path) -> Result<Option<Server>, Failure> {
        let refused = |error: ripcord_databases::postgres::PostgresError| {
            Failure::new(Code::DemoFailed, error.to_string())
        };
        let name = format!("ripcord_demo_{}", std::process::id());
        let (url, left) = match data {
            Data::Sqlite => return Ok(None),
            Data::Private => {
                let cluster = Cluster::start(folder)?;
                let url = scratch::make(&cluster.url("postgres"), &name).map_err(refused)?;
                (url, Left::Cluster(cluster))
            }
            Data::At(beside) => {
                let url = scratch::make(beside, &name).map_err(|error| {
                    refused(error).hint(
                        "the demo makes a database of its own there, for which the user needs \
                         CREATEDB; it touches no other",
                    )
                })?;
                (url, Left::Database { beside: beside.clone(), name })
            }
        };
        Ok(Some(Server { url, left: Mutex::new(left) }))
    }

    /// Its address.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Writes its address where only this user reads it.
    pub(crate) fn write_url(&self, path: &Path) -> Result<(), Failure> {
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(path).map_err(cannot_write)?;
        file.write_all(self.url.as_bytes()).map_err(cannot_write)
    }

    /// The digest of its catalogue, the order of columns included, read beside everything that
    /// Ripcord says of itself.
    pub(crate) fn catalogue(&self) -> Result<Digest, Failure> {
        let failed = |error: ripcord_databases::postgres::PostgresError| {
            Failure::new(Code::DemoFailed, error.to_string())
        };
        let mut connection =
            Connection::open(&self.url, "demo", &Limits::default()).map_err(failed)?;
        Ok(snapshot(&mut connection, &Scope::default()).map_err(failed)?.digest())
    }

    /// Leaves it as it is, if it can outlive this process.
    pub(crate) fn keep(&self) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*left, Left::Database { .. }) {
            *left = Left::Nothing;
        }
    }

    /// Removes it.
    pub(crate) fn unmake(&self) {
        let left = std::mem::replace(
            &mut *self.left.lock().unwrap_or_else(PoisonError::into_inner),
            Left::Nothing,
        );
        match left {
            Left::Nothing => {}
            Left::Cluster(cluster) => drop(cluster),
            Left::Database { beside, name } => {
                if let Err(error) = scratch::unmake(&beside, &name) {
                    terminal::say(&format!("the database {name} is left at the server: {error}"));
                }
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.unmake();
    }
}
