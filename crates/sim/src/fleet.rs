//! The simulated platform: processes that take time to get ready, that die and are started again,
//! and that outlive every controller.

use crate::controller::Controller;
use crate::fault::Protection;
use crate::state::State;
use ripcord_core::model::ids::Millis;
use ripcord_core::model::{Instances, ReleaseId};
use ripcord_core::run::Receipt;
use ripcord_engine::{Failure, Platform, ReleaseState, Result, Ticket};
use std::collections::{BTreeMap, BTreeSet};

/// How long the supervisor waits before it starts a dead process again.
const RESTART_MS: Millis = 100;

/// The processes and what is wanted of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fleet {
    pub(crate) processes: Vec<Process>,
    pub(crate) wanted: BTreeMap<ReleaseId, u32>,
    pub(crate) restarts: BTreeMap<ReleaseId, u32>,
    pub(crate) fence: u64,
    pub(crate) spawned: u64,
    /// Releases whose instances went without being asked to.
    pub(crate) gone: BTreeSet<ReleaseId>,
}

/// One process.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    pub(crate) id: u64,
    pub(crate) release: ReleaseId,
    pub(crate) state: Life,
    /// The fence of the controller that started it.
    pub(crate) by: u64,
    /// Its place among the instances of its release, from 1.
    pub(crate) nth: u64,
}

/// Where in its life a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    Starting(Millis),
    Ready(Millis),
    Dead(Millis),
}

impl Fleet {
    pub(crate) fn ready<'a>(&'a self, release: &'a ReleaseId) -> impl Iterator<Item = u64> + 'a {
        let ready = move |process: &&Process| {
            &process.release == release && matches!(process.state, Life::Ready(_))
        };
        self.processes.iter().filter(ready).map(|process| process.id)
    }

    fn spawn(&mut self, release: &ReleaseId, by: u64, now: Millis) {
        self.spawned += 1;
        let nth = self.processes.iter().filter(|one| &one.release == release).count() as u64 + 1;
        let (id, release) = (self.spawned, release.clone());
        self.processes.push(Process { id, release, state: Life::Starting(now), by, nth });
    }
}

impl State {
    pub(crate) fn tick_fleet(&mut self) {
        let now = self.now_ms;
        let mut died = Vec::new();
        for process in &mut self.fleet.processes {
            let Some(release) = self.releases.get(&process.release) else { continue };
            match process.state {
                Life::Starting(at) => {
                    let factor = if release.traits.one_by_one { process.nth } else { 1 };
                    let ready_ms = release.traits.ready_ms;
                    if ready_ms.is_some_and(|ready_ms| now >= at + ready_ms * factor) {
                        process.state = Life::Ready(now);
                    }
                }
                Life::Ready(at) => {
                    if release.traits.lives_ms.is_some_and(|lives_ms| now >= at + lives_ms) {
                        process.state = Life::Dead(now);
                        died.push(process.id);
                    }
                }
                Life::Dead(at) => {
                    if now >= at + RESTART_MS {
                        process.state = Life::Starting(now);
                        *self.fleet.restarts.entry(process.release.clone()).or_default() += 1;
                    }
                }
            }
        }
        for process in died {
            self.process_gone(process);
        }
    }

    /// Kills one ready process of the release in service.
    pub(crate) fn kill_instance(&mut self) {
        let Some(release) = self.proxy.live.split.only().cloned() else { return };
        let now = self.now_ms;
        let Some(id) = self.fleet.ready(&release).next() else { return };
        if let Some(process) = self.fleet.processes.iter_mut().find(|process| process.id == id) {
            process.state = Life::Dead(now);
        }
        self.excuse();
        self.process_gone(id);
    }

    /// All instances of a release are gone, as after its time to be kept warm.
    pub fn stop_all(&mut self, release: &ReleaseId) {
        self.fleet.processes.retain(|process| &process.release != release);
        self.fleet.wanted.remove(release);
    }

    /// What gets no requests is stopped by somebody else.
    pub(crate) fn lose_idle(&mut self) {
        let serves: BTreeSet<ReleaseId> = self.proxy.live.releases().cloned().collect();
        let idle: Vec<ReleaseId> =
            self.fleet.wanted.keys().filter(|one| !serves.contains(*one)).cloned().collect();
        for release in idle {
            self.excuse();
            self.stop_all(&release);
            self.fleet.gone.insert(release);
        }
    }

    /// From now on no instance of a release becomes ready.
    pub fn never_ready_again(&mut self, release: &ReleaseId) {
        if let Some(release) = self.releases.get_mut(release) {
            release.traits.ready_ms = None;
        }
    }

    /// How many processes of a release a controller sees: without adoption only its own.
    fn seen(&self, release: &ReleaseId, by: u64) -> usize {
        let adopts = self.protects(Protection::Adoption);
        let sees = |one: &&Process| &one.release == release && (adopts || one.by == by);
        self.fleet.processes.iter().filter(sees).count()
    }

    fn stop_processes(&mut self, release: &ReleaseId, by: u64, keep: usize) {
        let adopts = self.protects(Protection::Adoption);
        while self.seen(release, by) > keep {
            let sees = |one: &Process| &one.release == release && (adopts || one.by == by);
            let Some(last) = self.fleet.processes.iter().rposition(sees) else { return };
            let process = self.fleet.processes.remove(last);
            self.process_gone(process.id);
        }
    }
}

impl Platform for Controller<'_> {
    fn observe(&self) -> Result<BTreeMap<ReleaseId, ReleaseState>> {
        self.look(|state| {
            let mut seen = BTreeMap::new();
            for (release, wanted) in &state.fleet.wanted {
                let ready = u32::try_from(state.fleet.ready(release).count()).unwrap_or(u32::MAX);
                let restarts = state.fleet.restarts.get(release).copied().unwrap_or_default();
                let instances = Instances { wanted: *wanted, ready };
                seen.insert(release.clone(), ReleaseState { instances, restarts });
            }
            Ok(seen)
        })
    }

    fn ensure(&self, release: &ReleaseId, count: u32, ticket: &Ticket<'_>) -> Result<Receipt> {
        self.effect("instances", || self.set_instances(release, count, ticket))
    }
}

impl Controller<'_> {
    fn set_instances(
        &self,
        release: &ReleaseId,
        count: u32,
        ticket: &Ticket<'_>,
    ) -> Result<Receipt> {
        let fence = ticket.fence.0;
        let wanted = usize::try_from(count).unwrap_or(usize::MAX);
        let mut missing = self.change(|state| {
            state.fleet.fence = state.admit("the platform", state.fleet.fence, fence)?;
            if count == 0 {
                state.fleet.wanted.remove(release);
                state.fleet.restarts.remove(release);
            } else {
                state.fleet.wanted.insert(release.clone(), count);
            }
            state.stop_processes(release, fence, wanted);
            Ok(wanted.saturating_sub(state.seen(release, fence)))
        })?;
        while missing > 0 {
            self.point("spawn")?;
            // Looked for again: whoever took over meanwhile may have started it.
            self.change(|state| {
                state.fleet.fence = state.admit("the platform", state.fleet.fence, fence)?;
                if state.seen(release, fence) < wanted {
                    let now = state.now_ms;
                    state.fleet.spawn(release, fence, now);
                }
                Ok(())
            })?;
            missing -= 1;
        }
        self.point("ready")?;
        self.wait_until_ready(release, wanted, ticket)
    }

    fn wait_until_ready(
        &self,
        release: &ReleaseId,
        wanted: usize,
        ticket: &Ticket<'_>,
    ) -> Result<Receipt> {
        let (mut left_ms, mut best) = (ticket.deadline_ms, 0);
        loop {
            let ready = self.look(|state| Ok(state.fleet.ready(release).count()))?;
            if ready >= wanted {
                return Ok(Receipt::of(format!("{wanted} of {release} ready")));
            }
            if ready > best {
                (left_ms, best) = (ticket.deadline_ms, ready);
            }
            if left_ms == 0 {
                let what = format!("{ready} of {wanted} instances of {release} became ready");
                return Err(Failure::Deadline(what));
            }
            if left_ms.is_multiple_of(50) && (ticket.stop)() {
                return Err(Failure::Interrupted);
            }
            self.wait(10.min(left_ms))?;
            left_ms = left_ms.saturating_sub(10);
        }
    }
}
