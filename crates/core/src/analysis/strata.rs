//! Requests that were divided with the same chance are alike: per chance, how many each release
//! got and how many it failed. That is all that the evidence on errors depends on.

use super::errors::{Odds, WORSE};
use super::nats::{Bets, as_f64};
use super::promotion::BETTER;
use super::restarts::Restarts;
use super::tick::{Pair, Tick};
use crate::model::Share;
use crate::model::ids::Millis;
use crate::model::traffic::WHOLE;

/// What was seen, by the chance with which requests went to the canary.
#[derive(Debug, Clone)]
pub(super) struct Strata {
    all: Vec<Stratum>,
    /// The one that the last tick belonged to; the next one most likely does, too.
    recent: usize,
    tolerated_ratio: f64,
    promote_ratio: f64,
    restarts: Restarts<8>,
}

/// Requests that were divided with one chance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stratum {
    pub(super) weight: Share,
    pub(super) canary: Pair,
    pub(super) stable: Pair,
    /// From when to when.
    seen_ms: (Millis, Millis),
    /// Of these, what was seen while the canary warmed up, and is no evidence.
    cold: [Pair; 2],
    worse: Odds<8>,
    better: Odds<3>,
}

impl Strata {
    pub(super) fn new(tolerated_ratio: f64, promote_ratio: f64, restarts: Restarts<8>) -> Strata {
        Strata { all: Vec::new(), recent: 0, tolerated_ratio, promote_ratio, restarts }
    }

    /// Begins to bet anew, beside the bets that there are.
    pub(super) fn restart(&mut self) {
        self.restarts.begin(self.worse());
    }

    /// The evidence that the canary is worse than tolerated; 1 is none.
    pub(super) fn evidence(&self) -> f64 {
        self.restarts.sum(&self.worse(), Bets::mean)
    }

    /// The logarithm of the largest bet on that.
    pub(super) fn largest(&self) -> f64 {
        self.restarts.largest(&self.worse())
    }

    /// Takes a tick into account that was found to be sound; as evidence only if it `counts`.
    /// What is in it came after `since_ms`.
    pub(super) fn add(&mut self, tick: &Tick, counts: bool, since_ms: Millis) {
        let stratum = self.of(tick.weight, since_ms);
        stratum.seen_ms.1 = tick.at_ms;
        if !counts {
            for (pair, arm) in stratum.cold.iter_mut().zip([&tick.canary, &tick.stable]) {
                *pair = pair.plus(Pair { events: arm.errors, total: arm.requests });
            }
        }
        for (pair, arm) in
            [(&mut stratum.canary, &tick.canary), (&mut stratum.stable, &tick.stable)]
        {
            *pair = pair.plus(Pair { events: arm.errors, total: arm.requests });
        }
    }

    fn of(&mut self, weight: Share, since_ms: Millis) -> &mut Stratum {
        if self.all.get(self.recent).is_none_or(|recent| recent.weight != weight) {
            self.recent = match self.all.binary_search_by_key(&weight, |one| one.weight) {
                Ok(at) => at,
                Err(at) => {
                    let chance = f64::from(weight) / f64::from(WHOLE);
                    let worse = Odds::new(&WORSE, self.tolerated_ratio, chance);
                    let better = Odds::new(&BETTER, self.promote_ratio, chance);
                    let (canary, stable, cold) = Default::default();
                    let seen_ms = (since_ms, since_ms);
                    self.all.insert(
                        at,
                        Stratum { weight, canary, stable, seen_ms, cold, worse, better },
                    );
                    at
                }
            };
        }
        &mut self.all[self.recent]
    }

    /// All of them, by weight; at most one for each weight there is.
    pub(super) fn all(&self) -> &[Stratum] {
        &self.all
    }

    /// The bets that the canary is worse than tolerated.
    fn worse(&self) -> Bets<8> {
        let mut bets = Bets::new();
        for stratum in &self.all {
            let [canary, stable] = stratum.evidence();
            bets.add(&stratum.worse.canary, canary.events);
            bets.add(&stratum.worse.stable, stable.events);
        }
        bets
    }

    /// The bets that the canary is better than what must not be promoted.
    pub(super) fn better(&self) -> Bets<3> {
        let mut bets = Bets::new();
        for stratum in &self.all {
            let [canary, stable] = stratum.evidence();
            bets.add(&stratum.better.canary, canary.events);
            bets.add(&stratum.better.stable, stable.events);
        }
        bets
    }

    /// All of the canary that is evidence.
    pub(super) fn canary_judged(&self) -> Pair {
        let judged = self.all.iter().map(|stratum| stratum.evidence()[0]);
        judged.fold(Pair::default(), Pair::plus)
    }

    /// All of the canary.
    pub(super) fn canary(&self) -> Pair {
        self.all.iter().fold(Pair::default(), |sum, stratum| sum.plus(stratum.canary))
    }

    /// All of stable.
    pub(super) fn stable(&self) -> Pair {
        self.all.iter().fold(Pair::default(), |sum, stratum| sum.plus(stratum.stable))
    }

    /// The share of the canary that was to be expected of all requests so far.
    pub(super) fn expected_share(&self) -> f64 {
        let (mut canary, mut all) = (0.0, 0.0);
        for stratum in &self.all {
            let requests = as_f64(stratum.canary.total) + as_f64(stratum.stable.total);
            canary += stratum.chance() * requests;
            all += requests;
        }
        if all > 0.0 { canary / all } else { 0.0 }
    }
}

impl Stratum {
    /// For how long its requests were seen.
    pub(super) fn seen_ms(&self) -> Millis {
        self.seen_ms.1.saturating_sub(self.seen_ms.0)
    }

    /// What of the canary and of stable is evidence.
    fn evidence(&self) -> [Pair; 2] {
        let [canary, stable] = self.cold;
        [self.canary.minus(canary), self.stable.minus(stable)]
    }

    /// The chance with which a request went to the canary.
    pub(super) fn chance(&self) -> f64 {
        f64::from(self.weight) / f64::from(WHOLE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::ArmCounts;

    #[test]
    fn what_was_seen_while_the_canary_warmed_up_is_counted_and_proves_nothing() {
        let arm = |requests, errors| ArmCounts { requests, errors, latency: Vec::new() };
        let tick = |canary| Tick { at_ms: 0, weight: 500, canary, stable: arm(19_000, 0) };
        let mut strata = Strata::new(1.25, 2.0, Restarts::new());
        strata.add(&tick(arm(1_000, 30)), false, 0);
        assert_eq!(strata.canary(), Pair { events: 30, total: 1_000 });
        assert_eq!(strata.canary_judged(), Pair::default());
        assert!(strata.evidence() <= 1.0 && strata.better().mean() <= 1.0);
        strata.add(&tick(arm(10, 1)), true, 0);
        assert_eq!(strata.canary_judged(), Pair { events: 1, total: 10 });
        assert_eq!(strata.canary(), Pair { events: 31, total: 1_010 });
    }
}
