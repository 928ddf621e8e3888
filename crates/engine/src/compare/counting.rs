//! From what the proxy has counted in all to what is new since the journal last heard.
//!
//! The proxy counts upwards and remembers; the journal holds what was taken from it. The
//! difference is what the judge has not seen, also after a crash of whoever watched.

use crate::world::{Arm, Period, Periods};
use ripcord_core::analysis::{ArmCounts, Tick};
use ripcord_core::model::ReleaseId;
use ripcord_core::model::ids::Millis;
use ripcord_core::model::traffic::WHOLE;
use std::collections::BTreeMap;

/// What the journal has of each period, both arms in all.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counting {
    known: BTreeMap<(u64, u64), [ArmCounts; 2]>,
}

/// A tick, and which period of which run of the proxy it is from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Counted {
    pub(crate) epoch: u64,
    pub(crate) period: u64,
    pub(crate) tick: Tick,
}

impl Counting {
    /// The journal has this, too.
    pub(crate) fn journaled(&mut self, epoch: u64, period: u64, tick: &Tick) {
        let known = self.known.entry((epoch, period)).or_default();
        for (known, more) in known.iter_mut().zip([&tick.canary, &tick.stable]) {
            add(known, more);
        }
    }

    /// The first period of this comparison: the oldest that the journal has, or, before it has one,
    /// the first after traffic last went to one release alone. What the same two did in an earlier
    /// plan, which perhaps took one of them back, is no evidence in this one.
    fn first(&self, periods: &Periods, (canary, stable): (&ReleaseId, &ReleaseId)) -> u64 {
        let known = self.known.keys().filter(|(epoch, _)| *epoch == periods.epoch);
        let apart = |period: &&Period| !is_between(period, canary, stable);
        let alone = periods.periods.iter().rev().find(apart);
        known
            .map(|(_, period)| *period)
            .min()
            .unwrap_or_else(|| alone.map_or(0, |alone| alone.number.saturating_add(1)))
    }

    /// What is new of the periods that divide between these two alone. Requests in flight beyond
    /// the bucket `cap` count as answered in it.
    pub(crate) fn news(
        &self,
        periods: &Periods,
        (canary, stable): (&ReleaseId, &ReleaseId),
        cap: Option<u16>,
        at_ms: Millis,
    ) -> Vec<Counted> {
        let first = self.first(periods, (canary, stable));
        let of = |period: &Period| {
            let weight = period.split.share(canary);
            if period.number < first || !is_between(period, canary, stable) {
                return None;
            }
            let known = self.known.get(&(periods.epoch, period.number));
            let arm = |index: usize, release: &ReleaseId| {
                let now = period.arms.get(release).map(|arm| whole(arm, cap)).unwrap_or_default();
                let known = known.map(|known| folded(&known[index], cap)).unwrap_or_default();
                increase(&known, &now)
            };
            let tick = Tick { at_ms, weight, canary: arm(0, canary), stable: arm(1, stable) };
            let (epoch, period) = (periods.epoch, period.number);
            is_something(&tick).then_some(Counted { epoch, period, tick })
        };
        periods.periods.iter().filter_map(of).collect()
    }
}

/// Whether a period divides between these two, and between nobody else.
fn is_between(period: &Period, canary: &ReleaseId, stable: &ReleaseId) -> bool {
    let weight = period.split.share(canary);
    weight > 0 && weight < WHOLE && weight + period.split.share(stable) == WHOLE
}

/// What stable's latency was in the periods before the canary got anything.
pub(crate) fn usual(periods: &Periods, canary: &ReleaseId, stable: &ReleaseId) -> Vec<(u16, u64)> {
    let mut sum = ArmCounts::default();
    for period in periods.periods.iter().filter(|period| period.split.share(canary) == 0) {
        if let Some(arm) = period.arms.get(stable) {
            add(&mut sum, &arm.counts);
        }
    }
    sum.latency
}

fn is_something(tick: &Tick) -> bool {
    [&tick.canary, &tick.stable].iter().any(|arm| **arm != ArmCounts::default())
}

/// The counts of an arm with those in flight that are beyond the cap.
fn whole(arm: &Arm, cap: Option<u16>) -> ArmCounts {
    let mut counts = folded(&arm.counts, cap);
    // The first bucket told of at or beyond the cap: fewer than there are, never more.
    let beyond = |cap: u16| arm.overdue.iter().filter(|(bucket, _)| *bucket >= cap).min();
    if let Some((cap, (_, late))) = cap.and_then(|cap| Some((cap, beyond(cap)?)))
        && *late > 0
    {
        let more = ArmCounts { requests: *late, errors: 0, latency: vec![(cap, *late)] };
        add(&mut counts, &more);
    }
    counts
}

fn folded(counts: &ArmCounts, cap: Option<u16>) -> ArmCounts {
    let Some(cap) = cap else { return counts.clone() };
    let latency = sum(counts.latency.iter().map(|(bucket, count)| ((*bucket).min(cap), *count)));
    ArmCounts { latency, ..*counts }
}

fn add(counts: &mut ArmCounts, more: &ArmCounts) {
    counts.requests = counts.requests.saturating_add(more.requests);
    counts.errors = counts.errors.saturating_add(more.errors);
    counts.latency = sum(counts.latency.iter().chain(&more.latency).copied());
}

/// What was added since. A request in flight that was counted and then given up by its client is
/// counted once too often, which a count that cannot go down does not show.
fn increase(known: &ArmCounts, now: &ArmCounts) -> ArmCounts {
    let before: BTreeMap<u16, u64> = known.latency.iter().copied().collect();
    let latency = now.latency.iter().filter_map(|(bucket, count)| {
        let more = count.saturating_sub(before.get(bucket).copied().unwrap_or(0));
        (more > 0).then_some((*bucket, more))
    });
    let errors = now.errors.saturating_sub(known.errors);
    ArmCounts {
        requests: now.requests.saturating_sub(known.requests).max(errors),
        errors,
        latency: latency.collect(),
    }
}

fn sum(buckets: impl Iterator<Item = (u16, u64)>) -> Vec<(u16, u64)> {
    let mut sums: BTreeMap<u16, u64> = BTreeMap::new();
    for (bucket, count) in buckets {
        let sum = sums.entry(bucket).or_default();
        *sum = sum.saturating_add(count);
    }
    sums.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ripcord_core::model::Split;

    fn counts(requests: u64, errors: u64, latency: &[(u16, u64)]) -> ArmCounts {
        ArmCounts { requests, errors, latency: latency.to_vec() }
    }

    fn periods(share: u16, canary: ArmCounts, overdue: &[(u16, u64)]) -> Periods {
        let (v1, v2) = ("v1".into(), "v2".into());
        let arm = Arm { counts: canary, overdue: overdue.to_vec(), requests_all: 0 };
        let period =
            Period { number: 3, split: Split::between(&v1, &v2, share), arms: [(v2, arm)].into() };
        Periods { epoch: 1, periods: vec![period] }
    }

    fn news(counting: &Counting, periods: &Periods) -> Vec<(u16, ArmCounts)> {
        let both = (&"v2".into(), &"v1".into());
        let news = counting.news(periods, both, Some(9), 0);
        news.into_iter().map(|one| (one.tick.weight, one.tick.canary)).collect()
    }

    #[test]
    fn only_what_is_new_counts() {
        let mut counting = Counting::default();
        let first = periods(500, counts(10, 1, &[(3, 8), (5, 2)]), &[]);
        let found = counting.news(&first, (&"v2".into(), &"v1".into()), Some(9), 0);
        assert_eq!(found[0].tick.canary, counts(10, 1, &[(3, 8), (5, 2)]));
        counting.journaled(1, 3, &found[0].tick);
        assert_eq!(news(&counting, &first), []);
        let later = periods(500, counts(12, 1, &[(3, 9), (5, 3)]), &[]);
        assert_eq!(news(&counting, &later), [(500, counts(2, 0, &[(3, 1), (5, 1)]))]);
        // A proxy that began anew counts from zero, and all of it is new.
        let anew = Periods { epoch: 2, ..first };
        assert_eq!(news(&counting, &anew), [(500, counts(10, 1, &[(3, 8), (5, 2)]))]);
    }

    #[test]
    fn what_was_seen_in_an_earlier_plan_counts_no_more() {
        let mut periods = periods(500, counts(10, 9, &[]), &[]);
        let shared = periods.periods[0].clone();
        let alone = Period { number: 4, split: Split::all_to(&"v1".into()), ..Period::default() };
        periods.periods.push(alone);
        assert_eq!(news(&Counting::default(), &periods), []);
        let arms = [("v2".into(), Arm { counts: counts(3, 0, &[]), ..Arm::default() })].into();
        periods.periods.push(Period { number: 5, arms, ..shared });
        assert_eq!(news(&Counting::default(), &periods), [(500, counts(3, 0, &[]))]);
        // A lapse within a plan: what the journal has a part of belongs to it.
        let mut counting = Counting::default();
        let tick = Tick { canary: counts(6, 5, &[]), weight: 500, ..Tick::default() };
        counting.journaled(1, 3, &tick);
        let both = [(500, counts(4, 4, &[])), (500, counts(3, 0, &[]))];
        assert_eq!(news(&counting, &periods), both);
    }

    #[test]
    fn whoever_waits_too_long_counts_once() {
        let mut counting = Counting::default();
        let hung = periods(500, counts(5, 0, &[(3, 5)]), &[(4, 3), (9, 2)]);
        let both = (&"v2".into(), &"v1".into());
        let found = counting.news(&hung, both, Some(9), 0);
        assert_eq!(found[0].tick.canary, counts(7, 0, &[(3, 5), (9, 2)]));
        counting.journaled(1, 3, &found[0].tick);
        // They end at last, in whatever bucket beyond the cap.
        let ended = periods(500, counts(7, 0, &[(3, 5), (40, 2)]), &[]);
        assert_eq!(news(&counting, &ended), []);
    }

    #[test]
    fn a_release_that_has_everything_is_compared_with_nobody() {
        assert_eq!(news(&Counting::default(), &periods(WHOLE, counts(5, 0, &[]), &[])), []);
        assert_eq!(news(&Counting::default(), &periods(0, counts(5, 0, &[]), &[])), []);
    }
}
