//! `cargo xtask soak`: what takes too long for every run. All kills, many deploys in a row, 20,000
//! random tables taken there and back.

use crate::system;
use anyhow::Result;

/// Runs for about this many minutes, and the flags' documents and requests for as long again each. The tests read the
/// length from `RIPCORD_SOAK_MINUTES`.
pub(crate) fn run(minutes: u64) -> Result<bool> {
    let minutes = format!("RIPCORD_SOAK_MINUTES={minutes}");
    for package in ["ripcord", "ripcord-flags", "ripcord-ofrep"] {
        let tests = ["cargo", "test", "--release", "-p", package, "--test", "it", "--", "soak"];
        let mut arguments = vec![minutes.as_str()];
        arguments.extend(tests);
        system::run("env", &arguments)?;
    }
    // Random tables, migrations and users on a real PostgreSQL: 8 tables to a migration.
    let tests =
        ["cargo", "test", "--release", "-p", "ripcord-databases", "--test", "it", "property"];
    let mut arguments = vec!["RIPCORD_CASES=2500"];
    arguments.extend(tests);
    system::run("env", &arguments)?;
    Ok(true)
}
