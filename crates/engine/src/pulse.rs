//! What was counted lately: looks at counts that only grow, kept for a minute, so that it is
//! known how many requests come in a second and how many of the latest failed.

use crate::world::Counts;
use ripcord_core::analysis::{Pair, Past};
use ripcord_core::model::ReleaseId;
use ripcord_core::model::ids::Millis;
use std::collections::{BTreeMap, VecDeque};

/// How long a look is kept: as long as an outage needs to be seen, and a rate to be known.
const KEPT_MS: Millis = 60_000;

/// How far apart looks are that are kept.
const EVERY_MS: Millis = 1_000;

/// The looks of the last minute.
#[derive(Debug, Clone, Default)]
pub struct Pulse {
    looks: VecDeque<(Millis, BTreeMap<ReleaseId, Counts>)>,
}

impl Pulse {
    /// Looks at what was counted in all; `now_ms` never goes back.
    pub fn look(&mut self, now_ms: Millis, counts: &BTreeMap<ReleaseId, Counts>) {
        if self.looks.back().is_some_and(|(last, _)| now_ms < last.saturating_add(EVERY_MS)) {
            return;
        }
        self.looks.push_back((now_ms, counts.clone()));
        // The oldest look is the last one that is old enough.
        while self.looks.get(1).is_some_and(|(at, _)| at.saturating_add(KEPT_MS) <= now_ms) {
            self.looks.pop_front();
        }
    }

    /// What a release did up to now, when these are its counts; none before there are any.
    pub fn past(&self, now_ms: Millis, release: &ReleaseId, now: Option<&Counts>) -> Option<Past> {
        let now = *now?;
        let all = Pair { events: now.errors, total: now.requests };
        // Counts that began anew since are no part of the same sum.
        let known = |counts: &BTreeMap<ReleaseId, Counts>| {
            counts.get(release).filter(|then| then.epoch == now.epoch).copied()
        };
        let oldest = self.looks.iter().find_map(|(at, counts)| Some((*at, known(counts)?)));
        let (since_ms, then) = oldest.unwrap_or((now_ms, now));
        let lately = Pair {
            events: now.errors.saturating_sub(then.errors),
            total: now.requests.saturating_sub(then.requests),
        };
        Some(Past { all, lately, lately_ms: now_ms.saturating_sub(since_ms) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(epoch: u64, requests: u64, errors: u64) -> BTreeMap<ReleaseId, Counts> {
        [("v1".into(), Counts { epoch, requests, errors })].into()
    }

    fn pulse(looks: &[(Millis, u64, u64)]) -> Pulse {
        let mut pulse = Pulse::default();
        for &(at_ms, epoch, requests) in looks {
            pulse.look(at_ms, &counts(epoch, requests, 0));
        }
        pulse
    }

    fn past(pulse: &Pulse, now_ms: Millis, requests: u64) -> Past {
        let now = Counts { epoch: 1, requests, errors: 3 };
        pulse.past(now_ms, &"v1".into(), Some(&now)).unwrap()
    }

    #[test]
    fn the_latest_are_those_of_a_minute() {
        let looks: Vec<_> = (0..=600).map(|second| (second * 1_000, 1, second * 10)).collect();
        let found = past(&pulse(&looks), 600_000, 6_000);
        assert_eq!(found.all, Pair { events: 3, total: 6_000 });
        assert_eq!((found.lately.total, found.lately_ms), (600, 60_000));
        assert_eq!(found.per_second(), Some(10.0));
    }

    #[test]
    fn a_gap_is_not_filled_with_guesses() {
        let found = past(&pulse(&[(0, 1, 100), (200, 1, 150)]), 900_000, 1_000);
        assert_eq!((found.lately.total, found.lately_ms), (900, 900_000));
        let anew = past(&pulse(&[(0, 9, 100), (5_000, 1, 150)]), 9_000, 190);
        assert_eq!((anew.lately.total, anew.lately_ms), (40, 4_000));
        let never = past(&Pulse::default(), 9_000, 190);
        assert_eq!((never.lately.total, never.per_second()), (0, None));
        assert_eq!(Pulse::default().past(0, &"v1".into(), None), None);
    }
}
