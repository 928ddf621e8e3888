//! The named journeys about controllers: what peers are known to have got wrong.

use crate::sweep::{length, run};
use ripcord_core::model::{Authority, Domain, Environment};
use ripcord_core::plan::{Plan, Refusal};
use ripcord_core::run::{Event, Outcome};
use ripcord_engine::control::{self, RequestError, StartError};
use ripcord_sim::{
    Denied, Fault, Journey, NAME, Operator, Rest, Schedule, Sim, Wish, journeys, judge,
};
use std::cell::RefCell;
use std::rc::Rc;

/// CTRL-1: a leader that froze wakes after a successor has finished, and changes nothing.
#[test]
fn ctrl_1_resumed_old_leader() {
    let mut runs = 0;
    for journey in journeys() {
        let begun = journey.begun();
        let (actions, _) = length(&journey, &begun);
        for action in 1..=actions {
            let sim = Sim::of(begun.clone());
            sim.with(|state| {
                state.set_schedule(Schedule::at(&[(action, Fault::Freeze)]));
            });
            let at_takeover = Rc::new(RefCell::new(Vec::new()));
            let (seen, operator) = (Rc::clone(&at_takeover), journey.operator);
            sim.on_freeze(Box::new(move |sim| {
                sim.drive(operator);
                *seen.borrow_mut() = sim.with(|state| state.fingerprint());
            }));
            let rest = sim.drive(journey.operator);
            let state = sim.state();
            assert_eq!(*at_takeover.borrow(), state.fingerprint(), "{} at {action}", journey.name);
            assert_eq!(judge(&state, &rest), [], "{} at {action}", journey.name);
            runs += 1;
        }
    }
    assert!(runs > 500, "{runs} runs");
}

/// CTRL-1, harder: the successor dies half way, the old leader wakes, a third one ends it.
#[test]
fn ctrl_1_resumed_between_two_successors() {
    for journey in journeys() {
        let begun = journey.begun();
        let (actions, _) = length(&journey, &begun);
        for frozen in (1..=actions).step_by(2) {
            for killed in (frozen + 1..frozen + 40).step_by(3) {
                let faults = [(frozen, Fault::Freeze), (killed, Fault::Kill)];
                run(&begun, Schedule::at(&faults), journey.operator).assert_sound(journey.name);
            }
        }
    }
}

fn named(name: &str) -> Journey {
    let found = journeys().into_iter().find(|journey| journey.name == name);
    found.unwrap_or_else(|| panic!("there is no journey {name}"))
}

fn finished(name: &str) -> Sim {
    let journey = named(name);
    let sim = Sim::of(journey.state);
    let rest = sim.fulfil(&journey.wish, journey.operator);
    assert!(matches!(rest, Ok(Rest::Over(Outcome::Live))), "{rest:?}");
    sim
}

/// CTRL-2 and CTRL-3: an abort after full promotion, or when nothing runs, is refused with a
/// reason and changes nothing.
#[test]
fn ctrl_2_and_3_idle_abort() {
    for name in ["additive", "breaking", "fitting", "first deploy"] {
        let sim = finished(name);
        let before = sim.state().fingerprint();
        let abort = Event::AbortRequested { reason: String::new() };
        let asked = control::request(&sim.start_controller(), &NAME.into(), "ann", abort);
        assert_eq!(asked, Err(RequestError::Idle(NAME.into())));
        let rest = sim.drive(Operator::default());
        assert_eq!(sim.state().fingerprint(), before);
        assert_eq!(judge(&sim.state(), &rest), []);
    }
}

/// CTRL-6: while a rollout runs, another one is refused, and no request fails.
#[test]
fn ctrl_6_second_rollout_start() {
    let journey = named("breaking");
    let sim = Sim::of(journey.begun());
    let controller = sim.start_controller();
    let wish = Wish::Deploy { release: "v2".into(), retry: true };
    let denied = controller.begin(&wish, "bob").unwrap_err();
    let Denied::NotStarted(StartError::Running { to, by, .. }) = denied else {
        panic!("{denied:?}")
    };
    assert_eq!((to, by.as_str()), ("v2".into(), "ann"));
    let rest = sim.drive(journey.operator);
    assert_eq!(rest, Rest::Over(Outcome::Live));
    assert_eq!(judge(&sim.state(), &rest), []);
}

/// A plan fits the generation that it was made for, and no other.
#[test]
fn an_outdated_plan_does_not_start() {
    let sim = finished("additive");
    let controller = sim.start_controller();
    let (environment, plan) = controller.plan(&Wish::Rollback { release: None }).unwrap();
    let rest = sim.fulfil(&Wish::Rollback { release: None }, Operator::default());
    assert_eq!(rest, Ok(Rest::Over(Outcome::Live)));
    let before = sim.state().fingerprint();
    let newest = sim.start_controller();
    let refused = control::start(&plan, &environment, &newest, "ann").unwrap_err();
    assert!(matches!(refused, StartError::Refused(Refusal::Stale { .. })), "{refused}");
    assert_eq!(sim.state().fingerprint(), before);
}

/// Nothing begins that needs more than is allowed, that was edited, or that is for elsewhere.
#[test]
fn what_does_not_start() {
    let journey = named("breaking");
    let check = |spoil: &dyn Fn(&mut Environment, &mut Plan), expected: &str| {
        let sim = Sim::of(journey.state.clone());
        let controller = sim.start_controller();
        let (mut environment, mut plan) = controller.plan(&journey.wish).unwrap();
        spoil(&mut environment, &mut plan);
        let before = sim.state().fingerprint();
        let refused = control::start(&plan, &environment, &controller, "ann").unwrap_err();
        assert!(refused.to_string().contains(expected), "{refused}");
        assert_eq!(sim.state().fingerprint(), before);
    };
    for domain in [Domain::Traffic, Domain::Database, Domain::Flags, Domain::Config] {
        check(
            &|environment, _| {
                environment.authority.0.insert(domain, Authority::Propose);
            },
            &format!("this needs to act on {domain}"),
        );
    }
    check(&|_, plan| plan.to = "v1".into(), "does not hold together");
    check(&|_, plan| drop(plan.steps.pop()), "it was edited");
    check(&|_, plan| plan.environment = "staging".into(), "is for staging, not for production");
    check(&|environment, _| environment.name = "staging".into(), "not for staging");
}

/// What is no request of a person is not written as one.
#[test]
fn only_requests_can_be_made() {
    let sim = Sim::of(named("breaking").begun());
    let outcome = Event::Finished { outcome: Outcome::Live };
    let made = control::request(&sim.start_controller(), &NAME.into(), "eve", outcome);
    assert_eq!(made, Err(RequestError::NotARequest));
}

/// CTRL-7: whatever a plan waits for, an abort takes effect.
#[test]
fn ctrl_7_always_an_exit() {
    let mut aborted = 0;
    for journey in journeys() {
        let begun = journey.begun();
        let (actions, _) = length(&journey, &begun);
        for action in 1..=actions {
            let faults = [(action, Fault::Pause), (action + 1, Fault::Abort)];
            let done = run(&begun, Schedule::at(&faults), journey.operator);
            done.assert_sound(journey.name);
            aborted += u32::from(matches!(done.rest, Rest::Over(Outcome::WentBack(_))));
        }
    }
    assert!(aborted > 300, "{aborted} runs went back");
}

/// CTRL-8: the release fails after its promotion; a rollback goes to the healthy one.
#[test]
fn ctrl_8_broken_primary() {
    for name in ["additive", "breaking"] {
        let sim = finished(name);
        sim.with(|state| {
            state.never_ready_again(&"v2".into());
            state.stop_all(&"v2".into());
            state.advance(300);
        });
        assert!(sim.with(|state| state.own_errors()) > 0, "{name}: users notice");
        let wish = Wish::Rollback { release: None };
        let rest = sim.fulfil(&wish, Operator::default());
        assert_eq!(rest, Ok(Rest::Over(Outcome::Live)), "{name}");
        assert_eq!(judge(&sim.state(), &Rest::Over(Outcome::Live)), []);
        let fingerprint = sim.state().fingerprint();
        assert!(fingerprint.contains(&"traffic traffic to v1 100 %".to_owned()), "{fingerprint:?}");
    }
}
