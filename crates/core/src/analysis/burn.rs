//! How fast a service uses up the errors that its objective allows: over a long window, and still
//! so over a short one. No statistics and no comparison; the last line behind both.

use super::explain;
use super::nats::as_f64;
use super::tick::Pair;
use crate::model::ids::Millis;

const MINUTE_MS: Millis = 60_000;

/// The longest window, in minutes.
const MINUTES: usize = 360;

/// How many times as fast as allowed, over how many minutes, and over how many of the latest.
const PAIRS: [(f64, u64, u64); 2] = [(14.4, 60, 5), (6.0, 360, 30)];

/// Fewer errors than this are no burning, however few requests there were: at a third of the rate
/// that burns, so many hardly ever come together by chance.
const ERRORS_MIN: u64 = 20;

/// What was counted of one release in the last six hours.
#[derive(Debug, Clone)]
pub struct BurnRate {
    /// Of all answers, how many may fail.
    budget: f64,
    minutes: Vec<(u64, Pair)>,
    /// The first minute that was seen.
    first: Option<u64>,
}

impl BurnRate {
    /// Against an objective of so many good answers in a million.
    pub fn new(slo_ppm: u32) -> BurnRate {
        let allowed = 1_000_000_u32.saturating_sub(slo_ppm).max(1);
        BurnRate {
            budget: f64::from(allowed) / 1e6,
            minutes: vec![(0, Pair::default()); MINUTES],
            first: None,
        }
    }

    /// Takes answers into account. Times that are older than six hours before the newest may be
    /// lost.
    pub fn add(&mut self, at_ms: Millis, requests: u64, errors: u64) {
        let number = at_ms / MINUTE_MS;
        self.first.get_or_insert(number);
        let index = usize::try_from(number % MINUTES as u64).unwrap_or(0);
        if let Some((minute, pair)) = self.minutes.get_mut(index) {
            if *minute < number {
                (*minute, *pair) = (number, Pair::default());
            }
            *pair = pair.plus(Pair { events: errors.min(requests), total: requests });
        }
    }

    /// What is used up too fast at this time; none when nothing is.
    pub fn burning(&self, now_ms: Millis) -> Option<String> {
        PAIRS.iter().find_map(|&(times, long, short)| {
            let (long_rate, errors) = self.rate(now_ms, long);
            let (short_rate, _) = self.rate(now_ms, short);
            let burns = long_rate >= times && short_rate >= times && errors >= ERRORS_MIN;
            burns.then(|| {
                format!(
                    "the errors that the objective allows are used up {} times as fast as allowed \
                     over {}, and still {} times over the last {}",
                    explain::plain(long_rate),
                    explain::time(self.seen(now_ms, long)),
                    explain::plain(short_rate),
                    explain::time(self.seen(now_ms, short)),
                )
            })
        })
    }

    /// How much of the latest minutes was seen.
    fn seen(&self, now_ms: Millis, minutes: u64) -> Millis {
        let first_ms = self.first.unwrap_or(0) * MINUTE_MS;
        now_ms.saturating_sub(first_ms).min(minutes * MINUTE_MS)
    }

    /// How many times as fast as allowed over the latest minutes, and with how many errors.
    fn rate(&self, now_ms: Millis, minutes: u64) -> (f64, u64) {
        let now = now_ms / MINUTE_MS;
        let recent = |number: u64| number <= now && now - number < minutes;
        let within = self.minutes.iter().filter(|(number, _)| recent(*number));
        let Pair { events, total } = within.fold(Pair::default(), |sum, (_, one)| sum.plus(*one));
        (as_f64(events) / as_f64(total.max(1)) / self.budget, events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Minutes of 600 requests each, with so many errors; 99.9 % are to be good.
    fn burning(minutes: &[(u64, u64)]) -> bool {
        let (mut burn, mut at_ms) = (BurnRate::new(999_000), 0);
        for &(count, errors) in minutes {
            for _ in 0..count {
                burn.add(at_ms, 600, errors);
                at_ms += MINUTE_MS;
            }
        }
        burn.burning(at_ms.saturating_sub(1)).is_some()
    }

    #[test]
    fn burning_is_long_and_still_so() {
        assert!(!burning(&[]));
        assert!(!burning(&[(600, 0)]));
        assert!(burning(&[(60, 9)]), "15 times for an hour");
        assert!(!burning(&[(60, 9), (20, 0)]), "but no longer");
        assert!(!burning(&[(355, 0), (5, 9)]), "but for five minutes only");
        assert!(burning(&[(360, 4)]), "6.7 times for six hours");
        assert!(!burning(&[(360, 3)]));
        assert!(burning(&[(1_000, 0), (5, 600)]), "everything fails");
    }
}
