//! How often one client may ask, if there is a limit. Clients that are told to come back later
//! stop asking altogether, so nobody is told so while a change has to reach everybody.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const SHARDS: usize = 16;
/// The most clients of a shard; when there are more, all begin anew.
const SHARD_MAX: usize = 4_096;

/// The limit, and what each client has used of it.
pub(crate) struct Rate {
    per_second: Option<f64>,
    shards: [Mutex<HashMap<u64, Left>>; SHARDS],
    paused_until: Mutex<Option<Instant>>,
}

struct Left {
    requests: f64,
    at: Instant,
}

impl Rate {
    pub(crate) fn new(per_second: Option<u32>) -> Rate {
        Rate {
            per_second: per_second.map(f64::from),
            shards: Default::default(),
            paused_until: Mutex::new(None),
        }
    }

    /// Holds nobody to the limit for so long.
    pub(crate) fn pause(&self, pause: Duration) {
        let mut paused = self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        *paused = Instant::now().checked_add(pause);
    }

    /// Whether a client may ask now.
    pub(crate) fn admits(&self, client: u64) -> bool {
        self.per_second.is_none_or(|per_second| self.take(client, per_second, Instant::now()))
    }

    fn take(&self, client: u64, per_second: f64, now: Instant) -> bool {
        let paused = *self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        if paused.is_some_and(|until| now < until) {
            return true;
        }
        // The remainder is below the number of shards, so it fits.
        let shard = &self.shards[usize::try_from(client % SHARDS as u64).unwrap_or(0)];
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if shard.len() >= SHARD_MAX && !shard.contains_key(&client) {
            shard.clear();
        }
        let left = shard.entry(client).or_insert(Left { requests: per_second, at: now });
        let since = now.saturating_duration_since(left.at).as_secs_f64();
        left.requests = (left.requests + since * per_second).min(per_second);
        left.at = now;
        let admitted = left.requests >= 1.0;
        if admitted {
            left.requests -= 1.0;
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_per_second_and_client() {
        let rate = Rate::new(Some(2));
        let begin = Instant::now();
        let take = |client, ms| rate.take(client, 2.0, begin + Duration::from_millis(ms));
        assert!(take(1, 0) && take(1, 0) && !take(1, 0));
        assert!(take(2, 0), "another client has its own");
        assert!(!take(1, 400) && take(1, 500));
        assert!(take(1, 60_000) && take(1, 60_000) && !take(1, 60_000), "it does not pile up");
    }

    #[test]
    fn nobody_is_held_after_a_change() {
        let rate = Rate::new(Some(1));
        assert!(rate.admits(1) && !rate.admits(1));
        rate.pause(Duration::from_hours(1));
        assert!((0..100).all(|_| rate.admits(1)));
        assert!((0..100).all(|_| Rate::new(None).admits(1)));
    }
}
