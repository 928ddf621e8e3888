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

/// How long a role must have stayed up to count as ready.
const ROLE_MS: Millis = 40;

/// The processes and what is wanted of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fleet {
    pub(crate) processes: Vec<Process>,
    pub(crate) wanted: BTreeMap<ReleaseId, u32>,
    pub(crate) roles: BTreeMap<ReleaseId, BTreeMap<String, u32>>,
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
    /// What it runs beside the web; none: it answers requests.
    pub(crate) role: Option<String>,
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
    /// The ready instances of a release that answer requests.
    pub(crate) fn ready<'a>(&'a self, release: &'a ReleaseId) -> impl Iterator<Item = u64> + 'a {
        self.first_ready(release, usize::MAX)
    }

    /// Those that are ready among the first so many.
    pub(crate) fn first_ready<'a>(
        &'a self,
        release: &'a ReleaseId,
        limit: usize,
    ) -> impl Iterator<Item = u64> + 'a {
        let ready = |process: &&Process| matches!(process.state, Life::Ready(_));
        self.of(release, None).take(limit).filter(ready).map(|process| process.id)
    }

    /// The first so many instances of a release that answer requests, ready or not.
    pub(crate) fn first<'a>(
        &'a self,
        release: &'a ReleaseId,
        limit: usize,
    ) -> impl Iterator<Item = u64> + 'a {
        self.of(release, None).take(limit).map(|process| process.id)
    }

    fn of<'a>(
        &'a self,
        release: &'a ReleaseId,
        role: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Process> + 'a {
        let is = move |one: &&Process| &one.release == release && one.role.as_deref() == role;
        self.processes.iter().filter(is)
    }

    fn ready_count(&self, release: &ReleaseId, role: Option<&str>) -> usize {
        self.of(release, role).filter(|one| matches!(one.state, Life::Ready(_))).count()
    }

    fn spawn(&mut self, release: &ReleaseId, role: Option<&str>, by: u64, now: Millis) {
        self.spawned += 1;
        let nth = self.of(release, role).count() as u64 + 1;
        let (id, release, role) = (self.spawned, release.clone(), role.map(ToOwned::to_owned));
        self.processes.push(Process { id, release, role, state: Life::Starting(now), by, nth });
    }

    fn want(&mut self, release: &ReleaseId, role: Option<&str>, count: u32) {
        match role {
            None if count == 0 => {
                self.wanted.remove(release);
                self.restarts.remove(release);
            }
            None => drop(self.wanted.insert(release.clone(), count)),
            Some(role) => {
                let roles = self.roles.entry(release.clone()).or_default();
                roles.insert(role.to_owned(), count);
                roles.retain(|_, count| *count > 0);
                self.roles.retain(|_, roles| !roles.is_empty());
            }
        }
    }
}

impl State {
    pub(crate) fn tick_fleet(&mut self) {
        let now = self.now_ms;
        let mut died = Vec::new();
        for process in &mut self.fleet.processes {
            let Some(release) = self.releases.get(&process.release) else { continue };
            match process.state {
                Life::Starting(at) if process.role.is_some() => {
                    if now >= at + ROLE_MS {
                        process.state = Life::Ready(now);
                    }
                }
                Life::Ready(_) if process.role.is_some() => {}
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

    /// All instances of a release that answer requests are gone, as after its time to be kept warm.
    pub fn stop_all(&mut self, release: &ReleaseId) {
        self.fleet.processes.retain(|one| &one.release != release || one.role.is_some());
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
    fn seen(&self, release: &ReleaseId, role: Option<&str>, by: u64) -> usize {
        let adopts = self.protects(Protection::Adoption);
        self.fleet.of(release, role).filter(|one| adopts || one.by == by).count()
    }

    fn stop_processes(&mut self, release: &ReleaseId, role: Option<&str>, by: u64, keep: usize) {
        let adopts = self.protects(Protection::Adoption);
        while self.seen(release, role, by) > keep {
            let sees = |one: &Process| {
                let same = &one.release == release && one.role.as_deref() == role;
                same && (adopts || one.by == by)
            };
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
        self.effect("instances", || self.set_instances(release, None, count, ticket))
    }

    fn roles(&self) -> Result<BTreeMap<ReleaseId, BTreeMap<String, Instances>>> {
        self.look(|state| {
            let seen = |release: &ReleaseId, role: &str, wanted: u32| {
                let ready = state.fleet.ready_count(release, Some(role));
                Instances { wanted, ready: u32::try_from(ready).unwrap_or(u32::MAX) }
            };
            let all = state.fleet.roles.iter().map(|(release, roles)| {
                let roles = roles.iter();
                let roles =
                    roles.map(|(role, wanted)| (role.clone(), seen(release, role, *wanted)));
                (release.clone(), roles.collect())
            });
            Ok(all.collect())
        })
    }

    fn ensure_role(
        &self,
        release: &ReleaseId,
        role: &str,
        count: u32,
        ticket: &Ticket<'_>,
    ) -> Result<Receipt> {
        self.effect("role", || self.set_instances(release, Some(role), count, ticket))
    }
}

impl Controller<'_> {
    fn set_instances(
        &self,
        release: &ReleaseId,
        role: Option<&str>,
        count: u32,
        ticket: &Ticket<'_>,
    ) -> Result<Receipt> {
        let fence = ticket.fence.0;
        let wanted = usize::try_from(count).unwrap_or(usize::MAX);
        let mut missing = self.change(|state| {
            state.fleet.fence = state.admit("the platform", state.fleet.fence, fence)?;
            state.fleet.want(release, role, count);
            state.stop_processes(release, role, fence, wanted);
            Ok(wanted.saturating_sub(state.seen(release, role, fence)))
        })?;
        while missing > 0 {
            self.point("spawn")?;
            // Looked for again: whoever took over meanwhile may have started it.
            self.change(|state| {
                state.fleet.fence = state.admit("the platform", state.fleet.fence, fence)?;
                if state.seen(release, role, fence) < wanted {
                    let now = state.now_ms;
                    state.fleet.spawn(release, role, fence, now);
                }
                Ok(())
            })?;
            missing -= 1;
        }
        self.point("ready")?;
        self.wait_until_ready(release, role, wanted, ticket)
    }

    fn wait_until_ready(
        &self,
        release: &ReleaseId,
        role: Option<&str>,
        wanted: usize,
        ticket: &Ticket<'_>,
    ) -> Result<Receipt> {
        let (mut left_ms, mut best) = (ticket.deadline_ms, 0);
        let whose = role.map_or_else(|| release.to_string(), |role| format!("{role} of {release}"));
        loop {
            let ready = self.look(|state| Ok(state.fleet.ready_count(release, role)))?;
            if ready >= wanted {
                return Ok(Receipt::of(format!("{wanted} of {whose} ready")));
            }
            if ready > best {
                (left_ms, best) = (ticket.deadline_ms, ready);
            }
            if left_ms == 0 {
                let what = format!("{ready} of {wanted} instances of {whose} became ready");
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
