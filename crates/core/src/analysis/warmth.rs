//! How far the comparison has come: when requests were seen, and whether the canary is warm.

use super::policy::JudgePolicy;
use super::tick::Tick;
use crate::model::Share;
use crate::model::ids::Millis;
use crate::model::traffic::WHOLE;

/// Times and counts from which warm-up is told.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Warmth {
    /// The newest tick.
    pub(super) newest_ms: Millis,
    /// The time before the first tick with a request of either release.
    first_ms: Option<Millis>,
    /// The last one.
    last_ms: Option<Millis>,
    /// The first one with a request to the canary: its clock starts there.
    canary_ms: Option<Millis>,
    /// The largest weight among the ticks of the newest time.
    weight: Share,
    /// Requests to the canary, those of the newest time included.
    canary: u64,
    /// The time before the newest one, and the requests to the canary until then. Whether the
    /// canary is warm depends on these alone: the order of ticks of one time does not matter, and
    /// nothing counts that may have begun before.
    pub(super) before_ms: Millis,
    canary_before: u64,
}

impl Warmth {
    /// Takes a tick into account.
    pub(super) fn add(&mut self, tick: &Tick) {
        if tick.at_ms > self.newest_ms {
            self.canary_before = self.canary;
            self.before_ms = self.newest_ms;
            self.newest_ms = tick.at_ms;
            self.weight = 0;
        }
        self.weight = self.weight.max(tick.weight);
        if tick.canary.requests > 0 || tick.stable.requests > 0 {
            self.first_ms.get_or_insert(self.before_ms);
            self.last_ms = Some(tick.at_ms);
        }
        if tick.canary.requests > 0 {
            self.canary_ms.get_or_insert(tick.at_ms);
            self.canary = self.canary.saturating_add(tick.canary.requests);
        }
    }

    /// Whether what is seen at the newest time counts for latency.
    pub(super) fn is_warm(&self, policy: &JudgePolicy) -> bool {
        let warm_ms = self.canary_ms.map(|first| first.saturating_add(policy.burn_in_ms));
        let time = warm_ms.is_some_and(|warm_ms| self.before_ms >= warm_ms);
        (policy.burn_in_ms == 0 || time) && self.canary_before >= policy.burn_in_requests
    }

    /// The chance with which requests go to the canary now; 0 before the first tick.
    pub(super) fn chance(&self) -> f64 {
        f64::from(self.weight) / f64::from(WHOLE)
    }

    /// For how long the canary has answered.
    pub(super) fn canary_for_ms(&self) -> Millis {
        self.canary_ms.map_or(0, |first| self.newest_ms.saturating_sub(first))
    }

    /// For how long requests have been seen.
    pub(super) fn seen_ms(&self) -> Millis {
        self.first_ms.zip(self.last_ms).map_or(0, |(first, last)| last.saturating_sub(first))
    }

    /// For how long nobody has been seen.
    pub(super) fn silent_ms(&self, now_ms: Millis) -> Millis {
        self.last_ms.map_or(now_ms, |last| now_ms.saturating_sub(last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::ArmCounts;

    /// Whether the canary is warm at the last of these times, after so many requests at each.
    fn is_warm(burn_in_ms: Millis, ticks: &[(Millis, u64)]) -> bool {
        let policy = JudgePolicy { burn_in_ms, burn_in_requests: 200, ..JudgePolicy::default() };
        let mut warmth = Warmth::default();
        for &(at_ms, requests) in ticks {
            let canary = ArmCounts { requests, ..ArmCounts::default() };
            warmth.add(&Tick { at_ms, weight: 500, canary, stable: ArmCounts::default() });
        }
        warmth.is_warm(&policy)
    }

    #[test]
    fn it_takes_the_time_and_the_requests() {
        assert!(is_warm(0, &[(1, 200), (2, 1)]));
        assert!(!is_warm(0, &[(1, 199), (2, 1_000)]), "those of the newest time do not count yet");
        assert!(is_warm(30_000, &[(1_000, 200), (31_000, 5), (31_001, 1)]));
        assert!(!is_warm(30_000, &[(1_000, 200), (30_999, 5), (31_001, 1)]), "too early");
        assert!(!is_warm(30_000, &[(1_000, 100), (40_000, 5), (90_000, 1)]), "too few");
        assert!(
            !is_warm(30_000, &[(1_000, 0), (40_000, 500), (60_000, 1)]),
            "the clock starts late"
        );
    }
}
