//! Numbers and bounds the steps of a plan while it is being made.

use crate::model::ids::Millis;
use crate::model::{Policy, StepId};
use crate::plan::{Effect, Step, Undo};

/// A list of steps under construction.
pub(super) struct Steps<'a> {
    policy: &'a Policy,
    steps: Vec<Step>,
}

/// Time beyond an effect's own bound that its attempt may take.
const SLACK_MS: Millis = 10_000;

impl<'a> Steps<'a> {
    pub(super) fn new(policy: &'a Policy) -> Steps<'a> {
        Steps { policy, steps: Vec::new() }
    }

    /// The number of the step that is added next.
    pub(super) fn next_id(&self) -> StepId {
        StepId::try_from(self.steps.len() + 1).expect("a plan has few steps")
    }

    pub(super) fn add(&mut self, effect: Effect, undo: Undo) {
        let (deadline_ms, attempts_max) = self.bounds(&effect);
        self.steps.push(Step { id: self.next_id(), effect, undo, deadline_ms, attempts_max });
    }

    pub(super) fn add_reversible(&mut self, effect: Effect, undo: Vec<Effect>) {
        self.add(effect, Undo::Apply(undo));
    }

    pub(super) fn done(self) -> Vec<Step> {
        self.steps
    }

    fn bounds(&self, effect: &Effect) -> (Millis, u32) {
        match effect {
            // Not ready in time is final; an answer that got lost is asked for again.
            Effect::EnsureInstances { .. } | Effect::EnsureRole { .. } => {
                (self.policy.ready_ms_max, 3)
            }
            Effect::EnsureTraffic { drain_ms_max, .. } => (drain_ms_max + SLACK_MS, 5),
            Effect::EnsureBackup { .. } => (30 * 60_000, 2),
            Effect::EnsureSchema { .. } => (5 * 60_000, 3),
            Effect::EnsureResource { .. } => (10 * 60_000, 2),
            Effect::Bake(bake) => (bake.duration_ms + SLACK_MS, 1_000),
            Effect::Analysis(analysis) => (analysis.until.longest_ms() + SLACK_MS, 1_000),
            // Six looks over some six seconds: time for an instance to be replaced.
            Effect::Verify { .. } => (60_000, 6),
            Effect::Approve { .. } => (SLACK_MS, 1_000),
            Effect::ConfirmFlags { wait_ms_max } => (wait_ms_max + SLACK_MS, 3),
            Effect::RecordServiceFlags { .. } => (60_000, 3),
            Effect::EnsureServiceFlag(_) => (60_000, 5),
            Effect::SettleServiceFlags { wait_ms } => (wait_ms + SLACK_MS, 3),
            Effect::EnsureConfig { .. }
            | Effect::EnsureFlags { .. }
            | Effect::EnsureFlagChange(_)
            | Effect::EnsureFlagLayer(_) => (SLACK_MS, 3),
        }
    }
}
