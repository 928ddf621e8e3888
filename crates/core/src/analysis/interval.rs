//! How many times as often the canary fails: an interval for people. It holds at all times
//! together, so it may be looked at whenever one likes. No decision is made from it.
//!
//! For each ratio, the evidence against it is what a gambler makes of it who knows little
//! beforehand. Half of the stake expects the canary's share of the errors to be about its weight,
//! as it is when both are alike; the other half expects nothing, so that the interval is narrow
//! also where they are far apart. The interval is the ratios against which that evidence is too
//! small.

use super::nats::as_f64;
use super::strata::{Strata, Stratum};
use serde::Serialize;

/// The logarithm of the largest ratio that is searched.
const LOG_MAX: f64 = 30.0;

/// Halvings of the range; enough for six digits.
const HALVINGS: u32 = 40;

/// How many times as often the canary fails as stable does.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// What the counts say; none when stable has not failed.
    pub estimate: Option<f64>,
    /// At least.
    pub low: f64,
    /// At most; none when there is no bound.
    pub high: Option<f64>,
    /// How sure that is at all times together, between 0 and 1.
    pub confidence: f64,
}

impl Interval {
    /// The interval; none when nothing has failed.
    pub(super) fn new(strata: &Strata, alpha: f64) -> Option<Interval> {
        let groups: Vec<Group> = strata.all().iter().filter_map(Group::new).collect();
        if groups.is_empty() {
            return None;
        }
        let canary_failed = groups.iter().any(|group| group.canary > 0.0);
        let stable_failed = groups.iter().any(|group| group.stable > 0.0);
        let likeliest = match (canary_failed, stable_failed) {
            (false, _) => -LOG_MAX,
            (_, false) => LOG_MAX,
            (true, true) => bisect(-LOG_MAX, LOG_MAX, |log| slope(&groups, log) < 0.0),
        };
        let enough = libm::log(1.0 / alpha);
        let too_low = |log| against(&groups, log) >= enough;
        let low = if too_low(-LOG_MAX) { bisect(-LOG_MAX, likeliest, too_low) } else { -LOG_MAX };
        let high = too_low(LOG_MAX).then(|| bisect(likeliest, LOG_MAX, |log| !too_low(log)));
        Some(Interval {
            // Without a request of the canary there is no ratio to be named.
            estimate: stable_failed.then(|| estimate(strata, likeliest)).filter(|at| !at.is_nan()),
            low: if low <= -LOG_MAX { 0.0 } else { libm::exp(low) },
            high: high.map(libm::exp),
            confidence: 1.0 - alpha,
        })
    }
}

/// The plain ratio of the rates where one weight was used; otherwise the likeliest one, since
/// rates of different times cannot be added up.
fn estimate(strata: &Strata, likeliest: f64) -> f64 {
    let [one] = strata.all() else { return libm::exp(likeliest) };
    let rate = |events, total| as_f64(events) / as_f64(total);
    rate(one.canary.events, one.canary.total) / rate(one.stable.events, one.stable.total)
}

/// The errors under one weight.
struct Group {
    canary: f64,
    stable: f64,
    chance: f64,
    /// The part of the evidence that does not depend on the ratio.
    fixed: f64,
}

impl Group {
    fn new(stratum: &Stratum) -> Option<Group> {
        let (canary, stable) = (as_f64(stratum.canary.events), as_f64(stratum.stable.events));
        if canary + stable <= 0.0 {
            return None;
        }
        let chance = stratum.chance();
        let strength = 1.0 / chance.min(1.0 - chance);
        let alike = (strength * chance, strength * (1.0 - chance));
        let [first, second] = [alike, (0.5, 0.5)].map(|(a, b)| {
            log_beta(a + canary, b + stable) - log_beta(a, b) - std::f64::consts::LN_2
        });
        let larger = first.max(second);
        let fixed = larger + libm::log(libm::exp(first - larger) + libm::exp(second - larger));
        Some(Group { canary, stable, chance, fixed })
    }

    /// The canary's share of the errors if it fails so many times as often, and stable's.
    fn shares(&self, log: f64) -> (f64, f64) {
        let odds = libm::exp(log) * self.chance;
        let all = odds + 1.0 - self.chance;
        (odds / all, (1.0 - self.chance) / all)
    }
}

/// The logarithm of the evidence against this ratio.
fn against(groups: &[Group], log: f64) -> f64 {
    let each = groups.iter().map(|group| {
        let (canary, stable) = group.shares(log);
        group.fixed - group.canary * libm::log(canary) - group.stable * libm::log(stable)
    });
    each.sum()
}

/// The derivative of that by the logarithm of the ratio.
fn slope(groups: &[Group], log: f64) -> f64 {
    let each = groups.iter().map(|group| {
        let (canary, _) = group.shares(log);
        (group.canary + group.stable) * canary - group.canary
    });
    each.sum()
}

/// Where something that holds at first ceases to hold.
fn bisect(mut from: f64, mut to: f64, holds: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..HALVINGS {
        let middle = 0.5 * (from + to);
        if holds(middle) {
            from = middle;
        } else {
            to = middle;
        }
    }
    0.5 * (from + to)
}

/// The logarithm of the beta function.
pub(super) fn log_beta(a: f64, b: f64) -> f64 {
    libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b)
}

#[cfg(test)]
mod tests {
    use super::super::restarts::Restarts;
    use super::*;
    use crate::analysis::{ArmCounts, Tick};
    use expect_test::{Expect, expect};

    fn check(ticks: &[(u16, u64, u64, u64, u64)], expected: &Expect) {
        let mut strata = Strata::new(1.25, 2.0, Restarts::new());
        for &(weight, canary, bad, stable, worse) in ticks {
            let arm = |requests, errors| ArmCounts { requests, errors, latency: Vec::new() };
            strata.add(
                &Tick { at_ms: 0, weight, canary: arm(canary, bad), stable: arm(stable, worse) },
                true,
                0,
            );
        }
        let text = match Interval::new(&strata, 0.01) {
            None => "nothing".to_owned(),
            Some(Interval { estimate, low, high, .. }) => {
                let show = |value: Option<f64>| value.map_or("-".into(), |v| format!("{v:.2}"));
                format!("{} from {low:.2} to {}", show(estimate), show(high))
            }
        };
        expected.assert_eq(&text);
    }

    #[test]
    fn intervals() {
        check(&[(500, 412, 0, 7_981, 0)], &expect!["nothing"]);
        check(&[(500, 412, 37, 7_981, 4)], &expect!["179.19 from 34.09 to 2996.14"]);
        check(&[(500, 412, 37, 7_981, 0)], &expect!["- from 82.37 to -"]);
        check(&[(500, 412, 0, 7_981, 40)], &expect!["0.00 from 0.00 to 3.18"]);
        // Nothing divided by nothing is no ratio.
        check(&[(500, 0, 0, 1, 1)], &expect!["- from 0.00 to 2601.69"]);
        check(&[(500, 5_000, 50, 95_000, 950)], &expect!["1.00 from 0.55 to 1.66"]);
        check(
            &[(500, 500, 5, 9_500, 95), (5_000, 5_000, 50, 5_000, 50)],
            &expect!["1.00 from 0.46 to 2.10"],
        );
    }
}
