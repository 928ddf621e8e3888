//! What is counted for whoever compares releases: by the state that divided the requests.
//!
//! A period lasts while the split and the draw stay the same. A request belongs to the period by
//! whose chances it was assigned, however long it takes. Only first attempts count, and only
//! requests that a chance assigned: what a rule or the preview sent is in no period.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ages::Ages;
use crate::counts::{Buckets, Histogram};
use crate::draw::Draw;
use crate::state::{ReleaseName, Share, State};
use crate::users::Users;

/// The latest periods since the proxy started.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Periods {
    /// Random name of this run of the proxy. With a new one, all counts began at zero again.
    pub epoch: String,
    /// Oldest first, the one in force last; at most 16.
    pub periods: Vec<Period>,
}

/// What was counted while the requests were divided in one way.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// Grows with each period; never used twice in one epoch.
    pub number: u64,
    /// The fence of the state that began it.
    pub fence: u64,
    /// The generation of the state that began it.
    pub generation: u64,
    /// The chances.
    pub split: BTreeMap<ReleaseName, Share>,
    /// How they were drawn. Only independent and sticky draws are chance; an exact division is for
    /// people to look at.
    pub draw: Draw,
    /// Whether there were more users than are remembered. Those beyond are in `requests_all` and
    /// `errors_all` only.
    pub users_overflow: bool,
    /// The counts of each release with a share.
    pub arms: BTreeMap<ReleaseName, Arm>,
}

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
    /// All requests, whoever they were of. This divided by the sum over all releases is the
    /// measured share, to be put beside the one that was asked for.
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

/// The live counters behind [`Period`].
pub(crate) struct PeriodTally {
    pub(crate) number: u64,
    fence: u64,
    generation: u64,
    split: BTreeMap<ReleaseName, Share>,
    draw: Draw,
    pub(crate) arms: BTreeMap<ReleaseName, Arc<ArmTally>>,
    /// Who was heard, if the draw is sticky.
    pub(crate) users: Option<Arc<Users>>,
}

/// The live counters behind [`Arm`].
pub(crate) struct ArmTally {
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

impl PeriodTally {
    /// The period of a state: the one before, as long as requests are divided in the same way.
    pub(crate) fn of(state: &State, before: Option<&Arc<Self>>) -> Arc<Self> {
        if let Some(before) = before
            && (&before.split, &before.draw) == (&state.split, &state.draw)
        {
            return Arc::clone(before);
        }
        let shares = state.split.iter().filter(|(_, share)| **share > Share::NONE);
        let arms = shares.map(|(name, _)| (name.clone(), Arc::new(ArmTally::new())));
        Arc::new(Self {
            number: before.map_or(0, |before| before.number + 1),
            fence: state.fence,
            generation: state.generation,
            split: state.split.clone(),
            draw: state.draw.clone(),
            arms: arms.collect(),
            users: users(&state.draw, before),
        })
    }

    /// The counts at `now`, measured from when the proxy began.
    pub(crate) fn read(&self, now: Duration) -> Period {
        let arms = self.arms.iter().map(|(name, arm)| (name.clone(), arm.read(now)));
        Period {
            number: self.number,
            fence: self.fence,
            generation: self.generation,
            split: self.split.clone(),
            draw: self.draw.clone(),
            users_overflow: self.users.as_ref().is_some_and(|users| users.overflow()),
            arms: arms.collect(),
        }
    }
}

/// The users of a draw. They go on from period to period, as long as their places do.
fn users(draw: &Draw, before: Option<&Arc<PeriodTally>>) -> Option<Arc<Users>> {
    let Draw::Sticky(sticky) = draw else { return None };
    let known = before.and_then(|before| match &before.draw {
        Draw::Sticky(old) if (&old.salt, &old.key) == (&sticky.salt, &sticky.key) => {
            before.users.clone()
        }
        _ => None,
    });
    Some(known.unwrap_or_else(|| Arc::new(Users::new())))
}

impl ArmTally {
    fn new() -> Self {
        Self {
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
    fn read(&self, now: Duration) -> Arm {
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
