//! What a plan did, added up from its journal, to be held against its forecast.

use crate::model::ids::Millis;
use crate::plan::Plan;
use crate::run::event::{Event, Outcome};
use crate::run::{Entry, Subject};
use crate::schema::Counted;
use serde::Serialize;

/// What became of things while a plan ran.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Account {
    /// Set aside.
    pub kept: Vec<Counted>,
    /// Brought back.
    pub restored: Vec<Counted>,
    /// Put out of sight.
    pub hidden: Vec<Counted>,
    /// Destroyed for good.
    pub gone: Vec<Counted>,
    /// From the decision to go back to the traffic being back, where that happened.
    pub decision_to_traffic_ms: Option<Millis>,
    /// From the decision to go back to the end.
    pub decision_to_end_ms: Option<Millis>,
    /// How it ended; none while it runs.
    pub outcome: Option<Outcome>,
}

impl Account {
    /// Adds up the entries of one plan; others are passed over.
    pub fn of<'a>(plan: &Plan, entries: impl IntoIterator<Item = &'a Entry>) -> Account {
        let mut account = Account::default();
        let mut decided = None;
        for entry in entries {
            let Subject::Plan { plan: of, step, .. } = &entry.subject else { continue };
            if of != &plan.id {
                continue;
            }
            let since_decision = decided.map(|decided| {
                u64::try_from(entry.at.duration_since(decided).as_millis()).unwrap_or(0)
            });
            match &entry.event {
                Event::TurnedBack { .. } => decided = Some(entry.at),
                Event::Succeeded { receipt } | Event::UndoSucceeded { receipt } => {
                    account.kept.extend(receipt.kept.iter().cloned());
                    account.restored.extend(receipt.restored.iter().cloned());
                    account.hidden.extend(receipt.hidden.iter().cloned());
                    account.gone.extend(receipt.gone.iter().cloned());
                    if since_decision.is_some() && returns_traffic(plan, *step) {
                        account.decision_to_traffic_ms = since_decision;
                    }
                }
                Event::Finished { outcome } => {
                    account.decision_to_end_ms = since_decision;
                    account.outcome = Some(outcome.clone());
                }
                _ => {}
            }
        }
        account
    }
}

/// Whether undoing this step lets requests flow to the release before.
fn returns_traffic(plan: &Plan, step: u32) -> bool {
    use crate::model::Requests;
    use crate::plan::{Effect, Undo};
    let Some(Undo::Apply(effects)) = plan.step(step).map(|step| &step.undo) else { return false };
    let was_elsewhere = plan.step(step).is_some_and(|step| match &step.effect {
        Effect::EnsureTraffic { state, .. } => {
            state.split.only() == Some(&plan.to) || matches!(state.requests, Requests::Held(_))
        }
        _ => false,
    });
    was_elsewhere
        && effects.iter().any(|effect| match effect {
            Effect::EnsureTraffic { state, .. } => {
                state.requests == Requests::Flowing && state.split.only() == plan.from.as_ref()
            }
            _ => false,
        })
}
