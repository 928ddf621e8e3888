//! Requests of one user are no independent draws where users keep their release: a user with a
//! broken account would speak a thousand times for or against the release that a single toss gave
//! them. So each is heard once whenever the chance has grown, and fails once, as at the proxy. Memory is
//! bounded; who comes when it is full is not heard, which never depends on the release.

use ripcord_core::model::Share;
use std::collections::HashMap;

/// How many users are remembered.
const USERS_MAX: usize = 1_000_000;

/// Who was heard.
#[derive(Debug, Default)]
pub(super) struct Users {
    known: HashMap<u64, User>,
    /// Requests of users who came when the memory was full.
    pub(super) unheard: u64,
}

#[derive(Debug)]
struct User {
    /// The largest chance under which they were heard.
    weight: Share,
    failed: bool,
}

/// What of a request counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hearing {
    /// The request and its latency.
    pub(super) request: bool,
    /// Its failure.
    pub(super) failure: bool,
}

impl Users {
    /// Hears a request of a user, whose name is a hash.
    pub(super) fn hear(&mut self, name: u64, weight: Share, failed: bool) -> Hearing {
        let is_full = self.known.len() >= USERS_MAX;
        let Some(user) = self.known.get_mut(&name) else {
            if is_full {
                self.unheard += 1;
                return Hearing { request: false, failure: false };
            }
            self.known.insert(name, User { weight, failed });
            return Hearing { request: true, failure: failed };
        };
        let request = weight > user.weight && !user.failed;
        let failure = failed && !user.failed;
        user.weight = user.weight.max(weight);
        user.failed |= failed;
        Hearing { request, failure }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_heard_once_and_fails_once() {
        let mut users = Users::default();
        let mut hear = |name, weight, failed| {
            let Hearing { request, failure } = users.hear(name, weight, failed);
            (request, failure)
        };
        assert_eq!(hear(1, 500, false), (true, false));
        assert_eq!(hear(1, 500, false), (false, false));
        assert_eq!(hear(2, 500, true), (true, true));
        assert_eq!(hear(1, 500, true), (false, true));
        assert_eq!(hear(1, 500, true), (false, false));
        assert_eq!(hear(2, 1_000, true), (false, false), "it has failed before");
        assert_eq!(hear(3, 1_000, false), (true, false));
        assert_eq!(hear(3, 2_000, false), (true, false), "the chance has grown");
        assert_eq!(hear(3, 1_000, false), (false, false), "back and forth is nothing new");
    }
}
