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
    /// A person has to do this, and then to say so by retrying.
    NeedsPerson(String),
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
            FailureKind::NeedsPerson => Next::Hold(Hold::NeedsPerson(error.clone())),
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
        Effect::Approve { question } if !progress.promoted && !progress.promoted_fully => {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixture::{deploy_plan, preview};
    use crate::run::event::{Event, Observation, Receipt};
    use crate::schema::Direction;
    use std::sync::Arc;

    fn plan() -> Plan {
        deploy_plan(Some(&preview(Direction::Up, false, 0))).1
    }

    fn after(plan: &Plan, events: &[(StepId, Event)]) -> Progress {
        let mut progress = Progress::default();
        let started = Event::PlanStarted { plan: Arc::new(plan.clone()) };
        progress.take(0, &started).unwrap();
        for (step, event) in events {
            progress.take(*step, event).unwrap_or_else(|why| panic!("{event:?}: {why}"));
        }
        progress
    }

    fn succeeded() -> Event {
        Event::Succeeded { receipt: Receipt::default() }
    }

    fn failed(kind: FailureKind) -> Event {
        Event::Failed { kind, error: "broken".into() }
    }

    fn aborted() -> Event {
        Event::AbortRequested { reason: "no".into() }
    }

    /// What comes next, in words.
    fn says(plan: &Plan, events: &[(StepId, Event)]) -> String {
        match next(plan, &after(plan, events)) {
            Next::Do(step) => format!("do {}", step.id),
            Next::Undo(step) => format!("undo {}", step.id),
            Next::TurnBack(reason) => format!("turn back: {reason}"),
            Next::Hold(hold) => format!("hold: {hold:?}"),
            Next::NeedsOperator(step) => format!("needs a person: {step}"),
            Next::Finish(outcome) => format!("finish: {outcome:?}"),
            Next::Over(outcome) => format!("over: {outcome:?}"),
        }
    }

    #[test]
    fn forward() {
        let plan = plan();
        let check = |events: &[(StepId, Event)], expected: &str| {
            assert_eq!(says(&plan, events), expected, "{events:?}");
        };
        check(&[], "do 1");
        check(&[(1, Event::Started)], "do 1");
        check(&[(1, Event::Started), (1, succeeded())], "do 2");
        let broken = |kind| [(1, Event::Started), (1, failed(kind))];
        check(&broken(FailureKind::Definite), "turn back: broken");
        check(&broken(FailureKind::Exhausted), "turn back: broken");
        check(&broken(FailureKind::Deadline), "turn back: broken");
        check(&[(0, aborted())], "turn back: aborted: no");
        let paused = Event::Paused { reason: "lunch".into() };
        check(&[(0, paused.clone())], "hold: Paused(\"lunch\")");
        check(&[(0, paused.clone()), (0, Event::Resumed)], "do 1");
        check(&[(0, paused.clone()), (0, Event::Promoted)], "do 1");
        check(&[(0, paused), (0, aborted())], "turn back: aborted: no");
    }

    #[test]
    fn a_deadline_asks_a_person_where_the_policy_says_so() {
        let mut plan = plan();
        plan.abort_on_deadline = false;
        let late = [(1, Event::Started), (1, failed(FailureKind::Deadline))];
        assert_eq!(says(&plan, &late), "hold: Degraded(\"broken\")");
        let [begun, broken] = late;
        assert_eq!(says(&plan, &[begun, broken, (0, Event::Retried)]), "do 1");
    }

    #[test]
    fn no_data_is_neither_good_nor_bad() {
        let plan = plan();
        let because = "no request has reached it".to_owned();
        let undecided = Event::Observed { observation: Observation::Undecided { because } };
        let seen = [(1, Event::Started), (1, undecided)];
        assert_eq!(says(&plan, &seen), "hold: Undecided(\"no request has reached it\")");
        let [begun, undecided] = seen;
        assert_eq!(says(&plan, &[begun, undecided, (0, Event::Promoted)]), "do 1");
    }

    #[test]
    fn back() {
        let plan = plan();
        let turned = || Event::TurnedBack { reason: TurnReason::Operator(String::new()) };
        let undone = || Event::UndoSucceeded { receipt: Receipt::default() };
        let stuck =
            || Event::UndoFailed { error: "no".into(), commands: vec!["ripcord retry".into()] };
        let mut events = vec![(1, Event::Started), (1, succeeded()), (2, Event::Started)];
        events.push((0, turned()));
        assert_eq!(says(&plan, &events), "undo 2", "a step in doubt is undone as if done");
        events.push((2, Event::UndoStarted));
        assert_eq!(says(&plan, &events), "undo 2");
        events.push((2, stuck()));
        assert_eq!(says(&plan, &events), "needs a person: 2");
        events.push((0, Event::Retried));
        assert_eq!(says(&plan, &events), "undo 2");
        events.extend([(2, Event::UndoStarted), (2, undone())]);
        assert_eq!(says(&plan, &events), "undo 1");
        events.extend([(1, Event::UndoStarted), (1, undone())]);
        assert_eq!(says(&plan, &events), "finish: WentBack(Operator(\"\"))");
        let outcome = Outcome::WentBack(TurnReason::Operator(String::new()));
        events.push((0, Event::Finished { outcome }));
        assert_eq!(says(&plan, &events), "over: WentBack(Operator(\"\"))");
    }

    #[test]
    fn an_approval_is_used_up_by_its_question() {
        let mut plan = plan();
        plan.steps[0].effect = Effect::Approve { question: "go?".into() };
        plan.steps[1].effect = Effect::Approve { question: "really?".into() };
        assert_eq!(says(&plan, &[]), "hold: Approval(\"go?\")");
        let mut events = vec![(0, Event::Promoted)];
        assert_eq!(says(&plan, &events), "do 1");
        events.extend([(1, Event::Started), (1, succeeded())]);
        assert_eq!(says(&plan, &events), "hold: Approval(\"really?\")");
    }

    /// Whatever happens at each step, a plan ends, and goes back through every step it began.
    #[test]
    fn every_way_through_a_plan_ends() {
        let plan = plan();
        for fails_at in 1..=plan.steps.len() + 1 {
            let (mut events, mut begun, mut undone) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..10 * plan.steps.len() {
                match next(&plan, &after(&plan, &events)) {
                    Next::Do(step) => {
                        begun.push(step.id);
                        let fails = usize::try_from(step.id) == Ok(fails_at);
                        let end = if fails { failed(FailureKind::Definite) } else { succeeded() };
                        events.extend([(step.id, Event::Started), (step.id, end)]);
                    }
                    Next::TurnBack(reason) => events.push((0, Event::TurnedBack { reason })),
                    Next::Undo(step) => {
                        undone.push(step.id);
                        let receipt = Receipt::default();
                        events.push((step.id, Event::UndoStarted));
                        events.push((step.id, Event::UndoSucceeded { receipt }));
                    }
                    Next::Finish(outcome) => events.push((0, Event::Finished { outcome })),
                    Next::Over(_) => break,
                    other => panic!("{other:?}"),
                }
            }
            let over = after(&plan, &events).finished;
            undone.reverse();
            if fails_at > plan.steps.len() {
                assert_eq!((over, undone.len()), (Some(Outcome::Live), 0));
            } else {
                assert!(matches!(over, Some(Outcome::WentBack(_))), "{over:?}");
                assert_eq!(begun, undone, "failed at {fails_at}");
            }
        }
    }
}
