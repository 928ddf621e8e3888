//! What the ledger says has happened in one environment: a fold over its entries.

use crate::model::{Digest, EnvironmentName, Generation, PlanId, ReleaseId};
use crate::plan::{Intent, Plan};
use crate::run::entry::{Entry, Subject};
use crate::run::event::{Event, Outcome};
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
    /// The old release that is kept running, and since when it no longer serves.
    pub warm: Option<(ReleaseId, Timestamp)>,
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
            _ => {}
        }
    }

    fn begin(&mut self, plan: &Plan, entry: &Entry) {
        self.generation = plan.based_on.next();
        self.running = Some(plan.id.clone());
        self.held.remove(&plan.to);
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
            (Outcome::Live, Intent::Deploy) => self.went_live(from, to, entry.at),
            (Outcome::Live, Intent::Rollback) => self.rolled_back(from, &to),
            (Outcome::WentBack(reason), Intent::Deploy) => {
                self.held.insert(to, reason.to_string());
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
