//! What Mann and Whitney's test makes of a gauge of which nothing is known from before. It is
//! told to people and decides nothing: values of neighbouring times are alike, and with those it
//! finds something in a third of all equal releases.

use super::explain;
use super::nats::as_f64;

/// How many values of each release say anything, and how many are kept.
const VALUES_MIN: usize = 8;
const VALUES_MAX: usize = 400;

/// From which chance on nothing is said.
const CHANCE_MAX: f64 = 0.05;

/// The latest values of both releases.
#[derive(Debug, Clone, Default)]
pub(super) struct Advice {
    /// Of the canary and of stable at the same time; the newest overwrite the oldest.
    values: Vec<(f64, f64)>,
    seen: usize,
}

impl Advice {
    /// Takes a reading into account.
    pub(super) fn add(&mut self, canary: f64, stable: f64) {
        if self.values.len() < VALUES_MAX {
            self.values.push((canary, stable));
        } else {
            self.values[self.seen % VALUES_MAX] = (canary, stable);
        }
        self.seen += 1;
    }

    /// What it says to people; none when that is nothing.
    pub(super) fn words(&self, higher_is_worse: bool) -> Option<String> {
        let chance = self.chance(higher_is_worse)?;
        let how = if higher_is_worse { "higher" } else { "lower" };
        let count = self.values.len();
        (chance < CHANCE_MAX).then(|| {
            let chance = explain::plain(100.0 * chance);
            format!(
                "the canary's last {count} values are {how} than stable's, which would be chance \
                 in {chance} % of cases if neighbours were not alike: advice, and no decision"
            )
        })
    }

    /// How likely values as bad as these are, of two equal releases, if no value has to do with
    /// another one; none with too few of them.
    fn chance(&self, higher_is_worse: bool) -> Option<f64> {
        if self.values.len() < VALUES_MIN {
            return None;
        }
        let mut all: Vec<(f64, bool)> = self
            .values
            .iter()
            .flat_map(|(canary, stable)| [(*canary, true), (*stable, false)])
            .collect();
        all.sort_by(|one, other| one.0.total_cmp(&other.0));
        let (mut ranks, mut ties, mut below) = (0.0, 0.0, 0_u64);
        for equal in all.chunk_by(|one, other| one.0.total_cmp(&other.0).is_eq()) {
            let count = equal.len() as u64;
            let middle = as_f64(below) + 0.5 * as_f64(count + 1);
            let canary = equal.iter().filter(|(_, canary)| *canary).count() as u64;
            ranks += middle * as_f64(canary);
            ties += as_f64(count * count * count - count);
            below += count;
        }
        let each = as_f64(self.values.len() as u64);
        let both = 2.0 * each;
        let above = ranks - 0.5 * each * (each + 1.0);
        let variance = each * each / 12.0 * (both + 1.0 - ties / (both * (both - 1.0)));
        if variance <= 0.0 {
            return Some(1.0);
        }
        let middle = 0.5 * each * each;
        let worse = if higher_is_worse { above - middle } else { middle - above };
        Some(0.5 * libm::erfc((worse - 0.5) / libm::sqrt(2.0 * variance)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advice(pairs: &[(f64, f64)]) -> Advice {
        let mut advice = Advice::default();
        for (canary, stable) in pairs {
            advice.add(*canary, *stable);
        }
        advice
    }

    #[test]
    fn as_in_the_tables() {
        // U of 8 and 8 values, of which all of one are above: one in 12,870 orders.
        let above: Vec<(f64, f64)> = (0..8).map(|n| (100.0 + f64::from(n), f64::from(n))).collect();
        let chance = advice(&above).chance(true).unwrap();
        assert!((1e-4..1e-3).contains(&chance), "{chance}");
        assert!(advice(&above).chance(false).unwrap() > 0.999);
        let said = advice(&above).words(true).unwrap();
        assert!(said.starts_with("the canary's last 8 values are higher"), "{said}");
        assert_eq!(advice(&above).words(false), None);
        assert_eq!(advice(&above[..7]).words(true), None, "too few to say anything");
    }

    #[test]
    fn nothing_is_made_of_ties_and_equals() {
        assert_eq!(advice(&[(1.0, 1.0); 50]).words(true), None);
        let mixed: Vec<(f64, f64)> = (0..40).map(|n| (f64::from(n), f64::from(n) + 0.5)).collect();
        assert_eq!(advice(&mixed).words(true), None);
    }

    #[test]
    fn only_the_latest_count() {
        let mut advice = advice(&[(9.0, 1.0); 400]);
        (0..400).for_each(|_| advice.add(1.0, 1.0));
        assert_eq!(advice.words(true), None);
    }
}
