//! How one proxy process is started, and the limits it keeps while it runs.
//!
//! These are fixed for the life of the process; what changes while it runs is the `State`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::ProxyError;

/// How to start a proxy.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Where the state is kept over restarts. One proxy at a time owns it.
    pub state_dir: PathBuf,
    /// Where requests come in.
    pub listen: SocketAddr,
    /// Where requests for the preview come in, if anywhere.
    pub preview: Option<SocketAddr>,
    /// The unix socket on which the controller speaks.
    pub control: PathBuf,
    /// The limits.
    #[serde(default)]
    pub limits: Limits,
}

/// Bounds on time, number and size. Nothing in the proxy waits or grows without one.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The path on which instances say that they are well. While requests do not flow, the proxy
    /// itself answers 200 there, so that a balancer in front keeps it in rotation.
    pub health_path: String,
    /// How often each target is probed.
    pub health_interval_ms: u64,
    /// How long a probe may take.
    pub health_timeout_ms: u64,
    /// How many client connections may be open; beyond it, new ones wait in the backlog.
    pub max_connections: usize,
    /// How long a client may take to send a request's head; also how long it may stay idle.
    pub header_read_ms: u64,
    /// The largest request body, if there is a limit; beyond it the answer is 413.
    pub max_body_bytes: Option<u64>,
    /// How long connecting to a target may take.
    pub connect_ms: u64,
    /// How long a release may take to begin its answer, counted from the last sign of life of
    /// the request's body; beyond it the answer is 504.
    pub response_header_ms: u64,
    /// How many connections to one target may be in use. Upgraded ones do not count.
    pub target_connections: usize,
    /// How long a request may wait for one of them to come free; beyond it the answer is 503.
    pub target_wait_ms: u64,
    /// How many connections to one target may be kept idle.
    pub target_idle: usize,
    /// How long a connection may be idle. Shorter than what servers commonly allow (5 s), because a server
    /// that closes an idle connection races with the next request on it.
    pub target_idle_ms: u64,
    /// How old a connection may become.
    pub target_lifetime_ms: u64,
    /// How long upgraded connections (`WebSocket`) of a drained release may live on. Their closing
    /// is spread over this time. The drain deadline bounds it, too.
    pub upgrade_grace_ms: u64,
    /// How long requests in flight may take to finish when the proxy itself is stopped.
    pub shutdown_ms: u64,
    /// Believe and extend `X-Forwarded-*` from clients, because a trusted proxy is in front.
    pub trust_forwarded: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            health_path: "/up".to_owned(),
            health_interval_ms: 1_000,
            health_timeout_ms: 5_000,
            max_connections: 10_000,
            header_read_ms: 60_000,
            max_body_bytes: None,
            connect_ms: 1_000,
            response_header_ms: 30_000,
            target_connections: 1_024,
            target_wait_ms: 10_000,
            target_idle: 128,
            target_idle_ms: 4_000,
            target_lifetime_ms: 300_000,
            upgrade_grace_ms: 10_000,
            shutdown_ms: 10_000,
            trust_forwarded: false,
        }
    }
}

impl Limits {
    /// Refuses limits under which nothing could ever work.
    pub(crate) fn validate(&self) -> Result<(), ProxyError> {
        let counts = [
            ("max_connections", self.max_connections),
            ("target_connections", self.target_connections),
        ];
        let broken = if self.health_path.starts_with('/') {
            let zero = counts.iter().find(|(_, count)| *count == 0);
            zero.map(|(name, _)| format!("{name} is 0, so nobody would be served"))
        } else {
            Some(format!("health_path {:?} does not begin with a slash", self.health_path))
        };
        broken.map_or(Ok(()), |why| Err(ProxyError::Limits { why }))
    }
}

pub(crate) fn ms(number: u64) -> Duration {
    Duration::from_millis(number)
}
