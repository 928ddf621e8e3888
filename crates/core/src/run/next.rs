//! The whole decision: what to do next, from the plan and its replayed journal alone.

use crate::model::StepId;
use crate::plan::{Effect, Plan, Step, Undo};
use crate::run::event::{FailureKind, Outcome, TurnReason};
use crate::run::progress::{Progress, StepState};

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next<'a> {
    /// Make this step's effect true.
    Do(&'a Step),
    /// Write that the plan goes back, for this reason.
    TurnBack(TurnReason),
    /// Take this step back.
    Undo(&'a Step),
    /// Nothing, until a person or the world does something.
    Hold(Hold),
    /// Nothing, until a person has put something right and says so.
    NeedsOperator(StepId),
    /// Write that the plan is over.
    Finish(Outcome),
    /// Nothing; it was over already.
    Over(Outcome),
}

/// What a plan waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hold {
    /// A person paused it.
    Paused(String),
    /// A person is asked this.
    Approval(String),
    /// The judge lacks this.
    Undecided(String),
    /// A step is past its deadline and the policy is to ask.
    Degraded(String),
}

/// Decides what to do next.
pub fn next<'a>(plan: &'a Plan, progress: &Progress) -> Next<'a> {
    if let Some(outcome) = &progress.finished {
        return Next::Over(outcome.clone());
    }
    match &progress.turned_back {
        None => next_forward(plan, progress),
        Some(reason) => next_back(plan, progress, reason),
    }
}

fn next_forward<'a>(plan: &'a Plan, progress: &Progress) -> Next<'a> {
    if let Some(reason) = &progress.abort_requested {
        return Next::TurnBack(TurnReason::Operator(reason.clone()));
    }
    if let Some((_, kind, error)) = &progress.failure {
        return match kind {
            FailureKind::Evidence => Next::TurnBack(TurnReason::Evidence(error.clone())),
            FailureKind::Deadline if !plan.abort_on_deadline => {
                Next::Hold(Hold::Degraded(error.clone()))
            }
            FailureKind::Definite | FailureKind::Deadline | FailureKind::Exhausted => {
                Next::TurnBack(TurnReason::Failure(error.clone()))
            }
        };
    }
    let todo = |step: &&Step| progress.state(step.id) != Some(StepState::Succeeded);
    let Some(step) = plan.steps.iter().find(todo) else {
        return Next::Finish(Outcome::Live);
    };
    if let Some(reason) = &progress.paused {
        return Next::Hold(Hold::Paused(reason.clone()));
    }
    if let Some(because) = &progress.undecided {
        return Next::Hold(Hold::Undecided(because.clone()));
    }
    match &step.effect {
        Effect::Approve { question } if !progress.promoted => {
            Next::Hold(Hold::Approval(question.clone()))
        }
        _ => Next::Do(step),
    }
}

fn next_back<'a>(plan: &'a Plan, progress: &Progress, reason: &TurnReason) -> Next<'a> {
    for step in plan.steps.iter().rev() {
        match progress.state(step.id) {
            None | Some(StepState::Undone) => {}
            Some(StepState::Stuck) => return Next::NeedsOperator(step.id),
            Some(_) if matches!(step.undo, Undo::Loses(_)) && plan.accepted.is_none() => {
                return Next::NeedsOperator(step.id);
            }
            Some(_) => return Next::Undo(step),
        }
    }
    Next::Finish(Outcome::WentBack(reason.clone()))
}
