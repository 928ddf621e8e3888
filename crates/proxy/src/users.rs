//! Which users have been heard as witnesses, where users keep their release.
//!
//! Requests of one user are no independent draws: one user with a broken account and a thousand
//! requests would speak a thousand times for or against the release that a single toss gave them.
//! So each user speaks once in a period (their first request), and reports one failure in the
//! whole rollout; a user who has reported one is not heard again in later periods, where the same
//! failure would come from the same toss.
//!
//! Memory is bounded: who comes when it is full is not heard at all, which depends on the time of
//! coming and never on the release. Who has just been given a cookie is only remembered when they
//! fail, so that clients who keep no cookies, each request a new user, cannot fill it; that they
//! were heard in this period stands in the cookie ([`Mint`]).

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::draw::Place;
use crate::random;

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

/// What the cookies that are set in one period end with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mint(u16);

impl Mint {
    pub(crate) fn new() -> Self {
        // The low 16 bits.
        Self((random::bits() & u64::from(u16::MAX)).try_into().unwrap_or(0))
    }

    /// A new user's cookie: 32 hexadecimal digits.
    pub(crate) fn strike(self) -> String {
        format!("{:016x}{:012x}{:04x}", random::bits(), random::bits() >> 16, self.0)
    }

    /// Whether a cookie was set in this period.
    pub(crate) fn has_struck(self, cookie: &[u8]) -> bool {
        cookie.len() == 32 && cookie.ends_with(format!("{:04x}", self.0).as_bytes())
    }
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
        let Some(user) = users.get_mut(&place) else {
            if !self.has_room(&users) {
                return Hearing::Unknown;
            }
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

    /// A request of somebody who was not known before; only their failure will be remembered.
    pub(crate) fn hear_new(&self, place: Place) -> Hearing {
        if self.has_room(&self.shard(place)) { Hearing::First } else { Hearing::Unknown }
    }

    /// Takes note of a failure in a period, of somebody who was heard; tells whether it is their
    /// first one.
    pub(crate) fn fail(&self, place: Place, period: u64) -> bool {
        let mut users = self.shard(place);
        if let Some(user) = users.get_mut(&place) {
            return !std::mem::replace(&mut user.has_failed, true);
        }
        let has_room = self.has_room(&users);
        if has_room {
            users.insert(place, User { period, has_failed: true });
        }
        has_room
    }

    fn has_room(&self, users: &HashMap<Place, User>) -> bool {
        let has_room = users.len() < USERS / SHARDS;
        if !has_room {
            self.overflow.store(true, Ordering::Relaxed);
        }
        has_room
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
        assert!(users.fail(ada, 2));
        assert!(!users.fail(ada, 2));
        assert_eq!(users.hear(ada, 3), Hearing::Again, "not heard again after a failure");
        assert_eq!(users.hear(bob, 3), Hearing::First);
    }

    #[test]
    fn the_new_are_remembered_when_they_fail_and_cannot_fill_the_memory() {
        let users = Users::new();
        let new = (0..=USERS as u64).map(Place);
        assert!(new.map(|place| users.hear_new(place)).all(|hearing| hearing == Hearing::First));
        assert!(!users.overflow());
        assert!(users.fail(Place(7), 1) && !users.fail(Place(7), 1));
        assert_eq!(users.hear(Place(7), 2), Hearing::Again, "not heard again after a failure");
        assert_eq!(users.hear(Place(8), 2), Hearing::First);
    }

    #[test]
    fn a_cookie_tells_the_period_it_is_from() {
        let (mint, other) = (Mint(0x00A7), Mint(0x10A7));
        let cookie = mint.strike();
        assert_eq!(cookie.len(), 32);
        assert!(cookie.bytes().all(|byte| byte.is_ascii_hexdigit()), "{cookie}");
        assert!(mint.has_struck(cookie.as_bytes()) && !other.has_struck(cookie.as_bytes()));
        assert_ne!(cookie, mint.strike());
        assert!(!mint.has_struck(b"00a7"), "not one of ours");
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
        assert_eq!(users.hear_new(Place(USERS as u64)), Hearing::Unknown);
        assert!(!users.fail(Place(USERS as u64), 1));
    }
}
