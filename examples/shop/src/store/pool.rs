//! A few connections to one database, each used by one request at a time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{Connection, StoreError};
use crate::Place;
use crate::faults::lock;

const CONNECTIONS_MAX: usize = 4;
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens connections when needed and keeps up to four.
pub(crate) struct Pool {
    place: Place,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
    writer: Arc<Semaphore>,
}

impl Pool {
    pub(crate) fn new(place: Place) -> Self {
        let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let writer = Arc::new(Semaphore::new(1));
        Self { place, idle: Mutex::new(Vec::new()), permits, writer }
    }

    /// Like `read`, for work that writes. One at a time: a file has one writer anyway, and writes
    /// that wait for a long lock must not take all connections away from the readers.
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
            // A connection that failed is not trusted again; a new one is cheap.
            if !matches!(result, Err(StoreError::Database(_) | StoreError::Busy)) {
                lock(&pool.idle).push(connection);
            }
            result
        })
        .await
        .unwrap_or(Err(StoreError::Busy))
    }

    fn take(&self) -> Result<Connection, StoreError> {
        match lock(&self.idle).pop() {
            Some(connection) => Ok(connection),
            None => Connection::open(&self.place),
        }
    }
}

impl Drop for Pool {
    /// A connection to a server takes leave of it, which may not be done where tasks run.
    fn drop(&mut self) {
        let idle = std::mem::take(&mut *lock(&self.idle));
        drop(std::thread::spawn(move || drop(idle)).join());
    }
}
