//! An independent linter of plans: it shares no code with the planners and distrusts them. It
//! walks every plan forward and, from each of its steps, back, and says what does not hold.

use crate::model::{ReleaseId, StepId, TrafficState};
use crate::plan::walk::Walk;
use crate::plan::{Effect, Plan, Undo};
use std::collections::BTreeSet;
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
    walk(plan, &Walk::new(plan, traffic, running), &mut notes);
    notes
}

fn needs_undo(effect: &Effect) -> bool {
    match effect {
        Effect::EnsureSchema { .. }
        | Effect::EnsureConfig { .. }
        | Effect::EnsureInstances { .. }
        | Effect::EnsureRole { .. }
        | Effect::EnsureTraffic { .. }
        | Effect::EnsureFlags { .. }
        | Effect::EnsureFlagChange(_)
        | Effect::EnsureFlagLayer(_)
        | Effect::EnsureResource { .. } => true,
        Effect::EnsureBackup { .. }
        | Effect::Bake(_)
        | Effect::Analysis(_)
        | Effect::Verify { .. }
        | Effect::ConfirmFlags { .. }
        | Effect::RecordServiceFlags { .. }
        // Another step may take it back, which the walk looks at.
        | Effect::EnsureServiceFlag(_)
        | Effect::SettleServiceFlags { .. }
        | Effect::Approve { .. } => false,
    }
}

/// Starting a release that runs already, to be safe, needs no undo.
fn harmless(plan: &Plan, effect: &Effect) -> bool {
    matches!(effect, Effect::EnsureInstances { release, count } if *count > 0 && release == &plan.to)
}

fn walk(plan: &Plan, start: &Walk<'_>, notes: &mut Vec<Note>) {
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
        if !back.is_back_at(start) {
            notes.push(Note { step: step.id, what: "going back from here does not arrive".into() });
        }
    }
    if !world.has_arrived(start) {
        notes.push(Note { step: 0, what: format!("it does not end with {} serving", plan.to) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Split;
    use crate::plan::fixture::{deploy_plan, preview, rollback_plan, running};
    use crate::plan::{Bake, Step};
    use crate::schema::Direction;

    /// Spoils the plan of a breaking deploy and expects the linter to say so.
    fn spoiled(spoil: impl Fn(&mut Plan), expected: &str) {
        let (environment, mut plan) = deploy_plan(Some(&preview(Direction::Up, true, 0)));
        spoil(&mut plan);
        plan.id = plan.computed_id();
        let notes = check(&plan, &environment.traffic, &running(&environment));
        let said: Vec<String> = notes.iter().map(ToString::to_string).collect();
        assert!(said.iter().any(|note| note.contains(expected)), "{expected}: {said:#?}");
    }

    fn place(plan: &Plan, is: impl Fn(&Effect) -> bool) -> usize {
        plan.steps.iter().position(|step| is(&step.effect)).unwrap()
    }

    fn is_traffic_to(release: &'static str) -> impl Fn(&Effect) -> bool {
        move |effect| match effect {
            Effect::EnsureTraffic { state, .. } => state.split == Split::all_to(&release.into()),
            _ => false,
        }
    }

    fn is_schema(effect: &Effect) -> bool {
        matches!(effect, Effect::EnsureSchema { .. })
    }

    fn renumber(plan: &mut Plan) {
        for (id, step) in (1..).zip(&mut plan.steps) {
            step.id = id;
        }
    }

    fn insert(plan: &mut Plan, place: usize, effect: Effect) {
        let undo = Undo::Nothing;
        let step = Step { id: 0, effect, undo, deadline_ms: 1_000, attempts_max: 1 };
        plan.steps.insert(place, step);
        renumber(plan);
    }

    #[test]
    fn what_planners_make_is_sound() {
        for breaks in [false, true] {
            let (environment, plan) = deploy_plan(Some(&preview(Direction::Up, breaks, 0)));
            assert_eq!(check(&plan, &environment.traffic, &running(&environment)), []);
            let (environment, plan) = rollback_plan(Some(&preview(Direction::Down, breaks, 0)));
            assert_eq!(check(&plan, &environment.traffic, &running(&environment)), []);
        }
    }

    #[test]
    fn a_release_that_died_can_be_left() {
        for breaks in [false, true] {
            let (mut environment, plan) = rollback_plan(Some(&preview(Direction::Down, breaks, 0)));
            environment.instances.remove(&ReleaseId::from("v2"));
            assert_eq!(check(&plan, &environment.traffic, &running(&environment)), []);
            let (mut environment, plan) = deploy_plan(Some(&preview(Direction::Up, breaks, 0)));
            environment.instances.remove(&ReleaseId::from("v1"));
            assert_eq!(check(&plan, &environment.traffic, &running(&environment)), []);
        }
    }

    #[test]
    fn an_edited_plan_is_noticed() {
        let (environment, mut plan) = deploy_plan(None);
        plan.to = "v3".into();
        let notes = check(&plan, &environment.traffic, &running(&environment));
        assert!(notes.iter().any(|note| note.what.contains("it was edited")), "{notes:?}");
    }

    #[test]
    fn what_no_plan_may_have() {
        spoiled(|plan| plan.format = 9, "format");
        spoiled(|plan| plan.steps.clear(), "no steps");
        spoiled(|plan| plan.steps.swap(0, 1), "not numbered");
        spoiled(|plan| plan.steps[2].deadline_ms = 0, "no bound");
        spoiled(|plan| plan.steps[2].attempts_max = 0, "no bound");
    }

    #[test]
    fn what_cannot_be_taken_back() {
        let schema = |plan: &Plan| place(plan, is_schema);
        spoiled(
            |plan| {
                let place = schema(plan);
                plan.steps[place].undo = Undo::Nothing;
            },
            "has no undo",
        );
        spoiled(
            |plan| {
                let place = schema(plan);
                plan.steps[place].undo = Undo::Loses(vec!["orders.note".into()]);
            },
            "nobody accepted",
        );
        spoiled(
            |plan| {
                let place = schema(plan);
                let effect = plan.steps[place].effect.clone();
                plan.steps[place].undo = Undo::Apply(vec![effect]);
            },
            "does not arrive",
        );
        // Requests had to wait for the change, so they have to wait for its undo too.
        spoiled(
            |plan| {
                let place = place(plan, is_traffic_to("v2"));
                plan.steps[place].undo = Undo::Apply(Vec::new());
            },
            "requests would flow while",
        );
    }

    /// Spoils the plan of a rollback that takes back the migration which a flag needs.
    fn spoiled_back(spoil: impl Fn(&mut Plan), expected: &str) {
        for breaks in [false, true] {
            let (environment, mut plan) = rollback_plan(Some(&preview(Direction::Down, breaks, 0)));
            spoil(&mut plan);
            renumber(&mut plan);
            plan.id = plan.computed_id();
            let notes = check(&plan, &environment.traffic, &running(&environment));
            let said: Vec<String> = notes.iter().map(ToString::to_string).collect();
            assert!(said.iter().any(|note| note.contains(expected)), "{expected}: {said:#?}");
        }
    }

    #[test]
    fn flags_that_would_be_on_where_they_must_not() {
        let to_end = |plan: &mut Plan| {
            let last = plan.steps.len() - 1;
            plan.steps[..=last].rotate_left(1);
        };
        spoiled_back(to_end, "requests would go back before the flags of v2 are off");
        spoiled_back(to_end, "migration 7 would go from under flag checkout");
        spoiled_back(
            |plan| {
                let place = place(plan, is_schema) + 1;
                let Effect::EnsureFlagLayer(off) = plan.steps[0].effect.clone() else { panic!() };
                insert(plan, place, Effect::EnsureFlagLayer(off.reversed()));
            },
            "flag checkout would be on again without migration 7",
        );
        spoiled_back(|plan| plan.steps[0].undo = Undo::Apply(Vec::new()), "does not arrive");
        spoiled_back(|plan| plan.steps[0].undo = Undo::Nothing, "has no undo");
    }

    #[test]
    fn what_users_would_notice() {
        spoiled(
            |plan| {
                let starts = |effect: &Effect| matches!(effect, Effect::EnsureInstances { .. });
                plan.steps.remove(place(plan, starts));
                renumber(plan);
            },
            "without running",
        );
        spoiled(
            |plan| {
                let effect = Effect::EnsureInstances { release: "v1".into(), count: 0 };
                insert(plan, 1, effect);
            },
            "stopped while it gets requests",
        );
        spoiled(
            |plan| {
                let place = place(plan, is_schema);
                insert(plan, place, Effect::EnsureBackup { name: "slow".into() });
            },
            "requests would wait during something slow",
        );
        spoiled(
            |plan| {
                let bake = Bake {
                    release: "v2".into(),
                    before: None,
                    duration_ms: 1_000,
                    error_floor: 50,
                    judge: None,
                };
                let place = place(plan, is_schema);
                insert(plan, place, Effect::Bake(bake));
            },
            "requests would wait during something slow",
        );
        spoiled(
            |plan| {
                plan.steps.truncate(place(plan, is_traffic_to("v2")));
            },
            "does not end with v2 serving",
        );
    }
}
