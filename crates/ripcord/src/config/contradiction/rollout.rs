//! Contradictions about how a release takes over: keys of one strategy under another, and steps
//! that make no sense one after the other.

use super::contradiction;
use crate::config::document::{Environment, Strategy};
use crate::config::file::Config;
use crate::config::judge::Judge;
use crate::config::settings;
use crate::config::step;
use crate::failure::{Code, Failure};
use ripcord_core::model::CanaryStep;
use std::ops::RangeInclusive;
use toml::Spanned;

/// The most steps of a canary.
const STEPS_MAX: usize = 50;

/// The bounds of a lease: shorter, and a busy machine lets it lapse; longer, and it protects
/// nobody.
const LEASE_MS: RangeInclusive<u64> = 1_000..=3_600_000;

pub(super) fn check(config: &Config, environment: &Environment) -> Result<(), Failure> {
    strange_keys(config, environment)?;
    if let Some(lease) = &environment.lease
        && !LEASE_MS.contains(&lease.get_ref().ms)
    {
        let what = "a lease is neither shorter than 1 s nor longer than 1 h";
        return Err(contradiction(config, lease.span(), what)
            .hint("write how long a share may hold without a controller, such as \"30s\""));
    }
    if let Some(batch) = &environment.batch
        && batch.get_ref().0 > settings::instances(environment)
    {
        let instances = settings::instances(environment);
        let what = format!("a batch of {} is more than there are instances", batch.get_ref().0);
        return Err(contradiction(config, batch.span(), what)
            .hint(format!("write 1 to {instances}, or raise `instances`")));
    }
    match &environment.steps {
        Some(written) => {
            let judged = environment.judge.as_ref().is_none_or(|judge| judge.get_ref().looks());
            steps(config, written, judged)
        }
        None => Ok(()),
    }
}

/// A key that the strategy does not know would be silently without effect.
fn strange_keys(config: &Config, environment: &Environment) -> Result<(), Failure> {
    let (canary, both, rolling) = (
        [
            ("steps", environment.steps.as_ref().map(Spanned::span)),
            ("sticky", environment.sticky.as_ref().map(Spanned::span)),
        ],
        [("lease", environment.lease.as_ref().map(Spanned::span))],
        [
            ("batch", environment.batch.as_ref().map(Spanned::span)),
            ("batch_pause", environment.batch_pause.as_ref().map(Spanned::span)),
        ],
    );
    let is = |strategy: Strategy| environment.strategy == strategy;
    let groups = [
        (&canary[..], is(Strategy::Canary), "strategy = \"canary\""),
        (&rolling[..], is(Strategy::Rolling), "strategy = \"rolling\""),
        (&both[..], !is(Strategy::BlueGreen), "strategy = \"canary\" or \"rolling\""),
    ];
    for (keys, allowed, needed) in groups {
        let written = keys.iter().find_map(|(key, span)| Some((key, span.clone()?)));
        if let Some((key, span)) = written
            && !allowed
        {
            let what = format!("`{key}` has no effect under this strategy");
            return Err(contradiction(config, span, what)
                .hint(format!("write {needed} for this environment, or remove `{key}`")));
        }
    }
    match &environment.judge {
        Some(judge) if is(Strategy::BlueGreen) => alone(config, judge.get_ref()),
        _ => Ok(()),
    }
}

/// Where all requests change over at once, there is nothing to compare with.
fn alone(config: &Config, judge: &Judge) -> Result<(), Failure> {
    let hint = "write strategy = \"canary\" or \"rolling\", or remove it; `mode`, `metrics`, `slo`, \
                `max_error_rate`, `max_p99`, `consecutive` and `window` work without";
    if let Some((key, span)) = judge.comparing_key() {
        let what = format!("`{key}` needs two releases that answer at the same time");
        return Err(contradiction(config, span, what).hint(hint));
    }
    if let Some(span) = judge.compares_latency() {
        let what = "latency is compared with a release that answers at the same time";
        return Err(contradiction(config, span, what)
            .hint("write metrics = [\"errors\"] and a `max_p99`, or strategy = \"canary\""));
    }
    Ok(())
}

/// Each step is one, shares grow, and nothing is judged before there is something to judge.
fn steps(
    config: &Config,
    written: &Spanned<Vec<Spanned<String>>>,
    judged: bool,
) -> Result<(), Failure> {
    let count = written.get_ref().len();
    if count == 0 || count > STEPS_MAX {
        let what = format!("a canary has 1 to {STEPS_MAX} steps, not {count}");
        return Err(contradiction(config, written.span(), what)
            .hint("remove `steps` for the usual ones, or write strategy = \"blue-green\""));
    }
    let mut share = 0;
    for step in written.get_ref() {
        let found = step::parse(step.get_ref()).map_err(|(what, hint)| {
            Failure::new(Code::ConfigValue, what).at(config.show(step.span())).hint(hint)
        })?;
        match found {
            CanaryStep::SetWeight(lower) if lower < share => {
                let what = "the share of a canary grows from step to step";
                return Err(contradiction(config, step.span(), what)
                    .hint("to give it less, abort; `ripcord jump` goes back to an earlier step"));
            }
            CanaryStep::SetWeight(next) => share = next,
            CanaryStep::Analysis(_) if share == 0 => {
                let what = "there is nothing to judge before the first share";
                return Err(contradiction(config, step.span(), what).hint(
                    "write a share before it, such as \"5%\"; \"pause\" waits for a person",
                ));
            }
            CanaryStep::Analysis(_) if !judged => {
                let what = "the judge looks at nothing, so nothing would ever be proven here";
                return Err(contradiction(config, step.span(), what)
                    .hint("write \"pause 10m\", or let the judge look: `mode`, `metrics`"));
            }
            CanaryStep::Analysis(_) | CanaryStep::Pause(_) | CanaryStep::SetHeaderRoute(_) => {}
        }
    }
    Ok(())
}
