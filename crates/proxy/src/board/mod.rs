//! The switchboard: takes a new state, saves it, puts it in force and waits until it is true.
//!
//! The order is fixed: judge the state, save it, swap the table, raise the gate, drain. What is
//! saved may not be in force yet (a crash in between), but what is in force is always saved. The
//! acknowledgement means *drained*: nobody is inside a release that gets no requests any more,
//! and whoever stops that release on the acknowledgement breaks nothing.

mod lease;

use std::collections::{BTreeMap, VecDeque};
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
use crate::period::{PeriodTally, Periods};
use crate::random;
use crate::release::{Lane, Release};
use crate::state::{ReleaseName, State};
use crate::store::Store;
use crate::table::Table;

/// How long cut-off requests may take to notice. They need microseconds.
const CUT_PATIENCE: Duration = Duration::from_secs(5);
/// How many releases are remembered, with their counts, after the state stopped naming them.
const REMEMBERED: usize = 64;
/// How many periods are remembered.
const PERIODS: usize = 16;

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
    /// When the lease in force ends. Only changed at the desk.
    lease_until: watch::Sender<Option<Instant>>,
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
    /// The latest ones, the one in force last.
    periods: VecDeque<Arc<PeriodTally>>,
    /// The newest fence that has renewed a lease.
    renewed_by: u64,
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
        // How much of a lease was left is not known after a restart, so it begins anew.
        let lease_until = state.lease.as_ref().map(|lease| lease.until(clock));
        let table = Table::new(state, None, &mut releases, clock, &limits);
        let open = table.is_open();
        let periods = [Arc::clone(&table.period)].into();
        Arc::new(Self {
            gate: Gate::new(Arc::new(table), open),
            room: WaitingRoom::default(),
            limits,
            news: watch::Sender::default(),
            listen,
            epoch: format!("{:016x}{:016x}", random::bits(), random::bits()),
            clock,
            desk: Mutex::new(Desk { store: Arc::new(store), releases, periods, renewed_by: 0 }),
            changes: watch::Sender::new(0),
            lease_until: watch::Sender::new(lease_until),
        })
    }

    /// Puts a state in force and waits for its drain. Asking again for the same state waits again.
    pub(crate) async fn apply(&self, state: State, drain: Duration) -> Result<Applied, Refusal> {
        let received = Instant::now();
        state.validate()?;
        let generation = state.generation;
        let deadline = received + drain;
        let mut desk = self.desk.lock().await;
        if self.is_news(&state, desk.renewed_by)? {
            self.put_in_force(&mut desk, state).await?;
        }
        let mut changes = self.changes.subscribe();
        let change = *changes.borrow_and_update();
        // Who waits for a drain cannot renew: the lease begins when they have their answer, or
        // hang up.
        self.hold_lease_until(deadline);
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
            Ok(()) = changes.changed() => return Err(self.overtaken(generation)),
            remaining = drained => remaining,
        };
        let desk = self.desk.lock().await;
        if changes.has_changed().unwrap_or(false) {
            return Err(self.overtaken(generation));
        }
        self.hold_lease_until(Instant::now());
        drop(desk);
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
    fn is_news(&self, state: &State, renewed_by: u64) -> Result<bool, Refusal> {
        let table = self.gate.table();
        let current = &table.state;
        let order = (state.fence, state.generation).cmp(&(current.fence, current.generation));
        if order.is_lt() || state.fence < renewed_by {
            return Err(Refusal::Stale {
                fence: state.fence,
                generation: state.generation,
                current_fence: current.fence.max(renewed_by),
                current_generation: current.generation,
            });
        }
        if order.is_eq() && state != current {
            return Err(lease::refusal_of_same_generation(state, current));
        }
        if order.is_gt() && state.lapsed.is_some() {
            let why = "only the proxy itself says that a lease has lapsed".to_owned();
            return Err(Refusal::Invalid { why });
        }
        Ok(order.is_gt())
    }

    /// Why an apply that was waiting for its drain is no longer what counts.
    fn overtaken(&self, generation: u64) -> Refusal {
        let table = self.gate.table();
        if table.state.generation == generation && table.state.lapsed.is_some() {
            return Refusal::Lapsed { generation };
        }
        Refusal::Superseded { generation }
    }

    async fn put_in_force(&self, desk: &mut Desk, state: State) -> Result<(), Refusal> {
        desk.save(&state).await.map_err(|why| Refusal::NotSaved { why })?;
        self.swap(desk, state);
        Ok(())
    }

    /// Makes the table of a state and lets requests go by it.
    fn swap(&self, desk: &mut Desk, state: State) {
        let before = self.gate.table();
        let table = Table::new(state, Some(&before), &mut desk.releases, self.clock, &self.limits);
        forget_old(&mut desk.releases, &table);
        if table.period.number != before.period.number {
            desk.periods.push_back(Arc::clone(&table.period));
            let too_many = desk.periods.len().saturating_sub(PERIODS);
            desk.periods.drain(..too_many);
        }
        let open = table.is_open();
        self.gate.change(Arc::new(table), open);
        self.changes.send_modify(|changes| *changes += 1);
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
        // The desk first: nobody is told what is about to be saved.
        let desk = self.desk.lock().await;
        let (table, releases) = (self.gate.table(), desk.releases.clone());
        let lease = self.lease_left();
        drop(desk);
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
            lease,
        }
    }

    pub(crate) async fn periods(&self) -> Periods {
        let periods = self.desk.lock().await.periods.clone();
        let now = self.clock.elapsed();
        let counted = periods.iter().map(|period| period.read(now));
        let periods = counted.filter(|period| !period.arms.is_empty()).collect();
        Periods { epoch: self.epoch.clone(), periods }
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

impl Desk {
    /// Makes a state durable, without keeping requests from being served meanwhile.
    async fn save(&self, state: &State) -> Result<(), String> {
        let (store, state) = (Arc::clone(&self.store), state.clone());
        let saved = tokio::task::spawn_blocking(move || store.save(&state)).await;
        saved.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
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
