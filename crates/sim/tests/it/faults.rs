//! Every effect fails once in every way, and every effect and every undo arrives twice.

use crate::sweep::{length, run};
use ripcord_core::run::Outcome;
use ripcord_sim::{Fault, Operator, Rest, Schedule, Struck, journeys};

fn every_effect(fault: Fault, fails: bool) {
    let mut runs = 0;
    for journey in journeys() {
        let begun = journey.begun();
        let (_, calls) = length(&journey, &begun);
        for call in 1..=calls {
            let done = run(&begun, Schedule::in_call(call, fault), journey.operator);
            assert_eq!(done.state.struck().len(), 1, "{} at effect {call}", journey.name);
            done.assert_sound(journey.name);
            let went_live = matches!(done.rest, Rest::Over(Outcome::Live));
            if !fails {
                // Nobody is asked because of what passes by itself.
                assert!(!done.state.story().contains("undo failed"), "{fault} at {call}");
                let expected = journey.goes_live;
                assert_eq!(went_live, expected, "{}: {fault} at {call}", journey.name);
            }
            runs += 1;
        }
    }
    assert!(runs > 100, "{runs} runs");
}

#[test]
fn every_effect_twice() {
    every_effect(Fault::Twice, false);
}

#[test]
fn every_effect_busy_once() {
    every_effect(Fault::Transient, false);
}

#[test]
fn every_effect_refused_once() {
    every_effect(Fault::Definite, true);
}

#[test]
fn every_answer_lost_once() {
    every_effect(Fault::LostAck, false);
}

#[test]
fn every_request_lost_once() {
    every_effect(Fault::LostRequest, false);
}

/// The transaction of a schema change commits long after its client gave up, in a plan that a
/// person aborts meanwhile.
#[test]
fn late_commits() {
    let mut late = 0;
    for journey in journeys() {
        let begun = journey.begun();
        let (actions, calls) = length(&journey, &begun);
        let schema = |struck: &Struck| struck.fault == Fault::Late && struck.name == "schema";
        for call in 1..=calls {
            let alone = run(&begun, Schedule::in_call(call, Fault::Late), journey.operator);
            alone.assert_sound(journey.name);
            if !alone.state.struck().iter().any(schema) {
                continue;
            }
            for action in 1..=actions {
                let mut schedule = Schedule::at(&[(action, Fault::Abort)]);
                schedule.calls.insert(call, Fault::Late);
                let done = run(&begun, schedule, journey.operator);
                done.assert_sound(journey.name);
                late += u32::from(done.state.struck().iter().any(schema));
            }
        }
    }
    assert!(late > 100, "{late} late commits");
}

/// An undo that fails for good ends with a person, who is told what to do and can go on.
#[test]
fn an_undo_that_fails_needs_a_person() {
    let mut asked = 0;
    for journey in journeys().into_iter().filter(|journey| !journey.goes_live) {
        let begun = journey.begun();
        let (_, calls) = length(&journey, &begun);
        for call in 1..=calls {
            let operator = Operator { answers: ripcord_sim::Answers::Nothing, ..journey.operator };
            let done = run(&begun, Schedule::in_call(call, Fault::Definite), operator);
            let told = done.told(journey.name);
            assert!(told.is_none(), "{}", told.unwrap_or_default());
            asked += u32::from(matches!(done.rest, Rest::NeedsOperator(_)));
        }
    }
    assert!(asked > 10, "a person was asked {asked} times");
}
