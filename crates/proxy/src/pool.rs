//! Our own pool of HTTP/1.1 connections to one target.
//!
//! The newest idle connection is used first, so that the others grow old and are let go. A
//! connection is reused only after its last request was sent whole and answered whole. Dropping a
//! [`Connection`] closes its socket at once: a request that is given up is gone, not lingering.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::options::{Limits, ms};
use crate::request_body::RequestBody;

/// The connections to one target; clones share them.
#[derive(Clone)]
pub(crate) struct Pool(Arc<Shared>);

struct Shared {
    address: SocketAddr,
    limits: Arc<Limits>,
    /// One permit for each connection in use. Idle ones have none, so that whoever waits for
    /// room gets the connection that another request has just given back.
    room: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
}

/// One connection, in use or idle.
pub(crate) struct Connection {
    pub(crate) sender: SendRequest<RequestBody>,
    /// Whether it has carried a request before.
    pub(crate) reused: bool,
    born: Instant,
    idle_since: Instant,
    /// Weak, because the pool owns its idle connections.
    pool: Weak<Shared>,
    limits: Arc<Limits>,
    task: AbortHandle,
    room: Option<OwnedSemaphorePermit>,
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum NoConnection {
    /// The target does not accept, or not in time.
    Connect,
    /// As many connections as allowed are in use, and none came free in time.
    Busy,
}

impl Pool {
    pub(crate) fn new(address: SocketAddr, limits: &Arc<Limits>) -> Self {
        let room = Arc::new(Semaphore::new(limits.target_connections));
        let (limits, idle) = (Arc::clone(limits), Mutex::new(Vec::new()));
        Self(Arc::new(Shared { address, limits, room, idle }))
    }

    /// An idle connection if one still works, else a new one.
    pub(crate) async fn checkout(&self) -> Result<Connection, NoConnection> {
        let room = self.room().await?;
        while let Some(mut idle) = self.pop() {
            // A connection that was just given back may need a moment to notice its own end of
            // message; one that does not answer in this time is not worth having.
            let ready = timeout(ms(self.0.limits.connect_ms), idle.sender.ready()).await;
            if matches!(ready, Ok(Ok(()))) {
                idle.room = Some(room);
                return Ok(idle);
            }
        }
        self.connect_in(room).await
    }

    /// A new connection, whatever is idle.
    pub(crate) async fn connect(&self) -> Result<Connection, NoConnection> {
        let room = self.room().await?;
        self.connect_in(room).await
    }

    /// Waits for its turn, first come, first served.
    async fn room(&self) -> Result<OwnedSemaphorePermit, NoConnection> {
        let room = Arc::clone(&self.0.room).acquire_owned();
        let room = timeout(ms(self.0.limits.target_wait_ms), room).await;
        room.ok().and_then(Result::ok).ok_or(NoConnection::Busy)
    }

    async fn connect_in(&self, room: OwnedSemaphorePermit) -> Result<Connection, NoConnection> {
        let open = timeout(ms(self.0.limits.connect_ms), self.open(room)).await;
        open.ok().and_then(Result::ok).ok_or(NoConnection::Connect)
    }

    async fn open(&self, room: OwnedSemaphorePermit) -> io::Result<Connection> {
        let stream = TcpStream::connect(self.0.address).await?;
        stream.set_nodelay(true)?;
        let handshake = http1::Builder::new().handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(io::Error::other)?;
        // Its errors reach the request that is on it; an idle one just ends and is not ready.
        let task = tokio::spawn(connection.with_upgrades()).abort_handle();
        let (now, room) = (Instant::now(), Some(room));
        let (born, idle_since, pool) = (now, now, Arc::downgrade(&self.0));
        let limits = Arc::clone(&self.0.limits);
        Ok(Connection { sender, reused: false, born, idle_since, pool, limits, task, room })
    }

    fn pop(&self) -> Option<Connection> {
        let mut idle = self.idle();
        while let Some(connection) = idle.pop() {
            if connection.is_worth_keeping() {
                return Some(connection);
            }
        }
        None
    }

    /// Lets go of what is closed or too old.
    pub(crate) fn reap(&self) {
        let old: Vec<_> = self.idle().extract_if(.., |c| !c.is_worth_keeping()).collect();
        drop(old);
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// Back to the pool. The caller knows that request and answer are both over.
    pub(crate) fn give_back(mut self) {
        self.reused = true;
        self.idle_since = Instant::now();
        let Some(pool) = self.pool.upgrade().map(Pool) else { return };
        // Its room comes free after the connection itself is there for whoever waits.
        let _room = self.room.take();
        let mut idle = pool.idle();
        if self.is_worth_keeping() && idle.len() < self.limits.target_idle {
            idle.push(self);
        }
    }

    fn is_worth_keeping(&self) -> bool {
        let limits = &self.limits;
        !self.sender.is_closed()
            && self.idle_since.elapsed() < ms(limits.target_idle_ms)
            && self.born.elapsed() < ms(limits.target_lifetime_ms)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}
