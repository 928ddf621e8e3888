//! What tests of comparisons begin with: the plan of a canary, and the journal of one of its
//! comparisons as the engine writes it.

use crate::analysis::{ArmCounts, Judge, JudgePolicy, Tick, Verdict};
use crate::model::{Canary, CanaryStep, Digest, Fence, StepId, Strategy};
use crate::plan::fixture::{environment, release};
use crate::plan::{DeployRequest, Effect, Plan, deploy};
use crate::run::event::{Event, FailureKind, Observation};
use crate::run::{Draft, Entry, Receipt, Subject};
use jiff::Timestamp;
use std::sync::Arc;

/// `v2` over `v1`, with two shares and a comparison under each.
pub(super) fn plan() -> Plan {
    let mut environment = environment(&["v1"]);
    environment.policy.judge = JudgePolicy { latency: false, ..JudgePolicy::default() };
    environment.policy.strategy = Strategy::Canary(Canary {
        steps: vec![
            CanaryStep::SetWeight(500),
            CanaryStep::Analysis(600_000),
            CanaryStep::SetWeight(5_000),
            CanaryStep::Analysis(600_000),
        ],
        sticky: None,
        lease_ms: 30_000,
    });
    let release = release("v2");
    let request = DeployRequest {
        release: &release,
        schema: None,
        flags: None,
        retry: false,
        accepted: None,
    };
    deploy(&environment, &request).unwrap()
}

/// Counts of one second under the first share.
pub(super) fn tick(at_ms: u64, canary: u64, bad: u64, stable: u64, worse: u64) -> Tick {
    let arm = |requests, errors| ArmCounts { requests, errors, latency: Vec::new() };
    Tick { at_ms, weight: 500, canary: arm(canary, bad), stable: arm(stable, worse) }
}

/// What happens up to the first comparison and in it, and which step that is. It fails when the
/// judge says so.
pub(super) fn events(ticks: &[Tick]) -> (StepId, Vec<(StepId, Event)>) {
    let plan = plan();
    let mut events = Vec::new();
    for step in &plan.steps {
        events.push((step.id, Event::Started));
        let Effect::Analysis(analysis) = &step.effect else {
            let receipt = Receipt::of(step.effect.to_string());
            events.push((step.id, Event::Succeeded { receipt }));
            continue;
        };
        let mut judge = Judge::new(&analysis.judge, &analysis.canary, &analysis.stable);
        for tick in ticks {
            judge.tick(tick).unwrap();
            let said = judge.assess(tick.at_ms);
            let (elapsed_ms, evidence) = (tick.at_ms, said.evidence);
            let tick = tick.clone();
            let observation =
                Observation::Judged { elapsed_ms, epoch: 1, period: 1, tick, evidence };
            events.push((step.id, Event::Observed { observation }));
            if let Verdict::GoBack { because: error } = said.verdict {
                events.push((step.id, Event::Failed { kind: FailureKind::Evidence, error }));
                break;
            }
        }
        return (step.id, events);
    }
    unreachable!("the plan compares")
}

/// The journal of a plan that begins and in which this happens.
pub(super) fn entries(plan: &Plan, events: Vec<(StepId, Event)>) -> Vec<Entry> {
    let started = Event::PlanStarted { plan: Arc::new(plan.clone()) };
    let all = std::iter::once((0, started)).chain(events);
    let draft = |(step, event)| {
        let (environment, plan) = (plan.environment.clone(), plan.id.clone());
        let subject = Subject::Plan { environment, plan, step };
        Draft { subject, by: "ripcord".to_owned(), event }
    };
    let mut previous = Digest::of_bytes(b"");
    let entry = |(sequence, Draft { subject, by, event }): (u64, Draft)| {
        let at = Timestamp::UNIX_EPOCH;
        let fence = Fence(1);
        let entry = Entry { sequence, subject, fence, at, by, event, previous: previous.clone() };
        previous = entry.digest();
        entry
    };
    (1..).zip(all.map(draft)).map(entry).collect()
}
