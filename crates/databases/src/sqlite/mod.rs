//! `SQLite` as a target database.
//!
//! A connection is opened for each operation, so that the application's own use of the file is
//! never in the way of ours for longer than the operation lasts. The application may go on
//! running: what changes the database happens in one immediate transaction.

mod backup;
mod canonical;
mod capture;
mod catalogue;
mod connection;
mod ensure;
mod estimate;
mod faults;
mod fingerprint;
mod finish;
mod history;
mod integrity;
mod kept;
mod mapping;
mod merge;
mod preview;
mod records;
mod reshape;
mod review;
mod scratch;
mod statement;
#[cfg(test)]
mod tests;
mod transition;
mod trouble;

pub use backup::restore;

use catalogue::Catalogue;
use connection::{Session, Watch, open_to_read, supervised};
use ensure::Request;
use faults::Faults;
use ripcord_core::model::Digest;
use ripcord_core::model::environment::SchemaState;
use ripcord_core::run::Receipt;
use ripcord_core::schema::{
    Direction, MigrationScript, SchemaChange, SchemaPreview, Snapshot, Wanted,
};
use ripcord_engine::{Database, Result, Ticket};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// How long work waits for others that has no ticket to say it.
const WAIT_MS: u64 = 10_000;

/// Where a database is and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteOptions {
    /// The database's file. It need not exist before the first change.
    pub path: PathBuf,
    /// The folder for copies of it.
    pub backups: PathBuf,
    /// The environment it belongs to, which is noted in it.
    pub environment: String,
}

/// A target database in a file.
#[derive(Debug, Clone)]
pub struct SqliteDatabase {
    options: SqliteOptions,
    faults: Faults,
}

impl SqliteDatabase {
    /// A database that is opened anew for each operation.
    pub fn new(options: SqliteOptions) -> SqliteDatabase {
        SqliteDatabase { options, faults: Faults::default() }
    }

    /// The whole catalogue, for showing differences.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn snapshot(&self) -> Result<Snapshot> {
        self.read(|connection| Ok(Catalogue::read(connection)?.snapshot), Snapshot::default)
    }

    /// The identity of this copy of the database, which a restored copy does not share. None
    /// before the first change.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn incarnation(&self) -> Result<Option<String>> {
        let read = |connection: &Connection| {
            if records::exist(connection)? {
                records::meta(connection, "incarnation")
            } else {
                Ok(None)
            }
        };
        self.read(read, || None)
    }

    /// Removes everything that is Ripcord's from the database, what was kept included.
    ///
    /// # Errors
    ///
    /// [`ripcord_engine::Failure::Transient`] while others write to it.
    pub fn detach(&self) -> Result<()> {
        if !self.options.path.exists() {
            return Ok(());
        }
        let watch = Watch::new(WAIT_MS);
        let session = Session::open(&self.options.path)?;
        session.begin(&watch)?;
        records::remove_all(&session.connection)?;
        Ok(session.commit(&watch)?)
    }

    /// Reads in one transaction; a database that is not there yet is empty.
    fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> trouble::Result<T>,
        empty: impl FnOnce() -> T,
    ) -> Result<T> {
        let Some(connection) = open_to_read(&self.options.path)? else { return Ok(empty()) };
        connection.execute_batch("BEGIN").map_err(trouble::Trouble::from)?;
        Ok(read(&connection)?)
    }
}

impl Database for SqliteDatabase {
    fn observe(&self) -> Result<SchemaState> {
        let read = |connection: &Connection| {
            let digest = Catalogue::read(connection)?.digest();
            Ok(SchemaState { digest, applied: records::applied(connection)? })
        };
        let empty = || SchemaState { digest: Catalogue::default().digest(), applied: Vec::new() };
        self.read(read, empty)
    }

    fn preview(&self, direction: Direction, scripts: &[MigrationScript]) -> Result<SchemaPreview> {
        let live = open_to_read(&self.options.path)?;
        let environment = &self.options.environment;
        let whole_bytes_max = self.faults.whole_bytes_max();
        Ok(preview::preview(live.as_ref(), direction, scripts, environment, whole_bytes_max)?)
    }

    fn back_up(&self, name: &str, ticket: &Ticket<'_>) -> Result<Receipt> {
        if !self.options.path.exists() {
            return Ok(Receipt::of("there is no database yet, so there is nothing to copy"));
        }
        let session = Session::open(&self.options.path)?;
        supervised(ticket, session, |session, watch| {
            backup::back_up(session, watch, &self.options.backups, name)
        })
    }

    fn ensure(
        &self,
        change: &SchemaChange,
        wanted: Wanted,
        ticket: &Ticket<'_>,
    ) -> Result<Receipt> {
        let request = Request {
            change,
            wanted,
            fence: ticket.fence,
            environment: &self.options.environment,
            faults: &self.faults,
        };
        let session = Session::open(&self.options.path)?;
        supervised(ticket, session, |session, watch| ensure::ensure(session, watch, &request))
    }

    fn integrity(&self) -> Result<()> {
        self.read(integrity::check, || ())
    }

    fn fingerprints(&self) -> Result<BTreeMap<String, Digest>> {
        self.read(fingerprint::fingerprints, BTreeMap::new)
    }
}
