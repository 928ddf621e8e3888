//! `cargo xtask bench cutover`: the release build of the binary measures itself on real parts.

use crate::system;
use anyhow::Result;

/// From the decision to the last new request that reaches the bad release, over many rollbacks.
pub(crate) fn cutover() -> Result<bool> {
    system::run("cargo", &["run", "--release", "--quiet", "-p", "ripcord", "--", "bench-cutover"])?;
    Ok(true)
}
