//! `cargo xtask soak`: what takes too long for every run. All kills, many deploys in a row.

use crate::system;
use anyhow::Result;

/// Runs for about this many minutes. The tests read the length from `RIPCORD_SOAK_MINUTES`.
pub(crate) fn run(minutes: u64) -> Result<bool> {
    let minutes = format!("RIPCORD_SOAK_MINUTES={minutes}");
    let tests = ["cargo", "test", "--release", "-p", "ripcord", "--test", "it", "--", "soak"];
    let mut arguments = vec![minutes.as_str()];
    arguments.extend(tests);
    system::run("env", &arguments)?;
    Ok(true)
}
