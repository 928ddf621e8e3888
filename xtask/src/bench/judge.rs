//! `cargo xtask bench judge`: simulations that hold the judge to what it promises.
//!
//! All figures are simulated or computed when it runs; every run has its own fixed seed, so they
//! come out the same again.

use crate::bench::table::{self, Report, number};
use crate::bench::{errors, externals, gauges, latency, nulls, promotion, scenarios};
use crate::system;
use anyhow::{Context, Result};
use std::process::Command;
use std::time::Instant;

/// How long the simulations may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Minutes: the figures that are published.
    Full,
    /// Under a minute: whether anything is badly off.
    Quick,
    /// Seconds without optimisation: whether the simulations still run.
    Tiny,
}

impl Effort {
    /// How many runs, of those that a full simulation makes.
    pub(crate) fn runs(self, full: u64) -> u64 {
        match self {
            Effort::Full => full,
            Effort::Quick => (full / 20).max(40),
            Effort::Tiny => (full / 1_000).clamp(2, 20),
        }
    }

    /// How many requests, of those that a full simulation looks at in one run.
    pub(crate) fn requests(self, full: u64) -> u64 {
        if self == Effort::Tiny { full / 16 } else { full }
    }
}

/// Runs all simulations in an optimised build: whether every bar is held.
pub(crate) fn judge(effort: Effort) -> Result<bool> {
    if cfg!(debug_assertions) {
        let mut command = Command::new("cargo");
        command.args(["run", "--release", "--quiet", "-p", "xtask", "--", "bench", "judge"]);
        command.args((effort == Effort::Quick).then_some("--quick"));
        let status = command.current_dir(system::root()).status();
        return Ok(status.context("cargo cannot be started")?.success());
    }
    let began = Instant::now();
    let mut report = Report::new(table::print);
    simulate(effort, &mut report);
    table::print(&report.bars());
    table::print(&format!("\nTook {} s.\n", number(began.elapsed().as_secs_f64())));
    Ok(report.all_hold())
}

/// All simulations.
fn simulate(effort: Effort, report: &mut Report) {
    errors::table(effort, report);
    errors::peers(effort, report);
    latency::table(effort, report);
    nulls::errors(effort, report);
    latency::nulls(effort, report);
    externals::table(effort, report);
    gauges::table(effort, report);
    scenarios::table(effort, report);
    promotion::table(effort, report);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every simulation runs, if only just, and nothing bad goes unnoticed. Means and rare alarms
    /// need more runs than these: they are for the real bench to say.
    #[test]
    fn the_simulations_are_alive() {
        let mut report = Report::new(|_| ());
        simulate(Effort::Tiny, &mut report);
        let sure = ["found in every run", "exact chance of a false rollback"];
        let bars = report.bars();
        assert!(sure.iter().all(|what| bars.contains(what)), "{bars}");
        let is_sure = |bar: &&str| sure.iter().any(|what| bar.contains(what));
        let broken: Vec<&str> = report.failing().filter(is_sure).collect();
        assert!(broken.is_empty(), "{broken:#?}");
    }
}
