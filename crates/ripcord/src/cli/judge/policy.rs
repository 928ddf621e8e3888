//! By which rules is judged: those of a deploy, of a file, and what the command line changes.

use crate::cli::context::Context;
use crate::config;
use crate::failure::{Code, Failure};
use ripcord_core::analysis::{JudgeMode, JudgePolicy};
use std::path::PathBuf;

/// What the command line may change.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Rules {
    /// A file with a [judge] table, or a ripcord.toml, whose environment is then meant
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// How often a release that is no worse may be taken back, over its whole life
    #[arg(long, value_name = "PROBABILITY")]
    alpha: Option<f64>,
    /// How many times as many errors as stable's are no reason to go back
    #[arg(long, value_name = "RATIO")]
    tolerated_ratio: Option<f64>,
    /// How much slower than stable is no reason to go back; 0.05 is 5 %
    #[arg(long, value_name = "PART")]
    latency_tolerance: Option<f64>,
    /// For how many seconds latency does not count after the first canary request; 0: it counts at
    /// once
    #[arg(long, value_name = "SECONDS")]
    burn_in: Option<f64>,
    /// What is compared
    #[arg(long, value_enum, value_name = "METRIC")]
    metric: Option<Metric>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Metric {
    Errors,
    Latency,
    All,
}

impl Rules {
    /// Whether anything is asked for but the rules of a deploy.
    pub(super) fn are_given(&self) -> bool {
        self.policy.is_some()
            || self.alpha.is_some()
            || self.tolerated_ratio.is_some()
            || self.latency_tolerance.is_some()
            || self.burn_in.is_some()
            || self.metric.is_some()
    }

    /// The rules, and what of them cannot be followed here.
    pub(super) fn resolve(&self, context: &Context) -> Result<(JudgePolicy, Vec<String>), Failure> {
        let mut notes = Vec::new();
        let mut policy = match &self.policy {
            Some(path) => config::judge_policy(path, context.environment_named())?,
            None => JudgePolicy::default(),
        };
        // A record is judged, nothing is done.
        policy.mode = JudgeMode::Act;
        if !policy.external.is_empty() {
            let names: Vec<&str> = policy.external.iter().map(|one| one.name.as_str()).collect();
            notes.push(format!("not in a record of requests, left out: {}", names.join(", ")));
            policy.external.clear();
        }
        let set = |value: Option<f64>, name, from, to, unit: f64, field: &mut u32| match value {
            None => Ok(()),
            Some(value) => parts(value, name, from, to, unit).map(|parts| *field = parts),
        };
        set(self.alpha, "alpha", 1e-6, 0.2, 1e6, &mut policy.alpha_ppm)?;
        let ratio = &mut policy.tolerated_ratio_thousandths;
        set(self.tolerated_ratio, "tolerated-ratio", 1.0, 100.0, 1e3, ratio)?;
        let tolerance = &mut policy.latency_tolerance_ppm;
        set(self.latency_tolerance, "latency-tolerance", 0.0, 1.0, 1e6, tolerance)?;
        if let Some(seconds) = self.burn_in {
            policy.burn_in_ms = u64::from(parts(seconds, "burn-in", 0.0, 86_400.0, 1e3)?);
            if policy.burn_in_ms == 0 {
                policy.burn_in_requests = 0;
            }
        }
        if let Some(metric) = self.metric {
            policy.errors = metric != Metric::Latency;
            policy.latency = metric != Metric::Errors;
        }
        if !policy.errors && !policy.latency && policy.thresholds.is_none() {
            return Err(Failure::new(Code::Usage, "there is nothing to compare")
                .hint("add --metric all, or `metrics` to the policy"));
        }
        // A release must be allowed to be as bad as is tolerated.
        let least = policy.tolerated_ratio_thousandths.saturating_add(1);
        policy.promote_ratio_thousandths = policy.promote_ratio_thousandths.max(least);
        Ok((policy, notes))
    }
}

/// A number of the command line in whole parts.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it was just seen to be in range"
)]
fn parts(value: f64, name: &str, from: f64, to: f64, unit: f64) -> Result<u32, Failure> {
    if (from..=to).contains(&value) {
        return Ok((value * unit).round() as u32);
    }
    let what = format!("--{name} is {value}, it must be from {from} to {to}");
    Err(Failure::new(Code::Usage, what))
}
