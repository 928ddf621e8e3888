//! What a gauge may differ by for no reason, learnt from one release alone, or judged enough.
//!
//! Two equal releases side by side are what is needed, and what nobody has while no release goes
//! out. Instead a release is held against itself of a while ago, stretch by stretch, where a
//! stretch is longer than its values resemble each other: shared trends, which a canary and stable
//! at one moment do not show, only make the differences wider. What few requests are like is not
//! in them; so they are widened to what they would be if all of the noise came from few requests.
//! Both errors are on the side of finding nothing. No clock here, and no randomness.

use super::gauge::{self, Gauge};
use super::nats::as_f64;
use super::policy::JudgePolicy;
use crate::model::Share;
use crate::model::traffic::WHOLE;

/// How many times as long as values resemble each other a stretch is, so that where one begins
/// and another ends matters little.
const STRETCH: usize = 4;

/// Pairs of values of equal releases, from one that was alone, for a canary with this share.
pub fn of_one(values: &[f64], share: Share) -> Vec<(f64, f64)> {
    let sound = |value: &f64| value.is_finite() && *value >= 0.0;
    let values: Vec<f64> = values.iter().copied().filter(sound).collect();
    let stretch = STRETCH * gauge::stretch(&values);
    let widening = widening(share);
    let pairs = values.chunks_exact(2 * stretch).flat_map(|both| {
        let (earlier, later) = both.split_at(stretch);
        later.iter().zip(earlier).map(|(later, earlier)| widened(*later, *earlier, widening))
    });
    pairs.collect()
}

/// How many independent values a gauge needs under these rules, so that it can decide.
pub fn needed(policy: &JudgePolicy) -> usize {
    gauge::blocks_needed(policy.enough_alone())
}

/// Whether a gauge that needs so many could decide with these.
pub fn is_enough(pairs: &[(f64, f64)], needed: usize) -> bool {
    let mut gauge = Gauge::new(true, needed);
    gauge.calibrate(pairs);
    gauge.can_decide()
}

/// The same pair, its ratio raised to a power.
fn widened(one: f64, other: f64, by: f64) -> (f64, f64) {
    let ratio = gauge::smallest(one) / gauge::smallest(other);
    (gauge::smallest(other) * libm::pow(ratio, by), gauge::smallest(other))
}

/// How many times as wide the difference of a canary and stable is as that of two wholes, if the
/// noise of each is that of its number of requests.
fn widening(share: Share) -> f64 {
    let share = as_f64(u64::from(share.clamp(1, WHOLE - 1))) / as_f64(u64::from(WHOLE));
    libm::sqrt(0.5 * (1.0 / share + 1.0 / (1.0 - share)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pseudo-random values around 100, each like the one before by this much.
    fn values(count: usize, likeness: f64) -> Vec<f64> {
        let (mut state, mut last) = (0x9E37_79B9_7F4A_7C15_u64, 0.0);
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            as_f64(state >> 11) / as_f64(1 << 53) - 0.5
        };
        let each = |_| {
            last = likeness * last + next();
            100.0 * libm::exp(0.1 * last)
        };
        (0..count).map(each).collect()
    }

    fn spread(pairs: &[(f64, f64)]) -> f64 {
        let squares = pairs.iter().map(|(one, other)| {
            let log = libm::log(one / other);
            log * log
        });
        libm::sqrt(squares.sum::<f64>() / as_f64(pairs.len() as u64))
    }

    #[test]
    fn days_are_enough_and_minutes_are_not() {
        let enough = |count, likeness| is_enough(&of_one(&values(count, likeness), 500), 50);
        assert!(enough(400, 0.0) && !enough(60, 0.0));
        assert!(enough(4_000, 0.8) && !enough(600, 0.8));
        assert!(!is_enough(&[], 50));
        assert_eq!(needed(&JudgePolicy::default()), 54, "two metrics share the budget");
        assert_eq!(of_one(&[f64::NAN, -1.0, 5.0], 500), []);
    }

    #[test]
    fn each_value_is_used_once() {
        assert_eq!(of_one(&values(401, 0.0), 500).len(), 200);
        let alike = of_one(&values(2_000, 0.8), 500).len();
        assert!((950..=1_000).contains(&alike), "{alike}");
    }

    /// Neighbours that are alike are not the yardstick: values as far apart as those of two
    /// releases are.
    #[test]
    fn the_spread_is_that_of_independent_values() {
        let own = |likeness: f64| 0.1 * libm::sqrt(1.0 / 12.0 / (1.0 - likeness * likeness));
        for likeness in [0.0, 0.8] {
            let found = spread(&of_one(&values(8_000, likeness), 5_000)) / own(likeness);
            // Two independent values differ by 1.41, a half and a half by 1.41 times as much.
            assert!((1.75..=2.15).contains(&found), "{likeness}: {found}");
        }
        let [half, small] = [5_000, 500].map(|share| spread(&of_one(&values(800, 0.0), share)));
        assert!((2.2..=2.4).contains(&(small / half)), "{}", small / half);
    }
}
