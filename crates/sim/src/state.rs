//! The whole simulated world as one value. Controllers come and go; this stays.

use crate::abroad::Abroad;
use crate::book::Book;
use crate::clients::Clients;
use crate::database::Store;
use crate::fault::{Fault, Protection, Schedule};
use crate::flags::{FlagStore, Served};
use crate::fleet::Fleet;
use crate::metrics::{Source, Sources};
use crate::proxy::Proxy;
use crate::release::SimRelease;
use crate::settings::Settings;
use crate::wishes::Wishes;
use ripcord_core::flag::FlagImage;
use ripcord_core::model::ids::Millis;
use ripcord_core::model::{PlanId, ReleaseId};
use ripcord_core::plan::Effect;
use ripcord_core::run::Event;
use std::collections::{BTreeMap, BTreeSet};

/// How fine the simulated time is.
const TICK_MS: Millis = 5;

/// More actions than any run can need; a run that gets here does not end.
pub(crate) const ACTIONS_MAX: u64 = 20_000;

/// Longer than any run takes; one that gets here does not end.
pub(crate) const RUN_MS_MAX: Millis = 20 * 60_000;

/// Everything there is.
#[derive(Debug, Clone, Default)]
pub struct State {
    pub(crate) now_ms: Millis,
    pub(crate) releases: BTreeMap<ReleaseId, SimRelease>,
    pub(crate) book: Book,
    pub(crate) store: Store,
    pub(crate) fleet: Fleet,
    pub(crate) proxy: Proxy,
    pub(crate) settings: Settings,
    pub(crate) flags: FlagStore,
    pub(crate) abroad: Abroad,
    pub(crate) clients: Clients,
    pub(crate) sources: Sources,
    /// What the environment's owner wants.
    pub wishes: Wishes,
    pub(crate) off: BTreeSet<Protection>,
    pub(crate) schedule: Schedule,
    /// When the schedule was set.
    pub(crate) since_ms: Millis,
    pub(crate) actions: u64,
    pub(crate) calls: u64,
    pub(crate) moment: Moment,
    pub(crate) struck: Vec<Struck>,
    /// The present transaction commits later than its client waits.
    pub(crate) late: bool,
    /// Plans that began while another one ran.
    pub(crate) double_starts: u32,
    /// Changes that were accepted from a controller whose receiver knew a newer one.
    pub(crate) stale: Vec<String>,
    /// What a person will ask for, and when.
    pub(crate) appointments: Vec<(Millis, Event)>,
    /// Somebody asked that nobody watch.
    pub(crate) left_alone: bool,
    /// What got requests on the way back that it had lost already.
    pub(crate) backwards: Vec<String>,
    /// When something that all releases need is down, and how many of a hundred answers that costs.
    pub(crate) outages: Vec<(Millis, Millis, u64)>,
    /// The world as it was when each plan began.
    pub(crate) golden: Vec<(PlanId, Golden)>,
    /// What flags were served before each release was deployed.
    pub(crate) flags_before: BTreeMap<ReleaseId, Served>,
}

/// Where in a plan the present action belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Moment {
    /// The kind of the step.
    pub kind: StepKind,
    /// Whether it is being taken back.
    pub back: bool,
}

/// Kinds of steps, for counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum StepKind {
    /// Between steps.
    #[default]
    None,
    /// A copy of the database.
    Backup,
    /// A change of schema.
    Schema,
    /// Configuration.
    Config,
    /// Instances.
    Instances,
    /// Roles beside the web.
    Role,
    /// Traffic.
    Traffic,
    /// Flags.
    Flags,
    /// Infrastructure.
    Resource,
    /// Watching.
    Bake,
    /// Comparing.
    Analysis,
    /// Verifying.
    Verify,
    /// Asking a person.
    Approve,
}

impl StepKind {
    /// The kind of an effect.
    pub fn of(effect: &Effect) -> StepKind {
        match effect {
            Effect::EnsureBackup { .. } => StepKind::Backup,
            Effect::EnsureSchema { .. } => StepKind::Schema,
            Effect::EnsureConfig { .. } => StepKind::Config,
            Effect::EnsureInstances { .. } => StepKind::Instances,
            Effect::EnsureRole { .. } => StepKind::Role,
            Effect::EnsureTraffic { .. } => StepKind::Traffic,
            Effect::EnsureFlags { .. }
            | Effect::EnsureFlagChange(_)
            | Effect::EnsureFlagLayer(_)
            | Effect::ConfirmFlags { .. }
            | Effect::RecordServiceFlags { .. }
            | Effect::EnsureServiceFlag(_)
            | Effect::SettleServiceFlags { .. } => StepKind::Flags,
            Effect::EnsureResource { .. } => StepKind::Resource,
            Effect::Bake(_) => StepKind::Bake,
            Effect::Analysis(_) => StepKind::Analysis,
            Effect::Verify { .. } => StepKind::Verify,
            Effect::Approve { .. } => StepKind::Approve,
        }
    }
}

/// A fault that struck.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Struck {
    /// Which.
    pub fault: Fault,
    /// In which step.
    pub moment: Moment,
    /// At which action.
    pub action: u64,
    /// What was about to happen.
    pub name: &'static str,
}

/// What must be as before when a plan went back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Golden {
    pub(crate) columns: BTreeSet<String>,
    pub(crate) applied: Vec<u64>,
    pub(crate) config: Option<ReleaseId>,
    pub(crate) flags: Served,
    pub(crate) abroad: BTreeMap<String, FlagImage>,
    pub(crate) resources: BTreeMap<String, bool>,
    pub(crate) served_by: Option<ReleaseId>,
    pub(crate) flowing: bool,
    pub(crate) processes: BTreeMap<ReleaseId, usize>,
    pub(crate) roles: BTreeMap<String, usize>,
}

impl State {
    /// Adds a release that can be deployed.
    pub fn add_release(&mut self, release: SimRelease) {
        self.flags.put(&release.parts());
        self.releases.insert(release.id().clone(), release);
    }

    /// The same with releases that have flags at a service.
    #[must_use]
    pub fn with_flags_abroad(mut self) -> State {
        for (id, release) in &mut self.releases {
            let newer = id.as_str() != "v1";
            *release = release.clone().with_flags_abroad(newer);
        }
        self
    }

    /// A release by its name.
    pub fn release(&self, id: &str) -> Option<&SimRelease> {
        self.releases.get(&ReleaseId::from(id))
    }

    /// Whether the schema has a column.
    pub fn has_column(&self, column: &str) -> bool {
        self.store.columns.contains(column)
    }

    /// Sets what goes wrong from now on, counting actions and effects from 1 again.
    pub fn set_schedule(&mut self, schedule: Schedule) {
        self.schedule = schedule;
        self.since_ms = self.now_ms;
        self.proxy.lapses = 0;
        self.actions = 0;
        self.calls = 0;
        self.struck.clear();
    }

    /// Switches a protection off.
    pub fn switch_off(&mut self, protection: Protection) {
        self.off.insert(protection);
    }

    /// A source of metrics behaves like this from now on.
    pub fn set_source(&mut self, name: &str, source: Source) {
        self.sources.known.insert(name.to_owned(), source);
    }

    /// Lets this piece of infrastructure fail.
    pub fn break_resource(&mut self, name: &str) {
        self.settings.broken = Some(name.to_owned());
    }

    /// How many requests failed by the fault of the release that got them.
    pub fn own_errors(&self) -> u64 {
        self.clients.own_errors
    }

    /// The disk of the ledger has nothing left but its reserve.
    pub fn fill_disk(&mut self) {
        self.book.full = true;
    }

    /// Lets all infrastructure work again.
    pub fn mend_resources(&mut self) {
        self.settings.broken = None;
    }

    /// How many actions have happened since the schedule was set.
    pub fn actions(&self) -> u64 {
        self.actions
    }

    /// How many effects were asked for since the schedule was set.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// What struck since the schedule was set.
    pub fn struck(&self) -> &[Struck] {
        &self.struck
    }

    pub(crate) fn protects(&self, protection: Protection) -> bool {
        !self.off.contains(&protection)
    }

    /// Lets time pass.
    pub fn advance(&mut self, ms: Millis) {
        let until = self.now_ms + ms;
        while self.now_ms < until {
            self.now_ms = (self.now_ms + TICK_MS).min(until);
            self.tick();
        }
    }

    fn tick(&mut self) {
        self.tick_fleet();
        self.tick_proxy();
        self.tick_store();
        self.tick_clients();
        self.tick_flags();
        self.tick_abroad();
    }

    pub(crate) fn golden_now(&self) -> Golden {
        let (mut processes, mut roles) = (BTreeMap::new(), BTreeMap::new());
        for process in &self.fleet.processes {
            match &process.role {
                None => *processes.entry(process.release.clone()).or_default() += 1,
                Some(role) => {
                    *roles.entry(format!("{role} of {}", process.release)).or_default() += 1;
                }
            }
        }
        Golden {
            columns: self.store.columns.clone(),
            applied: self.store.applied.iter().map(|one| one.migration.version.0).collect(),
            config: self.settings.config.clone(),
            flags: self.flags.served(),
            abroad: self.abroad.flags.clone(),
            resources: self.settings.resources.clone(),
            served_by: self.proxy.live.split.only().cloned(),
            flowing: self.proxy.is_flowing(),
            processes,
            roles,
        }
    }

    /// Whether nothing struck and nobody asked for silence, so that the proxy was never left alone.
    pub(crate) fn watched_all_along(&self) -> bool {
        self.struck.is_empty() && !self.left_alone
    }

    /// A person asks for something after a while, whatever goes on then.
    pub fn ask_in(&mut self, ms: Millis, event: Event) {
        self.appointments.push((self.now_ms + ms, event));
    }

    /// Nobody watches for a while.
    pub fn leave_alone(&mut self, ms: Millis) {
        self.left_alone = true;
        self.advance(ms);
    }

    /// The fault that strikes an action, if any.
    pub(crate) fn strike_action(&mut self, name: &'static str) -> Option<Fault> {
        self.actions += 1;
        let fault = self.schedule.strikes_action(self.actions, self.moment.kind)?;
        self.note(fault, name);
        Some(fault)
    }

    /// The fault that strikes an effect, if any.
    pub(crate) fn strike_call(&mut self, name: &'static str) -> Option<Fault> {
        self.calls += 1;
        let fault = self.schedule.strikes_call(self.calls, self.moment.kind)?;
        self.note(fault, name);
        Some(fault)
    }

    fn note(&mut self, fault: Fault, name: &'static str) {
        let struck = Struck { fault, moment: self.moment, action: self.actions, name };
        self.struck.push(struck);
    }

    /// A receiver's fence check: refuses who is older than the newest it has seen.
    pub(crate) fn admit(
        &mut self,
        receiver: &'static str,
        seen: u64,
        ours: u64,
    ) -> ripcord_engine::Result<u64> {
        if ours >= seen {
            return Ok(ours);
        }
        if self.protects(Protection::FenceChecked) {
            return Err(ripcord_engine::Failure::Fenced { seen, ours });
        }
        self.stale.push(format!("{receiver} changed by fence {ours} after fence {seen}"));
        Ok(seen)
    }
}
