//! Upgraded connections: bytes both ways, and a polite end when their release is drained.
//!
//! They live outside the request that began them, so they hold a place in the release of their
//! own. When the release is drained, each picks a random moment of the grace period, so that the
//! clients do not all come back at once. A WebSocket gets a close frame (1001) at the next frame
//! boundary, both ways; where frames cannot be told apart, the connection is cut when the grace
//! period ends. Nothing outlives the grace period.

use std::time::{Duration, Instant};

use hyper::header::HeaderValue;
use hyper::upgrade::{OnUpgrade, Upgraded as Socket};
use hyper_util::rt::TokioIo;
use tokio::io::{self, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{sleep_until, timeout, timeout_at};

use crate::pool::Connection;
use crate::random;
use crate::release::Upgraded;
use crate::websocket::{self, Frames};

/// How long both sides may take to become tunnels after the answer 101.
const HANDSHAKE: Duration = Duration::from_secs(10);
const BUFFER_BYTES: usize = 16 * 1024;

/// An upgrade that both sides agreed to.
pub(crate) struct Tunnel {
    pub(crate) client: OnUpgrade,
    pub(crate) release: OnUpgrade,
    pub(crate) is_websocket: bool,
    pub(crate) place: Upgraded,
    /// Hands its socket over, and is of no use after that.
    pub(crate) connection: Connection,
}

/// Whether this protocol's frames can be told apart.
pub(crate) fn is_websocket(protocol: &HeaderValue) -> bool {
    protocol.as_bytes().eq_ignore_ascii_case(b"websocket")
}

impl Tunnel {
    /// Runs until either side ends, or the grace period does.
    pub(crate) async fn run(self) {
        let Self { client, release, is_websocket, mut place, connection } = self;
        let both = timeout(HANDSHAKE, async { tokio::try_join!(client, release) }).await;
        let Ok(Ok((client, release))) = both else { return };
        drop(connection);
        let (close, closing) = watch::channel(false);
        let relay = relay(client, release, is_websocket, closing);
        tokio::pin!(relay);
        let until = tokio::select! {
            () = &mut relay => return,
            until = place.told_to_close() => until,
        };
        let end = async {
            sleep_until(moment_within(until).into()).await;
            close.send_replace(true);
            std::future::pending::<()>().await;
        };
        let polite = async {
            tokio::select! {
                () = relay => (),
                () = end => (),
            }
        };
        // Passing the end of the grace period is the other way to be done.
        let _ = timeout_at(until.into(), polite).await;
    }
}

/// A random moment of the time that is left. The last quarter is for the closing itself.
fn moment_within(until: Instant) -> Instant {
    let now = Instant::now();
    let left = until.saturating_duration_since(now) * 3 / 4;
    let left_us = u64::try_from(left.as_micros()).unwrap_or(u64::MAX);
    now + Duration::from_micros(random::below(left_us.max(1)))
}

async fn relay(
    client: Socket,
    release: Socket,
    is_websocket: bool,
    closing: watch::Receiver<bool>,
) {
    let (from_client, to_client) = io::split(TokioIo::new(client));
    let (from_release, to_release) = io::split(TokioIo::new(release));
    let frames = || is_websocket.then(Frames::default);
    let mask = || u32::try_from(random::bits() >> 32).unwrap_or(0).to_be_bytes();
    let down =
        Pump { from: from_release, to: to_client, frames: frames(), closing: closing.clone() };
    let up = Pump { from: from_client, to: to_release, frames: frames(), closing };
    // A side that fails ends both; a side that ends in peace lets the other finish.
    let _ = tokio::try_join!(
        down.run(websocket::close_from_server()),
        up.run(websocket::close_from_client(mask())),
    );
}

/// One direction of a tunnel.
struct Pump<From, To> {
    from: From,
    to: To,
    /// Where this direction is in its frames, if it has any.
    frames: Option<Frames>,
    closing: watch::Receiver<bool>,
}

impl<From: AsyncRead + Unpin, To: AsyncWrite + Unpin> Pump<From, To> {
    async fn run(mut self, close: Vec<u8>) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut closed = false;
        loop {
            let told = *self.closing.borrow();
            if told && !closed && self.frames.as_ref().is_some_and(Frames::at_boundary) {
                return self.close(&close, false, &mut buffer).await;
            }
            let length = tokio::select! {
                length = self.from.read(&mut buffer) => length?,
                Ok(()) = self.closing.changed(), if !told => continue,
            };
            if length == 0 {
                return self.to.shutdown().await;
            }
            let part = &buffer[..length];
            let Some(frames) = &mut self.frames else {
                self.to.write_all(part).await?;
                continue;
            };
            if !told || closed {
                closed |= frames.advance(part);
                self.to.write_all(part).await?;
                continue;
            }
            let end = frames.advance_to_boundary(part);
            self.to.write_all(&part[..end]).await?;
            if frames.at_boundary() {
                let answered = frames.advance(&part[end..]);
                return self.close(&close, answered, &mut buffer).await;
            }
        }
    }

    /// Says goodbye and ends this direction; what still comes is of no interest to anybody.
    async fn close(&mut self, close: &[u8], answered: bool, buffer: &mut [u8]) -> io::Result<()> {
        self.to.write_all(close).await?;
        self.to.flush().await?;
        let mut frames = self.frames.take().unwrap_or_default();
        let mut answered = answered;
        while !answered {
            let length = self.from.read(buffer).await?;
            answered = length == 0 || frames.advance(&buffer[..length]);
        }
        self.to.shutdown().await
    }
}
