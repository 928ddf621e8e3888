//! An independent linter of plans: it shares no code with the planners and distrusts them. It
//! walks every plan forward and, from each of its steps, back, and says what does not hold.

use crate::model::{ReleaseId, Requests, StepId, TrafficState};
use crate::plan::{Effect, Plan, Undo};
use crate::schema::Wanted;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Something about a plan that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The step, or 0 for the plan.
    pub step: StepId,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step {
            0 => f.write_str(&self.what),
            step => write!(f, "step {step}: {}", self.what),
        }
    }
}

/// The most steps of a plan.
const STEPS_MAX: usize = 200;

/// Everything that is wrong with a plan, given the traffic that it starts from and the releases
/// that run. No note: it may start.
pub fn check(plan: &Plan, traffic: &TrafficState, running: &BTreeSet<ReleaseId>) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut note = |step, what: &str| notes.push(Note { step, what: what.to_owned() });
    if plan.format != Plan::FORMAT {
        note(0, "its format is not one that this version reads");
    }
    if plan.id != plan.computed_id() {
        note(0, "its content is not the one its id stands for; it was edited");
    }
    if plan.steps.is_empty() || plan.steps.len() > STEPS_MAX {
        note(0, "it has no steps or too many");
    }
    for (index, step) in plan.steps.iter().enumerate() {
        if usize::try_from(step.id) != Ok(index + 1) {
            note(step.id, "steps are not numbered 1, 2, 3");
        }
        if step.deadline_ms == 0 || step.attempts_max == 0 {
            note(step.id, "it has no bound");
        }
        if needs_undo(&step.effect) && step.undo == Undo::Nothing && !harmless(plan, &step.effect) {
            note(step.id, "it changes something and has no undo");
        }
        if matches!(step.undo, Undo::Loses(_)) && plan.accepted.is_none() {
            note(step.id, "it has no way back and nobody accepted that");
        }
    }
    walk(plan, &Walk::new(traffic, running), &mut notes);
    notes
}

fn needs_undo(effect: &Effect) -> bool {
    match effect {
        Effect::EnsureSchema { .. }
        | Effect::EnsureConfig { .. }
        | Effect::EnsureInstances { .. }
        | Effect::EnsureTraffic { .. }
        | Effect::EnsureFlags { .. }
        | Effect::EnsureResource { .. } => true,
        Effect::EnsureBackup { .. }
        | Effect::Bake(_)
        | Effect::Verify { .. }
        | Effect::Approve { .. } => false,
    }
}

/// Starting a release that runs already, to be safe, needs no undo.
fn harmless(plan: &Plan, effect: &Effect) -> bool {
    matches!(effect, Effect::EnsureInstances { release, count } if *count > 0 && release == &plan.to)
}

/// The little of the world that the walk keeps in mind.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Walk {
    running: BTreeSet<ReleaseId>,
    traffic: TrafficState,
    changes: BTreeMap<String, Wanted>,
}

impl Walk {
    fn new(traffic: &TrafficState, running: &BTreeSet<ReleaseId>) -> Walk {
        Walk { running: running.clone(), traffic: traffic.clone(), changes: BTreeMap::new() }
    }

    fn take(&mut self, effect: &Effect) -> Result<(), String> {
        let held = matches!(self.traffic.requests, Requests::Held(_));
        match effect {
            Effect::EnsureInstances { release, count: 0 } => {
                if self.traffic.releases().any(|named| named == release) {
                    return Err(format!("{release} would be stopped while it gets requests"));
                }
                self.running.remove(release);
            }
            Effect::EnsureInstances { release, .. } => {
                self.running.insert(release.clone());
            }
            Effect::EnsureTraffic { state, .. } => {
                let missing = state.releases().find(|release| !self.running.contains(*release));
                if let Some(release) = missing {
                    return Err(format!("{release} would get requests without running"));
                }
                self.traffic = state.clone();
            }
            Effect::EnsureSchema { change, wanted } => {
                self.changes.insert(change.id.to_string(), *wanted);
            }
            Effect::EnsureBackup { .. } | Effect::Bake(_) | Effect::Approve { .. } if held => {
                return Err("requests would wait during something slow".to_owned());
            }
            _ => {}
        }
        Ok(())
    }
}

fn walk(plan: &Plan, start: &Walk, notes: &mut Vec<Note>) {
    let mut world = start.clone();
    let mut prefix = Vec::new();
    for step in &plan.steps {
        if let Err(what) = world.take(&step.effect) {
            notes.push(Note { step: step.id, what });
        }
        prefix.push(step);
        let mut back = world.clone();
        for undone in prefix.iter().rev() {
            let Undo::Apply(effects) = &undone.undo else { continue };
            for effect in effects {
                if let Err(what) = back.take(effect) {
                    let what = format!("going back after step {}: {what}", step.id);
                    notes.push(Note { step: undone.id, what });
                }
            }
        }
        let unmade = back.changes.values().all(|wanted| *wanted == Wanted::Unmade);
        if back.traffic.split != start.traffic.split
            || back.traffic.requests != start.traffic.requests
            || !unmade
        {
            notes.push(Note { step: step.id, what: "going back from here does not arrive".into() });
        }
    }
    let arrived = world.traffic.split.only() == Some(&plan.to)
        && world.traffic.requests == start.traffic.requests;
    if !arrived {
        notes.push(Note { step: 0, what: format!("it does not end with {} serving", plan.to) });
    }
}
