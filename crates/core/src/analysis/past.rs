//! What a release answered before another came beside it or in its place: the yardstick for "it
//! fails more than it did" and for "so many requests take so long". It is fixed when a plan is
//! made, so that what was decided by it can be replayed.

use super::absolute::AbsoluteTest;
use super::nats::as_f64;
use super::tick::Pair;
use crate::model::ids::Millis;
use serde::{Deserialize, Serialize};

/// How many requests from before make a history.
const HISTORY_MIN: u64 = 200;

/// How long requests must have been seen before it is known how many come.
const SEEN_MS_MIN: Millis = 5_000;

/// Evidence at which a release is found to fail more than it did.
pub(super) const ENOUGH: f64 = 20.0;

/// The error rate that needs no history to be an outage, and the one that is never usual.
const UNKNOWN: f64 = 0.05;
const NEVER_USUAL: f64 = 0.2;

/// What a release answered up to some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Past {
    /// Everything that is known of it: errors among requests.
    pub all: Pair,
    /// Of this, the latest.
    pub lately: Pair,
    /// How long the latest took to come.
    pub lately_ms: Millis,
}

impl Past {
    /// The rate of errors that was usual, without the latest where the rest is enough to tell.
    pub fn usual(&self) -> Option<f64> {
        let before = self.all.minus(self.lately);
        let known = [before, self.all].into_iter().find(|pair| pair.total >= HISTORY_MIN)?;
        Some(rate(known))
    }

    /// The rate of errors lately, if that is surely more than it was before.
    pub fn failing(&self, floor: f64) -> Option<f64> {
        let before = self.all.minus(self.lately);
        let tolerated = tolerated(before, floor);
        fails(self.lately, tolerated).then(|| rate(self.lately))
    }

    /// How many requests came in a second, lately; none where nobody looked for long enough.
    pub fn per_second(&self) -> Option<f64> {
        let known = self.lately_ms >= SEEN_MS_MIN;
        known.then(|| 1e3 * as_f64(self.lately.total) / as_f64(self.lately_ms))
    }
}

/// The rate of errors that is no outage, after this was seen before.
pub(super) fn tolerated(before: Pair, floor: f64) -> f64 {
    let known = before.total >= HISTORY_MIN;
    tolerated_of(if known { rate(before) } else { 0.5 * UNKNOWN }, floor)
}

/// The rate of errors that is no outage where this one is usual.
pub(super) fn tolerated_of(usual: f64, floor: f64) -> f64 {
    (2.0 * usual).max(floor).min(NEVER_USUAL)
}

/// Whether there are surely more errors than this.
pub(super) fn fails(seen: Pair, tolerated: f64) -> bool {
    let test = AbsoluteTest::new(0.5 * tolerated, 0.0);
    rate(seen) > tolerated && test.evidence(seen.total, seen.events) >= ENOUGH
}

/// Errors per request.
pub(super) fn rate(pair: Pair) -> f64 {
    as_f64(pair.events) / as_f64(pair.total.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past(all: (u64, u64), lately: (u64, u64)) -> Past {
        let [all, lately] = [all, lately].map(|(events, total)| Pair { events, total });
        Past { all, lately, lately_ms: 60_000 }
    }

    #[test]
    fn what_is_usual_is_from_before_the_latest() {
        let check = |all, lately, expected: Option<f64>| {
            assert_eq!(past(all, lately).usual(), expected, "{all:?} {lately:?}");
        };
        check((0, 0), (0, 0), None);
        check((9, 199), (9, 100), None);
        check((60, 1_100), (50, 100), Some(0.01));
        check((10, 200), (10, 100), Some(0.05));
    }

    #[test]
    fn failing_is_more_than_before() {
        let failing = |all, lately| past(all, lately).failing(0.005).is_some();
        assert!(!failing((1_000, 100_000), (5, 500)), "as ever");
        assert!(failing((1_000, 100_000), (100, 500)));
        assert!(!failing((1_000, 100_000), (1, 5)), "too few to tell");
        assert!(failing((50, 100), (50, 100)), "half of all, whatever was before");
        assert!(!failing((2, 100), (2, 100)), "may be usual");
    }

    #[test]
    fn how_many_requests_come() {
        assert_eq!(past((0, 900), (0, 300)).per_second(), Some(5.0));
        assert_eq!(past((0, 900), (0, 0)).per_second(), Some(0.0));
        assert_eq!(Past { lately_ms: 4_999, ..past((0, 9), (0, 9)) }.per_second(), None);
    }
}
