//! One target: an address of a release, with its connections and its health.
//!
//! It is probed for as long as a table names it, not only until it was healthy once. Whether it
//! is healthy changes the order in which targets are tried, and nothing else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::Request;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, HeaderValue, USER_AGENT};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::options::{Limits, ms};
use crate::pool::Pool;

/// Failures in a row until a target is set aside.
const EJECT_AFTER: u32 = 3;
/// Successes in a row until it is back.
const RETURN_AFTER: u32 = 2;

/// An address with its connections and its health.
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) pool: Pool,
    healthy: Arc<AtomicBool>,
    prober: AbortHandle,
}

impl Target {
    /// Begins with the belief that it is well, and probes at once.
    pub(crate) fn start(address: SocketAddr, limits: &Arc<Limits>) -> Arc<Self> {
        let pool = Pool::new(address, limits);
        let healthy = Arc::new(AtomicBool::new(true));
        let probing = watch(address, pool.clone(), Arc::clone(&healthy), Arc::clone(limits));
        let prober = tokio::spawn(probing).abort_handle();
        Arc::new(Self { address, pool, healthy, prober })
    }

    pub(crate) fn is_healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.prober.abort();
    }
}

async fn watch(address: SocketAddr, pool: Pool, healthy: Arc<AtomicBool>, limits: Arc<Limits>) {
    let mut health = Health::default();
    let mut ticks = interval(ms(limits.health_interval_ms.max(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        pool.reap();
        let probe = probe(address, &limits.health_path);
        let well = timeout(ms(limits.health_timeout_ms), probe).await;
        healthy.store(health.after(matches!(well, Ok(Some(())))), Ordering::Relaxed);
    }
}

/// Asks over a new connection, because an old one would only prove that the old one works.
async fn probe(address: SocketAddr, path: &str) -> Option<()> {
    let stream = TcpStream::connect(address).await.ok()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    let request = Request::get(path)
        .header(HOST, address.to_string())
        .header(USER_AGENT, HeaderValue::from_static("ripcord-probe"))
        .header(CONNECTION, HeaderValue::from_static("close"))
        .body(Empty::<Bytes>::new())
        .ok()?;
    let ask = async move { sender.send_request(request).await.map(|answer| answer.status()) };
    // Both to their end: the connection may end in the same instant in which the answer arrives.
    let (status, _) = tokio::join!(ask, connection);
    status.ok()?.is_success().then_some(())
}

/// Counts in a row, both ways, so that one odd probe changes nothing.
#[derive(Default)]
struct Health {
    ejected: bool,
    against: u32,
}

impl Health {
    /// Takes one probe's result; tells whether the target counts as healthy.
    fn after(&mut self, well: bool) -> bool {
        self.against = if well == self.ejected { self.against + 1 } else { 0 };
        let needed = if self.ejected { RETURN_AFTER } else { EJECT_AFTER };
        if self.against >= needed {
            *self = Self { ejected: !self.ejected, against: 0 };
        }
        !self.ejected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(probes: &str, expected: &str) {
        let mut health = Health::default();
        let seen = probes.chars().map(|probe| if health.after(probe == '+') { '+' } else { '-' });
        assert_eq!(seen.collect::<String>(), expected, "{probes}");
    }

    #[test]
    fn three_failures_eject_and_two_successes_return() {
        check("+--+--+", "+++++++");
        check("---", "++-");
        check("----+-++", "++-----+");
        check("---++---", "++--+++-");
    }
}
