//! What the proxy does of its own accord is said on standard error, one line each.

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970 by the wall clock. For people; decides nothing.
pub(crate) fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Writes a line.
pub(crate) fn say(text: &str) {
    // In one piece, so that lines do not mix. If nobody reads, there is nobody to tell.
    let line = format!("ripcord-proxy at {}: {text}\n", wall_ms());
    let _ = std::io::stderr().write_all(line.as_bytes());
}
