//! Whether a plan may go on from an earlier step. Nothing is taken back for that, so everything
//! since must be of the kind that is simply ensured anew: instances, traffic, watching.

use crate::model::StepId;
use crate::plan::{Effect, Plan};
use crate::run::progress::Progress;

/// Why a plan cannot go on from this step; none: it can.
pub fn cannot_jump(plan: &Plan, progress: &Progress, to: StepId) -> Option<String> {
    if progress.finished.is_some() || progress.turned_back.is_some() {
        return Some("the plan goes back or is over".to_owned());
    }
    if progress.state(to).is_none() {
        let last = progress.states.keys().next_back().copied().unwrap_or(0);
        return Some(format!("step {to} was not begun yet; the plan is at step {last}"));
    }
    if let Some(step) = plan.step(to)
        && matches!(step.effect, Effect::EnsureInstances { .. })
    {
        // More instances than a smaller share needs do no harm; fewer than the present one would.
        return Some(format!("step {to}, {}, is no place to go on from", step.effect));
    }
    let since = plan.steps.iter().filter(|step| step.id >= to);
    let mut begun = since.filter(|step| progress.state(step.id).is_some());
    let fixed = begun.find(|step| !is_ensured_anew(plan, &step.effect))?;
    let (id, what) = (fixed.id, &fixed.effect);
    Some(format!("step {id}, {what}, was done since and is not done anew"))
}

fn is_ensured_anew(plan: &Plan, effect: &Effect) -> bool {
    match effect {
        // Instances of the release that is left were stopped because others took their part.
        Effect::EnsureInstances { release, .. } => release == &plan.to,
        Effect::EnsureTraffic { .. } | Effect::Analysis(_) | Effect::Verify { .. } => true,
        Effect::EnsureBackup { .. }
        | Effect::EnsureSchema { .. }
        | Effect::EnsureConfig { .. }
        | Effect::EnsureRole { .. }
        | Effect::EnsureFlags { .. }
        | Effect::EnsureFlagChange(_)
        | Effect::EnsureFlagLayer(_)
        | Effect::ConfirmFlags { .. }
        | Effect::RecordServiceFlags { .. }
        | Effect::EnsureServiceFlag(_)
        | Effect::SettleServiceFlags { .. }
        | Effect::EnsureResource { .. }
        | Effect::Bake(_)
        | Effect::Approve { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Canary, CanaryStep, Rolling, Strategy};
    use crate::plan::fixture::{environment, release};
    use crate::plan::{DeployRequest, deploy};
    use crate::run::{Event, Receipt};

    /// The plan of a strategy, begun up to and with a step.
    fn begun(strategy: Strategy, last: &str) -> (Plan, Progress) {
        let mut environment = environment(&["v1"]);
        environment.policy.strategy = strategy;
        let release = release("v2");
        let request = DeployRequest {
            release: &release,
            schema: None,
            flags: None,
            retry: false,
            accepted: None,
        };
        let plan = deploy(&environment, &request).unwrap();
        let mut progress = Progress::default();
        for step in &plan.steps {
            progress.take(step.id, &Event::Started).unwrap();
            if step.id == place(&plan, last) {
                break;
            }
            let receipt = Receipt::default();
            progress.take(step.id, &Event::Succeeded { receipt }).unwrap();
        }
        (plan, progress)
    }

    fn place(plan: &Plan, text: &str) -> StepId {
        let found = plan.steps.iter().find(|step| step.effect.to_string().starts_with(text));
        found.map_or_else(|| panic!("no step «{text}» in\n{plan}"), |step| step.id)
    }

    fn check(strategy: &Strategy, last: &str, to: &str, expected: Option<&str>) {
        let (plan, progress) = begun(strategy.clone(), last);
        let said = cannot_jump(&plan, &progress, place(&plan, to));
        match (&said, expected) {
            (None, None) => {}
            (Some(said), Some(expected)) if said.contains(expected) => {}
            _ => panic!("{last} -> {to}: {said:?}"),
        }
    }

    #[test]
    fn where_to() {
        use CanaryStep::{Pause, SetWeight};
        let steps = vec![SetWeight(1_000), Pause(None), SetWeight(9_000), Pause(None)];
        let canary = Strategy::Canary(Canary { steps, sticky: None, lease_ms: 10_000 });
        let last = "ask a person: go on, now that traffic is v1 10 %, v2 90 %";
        check(&canary, last, "traffic to v1 90 %", None);
        check(&canary, last, "traffic to v1 10 %", None);
        check(&canary, last, "ask a person: go on, now that traffic is v1 90 %", None);
        check(&canary, last, "run 2 instances of v2", Some("is no place to go on from"));
        check(&canary, last, "watch", Some("was not begun yet"));
        check(&canary, "watch", "traffic to v1 90 %", Some("configuration of v2, was done since"));
        let rolling = Rolling { batch: 1, pause_ms: 1_000, lease_ms: 10_000 };
        let rolling = Strategy::Rolling(rolling);
        check(&rolling, "compare", "compare", None);
        check(&rolling, "compare", "traffic to v1 50 %", Some("run v1, was done since"));
    }
}
