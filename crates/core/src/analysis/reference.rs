//! Stable's latency, fixed in advance: the yardstick for the canary's.

use super::tick::BUCKETS;
use serde::{Deserialize, Serialize};

/// How many answers make a yardstick.
pub(super) const ANSWERS_MIN: u64 = 200;

/// How many buckets above the 99th percentile latency is still told apart: up to about twice it.
const BEYOND_P99: usize = 15;

/// A distribution of latency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// Bucket of latency and how many; only buckets that are not empty, in order.
    pub latency: Vec<(u16, u64)>,
}

impl Reference {
    /// A yardstick from so many answers; none if they are too few. Buckets that do not exist are
    /// left out, repeated ones are added up.
    pub fn new(latency: &[(u16, u64)]) -> Option<Reference> {
        Reference::of(&counts(latency))
    }

    /// The same from a count for each bucket.
    pub(super) fn of(counts: &[u64; BUCKETS]) -> Option<Reference> {
        let full = (0_u16..).zip(counts).filter(|(_, count)| **count > 0);
        let latency: Vec<_> = full.map(|(bucket, count)| (bucket, *count)).collect();
        (total(counts) >= ANSWERS_MIN).then_some(Reference { latency })
    }

    /// The bucket from which on latencies are no longer told apart. A request in flight for longer
    /// than its lower end counts once as this slow and never again, so hanging requests are seen
    /// at once.
    pub fn cap_bucket(&self) -> u16 {
        let cap = (quantile(&counts(&self.latency), 0.99) + BEYOND_P99).min(BUCKETS - 1);
        u16::try_from(cap).unwrap_or(u16::MAX)
    }
}

/// The counts, bucket by bucket.
pub(super) fn counts(latency: &[(u16, u64)]) -> [u64; BUCKETS] {
    let mut counts = [0_u64; BUCKETS];
    for (bucket, count) in latency {
        if let Some(sum) = counts.get_mut(usize::from(*bucket)) {
            *sum = sum.saturating_add(*count);
        }
    }
    counts
}

/// How many in all.
pub(super) fn total(counts: &[u64; BUCKETS]) -> u64 {
    counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
}

/// The bucket up to which at least this share of the counts lies; the last one when there are none.
pub(super) fn quantile(counts: &[u64; BUCKETS], share: f64) -> usize {
    let wanted = share * super::nats::as_f64(total(counts));
    let mut below = 0.0;
    for (bucket, count) in counts.iter().enumerate() {
        below += super::nats::as_f64(*count);
        if *count > 0 && below >= wanted {
            return bucket;
        }
    }
    BUCKETS - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_few_answers_are_no_yardstick() {
        assert_eq!(Reference::new(&[(5, 199)]), None);
        assert_eq!(Reference::new(&[(271, 1_000)]), None);
        let twice = Reference::new(&[(7, 100), (5, 50), (5, 60), (900, 9)]);
        assert_eq!(twice, Some(Reference { latency: vec![(5, 110), (7, 100)] }));
        assert!(Reference::new(&[(0, u64::MAX), (0, u64::MAX)]).is_some());
    }

    #[test]
    fn the_cap_is_beyond_nearly_all() {
        let cap = |latency: &[(u16, u64)]| Reference::new(latency).map(|one| one.cap_bucket());
        assert_eq!(cap(&[(100, 990), (140, 10)]), Some(115));
        assert_eq!(cap(&[(100, 980), (140, 20)]), Some(155));
        assert_eq!(cap(&[(270, 200)]), Some(270));
    }
}
