//! What an environment is at this moment, for people and machines.

use crate::controller::Controller;
use crate::controller::environment::EnvironmentControl;
use crate::controller::past::Running;
use crate::failure::{Code, Failure};
use jiff::Timestamp;
use ripcord_core::model::{
    Authorities, Environment, EnvironmentName, Generation, PlanId, ReleaseId, TrafficState,
};
use ripcord_core::plan::{Analysis, Effect, Intent, Plan, Step, Until};
use ripcord_core::report::Rollout;
use ripcord_core::run::next::Hold;
use ripcord_core::run::{Entry, History, Next, Outcome, Progress, StepState, next, replay};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The whole status of an environment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Status {
    pub(crate) environment: EnvironmentName,
    pub(crate) generation: Generation,
    /// The verified release that serves; none before the first.
    pub(crate) live: Option<ReleaseId>,
    /// What the proxy does, in words.
    pub(crate) traffic: String,
    /// Where users and previews are answered.
    pub(crate) listen: String,
    pub(crate) preview: Option<String>,
    pub(crate) instances: BTreeMap<ReleaseId, InstancesStatus>,
    /// The digest of the catalogue and the newest migration.
    pub(crate) schema: Option<String>,
    pub(crate) migration: Option<String>,
    pub(crate) config: Option<ReleaseId>,
    pub(crate) flags: Option<String>,
    /// The plan that is not over.
    pub(crate) operation: Option<Operation>,
    /// The last plan that is over.
    pub(crate) last: Option<LastOperation>,
    /// Releases that were taken back, with the reason.
    pub(crate) held: BTreeMap<ReleaseId, String>,
    /// The way back without an argument.
    pub(crate) way_back: String,
    /// Since when a downtime window is open.
    pub(crate) maintenance_since: Option<Timestamp>,
    /// How far Ripcord may go here.
    #[serde(default)]
    pub(crate) authority: Authorities,
    /// How many requests came in a second lately; none while that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) requests_per_second: Option<f64>,
    /// What the controller could not put right at its last look.
    pub(crate) problem: Option<String>,
    /// The sequence of the ledger's newest entry of this environment.
    pub(crate) sequence: u64,
}

/// The instances of a release.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct InstancesStatus {
    pub(crate) wanted: u32,
    pub(crate) ready: u32,
}

/// A plan that is not over.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Operation {
    pub(crate) plan: PlanId,
    pub(crate) intent: Intent,
    pub(crate) from: Option<ReleaseId>,
    pub(crate) to: ReleaseId,
    pub(crate) by: String,
    pub(crate) since: Timestamp,
    pub(crate) phase: Phase,
    /// What it does or waits for, in words.
    pub(crate) doing: String,
    /// How many steps are done, and of how many.
    pub(crate) steps_done: usize,
    pub(crate) steps: usize,
    /// Where its canary stands, while two releases share the requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rollout: Option<Rollout>,
}

/// What a plan is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    Progressing,
    GoingBack,
    Paused,
    AwaitingApproval,
    Undecided,
    Degraded,
    NeedsOperator,
}

impl Phase {
    /// Whether nothing moves until a person does something.
    pub(crate) fn waits_for_a_person(self) -> bool {
        match self {
            Phase::Progressing | Phase::GoingBack => false,
            Phase::Paused
            | Phase::AwaitingApproval
            | Phase::Undecided
            | Phase::Degraded
            | Phase::NeedsOperator => true,
        }
    }
}

/// A plan that is over.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LastOperation {
    pub(crate) plan: PlanId,
    pub(crate) intent: Intent,
    pub(crate) to: ReleaseId,
    pub(crate) outcome: Outcome,
}

impl Controller {
    /// Looks at everything and says what it is.
    pub(crate) fn status(&self, environment: &EnvironmentControl) -> Result<Status, Failure> {
        let (observed, unseen) = self.observe_the_rest(environment)?;
        let past = environment.past(&self.ledger)?;
        let operation = match &past.running {
            Some(Running { plan, entries, .. }) => {
                let progress = replay(entries)
                    .map_err(|error| Failure::new(Code::LedgerDamaged, error.to_string()))?;
                operation(plan, entries, &progress, &past.history).map(|mut operation| {
                    operation.rollout = operation.rollout.map(|one| measured(one, environment));
                    operation
                })
            }
            None => None,
        };
        let settings = environment.settings();
        Ok(Status {
            environment: environment.name.clone(),
            generation: observed.generation,
            live: observed.history.live().cloned(),
            traffic: TrafficState {
                preview: observed.traffic.preview.clone().filter(|_| settings.preview.is_some()),
                ..observed.traffic.clone()
            }
            .to_string(),
            listen: format!("http://{}", settings.listen),
            preview: settings.preview.map(|address| format!("http://{address}")),
            instances: observed
                .instances
                .iter()
                .map(|(id, i)| (id.clone(), InstancesStatus { wanted: i.wanted, ready: i.ready }))
                .collect(),
            schema: observed.schema.as_ref().map(|schema| schema.digest.short().to_owned()),
            migration: observed
                .schema
                .as_ref()
                .and_then(|schema| schema.applied.last())
                .map(|applied| applied.migration.to_string()),
            config: observed.config.clone(),
            flags: observed.flags.as_ref().map(|digest| digest.short().to_owned()),
            operation,
            last: last(&observed.history),
            held: observed.history.held.clone(),
            way_back: way_back(&observed),
            maintenance_since: observed.history.maintenance.as_ref().map(|(since, _)| *since),
            authority: settings.authority,
            requests_per_second: observed.past.and_then(|past| past.per_second()),
            problem: unseen.or_else(|| self.problem(environment)),
            sequence: past.sequence,
        })
    }
}

/// With the share of all requests, which the proxy alone knows: the journal has what the judge
/// was given, and where nobody judges, nothing.
fn measured(rollout: Rollout, environment: &EnvironmentControl) -> Rollout {
    let now = environment.traffic.measured_share(&rollout.canary, rollout.asked);
    Rollout { measured: now.or(rollout.measured), ..rollout }
}

fn operation(
    plan: &Plan,
    entries: &[Entry],
    progress: &Progress,
    history: &History,
) -> Option<Operation> {
    let begun = history.operations.iter().rev().find(|operation| operation.plan == plan.id)?;
    let done = |state: &StepState| matches!(state, StepState::Succeeded);
    let (phase, doing) = match next(plan, progress) {
        Next::Do(step) => match question(step) {
            Some(question) => (Phase::AwaitingApproval, question),
            None => (Phase::Progressing, step.effect.to_string()),
        },
        Next::Undo(step) => (Phase::GoingBack, format!("taking back «{}»", step.effect)),
        Next::TurnBack(reason) => (Phase::GoingBack, reason.to_string()),
        Next::Hold(Hold::Paused(why)) => (Phase::Paused, why),
        Next::Hold(Hold::Approval(question)) => (Phase::AwaitingApproval, question),
        Next::Hold(Hold::Undecided(because)) => (Phase::Undecided, because),
        Next::Hold(Hold::Degraded(because)) => (Phase::Degraded, because),
        Next::Hold(Hold::NeedsPerson(what)) => (Phase::NeedsOperator, what),
        Next::NeedsOperator(step) => {
            let what = plan.step(step).map(|step| step.effect.to_string()).unwrap_or_default();
            (Phase::NeedsOperator, format!("«{what}» cannot be taken back"))
        }
        Next::Finish(_) | Next::Over(_) => (Phase::Progressing, "finishing".to_owned()),
    };
    Some(Operation {
        plan: plan.id.clone(),
        intent: plan.intent,
        from: plan.from.clone(),
        to: plan.to.clone(),
        by: begun.by.clone(),
        since: begun.started_at,
        phase,
        doing,
        steps_done: progress.states.values().filter(|state| done(state)).count(),
        steps: plan.steps.len(),
        rollout: Rollout::of(plan, progress, entries),
    })
}

/// What a person is asked while the judge watches on.
fn question(step: &Step) -> Option<String> {
    match &step.effect {
        Effect::Analysis(Analysis { until: Until::Promoted { question }, .. }) => {
            Some(question.clone())
        }
        _ => None,
    }
}

fn last(history: &History) -> Option<LastOperation> {
    let over = history.operations.iter().rev().find_map(|operation| {
        let outcome = operation.outcome.clone()?;
        Some((operation, outcome))
    });
    over.map(|(operation, outcome)| LastOperation {
        plan: operation.plan.clone(),
        intent: operation.intent,
        to: operation.to.clone(),
        outcome,
    })
}

fn way_back(observed: &Environment) -> String {
    let Some(target) = observed.history.last_verified_before_live() else {
        return "none: no earlier release was verified here".to_owned();
    };
    let ready = observed.instances.get(&target.release).is_some_and(|i| i.ready > 0);
    let how = if ready { "it still runs" } else { "it has to be started" };
    format!("{}: `ripcord rollback`, {how}", target.release)
}
