//! `cargo xtask bench`: the product measured, and what is measured held to its bar.

mod answers;
mod bound;
mod errors;
mod externals;
mod gauges;
mod judge;
mod latency;
mod nulls;
mod peers;
mod promotion;
mod random;
mod runs;
mod scenarios;
mod sticky;
mod stream;
mod subject;
mod table;

pub(crate) use judge::{Effort, judge};

use crate::system;
use anyhow::Result;

/// From the decision to the last new request that reaches the bad release, over many rollbacks.
/// The release build of the binary measures itself on real parts.
pub(crate) fn cutover() -> Result<bool> {
    system::run("cargo", &["run", "--release", "--quiet", "-p", "ripcord", "--", "bench-cutover"])?;
    Ok(true)
}

/// From the request that crosses the line to the last one that reaches the canary, with the whole
/// product in between: controller, ledger, engine and proxy as they are shipped.
pub(crate) fn detection() -> Result<bool> {
    let words = ["run", "--release", "--quiet", "-p", "ripcord", "--", "bench-detection"];
    system::run("cargo", &words)?;
    Ok(true)
}

/// What it costs the proxy to be watched, and how fast it moves a split. It measures itself.
pub(crate) fn proxy(quick: bool) -> Result<bool> {
    example("ripcord-proxy", quick)?;
    Ok(true)
}

/// What flags cost, and how soon a change of them is served and told. The server measures itself
/// in a process of its own; then the whole product does, from the command to the answer.
pub(crate) fn flags(quick: bool) -> bool {
    let rounds = if quick { "15" } else { "100" };
    let words = ["run", "--release", "--quiet", "-p", "ripcord", "--", "bench-flags-off"];
    let server = example("ripcord-ofrep", quick).is_ok();
    let off = system::run("cargo", &[&words[..], &["--rounds", rounds]].concat()).is_ok();
    server && off
}

/// What keeping costs a real `PostgreSQL`, and how fast the way back is. It measures itself.
pub(crate) fn database(quick: bool) -> bool {
    example("ripcord-databases", quick).is_ok()
}

/// Runs the example `bench` of a crate.
fn example(package: &str, quick: bool) -> Result<()> {
    let mut words = vec!["run", "--release", "--quiet", "-p", package, "--example", "bench"];
    words.extend(quick.then_some(["--", "--quick"]).into_iter().flatten());
    system::run("cargo", &words)
}
