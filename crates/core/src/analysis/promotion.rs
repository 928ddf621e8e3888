//! When is a release shown to be good enough to proceed, and how much is needed for that?
//!
//! Two ways, each wrong about a bad release at most as often as the policy says: bets that the
//! canary fails less often than `promote_ratio` times stable, which live on errors; and, where
//! there are few or none, bets that it fails more rarely than a floor, which live on successes.
//! Without the second one a release without any error could never proceed.

use super::errors::Odds;
use super::explain;
use super::nats::{Bets, as_count, as_f64, down, nats};
use super::policy::JudgePolicy;
use super::reference::ANSWERS_MIN;
use super::strata::Strata;
use super::tick::Pair;
use crate::model::Share;
use crate::model::ids::Millis;
use crate::model::traffic::WHOLE;
use serde::Serialize;

/// Of the ratio that must not be promoted, how much the bets assume the canary to have.
pub(super) const BETTER: [f64; 3] = [0.5, 0.25, 0.1];

/// Of the floor, how much the bets assume the canary's rate of errors to be.
const RARER: [f64; 3] = [0.0, 0.2, 0.5];

/// How the stake is split among these: nearly all of it on no errors at all.
const RARER_SHARES: [f64; 3] = [0.9, 0.05, 0.05];

/// How many deviations of bad luck a forecast allows for: a good release needs more once in
/// twenty times.
const LUCK: f64 = 1.645;

/// From how long a wait on people are told what would make it shorter.
const LONG_MS: Millis = 3_600_000;

/// What is still needed before a release can proceed, if it is as good as stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Need {
    /// Requests that the canary must answer.
    pub requests: u64,
    /// How long that takes with the present traffic; none when no traffic has been seen.
    pub ms: Option<Millis>,
}

impl Need {
    /// What a good release will need, said before it gets its first request.
    ///
    /// `usual` is the rate of errors of stable, between 0 and 1; `per_second` counts the requests
    /// to both releases. None when no amount would be enough, since the weight is 0.
    pub fn beforehand(
        policy: &JudgePolicy,
        weight: Share,
        usual: f64,
        per_second: f64,
    ) -> Option<Need> {
        let proof = Proof::new(policy);
        let chance = f64::from(weight) / f64::from(WHOLE);
        let usual = if usual.is_finite() { usual.clamp(0.0, 1.0) } else { return None };
        let bets = (proof.floor(Pair::default()), Bets::new());
        let requests = proof.requests(bets, false, usual, chance)?;
        Some(Need::new(policy, requests, 0, 0, per_second * chance))
    }

    /// The need with the time it takes; `answered` and `elapsed_ms` are the canary's so far.
    pub(super) fn new(
        policy: &JudgePolicy,
        requests: u64,
        answered: u64,
        elapsed_ms: Millis,
        per_second: f64,
    ) -> Need {
        // Beyond the warm-up, latency is known from so many answers.
        let warm =
            if policy.latency { policy.burn_in_requests.saturating_add(ANSWERS_MIN) } else { 0 };
        let requests = requests.max(warm.saturating_sub(answered));
        let warm_ms = if policy.latency { policy.burn_in_ms } else { 0 };
        let ms = (per_second > 0.0)
            .then(|| as_count(libm::ceil(1_000.0 * as_f64(requests) / per_second)))
            .map(|ms| ms.max(warm_ms.saturating_sub(elapsed_ms)));
        Need { requests, ms }
    }

    /// The need as a sentence, and what would help where it takes long.
    pub(super) fn words(&self) -> String {
        let requests = explain::thousands(self.requests);
        let Some(ms) = self.ms else { return format!("about {requests} more canary requests") };
        let time = explain::time(ms);
        let said = format!("about {requests} more canary requests, {time} at the present traffic");
        if ms < LONG_MS {
            return said;
        }
        format!("{said}; more weight, a longer step or a looser error floor would help")
    }
}

/// What it takes to be good enough.
#[derive(Debug, Clone, Copy)]
pub(super) struct Proof {
    enough: f64,
    ratio: f64,
    floor: f64,
}

impl Proof {
    pub(super) fn new(policy: &JudgePolicy) -> Proof {
        Proof {
            enough: 1.0 / policy.beta(),
            ratio: policy.promote_ratio(),
            floor: f64::from(policy.error_floor_ppm.clamp(1, 500_000)) / 1e6,
        }
    }

    /// Whether it is shown.
    pub(super) fn is_given(&self, strata: &Strata) -> bool {
        let rare = self.floor(strata.canary_judged());
        strata.better().mean() >= self.enough || rare.mean_by(&RARER_SHARES) >= self.enough
    }

    /// How many requests the canary must still answer, if it is as good as stable has been; none
    /// when no number is enough.
    pub(super) fn requests_left(&self, strata: &Strata, chance: f64) -> Option<u64> {
        let (canary, stable) = (strata.canary(), strata.stable());
        let (errors, all) = match stable.events {
            0 => (canary.events, stable.total.saturating_add(canary.total)),
            _ => (stable.events, stable.total),
        };
        let usual = if all == 0 { 0.0 } else { as_f64(errors) / as_f64(all) };
        let canary = strata.canary_judged();
        let bets = (self.floor(canary), strata.better());
        self.requests(bets, canary.events > 0, usual, chance)
    }

    /// The bets that errors are rarer than the floor.
    fn floor(&self, canary: Pair) -> Bets<3> {
        let mut bets = Bets::new();
        let (error, success) = self.rarer();
        bets.add(&error.map(down), canary.events);
        bets.add(&success.map(down), canary.total.saturating_sub(canary.events));
        bets
    }

    /// Logarithms by which those bets grow with an error and with a success.
    fn rarer(&self) -> ([f64; 3], [f64; 3]) {
        let error = RARER.map(libm::log);
        let success = RARER.map(|part| libm::log((1.0 - part * self.floor) / (1.0 - self.floor)));
        (error, success)
    }

    fn requests(
        &self,
        (rare, better): (Bets<3>, Bets<3>),
        has_failed: bool,
        usual: f64,
        chance: f64,
    ) -> Option<u64> {
        if chance <= 0.0 {
            return None;
        }
        let target = libm::log(self.enough);
        let mut fewest = f64::INFINITY;
        let (error, success) = self.rarer();
        for index in 0..RARER.len() {
            if index == 0 && (has_failed || usual > 0.0) {
                // No error at all is not to be expected.
                continue;
            }
            let gap = target - libm::log(RARER_SHARES[index]) - rare.at(index);
            let (bad, good) = (error[index], success[index]);
            fewest = fewest.min(events(gap, usual, bad, good));
        }
        if usual > 0.0 {
            let odds = Odds::new(&BETTER, self.ratio, chance);
            for index in 0..BETTER.len() {
                let gap = target + libm::log(as_f64(BETTER.len() as u64)) - better.at(index);
                let [canary, stable] =
                    [odds.canary[index], odds.stable[index]].map(|one| nats(i128::from(one)));
                let errors = events(gap, chance, canary, stable);
                fewest = fewest.min(errors * chance / usual);
            }
        }
        fewest.is_finite().then(|| as_count(libm::ceil(fewest.max(0.0))))
    }
}

/// After how many events a sum has surely enough passed `gap`, when each adds `bad` with the
/// chance `often` and `good` otherwise.
fn events(gap: f64, often: f64, bad: f64, good: f64) -> f64 {
    if gap <= 0.0 {
        return 0.0;
    }
    let (mean, spread) = if often > 0.0 {
        let spread = libm::sqrt(often * (1.0 - often)) * libm::fabs(bad - good);
        (often * bad + (1.0 - often) * good, LUCK * spread)
    } else {
        (good, 0.0)
    };
    if mean <= 0.0 {
        return f64::INFINITY;
    }
    let root = (spread + libm::sqrt(spread * spread + 4.0 * mean * gap)) / (2.0 * mean);
    root * root
}

#[cfg(test)]
mod tests {
    use super::super::restarts::Restarts;
    use super::*;
    use crate::analysis::{ArmCounts, Tick};

    fn arm(requests: u64, errors: u64) -> ArmCounts {
        ArmCounts { requests, errors, latency: Vec::new() }
    }

    fn given(ticks: &[(u64, u64, u64, u64)]) -> bool {
        let policy = JudgePolicy::default();
        let mut strata = Strata::new(1.25, 2.0, Restarts::new());
        for &(canary, bad, stable, worse) in ticks {
            let (canary, stable) = (arm(canary, bad), arm(stable, worse));
            strata.add(&Tick { at_ms: 0, weight: 500, canary, stable }, true, 0);
        }
        Proof::new(&policy).is_given(&strata)
    }

    #[test]
    fn without_errors_some_six_hundred_requests_are_enough() {
        assert!(!given(&[(590, 0, 11_400, 0)]));
        assert!(given(&[(620, 0, 11_780, 0)]));
        assert!(!given(&[(620, 5, 11_780, 0)]), "errors undo it");
    }

    #[test]
    fn with_errors_as_rare_as_those_of_stable() {
        assert!(given(&[(2_000, 20, 38_000, 380)]));
        assert!(!given(&[(2_000, 40, 38_000, 380)]), "twice as many must not be promoted");
    }

    #[test]
    fn the_need_is_known_beforehand() {
        let policy = JudgePolicy { latency: false, ..JudgePolicy::default() };
        let need = Need::beforehand(&policy, 500, 0.0, 100.0).expect("there is traffic");
        assert!((590..=630).contains(&need.requests), "{need:?}");
        assert_eq!(need.ms, Some(need.requests * 200));
        assert!(given(&[(need.requests, 0, 10_000, 0)]) && !given(&[(need.requests - 9, 0, 9, 0)]));
        assert_eq!(Need::beforehand(&policy, 0, 0.0, 100.0), None);
        assert_eq!(Need::beforehand(&policy, 500, 0.0, 0.0).map(|need| need.ms), Some(None));
    }
}
