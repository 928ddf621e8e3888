//! A release that was good for long and then turns bad must be found as soon as one that was bad
//! from the start. But bets that were wrong for long have shrunk to nothing.
//!
//! So a hundredth of the stake is kept back, and parts of it are bet anew every ten minutes. The
//! sum is as fair as each of its parts. Parts that are old are dropped with all they hold, which
//! only ever takes evidence away.

use super::nats::{Bets, as_f64};
use crate::model::ids::Millis;
use std::collections::VecDeque;

/// How often bets begin anew.
const EVERY_MS: Millis = 600_000;

/// How many of those that began anew are kept.
const KEPT: usize = 4;

/// Which part of the stake is kept back for them.
pub(super) const RESERVE: f64 = 0.01;

/// Bets that began later than the first ones.
#[derive(Debug, Clone)]
pub(super) struct Restarts<const K: usize> {
    /// How many have begun.
    begun: u64,
    /// What the first bets stood at when these began, and their stakes.
    kept: VecDeque<(Bets<K>, f64)>,
    reserve: f64,
}

/// Whether bets begin anew between these two times.
pub(super) fn are_due(before_ms: Millis, now_ms: Millis) -> bool {
    now_ms / EVERY_MS > before_ms / EVERY_MS
}

impl<const K: usize> Restarts<K> {
    pub(super) fn new() -> Restarts<K> {
        Restarts { begun: 0, kept: VecDeque::new(), reserve: RESERVE }
    }

    /// All of the stake is on the first bets, for good.
    pub(super) fn none() -> Restarts<K> {
        Restarts { reserve: 0.0, ..Restarts::new() }
    }

    /// Begins anew, where the first bets stand at this.
    pub(super) fn begin(&mut self, first: Bets<K>) {
        if self.reserve <= 0.0 {
            return;
        }
        self.begun += 1;
        // These stakes add up to the reserve, however many there will be.
        let stake = self.reserve / (as_f64(self.begun) * as_f64(self.begun + 1));
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back((first, stake));
    }

    /// What all hold together, where the first bets stand at this.
    pub(super) fn sum(&self, first: &Bets<K>, mean: impl Fn(&Bets<K>) -> f64) -> f64 {
        let later = self.kept.iter().map(|(began, stake)| stake * mean(&first.since(began)));
        let unspent = self.reserve / as_f64(self.begun + 1);
        (1.0 - self.reserve) * mean(first) + later.sum::<f64>() + unspent
    }

    /// The logarithm of the largest bet among them; the sum is not above it.
    pub(super) fn largest(&self, first: &Bets<K>) -> f64 {
        let later = self.kept.iter().map(|(began, _)| first.since(began).largest());
        later.fold(first.largest(), f64::max).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::errors::{Odds, WORSE};
    use super::*;

    /// So many errors of each release at a weight of 5 %, with a new beginning after each pair.
    fn sum(periods: &[(u64, u64)], mut restarts: Restarts<8>) -> f64 {
        let odds = Odds::new(&WORSE, 1.25, 0.05);
        let mut bets = Bets::new();
        for &(canary, stable) in periods {
            bets.add(&odds.canary, canary);
            bets.add(&odds.stable, stable);
            restarts.begin(bets);
        }
        restarts.sum(&bets, Bets::mean)
    }

    #[test]
    fn who_turns_bad_late_is_found() {
        let mut day = vec![(30, 570); 144];
        day.push((12, 0));
        assert!(sum(&day, Restarts::new()) >= 100.0, "{}", sum(&day, Restarts::new()));
        assert!(sum(&day, Restarts::none()) < 1e-9);
        assert!(sum(&[(30, 570); 144], Restarts::new()) < 1.0);
    }

    #[test]
    fn nothing_is_made_of_nothing() {
        let sum = sum(&[(0, 0); 9], Restarts::new());
        assert!((0.99..1.0 + 1e-12).contains(&sum), "{sum}");
        assert!(are_due(599_999, 600_000) && !are_due(600_000, 1_199_999));
    }

    /// All ways in which twelve errors can fall, with a new beginning after each second one.
    #[test]
    fn the_mean_never_exceeds_the_stake() {
        let odds = Odds::new(&WORSE, 1.0, 0.3);
        let mut mean = 0.0;
        for way in 0..1_u32 << 12 {
            let (mut bets, mut restarts, mut chance) = (Bets::new(), Restarts::new(), 1.0);
            for error in 0..12 {
                let canary = way >> error & 1 == 1;
                bets.add(if canary { &odds.canary } else { &odds.stable }, 1);
                chance *= if canary { 0.3 } else { 0.7 };
                if error % 2 == 1 {
                    restarts.begin(bets);
                }
            }
            mean += chance * restarts.sum(&bets, Bets::mean);
        }
        assert!((0.98..=1.0).contains(&mean), "{mean}");
    }
}
