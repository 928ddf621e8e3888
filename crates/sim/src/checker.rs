//! The judge of a run. It shares no code with the executor, the planners or the replay: it looks
//! at the raw world and the raw journal, and says which promise is broken.

use crate::abroad::OWN;
use crate::catalogue::Columns;
use crate::flags::OFF;
use crate::fleet::Life;
use crate::lab::Rest;
use crate::release::SimRelease;
use crate::state::{Golden, State};
use ripcord_core::flag::FlagImage;
use ripcord_core::model::{Digest, ReleaseId, Requests};
use ripcord_core::plan::{Effect, Intent, Plan, ResourceState};
use ripcord_core::run::{Event, Outcome, Subject};
use std::collections::BTreeMap;
use std::fmt;

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// Its number, `I1` to `I10`.
    pub invariant: &'static str,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.what)
    }
}

/// What is expected at the end of the last plan.
struct Expected<'a> {
    plan: &'a Plan,
    live: bool,
    before: &'a Golden,
}

struct Judge<'a> {
    state: &'a State,
    found: Vec<Violation>,
}

/// Everything that is wrong with a world that has come to rest.
pub fn judge(state: &State, rest: &Rest) -> Vec<Violation> {
    let mut judge = Judge { state, found: Vec::new() };
    judge.requests();
    judge.ledger();
    judge.values();
    judge.ends(rest);
    judge.shares();
    for stale in &state.stale {
        judge.broken("I7", stale.clone());
    }
    if state.double_starts > 0 {
        judge.broken("I1", "a second plan started while one ran".to_owned());
    }
    if let (Rest::Over(outcome), Some(plan)) = (rest, last_plan(state)) {
        let golden = state.golden.iter().rev().find(|(id, _)| id == &plan.id);
        if let Some((_, before)) = golden {
            let live = *outcome == Outcome::Live;
            let expected = Expected { plan, live, before };
            judge.traffic(&expected);
            judge.settings(&expected);
            judge.flags(&expected);
            judge.abroad(&expected);
            judge.schema(&expected);
            judge.processes(&expected);
        }
    }
    judge.found
}

fn last_plan(state: &State) -> Option<&Plan> {
    state.book.entries.iter().rev().find_map(|entry| match &entry.event {
        Event::PlanStarted { plan } => Some(plan.as_ref()),
        _ => None,
    })
}

impl Judge<'_> {
    fn broken(&mut self, invariant: &'static str, what: String) {
        self.found.push(Violation { invariant, what });
    }

    fn same<T: PartialEq + fmt::Debug>(
        &mut self,
        invariant: &'static str,
        label: &str,
        found: &T,
        expected: &T,
    ) {
        if found != expected {
            self.broken(invariant, format!("{label} is {found:?} instead of {expected:?}"));
        }
    }

    /// I2: every request is accounted for, and none was lost.
    fn requests(&mut self) {
        let clients = &self.state.clients;
        let known = clients.answered
            + clients.own_errors
            + clients.excused
            + clients.refused
            + clients.timed_out
            + clients.lost.len() as u64
            + clients.in_flight.len() as u64
            + clients.waiting.len() as u64;
        let arrived = clients.arrived;
        if known != arrived {
            self.broken("I2", format!("{arrived} requests arrived, {known} are accounted for"));
        }
        if let Some(first) = clients.lost.first() {
            self.broken("I2", format!("{} requests lost: {first}", clients.lost.len()));
        }
        if clients.timed_out > 0 {
            let what = format!("{} requests waited longer than they may", clients.timed_out);
            self.broken("I2", what);
        }
    }

    /// I4: dense, chained, and nothing that was acknowledged is missing.
    fn ledger(&mut self) {
        let book = &self.state.book;
        let mut previous = Digest::of_bytes(b"");
        let mut digests = Vec::with_capacity(book.entries.len());
        for (place, entry) in (1_u64..).zip(&book.entries) {
            if entry.sequence != place {
                self.broken("I4", format!("entry {} stands at place {place}", entry.sequence));
            }
            if entry.previous != previous {
                self.broken("I4", format!("the chain is broken at entry {place}"));
            }
            let json = serde_json::to_vec(entry).unwrap_or_default();
            previous = Digest::of_bytes(&json);
            digests.push(previous.clone());
        }
        for (sequence, digest) in &book.acked {
            let place = usize::try_from(*sequence).unwrap_or(0).saturating_sub(1);
            if digests.get(place) != Some(digest) {
                self.broken("I4", format!("entry {sequence} was acknowledged and is not there"));
                return;
            }
        }
    }

    /// I3 and I8: each value that a user wrote is in its row, or set aside while its column is
    /// not in the schema.
    fn values(&mut self) {
        let store = &self.state.store;
        for (id, row) in &self.state.clients.acked {
            for (column, value) in row {
                let found = if store.columns.contains(column) {
                    store.rows.get(id).and_then(|row| row.get(column))
                } else {
                    store.vault.get(column).and_then(|values| values.get(id))
                };
                if found != Some(value) {
                    let there = store.columns.contains(column);
                    let (invariant, place) =
                        if there { ("I3", "its row") } else { ("I8", "what is kept") };
                    self.broken(invariant, format!("{column} of row {id} is not in {place}"));
                    return;
                }
            }
        }
    }

    /// I9: nothing outlives who watches it, and what is taken back goes back at once.
    fn shares(&mut self) {
        let proxy = &self.state.proxy;
        let mut broken: Vec<String> = proxy.outlived.clone();
        broken.extend(self.state.backwards.first().cloned());
        if proxy.lapses > 0 && self.state.watched_all_along() {
            broken.push("a lease ended although somebody watched all the time".to_owned());
        }
        for what in broken {
            self.broken("I9", what);
        }
    }

    /// I6: it ended, or a person was told what they can do.
    fn ends(&mut self, rest: &Rest) {
        match rest {
            Rest::Over(_) | Rest::Held(_) => {}
            Rest::Idle => self.broken("I6", "the plan has vanished".to_owned()),
            Rest::Endless(why) => self.broken("I6", format!("it found no end: {why}")),
            Rest::NeedsOperator(step) => {
                let told = self.state.book.entries.iter().rev().find_map(|entry| {
                    match (&entry.event, &entry.subject) {
                        (Event::UndoFailed { error, commands }, Subject::Plan { step: of, .. })
                            if of == step =>
                        {
                            Some(!error.is_empty() && !commands.is_empty())
                        }
                        _ => None,
                    }
                });
                if told != Some(true) {
                    let what = format!("step {step} needs a person who was told nothing");
                    self.broken("I6", what);
                }
            }
        }
    }

    /// I1: one release answers everything, its instances are ready, and requests flow.
    fn traffic(&mut self, expected: &Expected<'_>) {
        let proxy = &self.state.proxy;
        let serves = if expected.live {
            Some(expected.plan.to.clone())
        } else {
            expected.before.served_by.clone()
        };
        self.same("I1", "the release in service", &proxy.live.split.only().cloned(), &serves);
        let sum: u32 = proxy.live.split.shares().values().map(|share| u32::from(*share)).sum();
        let whole = if serves.is_some() { 10_000 } else { 0 };
        self.same("I1", "the sum of the split", &sum, &whole);
        self.same("I1", "whether requests flow", &proxy.is_flowing(), &expected.before.flowing);
        let live = &proxy.live;
        let shared = live.lease.is_some() || !live.rules.is_empty() || !live.limits.is_empty();
        if shared || !live.draw.is_independent() {
            self.broken("I1", format!("«{live}» is left of sharing requests"));
        }
        if proxy.live != proxy.saved {
            self.broken("I1", "the proxy would come back to something else".to_owned());
        }
        let held = matches!(proxy.live.requests, Requests::Held(_));
        if held || !self.state.clients.waiting.is_empty() {
            self.broken("I1", "requests wait although nothing happens".to_owned());
        }
    }

    /// I3: configuration, flags and infrastructure are those of the release in service.
    fn settings(&mut self, expected: &Expected<'_>) {
        let settings = &self.state.settings;
        let config = if expected.live {
            Some(expected.plan.to.clone())
        } else {
            expected.before.config.clone()
        };
        let mut resources = expected.before.resources.clone();
        for step in &expected.plan.steps {
            if let Effect::EnsureResource { resource, release, state } = &step.effect {
                let applied = *state == ResourceState::Applied;
                if expected.live {
                    resources.insert(format!("{} for {release}", resource.name), applied);
                }
            }
        }
        let on = |resources: &BTreeMap<String, bool>| -> Vec<String> {
            let applied = resources.iter().filter(|(_, applied)| **applied);
            applied.map(|(name, _)| name.clone()).collect()
        };
        let (found, wanted) = (on(&settings.resources), on(&resources));
        self.same("I3", "the configuration", &settings.config.clone(), &config);
        self.same("I3", "the infrastructure applied", &found, &wanted);
    }

    /// I3: flags are those of the release in service, but for what somebody turned off; those of a
    /// release that was left are off.
    fn flags(&mut self, expected: &Expected<'_>) {
        let flags = &self.state.flags;
        let mut wanted = expected.before.flags.clone();
        let to = self.state.releases.get(&expected.plan.to);
        let to_left = Some(expected.plan.to.clone());
        match (expected.live, expected.plan.intent) {
            (true, Intent::Deploy) => {
                wanted.extend(to.map(SimRelease::flags).unwrap_or_default());
                // What a rollback turned off of another release stays off until that one is
                // deployed again.
                let last = self.state.book.entries.iter().rev().find_map(|entry| {
                    let Event::FlagsRevised { revision } = &entry.event else { return None };
                    Some(&revision.layers)
                });
                let others = last.into_iter().flatten().filter(|(id, _)| **id != expected.plan.to);
                for key in others.flat_map(|(_, layer)| &layer.flags) {
                    if let Some(value) = wanted.get_mut(key) {
                        OFF.clone_into(value);
                    }
                }
            }
            (true, Intent::Rollback) => {
                // As they were before the release came that took the target's place.
                let next = self.state.book.entries.iter().rev().find_map(|entry| {
                    let Event::PlanStarted { plan } = &entry.event else { return None };
                    let left = plan.intent == Intent::Deploy && plan.from == to_left;
                    left.then(|| plan.to.clone())
                });
                let before = next.and_then(|id| self.state.flags_before.get(&id).cloned());
                wanted = before.unwrap_or(wanted);
            }
            (false, _) => {}
        }
        let found = flags.served();
        for key in &flags.turned_off {
            // What a release brought goes with it, unless somebody has made it theirs.
            if wanted.contains_key(key) || found.contains_key(key) {
                wanted.insert(key.clone(), OFF.to_owned());
            }
        }
        if flags.is_told() {
            self.same("I3", "what flags are served", &found, &wanted);
        }
        let flags = &self.state.flags;
        let said = flags.said.clone();
        if flags.file != said {
            self.broken("I3", format!("served is {:?}, the ledger says {said:?}", flags.file));
        }
        for what in flags.wrong.clone() {
            self.broken("I10", what);
        }
    }

    /// I3: schema and data are those of `from` or of `to`, each change in force at most once.
    /// I10: flags at a service are as they belong to the release in service, but for what somebody
    /// made of them there.
    fn abroad(&mut self, expected: &Expected<'_>) {
        let abroad = &self.state.abroad;
        let wrong = abroad.wrong.clone();
        let live = |intent: Intent| expected.live && expected.plan.intent == intent;
        let mut found = Vec::new();
        for (key, before) in &expected.before.abroad {
            let on = match key.as_str() {
                _ if live(Intent::Deploy) && expected.plan.from.is_some() => true,
                _ if live(Intent::Rollback) => false,
                _ => before.is_on(),
            };
            let theirs = abroad.theirs.contains(key);
            // Off before anything else is off, whoever changed what else.
            let certain = key == OWN && live(Intent::Rollback);
            if abroad.is_on(key) != on && (!theirs || certain) {
                found.push(format!("{key} at the service is on: {}", !on));
            }
            let rules =
                |image: Option<&FlagImage>| image.and_then(|one| one.state.get("rules")).cloned();
            if !theirs && rules(abroad.flags.get(key)) != rules(Some(before)) {
                found.push(format!("the rules of {key} at the service are others"));
            }
        }
        for what in wrong.into_iter().chain(found) {
            self.broken("I10", what);
        }
    }

    fn schema(&mut self, expected: &Expected<'_>) {
        let store = &self.state.store;
        let applied: Vec<u64> = store.applied.iter().map(|one| one.migration.version.0).collect();
        if expected.live {
            let (versions, columns) = self.target(expected.plan);
            self.same("I3", "the list of migrations", &applied, &versions);
            self.same("I3", "the schema", &store.columns.clone(), &columns);
        } else {
            self.same("I3", "the list of migrations", &applied, &expected.before.applied);
            self.same("I3", "the schema", &store.columns.clone(), &expected.before.columns);
        }
        let bumps = store.bumps.clone();
        for (version, times) in bumps {
            let once = i64::from(applied.contains(&version));
            if times != once {
                let what = format!("the data change of migration {version} is in force {times} ×");
                self.broken("I3", what);
            }
        }
    }

    fn target(&self, plan: &Plan) -> (Vec<u64>, Columns) {
        let Some(release) = self.state.releases.get(&plan.to) else {
            return (Vec::new(), Columns::new());
        };
        let versions = release.scripts.iter().map(|script| script.migration.version.0);
        (versions.collect(), release.columns.clone())
    }

    /// I5: beside the web runs what belongs to the release in service, and nothing else.
    fn roles(&mut self, expected: &Expected<'_>) {
        let mut wanted = expected.before.roles.clone();
        if expected.live {
            wanted.clear();
            let to = self.state.releases.get(&expected.plan.to);
            for (name, role) in to.into_iter().flat_map(|to| &to.document.roles) {
                let count = usize::try_from(role.instances).unwrap_or(0);
                wanted.insert(format!("{name} of {}", expected.plan.to), count);
            }
        }
        let mut found: BTreeMap<String, usize> = BTreeMap::new();
        for process in &self.state.fleet.processes {
            if let Some(role) = &process.role {
                *found.entry(format!("{role} of {}", process.release)).or_default() += 1;
            }
        }
        self.same("I5", "the list of roles", &found, &wanted);
    }

    /// I5: the processes that should run do, and no others.
    fn processes(&mut self, expected: &Expected<'_>) {
        let mut wanted: BTreeMap<ReleaseId, usize> = expected.before.processes.clone();
        let instances = usize::try_from(self.state.wishes.policy.instances).unwrap_or(0);
        if expected.live {
            wanted.insert(expected.plan.to.clone(), instances);
        }
        if let Some(from) = &expected.plan.from {
            // Going back may have started what had died before; a rollback stops what it leaves,
            // and so does whoever replaces instance by instance.
            let stop = Effect::EnsureInstances { release: from.clone(), count: 0 };
            let stops = expected.plan.intent == Intent::Rollback
                || expected.plan.steps.iter().any(|step| step.effect == stop);
            if expected.live && stops {
                wanted.remove(from);
            } else if wanted.get(from).is_some_and(|found| *found > 0) {
                wanted.insert(from.clone(), instances);
            }
        }
        wanted.retain(|_, count| *count > 0);
        let mut found: BTreeMap<ReleaseId, usize> = BTreeMap::new();
        let web = self.state.fleet.processes.iter().filter(|process| process.role.is_none());
        for process in web {
            *found.entry(process.release.clone()).or_default() += 1;
        }
        if !expected.live && expected.plan.intent == Intent::Deploy {
            // What was taken back may stay for a while, or was there before and is gone.
            let to = &expected.plan.to;
            let stays = found.get(to).copied().unwrap_or(0);
            if stays == 0 || self.state.wishes.policy.abort_keep_ms != Some(0) {
                wanted.insert(to.clone(), stays);
            }
            wanted.retain(|_, count| *count > 0);
        }
        let serves = self.state.proxy.live.split.only().cloned();
        for release in self.state.fleet.gone.iter().filter(|one| Some(*one) != serves.as_ref()) {
            // Somebody else stopped it, and nothing that happened since needed it.
            if !found.contains_key(release) {
                wanted.remove(release);
            }
        }
        self.same("I5", "the list of processes", &found, &wanted);
        self.roles(expected);
        let bad = serves.as_ref().and_then(|serves| self.state.releases.get(serves));
        let bad = bad.is_some_and(|release| release.traits.is_bad());
        for process in &self.state.fleet.processes {
            let ready = matches!(process.state, Life::Ready(_)) || process.role.is_some();
            if Some(&process.release) == serves.as_ref() && !ready && !bad {
                let what = format!("process {} of {} is not ready", process.id, process.release);
                self.broken("I1", what);
            }
        }
    }
}
