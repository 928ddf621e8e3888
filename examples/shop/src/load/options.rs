//! What load to make, and where to.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// Options of one run of load.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// `http://host:port`, without a path.
    pub url: String,
    /// `Host` header; the authority of the URL where absent.
    pub host: Option<String>,
    /// Requests begun per second.
    pub rps: u32,
    /// How many users there are.
    pub users: u64,
    /// When to stop by itself; without it, when told to.
    pub seconds: Option<u64>,
    /// A hard end, so that a forgotten run does not fill the memory.
    pub requests_max: u64,
    /// How many requests may be open at once; what is due beyond that is counted as held back.
    pub open_max: usize,
    /// How long a client waits for an answer.
    pub timeout_ms: u64,
    /// Seed of the mix; equal seeds choose alike.
    pub seed: u64,
    /// Starts every key, name and request id, and must differ between runs on one database.
    pub run: String,
    /// The shop's fault log, which proves that a failed answer was the shop's own.
    pub fault_log: Option<PathBuf>,
    /// Receives every write as a line of JSON when its outcome is known.
    pub record_file: Option<PathBuf>,
}

impl Default for LoadOptions {
    fn default() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            url: "http://127.0.0.1:8080".to_owned(),
            host: None,
            rps: 50,
            users: 500,
            seconds: None,
            requests_max: 2_000_000,
            open_max: 1024,
            timeout_ms: 10_000,
            seed: 1,
            run: format!("load-{}-{}", std::process::id(), since.as_nanos()),
            fault_log: None,
            record_file: None,
        }
    }
}
