//! The lease of the state in force: renewed by who watches, lapsing by itself.
//!
//! A lapse is an apply that nobody asked for, with one difference: it is put in force first and
//! saved after. It leads away from what nobody watches, so it waits for no disk; and if the
//! process dies in between, the restart begins the lease anew and comes to the same end. Nobody
//! hears of it before it is saved, because answers are given at the desk.

use std::future::pending;
use std::sync::Arc;
use std::time::Instant;

use tokio::time::sleep_until;

use super::{Board, Desk};
use crate::control::wire::Renewed;
use crate::error::Refusal;
use crate::lease::LeaseLeft;
use crate::log;
use crate::options::ms;
use crate::state::State;

impl Board {
    /// Watches over leases for as long as the proxy runs.
    pub(crate) async fn keep_leases(self: Arc<Self>) {
        let mut changes = self.lease_until.subscribe();
        loop {
            let until = *changes.borrow_and_update();
            let end = async {
                match until {
                    Some(until) => sleep_until(until.into()).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                Ok(()) = changes.changed() => {}
                () = end => {
                    let mut desk = self.desk.lock().await;
                    self.lapse_if_due(&mut desk).await;
                }
            }
        }
    }

    /// Says that somebody watches: the lease begins anew.
    pub(crate) async fn renew(&self, fence: u64, generation: u64) -> Result<Renewed, Refusal> {
        let mut desk = self.desk.lock().await;
        let state = self.gate.table().state.clone();
        let current_fence = state.fence.max(desk.renewed_by);
        let current_generation = state.generation;
        if fence < current_fence || generation < current_generation {
            return Err(Refusal::Stale { fence, generation, current_fence, current_generation });
        }
        if generation > current_generation {
            return Err(Refusal::NotInForce { generation, current_generation });
        }
        desk.renewed_by = fence;
        self.lapse_if_due(&mut desk).await;
        self.hold_lease_until(Instant::now());
        let lapsed = self.gate.table().state.lapsed.is_some();
        Ok(Renewed { lapsed, left_ms: self.lease_left().map_or(0, |lease| lease.left_ms) })
    }

    /// Lets the lease in force, if there is one, begin at this moment. At the desk.
    pub(super) fn hold_lease_until(&self, moment: Instant) {
        let table = self.gate.table();
        let until = table.state.lease.as_ref().map(|lease| lease.until(moment));
        self.lease_until.send_replace(until);
    }

    /// Who waited for a drain has gone without an answer: the lease begins at this moment.
    pub(crate) async fn hung_up(&self) {
        let _desk = self.desk.lock().await;
        let lease = self.gate.table().state.lease.clone();
        let until = lease.map(|lease| lease.until(Instant::now()));
        self.lease_until.send_if_modified(|held| {
            let is_sooner = until.is_some() && *held > until;
            if is_sooner {
                *held = until;
            }
            is_sooner
        });
    }

    pub(super) fn lease_left(&self) -> Option<LeaseLeft> {
        let until = (*self.lease_until.borrow())?;
        let lease = self.gate.table().state.lease.as_ref().map(|lease| lease.ms)?;
        let left = until.saturating_duration_since(Instant::now());
        let left_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        Some(LeaseLeft { ms: lease, left_ms })
    }

    async fn lapse_if_due(&self, desk: &mut Desk) {
        if (*self.lease_until.borrow()).is_none_or(|until| Instant::now() < until) {
            return;
        }
        self.lease_until.send_replace(None);
        let before = self.gate.table();
        let Some(after) = before.state.lapsed(log::wall_ms()) else { return };
        self.swap(desk, after.clone());
        self.close_idle_upgrades(desk);
        let saved = desk.save(&after).await;
        log::say(&words(&before.state, &after));
        if let Err(why) = saved {
            log::say(&format!("that could not be saved ({why}); a restart begins the lease anew"));
        }
    }

    /// Upgraded connections would stay with a release that nobody watches for ever. Requests in
    /// flight end by themselves, or at the next drain.
    fn close_idle_upgrades(&self, desk: &Desk) {
        let until = Instant::now() + ms(self.limits.upgrade_grace_ms);
        for lane in self.gate.table().idle_lanes(desk.releases.values()) {
            lane.begin_drain(until);
        }
    }
}

/// Why another state of the same generation is not taken.
pub(super) fn refusal_of_same_generation(offered: &State, current: &State) -> Refusal {
    let generation = current.generation;
    let came_of_it = current.lapsed.as_ref().and_then(|lapsed| offered.lapsed(lapsed.at_ms));
    if came_of_it.as_ref() == Some(current) {
        Refusal::Lapsed { generation }
    } else {
        Refusal::Conflict { generation }
    }
}

fn words(before: &State, after: &State) -> String {
    let State { fence, generation, .. } = before;
    let lease_ms = before.lease.as_ref().map_or(0, |lease| lease.ms);
    let shares = |state: &State| {
        let shares = state.split.iter().map(|(name, share)| format!("{name} {}", share.0));
        shares.collect::<Vec<_>>().join(", ")
    };
    format!(
        "nobody renewed the lease of {lease_ms} ms of generation {generation}, fence {fence}; the \
         split goes from {} to {} (of 10000)",
        shares(before),
        shares(after)
    )
}
