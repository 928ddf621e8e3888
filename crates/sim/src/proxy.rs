//! The simulated proxy: a state in memory, a state on disk, and requests between them.

use crate::controller::Controller;
use crate::fault::Protection;
use crate::state::State;
use ripcord_core::model::ids::Millis;
use ripcord_core::model::{ReleaseId, Requests, TrafficState};
use ripcord_core::run::Receipt;
use ripcord_engine::{Counts, Failure, Result, Ticket, Traffic};
use std::collections::BTreeMap;

/// How long the proxy takes to start again.
const RESTART_MS: Millis = 50;

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
        if !self.proxy.up && self.now_ms >= self.proxy.up_at {
            self.proxy.up = true;
            self.proxy.live = self.proxy.saved.clone();
            self.proxy.epoch += 1;
            self.proxy.counts.clear();
        }
    }

    /// Puts the state in memory in force, for requests that wait too.
    fn swap(&mut self, state: &TrafficState) {
        self.proxy.live = state.clone();
        if self.proxy.is_flowing() {
            self.release_waiting();
        }
    }
}

impl Traffic for Controller<'_> {
    fn observe(&self) -> Result<TrafficState> {
        self.look(|state| {
            if state.proxy.up {
                Ok(state.proxy.live.clone())
            } else {
                Err(Failure::transient("the proxy does not answer"))
            }
        })
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
        self.look(|state| {
            if state.proxy.up {
                Ok(state.proxy.counts.clone())
            } else {
                Err(Failure::transient("the proxy does not answer"))
            }
        })
    }
}

impl Controller<'_> {
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
            Ok(())
        })?;
        self.point("drain")?;
        let held = wanted.requests != Requests::Flowing;
        let loses = |release: &ReleaseId| held || !wanted.split.names(release);
        let mut waited_ms = 0;
        while self.look(|state| Ok(state.busy(&loses)))? {
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
