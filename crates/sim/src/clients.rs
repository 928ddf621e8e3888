//! The users: a steady stream of reads and writes, each of which is accounted for to its end.

use crate::fault::Protection;
use crate::state::State;
use ripcord_core::model::ids::Millis;
use ripcord_core::model::{ReleaseId, Requests};
use ripcord_engine::Counts;
use std::collections::{BTreeMap, VecDeque};

/// One request arrives this often.
const EVERY_MS: Millis = 20;

/// How long after a process or the proxy was killed its requests may fail for that reason.
const EXCUSED_MS: Millis = 500;

/// The users and what became of their requests.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clients {
    pub(crate) next_at: Millis,
    pub(crate) arrived: u64,
    pub(crate) in_flight: Vec<Request>,
    pub(crate) waiting: VecDeque<Request>,
    pub(crate) answered: u64,
    /// Errors that a release made by itself.
    pub(crate) own_errors: u64,
    /// Lost with a process or a proxy that was killed.
    pub(crate) excused: u64,
    /// Told to come back later: a downtime window, or nothing was ever released.
    pub(crate) refused: u64,
    /// Waited longer than requests may wait.
    pub(crate) timed_out: u64,
    /// Must never happen.
    pub(crate) lost: Vec<String>,
    /// Rows whose writing was acknowledged.
    pub(crate) acked: BTreeMap<u64, BTreeMap<String, String>>,
    pub(crate) excused_until: Millis,
}

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) id: u64,
    pub(crate) arrived_at: Millis,
    pub(crate) release: ReleaseId,
    pub(crate) process: u64,
    pub(crate) ends_at: Millis,
}

impl State {
    pub(crate) fn tick_clients(&mut self) {
        let now = self.now_ms;
        let mut index = 0;
        while index < self.clients.in_flight.len() {
            if self.clients.in_flight[index].ends_at <= now {
                let request = self.clients.in_flight.swap_remove(index);
                self.answer(&request);
            } else {
                index += 1;
            }
        }
        if let Requests::Held(limits) = &self.proxy.live.requests {
            let limit = limits.wait_ms_max;
            let waiting = &mut self.clients.waiting;
            while waiting.front().is_some_and(|request| request.arrived_at + limit < now) {
                waiting.pop_front();
                self.clients.timed_out += 1;
            }
        }
        if now >= self.clients.next_at {
            self.clients.next_at = now + EVERY_MS;
            self.clients.arrived += 1;
            let id = self.clients.arrived;
            self.arrive(id, now);
        }
    }

    fn arrive(&mut self, id: u64, arrived_at: Millis) {
        if !self.proxy.up {
            self.clients.excused += 1;
            return;
        }
        match &self.proxy.live.requests {
            Requests::Maintenance { .. } => self.clients.refused += 1,
            Requests::Held(limits) => {
                if self.clients.waiting.len() as u64 >= u64::from(limits.requests_max) {
                    self.clients.lost.push(format!("request {id} turned away: too many wait"));
                    return;
                }
                let release = ReleaseId::from("");
                let request = Request { id, arrived_at, release, process: 0, ends_at: 0 };
                self.clients.waiting.push_back(request);
            }
            Requests::Flowing => self.dispatch(id, arrived_at),
        }
    }

    /// Sends on whatever waited, once requests flow.
    pub(crate) fn release_waiting(&mut self) {
        while let Some(request) = self.clients.waiting.pop_front() {
            self.dispatch(request.id, request.arrived_at);
        }
    }

    fn dispatch(&mut self, id: u64, arrived_at: Millis) {
        let Some(release) = self.pick(id) else {
            // Before the first release there is nobody, and its way back ends there again.
            if self.golden.last().is_some_and(|(_, before)| before.served_by.is_some()) {
                self.clients.lost.push(format!("request {id} found nobody to answer it"));
            } else {
                self.clients.refused += 1;
            }
            return;
        };
        let ready: Vec<u64> = self.fleet.ready(&release).collect();
        let Some(process) = ready.get(usize::try_from(id).unwrap_or(0) % ready.len().max(1)) else {
            let what = format!("request {id} went to {release}, which has no ready instance");
            self.fail(&release, what);
            return;
        };
        let takes_ms = if id.is_multiple_of(10) { 120 } else { 10 + id % 3 * 5 };
        let process = *process;
        let ends_at = self.now_ms + takes_ms;
        self.clients.in_flight.push(Request { id, arrived_at, release, process, ends_at });
    }

    fn pick(&self, id: u64) -> Option<ReleaseId> {
        let point = id.wrapping_mul(7_919) % 10_000;
        let mut sum = 0;
        for (release, share) in self.proxy.live.split.shares() {
            sum += u64::from(*share);
            if point < sum {
                return Some(release.clone());
            }
        }
        None
    }

    fn answer(&mut self, request: &Request) {
        let Some(release) = self.releases.get(&request.release) else { return };
        let counts = self.proxy.counts.entry(request.release.clone());
        let counts = counts.or_insert(Counts { epoch: self.proxy.epoch, requests: 0, errors: 0 });
        counts.requests += 1;
        if let Some(column) = release.columns.difference(&self.store.columns).next() {
            counts.errors += 1;
            let what = format!("{} answered without {column}", request.release);
            self.clients.lost.push(format!("request {}: {what}", request.id));
            return;
        }
        if request.id.wrapping_mul(37) % 100 < release.traits.errors {
            counts.errors += 1;
            self.clients.own_errors += 1;
            return;
        }
        self.clients.answered += 1;
        if request.id.is_multiple_of(2) {
            let value = |column: &String| {
                let value = format!("{column} {} by {}", request.id, request.release);
                (column.clone(), value)
            };
            let row: BTreeMap<String, String> = release.columns.iter().map(value).collect();
            self.store.rows.insert(request.id, row.clone());
            self.clients.acked.insert(request.id, row);
        }
    }

    /// A request that a release could not answer: its own fault, excused, or ours.
    fn fail(&mut self, release: &ReleaseId, what: String) {
        let bad = self.releases.get(release).is_some_and(|release| release.traits.is_bad());
        if self.now_ms <= self.clients.excused_until {
            self.clients.excused += 1;
        } else if bad {
            self.clients.own_errors += 1;
            let counts = self.proxy.counts.entry(release.clone());
            let counts =
                counts.or_insert(Counts { epoch: self.proxy.epoch, requests: 0, errors: 0 });
            counts.requests += 1;
            counts.errors += 1;
        } else {
            self.clients.lost.push(what);
        }
    }

    /// From now on, for a moment, requests may fail because something was killed.
    pub(crate) fn excuse(&mut self) {
        self.clients.excused_until = self.now_ms + EXCUSED_MS;
    }

    /// What a process had in flight ends with it.
    pub(crate) fn process_gone(&mut self, process: u64) {
        let flights = std::mem::take(&mut self.clients.in_flight);
        let (gone, left) = flights.into_iter().partition(|request| request.process == process);
        self.clients.in_flight = left;
        let gone: Vec<Request> = gone;
        for request in gone {
            let what = format!("request {} was cut off on {}", request.id, request.release);
            self.fail(&request.release, what);
        }
    }

    /// Whether a release, or any for none, has requests in flight.
    pub(crate) fn busy(&self, releases: &dyn Fn(&ReleaseId) -> bool) -> bool {
        self.protects(Protection::Drain)
            && self.clients.in_flight.iter().any(|request| releases(&request.release))
    }
}
