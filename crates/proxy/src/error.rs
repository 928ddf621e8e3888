//! Everything that can go wrong when the proxy is started, stored or asked.
//!
//! Failures of single requests are not here: those are answers with an `x-ripcord-error` header.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// A listener's address cannot be taken.
    #[error("cannot listen on {address}: {source}; is another proxy or service using this port?")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The control socket cannot be made.
    #[error("cannot open the control socket {}: {source}", path.display())]
    ControlSocket {
        /// Where the socket should be.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process owns the state directory or the control socket.
    #[error("{} is in use by another running proxy; stop that one first", path.display())]
    InUse {
        /// The directory or socket.
        path: PathBuf,
    },
    /// The saved state cannot be read or written.
    #[error("cannot {verb} the saved state {}: {source}", path.display())]
    Storage {
        /// "read", "write" and so on.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The saved state is damaged. Starting without routes would be an outage that looks healthy.
    #[error(
        "the saved state {} is damaged ({why}); restore it from a copy, or remove it to start \
         with no routes and apply the state again",
        path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        why: String,
    },
    /// The options make no sense.
    #[error("the limits cannot be kept: {why}")]
    Limits {
        /// Which one, and why not.
        why: String,
    },
    /// The runtime of the proxy cannot be started.
    #[error("cannot start the proxy's runtime: {0}")]
    Runtime(io::Error),
    /// A running proxy cannot be reached, or the connection to it broke. Whether an apply took
    /// effect is then unknown: ask again; applying the same state twice is safe.
    #[error("cannot talk to the proxy at {}: {source}; is it running?", path.display())]
    Unreachable {
        /// The control socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The other end of the control socket does not speak this protocol.
    #[error("the answer from {} makes no sense: {why}", path.display())]
    Protocol {
        /// The control socket.
        path: PathBuf,
        /// What was wrong with it.
        why: String,
    },
    /// The proxy understood and refuses; nothing changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// Why the proxy does not do what it was asked. Nothing has changed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "snake_case", deny_unknown_fields)]
pub enum Refusal {
    /// The sender is behind: somebody with a newer fence or generation was here.
    #[error(
        "stale: fence {fence} generation {generation} is older than what the proxy follows \
         (fence {current_fence} generation {current_generation})"
    )]
    Stale {
        /// Offered.
        fence: u64,
        /// Offered.
        generation: u64,
        /// In force.
        current_fence: u64,
        /// In force.
        current_generation: u64,
    },
    /// Two different states claim to be the same generation.
    #[error("conflict: generation {generation} is in force with a different content")]
    Conflict {
        /// Offered and in force.
        generation: u64,
    },
    /// The state makes no sense.
    #[error("invalid state: {why}")]
    Invalid {
        /// Which rule it breaks.
        why: String,
    },
    /// A newer apply took over while this one waited for its drain. The newer one's answer counts.
    #[error("superseded: generation {generation} was replaced before it was drained")]
    Superseded {
        /// The one that was being waited for.
        generation: u64,
    },
    /// The lease of this very state lapsed. Only a newer generation leads on.
    #[error("lapsed: nobody renewed the lease of generation {generation}, so its split is over")]
    Lapsed {
        /// The one whose lease it was.
        generation: u64,
    },
    /// A lease cannot be renewed before its state is in force.
    #[error("not in force: generation {generation} is not; {current_generation} is")]
    NotInForce {
        /// Offered.
        generation: u64,
        /// In force.
        current_generation: u64,
    },
    /// The new state could not be made durable, so it was not put in force.
    #[error("not saved, so not in force: {why}")]
    NotSaved {
        /// What the system said.
        why: String,
    },
    /// The request line cannot be read.
    #[error("malformed request: {why}")]
    Malformed {
        /// What was wrong with it.
        why: String,
    },
}
