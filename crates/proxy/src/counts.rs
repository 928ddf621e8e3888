//! What is counted per release: outcomes and latencies of the first attempt at each request.
//!
//! A retry that saves the user does not hide the failure from whoever judges the release. Only
//! requests of the main listener count; a preview has no users.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::state::ReleaseName;

/// Counts of all releases since the proxy started.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Counted {
    /// Random name of this run of the proxy. With a new one, all counts began at zero again.
    pub epoch: String,
    /// The counts of each release that the proxy has seen.
    pub releases: BTreeMap<ReleaseName, Counts>,
}

/// Counts of one release. All but `in_flight` only grow.
///
/// Requests that are neither in flight nor in the latencies were given up by their clients before
/// the release began to answer, or were cut by a drain deadline.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Requests assigned to the release.
    pub requests: u64,
    /// Answers with a status of 500 or above, made by the release itself.
    pub errors_5xx: u64,
    /// First attempts that found nobody to connect to.
    pub connect_failures: u64,
    /// First attempts that did not begin to answer in time.
    pub timeouts: u64,
    /// First attempts whose connection broke after the request was sent, before the answer began
    /// or in its middle.
    pub aborted: u64,
    /// Requests that a drain deadline cut off. Not the release's fault.
    pub cut: u64,
    /// Requests inside the release now.
    pub in_flight: u64,
    /// Time from assignment to the head of the first attempt's answer, or to its failure.
    pub latency: Histogram,
}

/// A histogram with fixed buckets: bucket `i` ends at `100 us * 1.05^i`, the last has no end.
///
/// Any value is known to 5 %, and histograms of different times and proxies can be added up.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Histogram {
    /// Bucket and count; only buckets that are not empty, in order.
    pub buckets: Vec<(u16, u64)>,
}

impl Histogram {
    /// How many buckets there are; the last one is for everything above 50 seconds.
    pub const BUCKETS: usize = 271;

    /// The upper end of a bucket in microseconds; the last bucket has none.
    pub fn upper_us(bucket: usize) -> Option<u64> {
        ENDS.get(bucket).copied()
    }

    /// The bucket of a time.
    pub(crate) fn bucket(time: Duration) -> usize {
        let us = whole_us(time);
        ENDS.partition_point(|end| *end < us)
    }

    /// The last bucket whose end is surely passed by what has taken this long.
    pub(crate) fn outlived(time: Duration) -> Option<u16> {
        let passed = Self::bucket(time).min(ENDS.len()).checked_sub(1)?;
        u16::try_from(passed).ok()
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }
}

static ENDS: LazyLock<[u64; Histogram::BUCKETS - 1]> = LazyLock::new(|| {
    let mut end_ns = 100_000_u64;
    [(); Histogram::BUCKETS - 1].map(|()| {
        let end_us = (end_ns + 500) / 1_000;
        end_ns = (end_ns * 21 + 10) / 20;
        end_us
    })
});

fn whole_us(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// The live counters behind [`Histogram`].
pub(crate) struct Buckets([AtomicU64; Histogram::BUCKETS]);

impl Buckets {
    pub(crate) fn new() -> Self {
        Self([const { AtomicU64::new(0) }; Histogram::BUCKETS])
    }

    pub(crate) fn add(&self, bucket: usize) {
        if let Some(count) = self.0.get(bucket) {
            count.fetch_add(1, Ordering::Release);
        }
    }

    pub(crate) fn read(&self) -> Histogram {
        let counts = self.0.iter().zip(0_u16..);
        let counts = counts.map(|(count, bucket)| (bucket, count.load(Ordering::Acquire)));
        Histogram { buckets: counts.filter(|(_, count)| *count > 0).collect() }
    }
}

/// The live counters behind [`Counts`].
pub(crate) struct Tally {
    requests: AtomicU64,
    outcomes: [AtomicU64; Outcome::ALL.len()],
    latency: Buckets,
}

/// What can happen to a request besides an answer that is fine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    Error5xx,
    ConnectFailure,
    Timeout,
    Aborted,
    Cut,
}

impl Outcome {
    const ALL: [Self; 5] =
        [Self::Error5xx, Self::ConnectFailure, Self::Timeout, Self::Aborted, Self::Cut];
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self {
            requests: AtomicU64::new(0),
            outcomes: [const { AtomicU64::new(0) }; Outcome::ALL.len()],
            latency: Buckets::new(),
        }
    }

    pub(crate) fn assigned(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn outcome(&self, outcome: Outcome) {
        self.outcomes[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn took(&self, time: Duration) {
        self.latency.add(Histogram::bucket(time));
    }

    pub(crate) fn counts(&self, in_flight: u64) -> Counts {
        let of = |outcome| self.outcomes[outcome as usize].load(Ordering::Relaxed);
        Counts {
            requests: self.requests.load(Ordering::Relaxed),
            errors_5xx: of(Outcome::Error5xx),
            connect_failures: of(Outcome::ConnectFailure),
            timeouts: of(Outcome::Timeout),
            aborted: of(Outcome::Aborted),
            cut: of(Outcome::Cut),
            in_flight,
            latency: self.latency.read(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(us: u64, bucket: u16) {
        let tally = Tally::new();
        tally.took(Duration::from_micros(us));
        assert_eq!(tally.counts(0).latency.buckets, [(bucket, 1)], "{us} us");
    }

    #[test]
    fn buckets() {
        check(0, 0);
        check(100, 0);
        check(101, 1);
        check(105, 1);
        check(106, 2);
        check(50_000_000, 269);
        check(u64::MAX, 270);
    }

    #[test]
    fn what_is_outlived_lies_below_what_it_would_be_counted_as() {
        let check = |us, outlived| {
            assert_eq!(Histogram::outlived(Duration::from_micros(us)), outlived, "{us} us");
        };
        check(0, None);
        check(100, None);
        check(101, Some(0));
        check(106, Some(1));
        check(u64::MAX, Some(269));
    }

    #[test]
    fn every_value_is_known_to_five_percent() {
        for pair in ENDS.windows(2) {
            assert!(pair[1] > pair[0] && pair[1] * 100 < pair[0] * 106, "{pair:?}");
        }
        assert!((45_000_000..55_000_000).contains(&Histogram::upper_us(269).unwrap()));
    }

    #[test]
    fn outcomes_have_their_own_counters() {
        for outcome in Outcome::ALL {
            let tally = Tally::new();
            tally.assigned();
            tally.outcome(outcome);
            let c = tally.counts(3);
            assert_eq!((c.requests, c.in_flight), (1, 3));
            let all = [c.errors_5xx, c.connect_failures, c.timeouts, c.aborted, c.cut];
            let place = all.iter().position(|count| *count == 1);
            assert_eq!((place, all.iter().sum()), (Some(outcome as usize), 1_u64));
        }
    }
}
