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
    let since = plan.steps.iter().filter(|step| step.id >= to);
    let mut begun = since.filter(|step| progress.state(step.id).is_some());
    let fixed = begun.find(|step| !is_ensured_anew(&step.effect))?;
    let (id, what) = (fixed.id, &fixed.effect);
    Some(format!("step {id}, {what}, was done since and is not done anew"))
}

fn is_ensured_anew(effect: &Effect) -> bool {
    match effect {
        Effect::EnsureInstances { count, .. } => *count > 0,
        Effect::EnsureTraffic { .. } | Effect::Analysis(_) | Effect::Verify { .. } => true,
        Effect::EnsureBackup { .. }
        | Effect::EnsureSchema { .. }
        | Effect::EnsureConfig { .. }
        | Effect::EnsureRole { .. }
        | Effect::EnsureFlags { .. }
        | Effect::EnsureResource { .. }
        | Effect::Bake(_)
        | Effect::Approve { .. } => false,
    }
}
