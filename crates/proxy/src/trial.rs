//! One request's part in the comparison of releases, from its assignment to its end.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::ages::Slot;
use crate::arm::ArmTally;
use crate::counts::Histogram;
use crate::draw::Place;
use crate::users::Hearing;

/// What a chance said about a request.
pub(crate) struct Chance {
    pub(crate) arm: Arc<ArmTally>,
    pub(crate) who: Who,
}

/// Whose request it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Who {
    /// It does not matter: each request has a draw of its own.
    Anyone,
    /// A user's, under a sticky draw.
    User(Place),
    /// A user's who has no cookie yet.
    NewUser(Place),
    /// A user's who got the cookie in this very period, and was heard then.
    HeardUser(Place),
    /// Somebody's who has no key, under a sticky draw.
    Keyless,
}

/// A request under comparison.
pub(crate) struct Trial {
    arm: Arc<ArmTally>,
    witness: Witness,
    began: Instant,
    /// Where it is counted as in flight, if it is.
    slot: Option<Slot>,
    has_failed: bool,
}

/// Whether a failure counts.
enum Witness {
    Always,
    Once(Place),
    Never,
}

impl Chance {
    /// Counts the request in. `clock` is when the proxy began.
    pub(crate) fn begin(self, clock: Instant) -> Trial {
        let Self { arm, who } = self;
        let began = Instant::now();
        let (counts, witness) = match (who, &arm.users) {
            (Who::Anyone, _) => (true, Witness::Always),
            (Who::User(place), Some(users)) => heard(users.hear(place, arm.period), place),
            (Who::NewUser(place), Some(users)) => heard(users.hear_new(place), place),
            (Who::HeardUser(place), Some(_)) => heard(Hearing::Again, place),
            (_, _) => (false, Witness::Never),
        };
        if who == Who::Keyless {
            arm.keyless.fetch_add(1, Ordering::Relaxed);
        }
        let slot = if counts {
            arm.requests.fetch_add(1, Ordering::Relaxed);
            Some(arm.ages.enter(began.saturating_duration_since(clock)))
        } else {
            arm.other_requests.fetch_add(1, Ordering::Relaxed);
            None
        };
        Trial { arm, witness, began, slot, has_failed: false }
    }
}

/// Whether the request counts, and what a failure of it is worth.
fn heard(hearing: Hearing, place: Place) -> (bool, Witness) {
    match hearing {
        Hearing::First => (true, Witness::Once(place)),
        Hearing::Again => (false, Witness::Once(place)),
        Hearing::Unknown => (false, Witness::Never),
    }
}

impl Trial {
    /// The first attempt ended, well or not.
    pub(crate) fn ended(&mut self, took: Duration) {
        if let Some(slot) = self.slot.take() {
            // In this order, so that a reader never sees it twice.
            self.arm.ages.leave(slot);
            self.arm.latency.add(Histogram::bucket(took));
        }
    }

    /// The first attempt ended badly. A request fails once, however often it is said.
    pub(crate) fn failed(&mut self) {
        if std::mem::replace(&mut self.has_failed, true) {
            return;
        }
        let counts = match self.witness {
            Witness::Always => true,
            Witness::Once(place) => {
                let users = self.arm.users.as_ref();
                users.is_some_and(|users| users.fail(place, self.arm.period))
            }
            Witness::Never => false,
        };
        let errors = if counts { &self.arm.errors } else { &self.arm.other_errors };
        errors.fetch_add(1, Ordering::Release);
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        // Given up by the client, or cut off: how long it took at least is known nevertheless.
        let Some(slot) = self.slot.take() else { return };
        self.arm.ages.leave(slot);
        if let Some(bucket) = Histogram::outlived(self.began.elapsed()) {
            self.arm.given_up.add(usize::from(bucket));
        }
    }
}
