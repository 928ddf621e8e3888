//! What can go wrong before the server serves. Afterwards it does not fail; it says what is wrong.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use thiserror::Error;

/// Why a flags server did not start, or a key was not made.
#[derive(Debug, Error)]
pub enum OfrepError {
    /// The address is taken or not ours.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Other machines could read the flags.
    #[error("{0} can be reached from other machines, and no keys are asked for")]
    NoKeys(SocketAddr),
    /// The file with the keys cannot be used.
    #[error("the keys in {}: {why}", path.display())]
    Keys {
        /// Where they lie.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The system has no threads or no signals left.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}
