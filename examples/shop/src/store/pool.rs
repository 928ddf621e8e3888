//! A few connections to one database file, each used by one request at a time.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::StoreError;
use crate::faults::lock;

const CONNECTIONS_MAX: usize = 4;
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens connections when needed and keeps up to four.
pub(crate) struct Pool {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
    writer: Arc<Semaphore>,
}

impl Pool {
    pub(crate) fn new(path: PathBuf) -> Self {
        let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let writer = Arc::new(Semaphore::new(1));
        Self { path, idle: Mutex::new(Vec::new()), permits, writer }
    }

    /// Like `read`, for work that writes. One at a time: the database has one writer anyway, and
    /// writes that wait for a long lock must not take all connections away from the readers.
    pub(crate) async fn write<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let turn = timeout(BUSY_TIMEOUT, Arc::clone(&self.writer).acquire_owned())
            .await
            .map_err(|_| StoreError::Busy)?;
        // The turn goes with the work: it must outlast a client that stops waiting.
        self.read(move |connection| {
            let _turn = turn;
            work(connection)
        })
        .await
    }

    /// Runs `work` with a connection on a thread that may block.
    pub(crate) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = timeout(BUSY_TIMEOUT, Arc::clone(&self.permits).acquire_owned())
            .await
            .map_err(|_| StoreError::Busy)?;
        let pool = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let mut connection = pool.take()?;
            let result = work(&mut connection);
            match result {
                // A connection that failed is not trusted again; a new one is cheap.
                Err(StoreError::Database(error)) if is_busy(&error) => Err(StoreError::Busy),
                Err(StoreError::Database(error)) => Err(StoreError::Database(error)),
                other => {
                    lock(&pool.idle).push(connection);
                    other
                }
            }
        })
        .await
        .unwrap_or(Err(StoreError::Busy))
    }

    fn take(&self) -> Result<Connection, StoreError> {
        match lock(&self.idle).pop() {
            Some(connection) => Ok(connection),
            None => Ok(self.open()?),
        }
    }

    fn open(&self) -> rusqlite::Result<Connection> {
        // Never CREATE: an empty file in place of the database would look like a healthy shop.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        // Only a database that nobody writes to can change its mode; while somebody does, this
        // connection works in the old one, and a later connection tries again.
        connection.busy_timeout(Duration::ZERO)?;
        match connection.pragma_update(None, "journal_mode", "wal") {
            Err(error) if is_busy(&error) => {}
            other => other?,
        }
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "foreign_keys", "on")?;
        Ok(connection)
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}
