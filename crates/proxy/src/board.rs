//! The switchboard: takes a new state, saves it, puts it in force and waits until it is true.
//!
//! The order is fixed: judge the state, save it, swap the table, raise the gate, drain. What is
//! saved may not be in force yet (a crash in between), but what is in force is always saved. The
//! acknowledgement means *drained*: nobody is inside a release that gets no requests any more,
//! and whoever stops that release on the acknowledgement breaks nothing.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, watch};
use tokio::time::{sleep_until, timeout, timeout_at};

use crate::control::wire::{Applied, Observed};
use crate::counts::Counted;
use crate::error::Refusal;
use crate::gate::Gate;
use crate::hold::WaitingRoom;
use crate::options::{Limits, ms};
use crate::random;
use crate::release::{Lane, Release};
use crate::state::{ReleaseName, State};
use crate::store::Store;
use crate::table::Table;

/// How long cut-off requests may take to notice. They need microseconds.
const CUT_PATIENCE: Duration = Duration::from_secs(5);
/// How many releases are remembered, with their counts, after the state stopped naming them.
const REMEMBERED: usize = 64;

/// Everything that requests and the controller share.
pub(crate) struct Board {
    pub(crate) gate: Gate<Table>,
    pub(crate) room: WaitingRoom,
    pub(crate) limits: Arc<Limits>,
    /// Wakes all connections when something may concern them.
    pub(crate) news: watch::Sender<News>,
    listen: Listeners,
    epoch: String,
    clock: Instant,
    /// Held while a state is put in force, and not while it drains: a rollback must not wait for
    /// the drain of the release that it takes back.
    desk: Mutex<Desk>,
    /// How many states have been put in force.
    changes: watch::Sender<u64>,
}

/// Where requests come in.
#[derive(Clone, Copy)]
pub(crate) struct Listeners {
    pub(crate) live: SocketAddr,
    pub(crate) preview: Option<SocketAddr>,
}

struct Desk {
    store: Arc<Store>,
    releases: BTreeMap<ReleaseName, Arc<Release>>,
}

/// What connections need to hear of.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct News {
    pub(crate) cuts: u64,
    pub(crate) phase: Phase,
}

/// How far the process is from its end.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Phase {
    #[default]
    Running,
    /// Requests in flight may finish; no connection is kept for another one.
    Stopping,
    /// Time is up.
    Ended,
}

impl Board {
    pub(crate) fn new(
        store: Store,
        saved: Option<State>,
        limits: Arc<Limits>,
        listen: Listeners,
    ) -> Arc<Self> {
        let clock = Instant::now();
        let mut releases = BTreeMap::new();
        let state = saved.unwrap_or_default();
        let table = Table::new(state, None, &mut releases, clock, &limits);
        let open = table.is_open();
        Arc::new(Self {
            gate: Gate::new(Arc::new(table), open),
            room: WaitingRoom::default(),
            limits,
            news: watch::Sender::default(),
            listen,
            epoch: format!("{:016x}{:016x}", random::bits(), random::bits()),
            clock,
            desk: Mutex::new(Desk { store: Arc::new(store), releases }),
            changes: watch::Sender::new(0),
        })
    }

    /// Puts a state in force and waits for its drain. Asking again for the same state waits again.
    pub(crate) async fn apply(&self, state: State, drain: Duration) -> Result<Applied, Refusal> {
        let received = Instant::now();
        state.validate()?;
        let generation = state.generation;
        let mut desk = self.desk.lock().await;
        if self.is_news(&state)? {
            self.put_in_force(&mut desk, state).await?;
        }
        let mut changes = self.changes.subscribe();
        let change = *changes.borrow_and_update();
        let deadline = received + drain;
        let lanes = self.gate.table().idle_lanes(desk.releases.values());
        let upgrades_until = deadline.min(received + ms(self.limits.upgrade_grace_ms));
        for lane in &lanes {
            lane.begin_drain(upgrades_until);
        }
        drop(desk);
        let drained = async {
            let remaining = self.drain_requests(&lanes, deadline, change).await;
            let upgrades = drain_upgrades(&lanes, upgrades_until).await;
            remaining + upgrades
        };
        let remaining = tokio::select! {
            biased;
            Ok(()) = changes.changed() => return Err(Refusal::Superseded { generation }),
            remaining = drained => remaining,
        };
        if changes.has_changed().unwrap_or(false) {
            return Err(Refusal::Superseded { generation });
        }
        let last = lanes.iter().filter_map(|lane| lane.last_entered_after(received)).max();
        Ok(Applied {
            generation,
            drained: remaining == 0,
            remaining,
            took_ms: whole(received.elapsed().as_millis()),
            last_request_to_old_us: last.map_or(0, |last| whole(last.as_micros())),
        })
    }

    /// Whether the state is newer than the one in force; if it is not even the same one, refused.
    fn is_news(&self, state: &State) -> Result<bool, Refusal> {
        let table = self.gate.table();
        let current = &table.state;
        let order = (state.fence, state.generation).cmp(&(current.fence, current.generation));
        if order.is_lt() {
            return Err(Refusal::Stale {
                fence: state.fence,
                generation: state.generation,
                current_fence: current.fence,
                current_generation: current.generation,
            });
        }
        if order.is_eq() && state != current {
            return Err(Refusal::Conflict { generation: state.generation });
        }
        Ok(order.is_gt())
    }

    async fn put_in_force(&self, desk: &mut Desk, state: State) -> Result<(), Refusal> {
        let (store, to_save) = (Arc::clone(&desk.store), state.clone());
        let saved = tokio::task::spawn_blocking(move || store.save(&to_save)).await;
        let not_saved = |why: String| Refusal::NotSaved { why };
        saved.map_err(|e| not_saved(e.to_string()))?.map_err(|e| not_saved(e.to_string()))?;
        let before = self.gate.table();
        let releases = &mut desk.releases;
        let table = Table::new(state, Some(&before), releases, self.clock, &self.limits);
        forget_old(releases, &table);
        let open = table.is_open();
        self.gate.change(Arc::new(table), open);
        self.changes.send_modify(|changes| *changes += 1);
        Ok(())
    }

    /// Waits until nobody is inside, at the deadline cutting off who still is; tells how many.
    async fn drain_requests(&self, lanes: &[Arc<Lane>], deadline: Instant, change: u64) -> u64 {
        let empty = async {
            for lane in lanes {
                lane.requests.empty().await;
            }
        };
        tokio::pin!(empty);
        tokio::select! {
            biased;
            () = &mut empty => return 0,
            () = sleep_until(deadline.into()) => {}
        }
        // At the desk, so that no newer state makes one of these lanes welcome again in between.
        let desk = self.desk.lock().await;
        if *self.changes.borrow() != change {
            // Superseded; the caller is about to be told.
            return 0;
        }
        let remaining = lanes.iter().map(|lane| lane.requests.count() as u64).sum();
        for lane in lanes {
            lane.cut();
        }
        drop(desk);
        self.news.send_modify(|news| news.cuts += 1);
        // Bounded, so that a bug here would cost an honest number and not a hanging rollback.
        let _ = timeout(CUT_PATIENCE, empty).await;
        remaining
    }

    pub(crate) async fn observe(&self) -> Observed {
        let table = self.gate.table();
        let releases = self.desk.lock().await.releases.clone();
        let in_flight = releases.into_iter().map(|(name, release)| (name, release.inside()));
        let healthy = table.routes.iter().map(|(name, route)| {
            let healthy = route.targets.iter().filter(|target| target.is_healthy());
            (name.clone(), healthy.map(|target| target.address).collect())
        });
        Observed {
            listen: self.listen.live,
            preview_listen: self.listen.preview,
            state: table.state.clone(),
            in_flight: in_flight.collect(),
            held: self.room.requests(),
            healthy: healthy.collect(),
        }
    }

    pub(crate) async fn counted(&self) -> Counted {
        let releases = self.desk.lock().await.releases.clone();
        let releases = releases.into_iter().map(|(name, release)| {
            let counts = release.tally.counts(release.inside().live);
            (name, counts)
        });
        Counted { epoch: self.epoch.clone(), releases: releases.collect() }
    }

    /// Tells all connections that the process is to end, and waits for upgraded ones to be gone.
    /// The others are waited for by whoever accepted them.
    pub(crate) async fn stop(&self, until: Instant) {
        self.news.send_modify(|news| news.phase = Phase::Stopping);
        let until = until.min(Instant::now() + ms(self.limits.upgrade_grace_ms));
        let releases = self.desk.lock().await.releases.clone();
        let lanes = all_lanes(releases.values());
        for lane in &lanes {
            lane.begin_drain(until);
        }
        drain_upgrades(&lanes, until).await;
    }

    /// Cuts off whoever is still inside, and ends all connections.
    pub(crate) async fn end(&self) {
        for lane in all_lanes(self.desk.lock().await.releases.values()) {
            lane.cut();
        }
        self.news.send_modify(|news| news.phase = Phase::Ended);
    }
}

/// Upgraded connections end by themselves in time; this waits for it and tells how many did not.
async fn drain_upgrades(lanes: &[Arc<Lane>], until: Instant) -> u64 {
    let empty = async {
        for lane in lanes {
            lane.upgrades.empty().await;
        }
    };
    match timeout_at((until + CUT_PATIENCE).into(), empty).await {
        Ok(()) => 0,
        Err(_) => lanes.iter().map(|lane| lane.upgrades.count() as u64).sum(),
    }
}

fn all_lanes<'a>(releases: impl Iterator<Item = &'a Arc<Release>>) -> Vec<Arc<Lane>> {
    let lanes = releases.flat_map(|release| release.lanes());
    lanes.flat_map(|lanes| lanes.both().map(Arc::clone)).collect()
}

/// Keeps the memory of releases bounded. Nobody that has requests inside is forgotten.
fn forget_old(releases: &mut BTreeMap<ReleaseName, Arc<Release>>, table: &Table) {
    let is_idle = |release: &Release| {
        release.lanes().iter().all(|lanes| lanes.both().iter().all(|lane| lane.is_empty()))
    };
    let old = releases.iter().filter(|(name, _)| !table.routes.contains_key(*name));
    let idle: Vec<_> = old.filter(|(_, r)| is_idle(r)).map(|(name, _)| name.clone()).collect();
    for name in idle.iter().take(idle.len().saturating_sub(REMEMBERED)) {
        releases.remove(name);
    }
}

fn whole(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
