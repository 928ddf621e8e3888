//! Reading the ledger without writing it, while a controller runs or not.

use crate::database::{open_to_read, path, recognise};
use crate::error::{OpenError, meaning};
use crate::head;
use crate::verify::{Anchor, COLUMNS, Row, Verified, verify};
use ripcord_core::model::{Digest, EnvironmentName};
use ripcord_core::run::Entry;
use ripcord_engine::LedgerError;
use rusqlite::{Connection, OptionalExtension as _, Params};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A ledger that can be read and verified, but not written.
#[derive(Debug)]
pub struct LedgerReader {
    connection: Mutex<Connection>,
    noted: Option<Anchor>,
}

impl LedgerReader {
    /// Opens the ledger of a state directory, without its lock.
    ///
    /// # Errors
    ///
    /// [`OpenError`] when there is none, or it is of a newer format.
    pub fn open(directory: &Path) -> Result<LedgerReader, OpenError> {
        // Noted before anything is read, it is never ahead of what is read.
        let noted = head::noted(directory);
        let path = path(directory);
        let connection = open_to_read(&path)?;
        if recognise(&connection, &path)? == 0 {
            return Err(OpenError::Missing(path));
        }
        Ok(LedgerReader { connection: Mutex::new(connection), noted })
    }

    /// All entries of an environment above `after`, in order.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when they cannot be read or are not what was written.
    pub fn entries(
        &self,
        environment: &EnvironmentName,
        after: u64,
    ) -> Result<Vec<Entry>, LedgerError> {
        entries_of(&self.connection(), environment, after)
    }

    /// All entries above `after`, whatever they are about.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when they cannot be read or are not what was written.
    pub fn all_entries(&self, after: u64) -> Result<Vec<Entry>, LedgerError> {
        all_entries(&self.connection(), after)
    }

    /// Verifies every entry, the chain, the file, the head noted beside it when this was opened, and
    /// the anchors kept outside.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Damaged`] names the first entry that is not what was written; 0 stands for
    /// the file as a whole.
    pub fn verify(&self, anchors: &[Anchor]) -> Result<Verified, LedgerError> {
        let anchors: Vec<Anchor> = anchors.iter().chain(&self.noted).cloned().collect();
        verify(&mut self.connection(), &anchors)
    }

    /// The last entry as an anchor, to be kept outside.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when it cannot be read.
    pub fn head(&self) -> Result<Anchor, LedgerError> {
        let last = last_row(&self.connection()).map_err(|error| meaning(&error, 0))?;
        Ok(last.map_or_else(Anchor::of_nothing, |row| row.anchor()))
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Row {
    /// The row as an anchor.
    pub(crate) fn anchor(&self) -> Anchor {
        Anchor { sequence: self.sequence, digest: Digest(self.digest.clone()) }
    }
}

/// The last row.
pub(crate) fn last_row(connection: &Connection) -> rusqlite::Result<Option<Row>> {
    let query = format!("SELECT {COLUMNS} FROM entry ORDER BY sequence DESC LIMIT 1");
    connection.prepare_cached(&query)?.query_row([], Row::read).optional()
}

/// The entries of one environment above `after`.
pub(crate) fn entries_of(
    connection: &Connection,
    environment: &EnvironmentName,
    after: u64,
) -> Result<Vec<Entry>, LedgerError> {
    let query = format!(
        "SELECT {COLUMNS} FROM entry WHERE environment = ?1 AND sequence > ?2 ORDER BY sequence"
    );
    read(connection, &query, (environment.as_str(), after), after)
}

/// All entries above `after`.
pub(crate) fn all_entries(connection: &Connection, after: u64) -> Result<Vec<Entry>, LedgerError> {
    let query = format!("SELECT {COLUMNS} FROM entry WHERE sequence > ?1 ORDER BY sequence");
    read(connection, &query, (after,), after)
}

fn read(
    connection: &Connection,
    query: &str,
    parameters: impl Params,
    after: u64,
) -> Result<Vec<Entry>, LedgerError> {
    let failed = |error: rusqlite::Error| meaning(&error, after + 1);
    let mut statement = connection.prepare_cached(query).map_err(failed)?;
    let rows = statement.query_map(parameters, Row::read).map_err(failed)?;
    rows.map(|row| row.map_err(failed)?.entry()).collect()
}
