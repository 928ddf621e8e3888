//! What the ledger says has happened in one environment: a fold over its entries.

use crate::flag::{FlagSpan, FlagState, ServiceTrace, ServiceWish};
use crate::model::{Digest, EnvironmentName, Generation, PlanId, ReleaseId};
use crate::plan::{Effect, Intent, Plan};
use crate::run::entry::{Entry, Subject};
use crate::run::event::{Event, Observation, Outcome};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What has happened in an environment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct History {
    /// How many plans have begun.
    pub generation: Generation,
    /// The verified releases, oldest first; the last one is live. A rollback takes away what
    /// came after its target.
    pub verified: Vec<Verified>,
    /// Releases that were taken back, with the reason; they are not deployed again unless a
    /// person retries them.
    pub held: BTreeMap<ReleaseId, String>,
    /// The plan that is not over.
    pub running: Option<PlanId>,
    /// All plans, oldest first.
    pub operations: Vec<Operation>,
    /// The downtime window that is open: since when, and the fingerprints of its beginning.
    pub maintenance: Option<(Timestamp, BTreeMap<String, Digest>)>,
    /// The release that the last plan took back, and when; none once another plan has begun.
    #[serde(default)]
    pub taken_back: Option<(ReleaseId, Timestamp)>,
    /// The old release that is kept running, and since when it no longer serves.
    pub warm: Option<(ReleaseId, Timestamp)>,
    /// The flags as the last revision has them.
    #[serde(default)]
    pub flags: FlagState,
    /// What the last deploy of each release did to the flags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub flag_spans: BTreeMap<ReleaseId, FlagSpan>,
    /// What the plan which began last has done to them so far.
    #[serde(default)]
    pub flag_span: FlagSpan,
    /// What the last deploy of each release did to flags at services, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub service_spans: BTreeMap<ReleaseId, BTreeMap<String, ServiceTrace>>,
    /// What rollbacks turned off at services, by name, until the release is deployed again.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub service_offs: BTreeMap<String, ServiceOff>,
    /// What the plan which began last has seen of flags at services so far.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<String, ServiceTrace>,
    /// The flags that this plan turns off at services, with the releases that they belong to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub turning_off: BTreeMap<String, ReleaseId>,
}

/// A flag at a service that a rollback turned off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceOff {
    /// The release that it belongs to.
    pub release: ReleaseId,
    /// What it was before and after.
    pub trace: ServiceTrace,
}

/// A release that was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Which.
    pub release: ReleaseId,
    /// Since when.
    pub at: Timestamp,
    /// When another took its place.
    pub replaced_at: Option<Timestamp>,
}

/// One plan of the past or present.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Which.
    pub plan: PlanId,
    /// What for.
    pub intent: Intent,
    /// From which release.
    pub from: Option<ReleaseId>,
    /// To which release.
    pub to: ReleaseId,
    /// Who began it.
    pub by: String,
    /// When.
    pub started_at: Timestamp,
    /// How it ended; none while it runs.
    pub outcome: Option<Outcome>,
}

impl History {
    /// Folds all entries that belong to an environment.
    pub fn of<'a>(
        environment: &EnvironmentName,
        entries: impl IntoIterator<Item = &'a Entry>,
    ) -> History {
        let mut history = History::default();
        for entry in entries {
            if entry.subject.environment() == Some(environment) {
                history.take(entry);
            }
        }
        history
    }

    /// The release that serves as verified.
    pub fn live(&self) -> Option<&ReleaseId> {
        self.verified.last().map(|verified| &verified.release)
    }

    /// The release to which a rollback without an argument goes.
    pub fn last_verified_before_live(&self) -> Option<&Verified> {
        let live = self.live()?;
        self.verified.iter().rev().find(|verified| &verified.release != live)
    }

    /// Takes one more entry of this environment into account.
    pub fn take(&mut self, entry: &Entry) {
        match &entry.event {
            Event::PlanStarted { plan } => self.begin(plan, entry),
            Event::Finished { outcome } => self.finish(outcome, entry),
            Event::MaintenanceOn { fingerprints, .. } => {
                self.maintenance = Some((entry.at, fingerprints.clone()));
            }
            Event::MaintenanceOff { .. } => self.maintenance = None,
            Event::WarmEnded { .. } => self.warm = None,
            Event::FlagsRevised { revision } => {
                if revision.cause.is_some() {
                    self.flag_span.take(&self.flags, revision);
                }
                self.flags.take(revision);
            }
            Event::Observed { observation: Observation::ServiceFlag { seen } } => {
                let trace = self.services.entry(seen.flag.name());
                trace.or_insert_with(|| ServiceTrace::of(&seen.flag)).take(seen);
            }
            _ => {}
        }
    }

    fn begin(&mut self, plan: &Plan, entry: &Entry) {
        self.generation = plan.based_on.next();
        self.running = Some(plan.id.clone());
        self.held.remove(&plan.to);
        self.taken_back = None;
        self.flags.plan_begins();
        self.flag_span = FlagSpan::at(&self.flags);
        self.services.clear();
        self.turning_off = turning_off(plan);
        self.operations.push(Operation {
            plan: plan.id.clone(),
            intent: plan.intent,
            from: plan.from.clone(),
            to: plan.to.clone(),
            by: entry.by.clone(),
            started_at: entry.at,
            outcome: None,
        });
    }

    fn finish(&mut self, outcome: &Outcome, entry: &Entry) {
        let Subject::Plan { plan, .. } = &entry.subject else { return };
        let Some(operation) = self.operations.iter_mut().rev().find(|o| &o.plan == plan) else {
            return;
        };
        operation.outcome = Some(outcome.clone());
        let (intent, from, to) = (operation.intent, operation.from.clone(), operation.to.clone());
        self.running = None;
        match (outcome, intent) {
            (Outcome::Live, Intent::Deploy) => {
                self.flag_spans.insert(to.clone(), self.flag_span.clone());
                self.service_spans.insert(to.clone(), self.services.clone());
                self.service_spans.retain(|_, spans| !spans.is_empty());
                self.service_offs.retain(|_, off| off.release != to);
                self.went_live(from, to, entry.at);
            }
            (Outcome::Live, Intent::Rollback) => {
                self.turned_off();
                self.rolled_back(from, &to);
            }
            (Outcome::WentBack(reason), Intent::Deploy) => {
                self.held.insert(to.clone(), reason.to_string());
                self.taken_back = Some((to, entry.at));
            }
            (Outcome::WentBack(_), Intent::Rollback) => {}
        }
    }

    fn went_live(&mut self, from: Option<ReleaseId>, to: ReleaseId, at: Timestamp) {
        if let Some(last) = self.verified.last_mut() {
            last.replaced_at = Some(at);
        }
        self.verified.retain(|verified| verified.release != to);
        self.verified.push(Verified { release: to, at, replaced_at: None });
        self.warm = from.map(|from| (from, at));
    }

    /// Remembers what the plan turned off that was on before.
    fn turned_off(&mut self) {
        for (name, release) in std::mem::take(&mut self.turning_off) {
            let trace = self.services.get(&name).filter(|trace| trace.found.is_some());
            if let Some(trace) = trace.cloned() {
                self.service_offs.insert(name, ServiceOff { release, trace });
            }
        }
    }

    fn rolled_back(&mut self, from: Option<ReleaseId>, to: &ReleaseId) {
        if let Some(place) = self.verified.iter().rposition(|verified| &verified.release == to) {
            self.verified.truncate(place + 1);
            self.verified[place].replaced_at = None;
        }
        if let Some(from) = from {
            self.held.insert(from, "rolled back".to_owned());
        }
        self.warm = None;
    }
}

fn turning_off(plan: &Plan) -> BTreeMap<String, ReleaseId> {
    let off = plan.steps.iter().filter_map(|step| match &step.effect {
        Effect::EnsureServiceFlag(change) if change.wish == ServiceWish::Off => {
            Some((change.flag.name(), change.release.clone()))
        }
        _ => None,
    });
    off.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Fence;
    use crate::plan::fixture::{deploy_plan, rollback_plan};
    use crate::run::event::TurnReason;
    use std::sync::Arc;

    /// A ledger of plans that began and ended.
    #[derive(Default)]
    struct Book(Vec<Entry>);

    impl Book {
        fn write(&mut self, plan: &Plan, event: Event) {
            let (environment, plan, step) = (plan.environment.clone(), plan.id.clone(), 0);
            self.0.push(Entry {
                sequence: self.0.len() as u64 + 1,
                subject: Subject::Plan { environment, plan, step },
                fence: Fence(1),
                at: Timestamp::UNIX_EPOCH,
                by: "ann".into(),
                event,
                previous: Digest::of_bytes(b""),
            });
        }

        /// Runs a plan from one release to another.
        fn run(&mut self, intent: Intent, from: Option<&str>, to: &str, outcome: Option<Outcome>) {
            let (_, mut plan) = match intent {
                Intent::Deploy => deploy_plan(None),
                Intent::Rollback => rollback_plan(None),
            };
            plan.from = from.map(ReleaseId::from);
            plan.to = to.into();
            plan.based_on = self.history().generation;
            plan.id = plan.computed_id();
            self.write(&plan, Event::PlanStarted { plan: Arc::new(plan.clone()) });
            if let Some(outcome) = outcome {
                self.write(&plan, Event::Finished { outcome });
            }
        }

        fn history(&self) -> History {
            History::of(&"production".into(), &self.0)
        }
    }

    fn back() -> Outcome {
        Outcome::WentBack(TurnReason::Evidence("errors".into()))
    }

    fn verified(history: &History) -> Vec<&str> {
        history.verified.iter().map(|verified| verified.release.as_str()).collect()
    }

    #[test]
    fn deploys_and_a_rollback() {
        let mut book = Book::default();
        assert_eq!(book.history(), History::default());
        book.run(Intent::Deploy, None, "v1", Some(Outcome::Live));
        book.run(Intent::Deploy, Some("v1"), "v2", Some(Outcome::Live));
        book.run(Intent::Deploy, Some("v2"), "v3", Some(Outcome::Live));
        let history = book.history();
        assert_eq!(verified(&history), ["v1", "v2", "v3"]);
        let before = history.last_verified_before_live();
        assert_eq!(before.map(|verified| verified.release.as_str()), Some("v2"));
        assert_eq!(history.warm.map(|(release, _)| release), Some("v2".into()));

        book.run(Intent::Rollback, Some("v3"), "v1", Some(Outcome::Live));
        let history = book.history();
        assert_eq!(verified(&history), ["v1"]);
        assert_eq!(history.live(), Some(&"v1".into()));
        assert_eq!(history.held.get(&ReleaseId::from("v3")).unwrap(), "rolled back");
        assert_eq!((history.generation, history.warm), (Generation(4), None));
        assert_eq!(history.verified[0].replaced_at, None);
    }

    #[test]
    fn what_goes_back_is_held_until_it_is_begun_again() {
        let mut book = Book::default();
        book.run(Intent::Deploy, None, "v1", Some(Outcome::Live));
        book.run(Intent::Deploy, Some("v1"), "v2", Some(back()));
        let history = book.history();
        assert_eq!(history.live(), Some(&"v1".into()));
        assert_eq!(history.held.get(&ReleaseId::from("v2")).unwrap(), "errors");
        assert_eq!(history.running, None);
        book.run(Intent::Deploy, Some("v1"), "v2", None);
        let history = book.history();
        assert!(history.held.is_empty());
        assert!(history.running.is_some());
    }

    #[test]
    fn a_rollback_that_fails_changes_nothing() {
        let mut book = Book::default();
        book.run(Intent::Deploy, None, "v1", Some(Outcome::Live));
        book.run(Intent::Deploy, Some("v1"), "v2", Some(Outcome::Live));
        let before = book.history();
        book.run(Intent::Rollback, Some("v2"), "v1", Some(back()));
        let after = book.history();
        assert_eq!((after.verified, after.held), (before.verified, before.held));
    }
}
