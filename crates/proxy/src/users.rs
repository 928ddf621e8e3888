//! Which users have been heard as witnesses, where users keep their release.
//!
//! Requests of one user are no independent draws: one user with a broken account and a thousand
//! requests would speak a thousand times for or against the release that a single toss gave them.
//! So each user speaks once in a period (their first request), and reports one failure in the
//! whole rollout; a user who has reported one is not heard again in later periods, where the same
//! failure would come from the same toss. Memory is bounded: who comes when it is full is not
//! heard at all, which depends on the time of coming and never on the release.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::draw::Place;

/// How many users are remembered.
pub(crate) const USERS: usize = 100_000;
/// Each with a lock of its own, so that users seldom wait for each other.
const SHARDS: usize = 16;

/// The users of one rollout.
pub(crate) struct Users {
    shards: [Mutex<HashMap<Place, User>>; SHARDS],
    overflow: AtomicBool,
}

/// What is known of one user.
struct User {
    /// The last period in which they were heard.
    period: u64,
    has_failed: bool,
}

/// What a request of a user is worth.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Hearing {
    /// Their first in the period.
    First,
    /// They were heard before; only their first failure still counts.
    Again,
    /// Nothing: they are not remembered.
    Unknown,
}

impl Users {
    pub(crate) fn new() -> Self {
        let shards = [(); SHARDS].map(|()| Mutex::default());
        Self { shards, overflow: AtomicBool::new(false) }
    }

    /// Takes note of a request in a period.
    pub(crate) fn hear(&self, place: Place, period: u64) -> Hearing {
        let mut users = self.shard(place);
        if users.len() >= USERS / SHARDS && !users.contains_key(&place) {
            self.overflow.store(true, Ordering::Relaxed);
            return Hearing::Unknown;
        }
        let Some(user) = users.get_mut(&place) else {
            users.insert(place, User { period, has_failed: false });
            return Hearing::First;
        };
        if period < user.period {
            // It was assigned by a state that has just been replaced.
            return Hearing::Unknown;
        }
        let is_first = user.period < period && !user.has_failed;
        user.period = period;
        if is_first { Hearing::First } else { Hearing::Again }
    }

    /// Takes note of a failure; tells whether it is the first one of somebody who is remembered.
    pub(crate) fn fail(&self, place: Place) -> bool {
        let mut users = self.shard(place);
        users.get_mut(&place).is_some_and(|user| !std::mem::replace(&mut user.has_failed, true))
    }

    /// Whether somebody came when the memory was full.
    pub(crate) fn overflow(&self) -> bool {
        self.overflow.load(Ordering::Relaxed)
    }

    fn shard(&self, place: Place) -> MutexGuard<'_, HashMap<Place, User>> {
        // By the low bits: the high ones decide about the release.
        let number = usize::try_from(place.0 % SHARDS as u64).unwrap_or(0);
        self.shards[number].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_is_heard_once_a_period_and_fails_once() {
        let users = Users::new();
        let (ada, bob) = (Place(1), Place(2));
        assert_eq!(users.hear(ada, 1), Hearing::First);
        assert_eq!(users.hear(ada, 1), Hearing::Again);
        assert_eq!(users.hear(bob, 1), Hearing::First);
        assert_eq!(users.hear(ada, 2), Hearing::First);
        assert_eq!(users.hear(ada, 1), Hearing::Unknown, "late by a period");
        assert!(users.fail(ada));
        assert!(!users.fail(ada));
        assert_eq!(users.hear(ada, 3), Hearing::Again, "not heard again after a failure");
        assert_eq!(users.hear(bob, 3), Hearing::First);
        assert!(!users.fail(Place(3)), "nobody knows them");
    }

    #[test]
    fn memory_is_bounded() {
        let users = Users::new();
        let known = (0..USERS as u64).filter(|n| users.hear(Place(*n), 1) == Hearing::First);
        assert_eq!(known.count(), USERS);
        assert!(!users.overflow());
        assert_eq!(users.hear(Place(USERS as u64), 1), Hearing::Unknown);
        assert!(users.overflow());
        assert_eq!(users.hear(Place(7), 2), Hearing::First, "who is known stays known");
        assert!(!users.fail(Place(USERS as u64)));
    }
}
