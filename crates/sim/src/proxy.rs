//! The simulated proxy: a state in memory, a state on disk, a lease on either, and requests
//! between them.

use crate::controller::Controller;
use crate::fault::Protection;
use crate::periods::Counted;
use crate::state::State;
use ripcord_core::analysis::Past;
use ripcord_core::model::ids::Millis;
use ripcord_core::model::{ReleaseId, Requests, TrafficState};
use ripcord_core::run::Receipt;
use ripcord_engine::{Counts, Failure, Periods, Pulse, Renewal, Result, Ticket, Traffic};
use std::collections::BTreeMap;

/// How long the proxy takes to start again.
const RESTART_MS: Millis = 50;

/// How much later than its lease a split may be seen: the grain of the simulated time.
const GRAIN_MS: Millis = 10;

/// The proxy.
#[derive(Debug, Clone)]
pub(crate) struct Proxy {
    pub(crate) live: TrafficState,
    pub(crate) saved: TrafficState,
    pub(crate) fence: u64,
    pub(crate) up: bool,
    pub(crate) up_at: Millis,
    pub(crate) epoch: u64,
    pub(crate) counts: BTreeMap<ReleaseId, Counts>,
    pub(crate) counted: Counted,
    pub(crate) pulse: Pulse,
    /// When somebody was last heard of.
    pub(crate) heard_at: Millis,
    /// The state in force is what a lease left.
    pub(crate) lapsed: bool,
    /// How often that happened.
    pub(crate) lapses: u32,
    /// What outlived its lease.
    pub(crate) outlived: Vec<String>,
}

impl Default for Proxy {
    fn default() -> Self {
        Proxy {
            live: TrafficState::default(),
            saved: TrafficState::default(),
            fence: 0,
            up: true,
            up_at: 0,
            epoch: 1,
            counts: BTreeMap::new(),
            counted: Counted::default(),
            pulse: Pulse::default(),
            heard_at: 0,
            lapsed: false,
            lapses: 0,
            outlived: Vec::new(),
        }
    }
}

impl Proxy {
    pub(crate) fn is_flowing(&self) -> bool {
        self.live.requests == Requests::Flowing
    }
}

impl State {
    /// A downtime window is open: every request sees a page, and none is in flight any more.
    pub fn open_window(&mut self) {
        self.proxy.live.requests = Requests::Maintenance { page: "back soon".to_owned() };
        self.proxy.saved = self.proxy.live.clone();
        self.advance(500);
    }

    pub(crate) fn crash_proxy(&mut self) {
        let cut = self.clients.in_flight.len() + self.clients.waiting.len();
        self.clients.excused += cut as u64;
        self.clients.in_flight.clear();
        self.clients.waiting.clear();
        self.proxy.up = false;
        self.proxy.up_at = self.now_ms + RESTART_MS;
    }

    pub(crate) fn tick_proxy(&mut self) {
        let now = self.now_ms;
        if !self.proxy.up {
            if now < self.proxy.up_at {
                return;
            }
            self.proxy.up = true;
            self.proxy.live = self.proxy.saved.clone();
            self.proxy.epoch += 1;
            self.proxy.counts.clear();
            self.proxy.counted = Counted::default();
            self.proxy.heard_at = now;
            self.count_anew();
        }
        self.proxy.pulse.look(now, &self.proxy.counts);
        self.end_lease(now);
    }

    /// Where nobody has been heard of for too long, the proxy goes where its lease says.
    fn end_lease(&mut self, now: Millis) {
        let Some(lease) = self.proxy.live.lease.clone() else { return };
        let silent_ms = now.saturating_sub(self.proxy.heard_at);
        if silent_ms > lease.ms && self.protects(Protection::LeaseLapses) {
            let proxy = &mut self.proxy;
            proxy.live.split = lease.lapse;
            (proxy.live.lease, proxy.live.rules) = (None, Vec::new());
            proxy.live.draw = ripcord_core::model::Draw::Independent;
            proxy.saved = proxy.live.clone();
            proxy.lapsed = true;
            proxy.lapses += 1;
            self.count_anew();
        } else if silent_ms > lease.ms + GRAIN_MS && self.proxy.outlived.is_empty() {
            let what = format!("«{}» outlived its lease of {} ms", self.proxy.live, lease.ms);
            self.proxy.outlived.push(what);
        }
    }

    /// Puts the state in memory in force, for requests that wait too.
    fn swap(&mut self, state: &TrafficState) {
        let anew = self.proxy.live != *state;
        self.proxy.live = state.clone();
        self.proxy.heard_at = self.now_ms;
        self.proxy.lapsed = false;
        if anew {
            self.count_anew();
        }
        self.note_direction();
        if self.proxy.is_flowing() {
            self.release_waiting();
        }
    }

    /// On the way back there is no way down the ladder: what is taken back gets nothing any more.
    fn note_direction(&mut self) {
        let Some(to) = self.book.taken_back() else { return };
        if self.proxy.live.split.names(to) {
            let what = format!("{to} was being taken back and got «{}»", self.proxy.live);
            self.backwards.push(what);
        }
    }

    /// A new period begins, in which the split that is now in force divides.
    fn count_anew(&mut self) {
        let split = self.proxy.live.split.clone();
        self.proxy.counted.begin(split);
    }
}

impl Traffic for Controller<'_> {
    fn observe(&self) -> Result<TrafficState> {
        self.answered(|state| state.proxy.live.clone())
    }

    fn ensure(
        &self,
        state: &TrafficState,
        drain_ms_max: Millis,
        ticket: &Ticket<'_>,
    ) -> Result<Receipt> {
        self.effect("traffic", || self.set_traffic(state, drain_ms_max, ticket))
    }

    fn counts(&self) -> Result<BTreeMap<ReleaseId, Counts>> {
        self.answered(|state| state.proxy.counts.clone())
    }

    fn periods(&self) -> Result<Periods> {
        self.answered(|state| state.proxy.counted.periods(state.proxy.epoch))
    }

    fn past(&self, release: &ReleaseId) -> Result<Option<Past>> {
        self.answered(|state| {
            let proxy = &state.proxy;
            proxy.pulse.past(state.now_ms, release, proxy.counts.get(release))
        })
    }

    fn renew(&self, ticket: &Ticket<'_>) -> Result<Renewal> {
        self.answered(|_| ())?;
        self.with(|state| {
            let ours = ticket.fence.0;
            if ours < state.proxy.fence {
                return Err(Failure::Fenced { seen: state.proxy.fence, ours });
            }
            if state.proxy.lapsed {
                return Ok(Renewal::Lapsed);
            }
            if state.protects(Protection::Renewal) {
                state.proxy.heard_at = state.now_ms;
            }
            Ok(Renewal::Holds)
        })
    }
}

impl Controller<'_> {
    /// What the proxy answers, while it does.
    fn answered<T>(&self, look: impl Fn(&State) -> T) -> Result<T> {
        self.look(|state| {
            if state.proxy.up {
                Ok(look(state))
            } else {
                Err(Failure::transient("the proxy does not answer"))
            }
        })
    }

    fn set_traffic(
        &self,
        wanted: &TrafficState,
        drain_ms_max: Millis,
        ticket: &Ticket<'_>,
    ) -> Result<Receipt> {
        let fence = ticket.fence.0;
        self.change(|state| {
            if !state.proxy.up {
                return Err(Failure::transient("the proxy does not answer"));
            }
            state.proxy.fence = state.admit("the proxy", state.proxy.fence, fence)?;
            if state.protects(Protection::ProxyPersists) {
                state.proxy.saved = wanted.clone();
            }
            Ok(())
        })?;
        self.point("swap")?;
        self.change(|state| {
            if !state.proxy.up {
                return Err(Failure::unknown("the proxy died"));
            }
            state.proxy.fence = state.admit("the proxy", state.proxy.fence, fence)?;
            state.swap(wanted);
            if state.protects(Protection::ProxyPersists) {
                // A lease may have ended since.
                state.proxy.saved = wanted.clone();
            }
            Ok(())
        })?;
        self.point("drain")?;
        let mut waited_ms = 0;
        while self.look(|state| Ok(state.drains(wanted)))? {
            if waited_ms > drain_ms_max {
                return Err(Failure::definite("requests in flight do not end"));
            }
            if waited_ms % 50 == 0 && (ticket.stop)() {
                return Err(Failure::Interrupted);
            }
            self.wait(5)?;
            waited_ms += 5;
        }
        Ok(Receipt::of(wanted.to_string()))
    }
}
