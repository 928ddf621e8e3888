//! What is counted of one release in one period, and how it is read while it changes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ages::Ages;
use crate::counts::{Buckets, Histogram};
use crate::users::Users;

/// What was counted of one release in one period. All but `overdue` only grow; in one answer,
/// neither `answered` nor `errors` exceeds `requests`.
///
/// Under a sticky draw a request is a user: `requests`, `answered`, `latency` and `overdue` are of
/// the first request of each user in the period, and `errors` is of the first error of each user
/// in the whole rollout, be it in their first request or a later one. Who has had that error is
/// in no later period.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Arm {
    /// Assigned requests.
    pub requests: u64,
    /// Those whose first attempt ended, well or not.
    pub answered: u64,
    /// Errors: a status of 500 or above, nobody to connect to, too late, or broken off.
    pub errors: u64,
    /// Time from assignment to the head of the first attempt's answer, or to its failure.
    pub latency: Histogram,
    /// How many requests were not answered within a bucket: those in flight that are older than
    /// the bucket's end, and those given up or cut off when they were. See [`Arm::overdue`].
    pub overdue: Vec<(u16, u64)>,
    /// All requests, whoever they were of. See [`Period::measured_share`](crate::Period::measured_share).
    pub requests_all: u64,
    /// All of their errors.
    pub errors_all: u64,
    /// Of `requests_all`, those without the key that a sticky draw goes by. They got an
    /// independent draw and are in no other count: who has no key is no user, and a single
    /// crawler would outweigh a thousand of them.
    pub keyless: u64,
}

impl Arm {
    /// How many requests are known to take longer than the bucket's end, without being answered.
    /// A bucket that is not listed has as many as the next one above it that is.
    pub fn overdue(&self, bucket: u16) -> u64 {
        let listed = self.overdue.iter().find(|(listed, _)| *listed >= bucket);
        listed.map_or(0, |(_, count)| *count)
    }
}

/// The live counters behind [`Arm`].
pub(crate) struct ArmTally {
    /// The number of its period.
    pub(crate) period: u64,
    /// Who was heard, if the draw is sticky.
    pub(crate) users: Option<Arc<Users>>,
    pub(crate) requests: AtomicU64,
    pub(crate) errors: AtomicU64,
    pub(crate) latency: Buckets,
    /// Those that ended without an answer, by the last bucket whose end they outlived.
    pub(crate) given_up: Buckets,
    pub(crate) ages: Ages,
    /// Requests and errors that are in none of the above.
    pub(crate) other_requests: AtomicU64,
    pub(crate) other_errors: AtomicU64,
    pub(crate) keyless: AtomicU64,
}

impl ArmTally {
    pub(crate) fn new(period: u64, users: Option<Arc<Users>>) -> Self {
        Self {
            period,
            users,
            requests: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            latency: Buckets::new(),
            given_up: Buckets::new(),
            ages: Ages::new(),
            other_requests: AtomicU64::new(0),
            other_errors: AtomicU64::new(0),
            keyless: AtomicU64::new(0),
        }
    }

    /// Reads backwards what each request writes forwards (assigned, in flight, ended, failed), so
    /// that nobody is seen to fail who is not seen to have come, or seen both ended and in flight.
    pub(crate) fn read(&self, now: Duration) -> Arm {
        let [keyless, other_errors, errors] =
            [&self.keyless, &self.other_errors, &self.errors].map(|n| n.load(Ordering::Acquire));
        let latency = self.latency.read();
        let given_up = self.given_up.read();
        let in_flight = self
            .ages
            .at_least(now)
            .filter_map(|(age, count)| Some((Histogram::outlived(age)?, count)));
        let mut overdue = BTreeMap::<u16, u64>::new();
        for (bucket, count) in in_flight.chain(given_up.buckets) {
            *overdue.entry(bucket).or_default() += count;
        }
        let mut sum = 0;
        for count in overdue.values_mut().rev() {
            sum += *count;
            *count = sum;
        }
        let [other_requests, requests] =
            [&self.other_requests, &self.requests].map(|n| n.load(Ordering::Acquire));
        Arm {
            requests,
            answered: latency.count(),
            errors,
            latency,
            overdue: overdue.into_iter().collect(),
            requests_all: requests + other_requests,
            errors_all: errors + other_errors,
            keyless,
        }
    }
}
