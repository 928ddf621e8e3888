//! Exactly how often an equal release is taken back, and how soon a bad one: no simulation, but
//! the probabilities of all ways in which errors can fall upon the two releases.
//!
//! For one weight the evidence depends on two counts alone: all errors, and those of the canary.
//! Where the canary's are too many, the release goes back. So the chance of ever getting there is
//! a sum over a lattice. It also gives the lowest boundary that keeps the promise for a given
//! number of errors, which is lower than the one that keeps it for ever.

use super::errors::{Odds, WORSE};
use super::nats::Bets;
use crate::model::Share;
use crate::model::traffic::WHOLE;

/// Chances below this are left out.
const NEGLIGIBLE: f64 = 1e-18;

/// Of how many errors at most the outcomes are followed.
const ERRORS_MAX: u64 = 2_000_000;

/// Halvings of the range in which a boundary is looked for.
const HALVINGS: u32 = 24;

/// The errors of two releases under one weight.
#[derive(Debug, Clone, Copy)]
pub struct Lattice {
    chance: f64,
    odds: Odds<8>,
    tolerated_ratio: f64,
}

impl Lattice {
    /// The lattice of a canary with this weight. `tolerated_ratio_thousandths` is how many times
    /// as many errors are tolerated; 1000 is as many.
    pub fn new(weight: Share, tolerated_ratio_thousandths: u32) -> Lattice {
        let chance = f64::from(weight.clamp(1, WHOLE - 1)) / f64::from(WHOLE);
        let tolerated_ratio = f64::from(tolerated_ratio_thousandths.max(1_000)) / 1e3;
        Lattice { chance, odds: Odds::new(&WORSE, tolerated_ratio, chance), tolerated_ratio }
    }

    /// How often a canary that fails `ratio` times as often as stable reaches this evidence within
    /// so many errors of both.
    pub fn crossing_probability(&self, ratio: f64, threshold: f64, horizon_errors: u32) -> f64 {
        let mut walk = Walk::new(self, ratio, threshold);
        while walk.errors < u64::from(horizon_errors).min(ERRORS_MAX) {
            walk.step();
        }
        walk.crossed
    }

    /// After how many requests, of both releases together, a canary reaches this evidence on
    /// average that fails `lift` times as often as stable, which fails with the rate `base`.
    pub fn expected_requests(&self, base: f64, lift: f64, threshold: f64) -> f64 {
        let mut walk = Walk::new(self, lift, threshold);
        let mut errors = 0.0;
        while walk.errors < ERRORS_MAX && walk.crossed < 1.0 - 1e-9 {
            // A run that has not crossed yet will see one more error.
            errors += 1.0 - walk.crossed;
            walk.step();
        }
        errors / (base * (1.0 + (lift - 1.0) * self.chance))
    }

    /// The lowest boundary that an equal release (or one just tolerated) reaches at most with the
    /// chance `alpha` within so many errors; never above the one that holds for ever.
    pub fn calibrated(&self, alpha: f64, horizon_errors: u32) -> f64 {
        let (mut low, mut high) = (0.0, libm::log(1.0 / alpha));
        for _ in 0..HALVINGS {
            let middle = 0.5 * (low + high);
            let threshold = libm::exp(middle);
            let crossed =
                self.crossing_probability(self.tolerated_ratio, threshold, horizon_errors);
            if crossed > alpha {
                low = middle;
            } else {
                high = middle;
            }
        }
        libm::exp(high)
    }
}

/// All ways that have not reached the boundary, error by error.
struct Walk<'a> {
    lattice: &'a Lattice,
    threshold: f64,
    /// The chance that an error is the canary's.
    share: f64,
    errors: u64,
    /// How many of the canary are enough for the boundary.
    enough: u64,
    /// The fewest of the canary that are still possible.
    fewest: u64,
    /// The chances of so many of the canary, from the fewest on, without having crossed.
    chances: Vec<f64>,
    crossed: f64,
}

impl<'a> Walk<'a> {
    fn new(lattice: &'a Lattice, ratio: f64, threshold: f64) -> Walk<'a> {
        let share = ratio * lattice.chance / (1.0 + (ratio - 1.0) * lattice.chance);
        let (errors, enough, fewest, crossed) = (0, 1, 0, 0.0);
        Walk { lattice, threshold, share, errors, enough, fewest, chances: vec![1.0], crossed }
    }

    /// One more error.
    fn step(&mut self) {
        self.errors += 1;
        self.chances.push(0.0);
        for index in (0..self.chances.len()).rev() {
            let fewer = if index > 0 { self.chances[index - 1] } else { 0.0 };
            self.chances[index] = self.chances[index] * (1.0 - self.share) + fewer * self.share;
        }
        // With more errors of stable it never takes fewer of the canary.
        while self.enough <= self.errors && !self.has_crossed(self.enough) {
            self.enough += 1;
        }
        while self.fewest + self.chances.len() as u64 > self.enough {
            self.crossed += self.chances.pop().unwrap_or(0.0);
        }
        let rare = self.chances.iter().take_while(|chance| **chance < NEGLIGIBLE).count();
        self.chances.drain(..rare);
        self.fewest += rare as u64;
        while self.chances.last().is_some_and(|chance| *chance < NEGLIGIBLE) {
            self.chances.pop();
        }
    }

    /// Whether the evidence of so many errors of the canary is enough.
    fn has_crossed(&self, canary: u64) -> bool {
        let mut bets = Bets::new();
        bets.add(&self.lattice.odds.canary, canary);
        bets.add(&self.lattice.odds.stable, self.errors - canary);
        bets.mean() >= self.threshold
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Figures per weight, base rate and lift, known from the design of the test: mean requests to
    /// the decision at a boundary of 100.
    #[test]
    fn how_soon_a_bad_release_goes_back() {
        let check = |weight: Share, base: f64, lift: f64, expected: f64| {
            let mean = Lattice::new(weight, 1_000).expected_requests(base, lift, 100.0);
            assert!((mean / expected - 1.0).abs() < 0.01, "{weight} {base} {lift}: {mean}");
        };
        check(500, 0.01, 5.0, 3_289.0);
        check(500, 0.01, 20.0, 394.0);
        check(500, 0.001, 5.0, 32_893.0);
        check(1_000, 0.01, 5.0, 1_767.0);
        check(1_000, 0.001, 20.0, 2_144.0);
        check(5_000, 0.001, 2.0, 66_492.0);
        check(5_000, 0.001, 5.0, 7_156.0);
    }

    #[test]
    fn a_dead_canary_is_found_within_sixty_requests() {
        // Stable fails so rarely that all errors are the canary's.
        let mean = Lattice::new(500, 1_000).expected_requests(1e-6, 1e6, 100.0);
        assert!((55.0..65.0).contains(&mean), "{mean}");
    }

    /// How often an equal release is taken back within a million requests at 0.1 % errors.
    #[test]
    fn false_alarms_over_a_lifetime() {
        let check = |weight: Share, errors: u32, percent: f64| {
            let crossed = Lattice::new(weight, 1_000).crossing_probability(1.0, 100.0, errors);
            assert!((100.0 * crossed - percent).abs() < 0.02, "{weight} {errors}: {crossed}");
        };
        check(500, 1_000, 0.466);
        check(1_000, 1_000, 0.573);
        check(5_000, 1_000, 0.911);
        check(500, 10_000, 0.528);
        check(1_000, 10_000, 0.595);
    }

    #[test]
    fn the_lowest_boundary_keeps_the_promise() {
        let check = |weight: Share, expected: f64| {
            let lattice = Lattice::new(weight, 1_000);
            let boundary = lattice.calibrated(0.01, 1_000);
            assert!((boundary - expected).abs() < 0.5, "{weight}: {boundary}");
            assert!(lattice.crossing_probability(1.0, boundary, 1_000) <= 0.01);
            assert!(lattice.crossing_probability(1.0, 0.97 * boundary, 1_000) > 0.01);
        };
        check(500, 59.2);
        check(1_000, 53.8);
        check(5_000, 81.9);
    }

    #[test]
    fn better_releases_are_taken_back_less_often() {
        let lattice = Lattice::new(500, 1_250);
        let crossed = |ratio| lattice.crossing_probability(ratio, 100.0, 500);
        assert!(crossed(0.5) < crossed(1.0) && crossed(1.0) < crossed(1.25));
        assert!(crossed(1.25) <= 0.01 && crossed(5.0) > 0.9);
    }
}
