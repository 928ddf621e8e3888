//! The users: a steady stream of reads and writes, each of which is accounted for to its end.

use crate::fault::Protection;
use crate::prng::Prng;
use crate::state::State;
use ripcord_core::model::ids::Millis;
use ripcord_core::model::traffic::WHOLE;
use ripcord_core::model::{
    Draw, Match, Pattern, ReleaseId, Requests, Share, Sticky, StickyKey, TrafficState,
};
use ripcord_engine::Counts;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// One request arrives this often.
const EVERY_MS: Millis = 20;

/// How long after a process or the proxy was killed its requests may fail for that reason.
const EXCUSED_MS: Millis = 500;

/// Walks through all places of a split, each once, as the real proxy does when it counts.
const COUNT_STEP: u64 = 6_181;

/// How many users there are.
const USERS: u64 = 40;

/// One user of so many is a tester, whose requests carry the header `x-tester: yes` and the
/// cookie `tester=yes`.
const TESTERS: u64 = 8;

/// The users and what became of their requests.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clients {
    pub(crate) next_at: Millis,
    pub(crate) arrived: u64,
    /// Requests that were divided by counting.
    pub(crate) counted_out: u64,
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
    /// Requests by the release that got them: of testers, and of all others.
    pub(crate) sent: BTreeMap<ReleaseId, [u64; 2]>,
    /// Users who keep a cookie that tells their release.
    pub(crate) cookies: BTreeSet<u64>,
    /// Where users were who keep their release: the salt, the canary's share then, and who.
    pub(crate) homes: BTreeMap<u64, (String, Share, ReleaseId)>,
}

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) id: u64,
    pub(crate) arrived_at: Millis,
    pub(crate) release: ReleaseId,
    pub(crate) process: u64,
    pub(crate) ends_at: Millis,
    pub(crate) drawn: Drawn,
}

/// By what a request found its release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drawn {
    /// A rule sent it, or nothing yet.
    Sent,
    /// Chance, in this period of the proxy; by user where users keep their release.
    ByChance { period: u64, user: Option<u64> },
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
                let (process, ends_at, drawn) = (0, 0, Drawn::Sent);
                let request = Request { id, arrived_at, release, process, ends_at, drawn };
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
        let Some((release, drawn)) = self.pick(id) else {
            // Before the first release there is nobody, and its way back ends there again.
            if self.golden.last().is_some_and(|(_, before)| before.served_by.is_some()) {
                self.clients.lost.push(format!("request {id} found nobody to answer it"));
            } else {
                self.clients.refused += 1;
            }
            return;
        };
        self.clients.sent.entry(release.clone()).or_default()[usize::from(!is_tester(id))] += 1;
        let limit = self.limit(&release);
        let ready: Vec<u64> = self.fleet.first_ready(&release, limit).collect();
        let Some(process) = ready.get(usize::try_from(id).unwrap_or(0) % ready.len().max(1)) else {
            let what = format!("request {id} went to {release}, which has no ready instance");
            self.fail(&release, drawn, what);
            return;
        };
        let takes_ms = if id.is_multiple_of(10) { 120 } else { 10 + id % 3 * 5 };
        let process = *process;
        let ends_at = self.now_ms + takes_ms;
        let request = Request { id, arrived_at, release, process, ends_at, drawn };
        self.clients.in_flight.push(request);
    }

    /// How many instances of a release get requests.
    fn limit(&self, release: &ReleaseId) -> usize {
        let limit = self.proxy.live.limits.get(release);
        let limit = limit.filter(|_| self.protects(Protection::Limits));
        limit.and_then(|limit| usize::try_from(*limit).ok()).unwrap_or(usize::MAX)
    }

    fn pick(&mut self, id: u64) -> Option<(ReleaseId, Drawn)> {
        let live = &self.proxy.live;
        if let Some(rule) = live.rules.iter().find(|rule| carries(id, &rule.when)) {
            return Some((rule.to.clone(), Drawn::Sent));
        }
        let period = self.proxy.counted.number();
        if let Draw::Sticky(sticky) = &live.draw {
            let (sticky, share) = (sticky.clone(), live.split.share(&sticky.canary));
            let user = user(id);
            let release = self.keep(&sticky, share, user)?;
            return Some((release, Drawn::ByChance { period, user: Some(user) }));
        }
        // Whoever is drawn anew has no release to keep.
        self.clients.cookies.remove(&user(id));
        let exact = live.draw == Draw::Exact;
        let point = if exact {
            self.clients.counted_out += 1;
            self.clients.counted_out * COUNT_STEP % u64::from(WHOLE)
        } else {
            Prng::new(id).below(u64::from(WHOLE))
        };
        let drawn = if exact { Drawn::Sent } else { Drawn::ByChance { period, user: None } };
        let mut sum = 0;
        for (release, share) in self.proxy.live.split.shares() {
            sum += u64::from(*share);
            if point < sum {
                return Some((release.clone(), drawn));
            }
        }
        None
    }

    /// The release that a user keeps. That it is the same as before is checked here.
    fn keep(&mut self, sticky: &Sticky, share: Share, user: u64) -> Option<ReleaseId> {
        let salt = sticky
            .salt
            .bytes()
            .fold(user, |seed, byte| Prng::new(seed ^ u64::from(byte)).next_u64());
        let point = Prng::new(salt).below(u64::from(WHOLE));
        let others = self.proxy.live.split.shares().keys().find(|one| **one != sticky.canary);
        let release = if point < u64::from(share) { Some(&sticky.canary) } else { others };
        let release = release?.clone();
        if matches!(sticky.key, StickyKey::Cookie { .. }) {
            self.clients.cookies.insert(user);
        }
        let home = (sticky.salt.clone(), share, release.clone());
        if let Some((salt, before, kept)) = self.clients.homes.insert(user, home)
            && salt == sticky.salt
            && share >= before
            && kept == sticky.canary
            && release != kept
        {
            let what = format!("user {user} was moved from {kept} to {release}");
            self.clients.lost.push(what);
        }
        Some(release)
    }

    fn answer(&mut self, request: &Request) {
        let Some(release) = self.releases.get(&request.release) else { return };
        let missing = release.columns.difference(&self.store.columns).next().cloned();
        let shared = request.id.wrapping_mul(59) % 100 < self.shared_errors();
        let error = shared || request.id.wrapping_mul(37) % 100 < release.traits.errors;
        let columns = release.columns.clone();
        self.count(&request.release, request.drawn, missing.is_some() || error);
        if let Some(column) = missing {
            let what = format!("{} answered without {column}", request.release);
            self.clients.lost.push(format!("request {}: {what}", request.id));
            return;
        }
        if error {
            self.clients.own_errors += 1;
            return;
        }
        self.clients.answered += 1;
        if request.id.is_multiple_of(2) {
            let value = |column: &String| {
                let value = format!("{column} {} by {}", request.id, request.release);
                (column.clone(), value)
            };
            let row: BTreeMap<String, String> = columns.iter().map(value).collect();
            self.store.rows.insert(request.id, row.clone());
            self.clients.acked.insert(request.id, row);
        }
    }

    /// How many of a hundred answers fail, whoever gives them: something that all need is down, or
    /// a release that gets requests breaks it.
    fn shared_errors(&self) -> u64 {
        let now = self.now_ms;
        let down = self.outages.iter().filter(|(from, until, _)| (*from..*until).contains(&now));
        let harm = self.proxy.live.split.shares().keys().filter_map(|id| self.releases.get(id));
        let harm = harm.map(|release| release.traits.harms);
        down.map(|(.., percent)| *percent).chain(harm).max().unwrap_or(0)
    }

    /// The proxy counts an answer or a failure.
    fn count(&mut self, release: &ReleaseId, drawn: Drawn, error: bool) {
        let epoch = self.proxy.epoch;
        let counts = self.proxy.counts.entry(release.clone());
        let counts = counts.or_insert(Counts { epoch, requests: 0, errors: 0 });
        counts.requests += 1;
        counts.errors += u64::from(error);
        if let Drawn::ByChance { period, user } = drawn {
            self.proxy.counted.answered(period, release, user, error);
        }
    }

    /// A request that a release could not answer: its own fault, excused, or ours.
    fn fail(&mut self, release: &ReleaseId, drawn: Drawn, what: String) {
        let bad = self.releases.get(release).is_some_and(|release| release.traits.is_bad());
        if self.now_ms <= self.clients.excused_until {
            self.clients.excused += 1;
        } else if bad {
            self.clients.own_errors += 1;
            self.count(release, drawn, true);
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
            self.fail(&request.release, request.drawn, what);
        }
    }

    /// Whether requests are in flight to those who get none any more in this state: all while
    /// requests wait, releases that are not named, instances beyond the limits.
    pub(crate) fn drains(&self, state: &TrafficState) -> bool {
        let held = state.requests != Requests::Flowing;
        let loses = |request: &Request| {
            let release = &request.release;
            let ruled = state.rules.iter().any(|rule| &rule.to == release);
            held || (!state.split.names(release) && !ruled)
                || !self.fleet.first(release, self.limit(release)).any(|id| id == request.process)
        };
        self.protects(Protection::Drain) && self.clients.in_flight.iter().any(loses)
    }
}

fn user(id: u64) -> u64 {
    Prng::new(id ^ 0x5EED).below(USERS)
}

fn is_tester(id: u64) -> bool {
    user(id).is_multiple_of(TESTERS)
}

/// Whether a request carries what a rule asks for.
fn carries(id: u64, when: &Match) -> bool {
    let (name, value, known) = match when {
        Match::Header { name, value } => (name, value, "x-tester"),
        Match::Cookie { name, value } => (name, value, "tester"),
    };
    let fits = match value {
        Pattern::Is(text) => text == "yes",
        Pattern::Prefix(text) => "yes".starts_with(text.as_str()),
        Pattern::Present => true,
    };
    name == known && fits && is_tester(id)
}
