//! Which clients hold answers, and from which document: how many have seen a change.
//!
//! A client is a key, an address, and the `X-Ripcord-Client` header or else the targeting key. Two
//! pages of one user on one machine are one client. Clients of single flags hold nothing and are
//! not in here.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const SHARDS: usize = 16;

/// The clients.
pub(crate) struct Clients {
    shards: [Mutex<HashMap<u64, Client>>; SHARDS],
    shard_max: usize,
    window: Duration,
}

struct Client {
    /// The number of the document that its last answer was made from.
    document: u64,
    fetched: Option<Instant>,
    streams: usize,
}

/// How many hold answers, and how many of them from a certain document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Reach {
    pub(crate) connected: usize,
    pub(crate) confirmed: usize,
}

impl Clients {
    pub(crate) fn new(max: usize, window: Duration) -> Clients {
        Clients { shards: Default::default(), shard_max: max.div_ceil(SHARDS), window }
    }

    /// Notes that a client was answered from a document.
    pub(crate) fn answered(&self, id: u64, document: u64) {
        let now = Instant::now();
        self.change(id, |client| {
            client.document = document;
            client.fetched = Some(now);
        });
    }

    pub(crate) fn stream_opened(&self, id: u64) {
        self.change(id, |client| client.streams += 1);
    }

    pub(crate) fn stream_closed(&self, id: u64) {
        let mut shard = self.shard(id);
        if let Some(client) = shard.get_mut(&id) {
            client.streams = client.streams.saturating_sub(1);
        }
    }

    /// Counts them.
    pub(crate) fn reach(&self, document: u64) -> Reach {
        let mut reach = Reach::default();
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.retain(|_, client| client.is_connected(self.window));
            reach.connected += shard.len();
            reach.confirmed += shard.values().filter(|client| client.document == document).count();
        }
        reach
    }

    fn change(&self, id: u64, change: impl FnOnce(&mut Client)) {
        let mut shard = self.shard(id);
        if shard.len() >= self.shard_max && !shard.contains_key(&id) {
            shard.retain(|_, client| client.is_connected(self.window));
            if shard.len() >= self.shard_max {
                // Whoever is not remembered is not counted; nothing else depends on it.
                return;
            }
        }
        let new = Client { document: 0, fetched: None, streams: 0 };
        change(shard.entry(id).or_insert(new));
    }

    fn shard(&self, id: u64) -> MutexGuard<'_, HashMap<u64, Client>> {
        // The remainder is below the number of shards, so it fits.
        let shard = &self.shards[usize::try_from(id % SHARDS as u64).unwrap_or(0)];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Client {
    fn is_connected(&self, window: Duration) -> bool {
        self.streams > 0 || self.fetched.is_some_and(|at| at.elapsed() < window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(connected: usize, confirmed: usize) -> Reach {
        Reach { connected, confirmed }
    }

    #[test]
    fn confirmed_is_answered_from_the_document() {
        let clients = Clients::new(100, Duration::from_hours(1));
        clients.answered(1, 1);
        clients.answered(2, 1);
        assert_eq!(clients.reach(1), reach(2, 2));
        assert_eq!(clients.reach(2), reach(2, 0));
        clients.answered(2, 2);
        assert_eq!(clients.reach(2), reach(2, 1));
    }

    #[test]
    fn an_open_stream_counts_without_a_window() {
        let clients = Clients::new(100, Duration::ZERO);
        clients.answered(1, 1);
        clients.answered(17, 1);
        clients.stream_opened(17);
        assert_eq!(clients.reach(1), reach(1, 1));
        clients.stream_closed(17);
        assert_eq!(clients.reach(1), reach(0, 0));
    }

    #[test]
    fn there_is_a_bound() {
        let clients = Clients::new(SHARDS, Duration::from_hours(1));
        for id in 0..1_000 {
            clients.answered(id, 1);
        }
        assert_eq!(clients.reach(1), reach(SHARDS, SHARDS));
    }
}
