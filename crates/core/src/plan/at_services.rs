//! Tests of plans with flags at services: where their steps stand, that the linter has nothing
//! against them, and that it sees when one of them is missing.

use crate::flag::{
    FlagPreview, ServiceChange, ServiceFlag, ServiceKind, ServicePreview, ServiceWish,
};
use crate::model::{Canary, CanaryStep, Environment, MigrationVersion, Rolling, Strategy};
use crate::plan::fixture::{environment, preview, release, running};
use crate::plan::{DeployRequest, Effect, Plan, RollbackRequest, Undo, check, deploy, rollback};
use crate::schema::Direction;

fn change(key: &str, wish: ServiceWish, requires: Option<u64>) -> ServiceChange {
    let (service, key) = ("launchdarkly".to_owned(), key.to_owned());
    ServiceChange {
        flag: ServiceFlag { service, kind: ServiceKind::LaunchDarkly, key },
        release: "v2".into(),
        insists: wish != ServiceWish::Off,
        wish,
        expected: None,
        requires: requires.map(MigrationVersion),
        undoes: false,
        reason: "test".into(),
    }
}

/// A flag that stands on migration 7, and one that stands on nothing.
fn changes(wish: &ServiceWish) -> Vec<ServiceChange> {
    vec![change("grounded", wish.clone(), Some(7)), change("free", wish.clone(), None)]
}

fn going(breaks: Option<bool>, strategy: &Strategy) -> Option<(Environment, Plan)> {
    let mut environment = environment(&["v1"]);
    environment.policy.strategy = strategy.clone();
    let changes = changes(&ServiceWish::On);
    let record = changes.iter().map(|change| change.flag.clone()).collect();
    let services = ServicePreview { record, changes, settle_ms: 1_000, ..Default::default() };
    let (flags, release) = (FlagPreview { services, ..FlagPreview::default() }, release("v2"));
    let schema = breaks.map(|breaks| preview(Direction::Up, breaks, 0));
    let request = DeployRequest {
        release: &release,
        schema: schema.as_ref(),
        flags: Some(&flags),
        retry: false,
        accepted: None,
    };
    let plan = deploy(&environment, &request).ok()?;
    Some((environment, plan))
}

fn back(breaks: Option<bool>, strategy: &Strategy) -> (Environment, Plan) {
    let mut environment = environment(&["v1", "v2"]);
    environment.policy.strategy = strategy.clone();
    let (off, shared) = (changes(&ServiceWish::Off), change("shared", ServiceWish::On, None));
    let services = ServicePreview { off, changes: vec![shared], ..Default::default() };
    let (flags, target) = (FlagPreview { services, ..FlagPreview::default() }, release("v1"));
    let schema = breaks.map(|breaks| preview(Direction::Down, breaks, 0));
    let request = RollbackRequest {
        target: &target,
        schema: schema.as_ref(),
        flags: Some(&flags),
        room_for_a_copy: true,
    };
    let plan = rollback(&environment, &request).unwrap();
    (environment, plan)
}

fn notes(environment: &Environment, plan: &Plan) -> Vec<String> {
    let notes = check(plan, &environment.traffic, &running(environment));
    notes.iter().map(ToString::to_string).collect()
}

fn strategies() -> Vec<Strategy> {
    let steps = vec![CanaryStep::SetWeight(1_000), CanaryStep::Pause(Some(100))];
    let canary = Canary { steps, sticky: None, lease_ms: 10_000 };
    let rolling = Rolling { batch: 1, pause_ms: 1_000, lease_ms: 10_000 };
    vec![Strategy::BlueGreen, Strategy::Canary(canary), Strategy::Rolling(rolling)]
}

#[test]
fn what_planners_make_is_sound() {
    let mut seen = 0;
    for strategy in strategies() {
        for breaks in [None, Some(false), Some(true)] {
            let all = going(breaks, &strategy).into_iter().chain([back(breaks, &strategy)]);
            for (environment, plan) in all {
                assert_eq!(notes(&environment, &plan), [""; 0], "{plan}");
                seen += 1;
            }
        }
    }
    assert!(seen > 14, "{seen}");
}

fn place(plan: &Plan, text: &str) -> usize {
    let found = plan.steps.iter().position(|step| step.effect.to_string().contains(text));
    found.unwrap_or_else(|| panic!("no «{text}» in\n{plan}"))
}

#[test]
fn users_first_and_certain_before_the_schema_goes() {
    let (_, plan) = back(Some(false), &Strategy::BlueGreen);
    let tried = place(&plan, "turn off grounded at LaunchDarkly, without waiting for it");
    let moved = place(&plan, "traffic to v1");
    let last = |text: &str| {
        let found = plan.steps.iter().rposition(|step| step.effect.to_string() == text);
        found.unwrap_or_else(|| panic!("no «{text}» in\n{plan}"))
    };
    let certain = last("turn off grounded at LaunchDarkly");
    let down = place(&plan, "migrate down");
    assert!(tried < moved && moved < certain && certain < down, "{plan}");
    assert!(certain < place(&plan, "until clients have"), "{plan}");
    assert!(down < last("turn off free at LaunchDarkly"), "{plan}");
    // Where requests wait for the schema, it is certain before they do.
    let (_, plan) = back(Some(true), &Strategy::BlueGreen);
    assert!(place(&plan, "turn off grounded") < place(&plan, "requests wait"), "{plan}");
    assert!(place(&plan, "until clients have") < place(&plan, "requests wait"), "{plan}");
}

/// Spoils plans there and back, with and without requests that wait.
fn spoiled(make: impl Fn(bool) -> (Environment, Plan), spoil: impl Fn(&mut Plan), expected: &str) {
    for breaks in [false, true] {
        let (environment, mut plan) = make(breaks);
        spoil(&mut plan);
        for (id, step) in (1..).zip(&mut plan.steps) {
            step.id = id;
        }
        plan.id = plan.computed_id();
        let said = notes(&environment, &plan);
        assert!(said.iter().any(|note| note.contains(expected)), "{expected}: {said:#?}\n{plan}");
    }
}

#[test]
fn what_no_plan_may_have() {
    let there = |breaks| going(Some(breaks), &Strategy::BlueGreen).unwrap();
    let home = |breaks| back(Some(breaks), &Strategy::BlueGreen);
    spoiled(
        home,
        |plan| {
            for step in &mut plan.steps {
                if let Effect::EnsureServiceFlag(change) = &mut step.effect {
                    change.insists = false;
                }
            }
        },
        "migration 7 would go from under grounded at LaunchDarkly",
    );
    spoiled(
        home,
        |plan| {
            let first = plan.steps.remove(0);
            plan.steps.push(first);
        },
        "before launchdarkly/grounded was turned off",
    );
    spoiled(home, |plan| plan.steps[0].undo = Undo::Nothing, "does not arrive");
    spoiled(
        there,
        |plan| {
            for step in &mut plan.steps {
                if matches!(step.effect, Effect::RecordServiceFlags { .. }) {
                    step.undo = Undo::Nothing;
                }
            }
        },
        "does not arrive",
    );
}
