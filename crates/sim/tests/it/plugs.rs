//! The plug is pulled at every action of every journey, and at every pair of actions.

use crate::sweep::{length, run};
use ripcord_core::run::Outcome;
use ripcord_sim::{Fault, Journey, Operator, Rest, Schedule, journeys};

/// More actions than any pair of crashes can leave to a run.
const ACTIONS_MAX: u64 = 1_000;

fn singles(fault: Fault, operator: impl Fn(&Journey) -> Operator) -> u64 {
    let mut runs = 0;
    for journey in journeys() {
        let begun = journey.begun();
        let (actions, _) = length(&journey, &begun);
        assert!(actions > 10, "{} has only {actions} actions", journey.name);
        for action in 1..=actions {
            let done = run(&begun, Schedule::at(&[(action, fault)]), operator(&journey));
            assert_eq!(done.state.struck().len(), 1, "{} at {action}", journey.name);
            done.assert_sound(journey.name);
            runs += 1;
        }
    }
    runs
}

#[test]
fn killed_at_every_action() {
    assert!(singles(Fault::Kill, |journey| journey.operator) > 500);
}

#[test]
fn power_cut_at_every_action() {
    singles(Fault::PowerCut, |journey| journey.operator);
}

#[test]
fn killed_at_every_action_and_aborted_after_the_restart() {
    singles(Fault::Kill, |journey| Operator { aborts_after_restart: true, ..journey.operator });
}

#[test]
fn aborted_at_every_action() {
    singles(Fault::Abort, |journey| journey.operator);
    singles(Fault::AbortTwice, |journey| journey.operator);
}

#[test]
fn asked_at_every_action() {
    for fault in [Fault::Pause, Fault::Promote, Fault::Retry, Fault::Deploy] {
        singles(fault, |journey| journey.operator);
    }
}

#[test]
fn the_world_fails_at_every_action() {
    singles(Fault::Meddle, |journey| journey.operator);
    for fault in
        [Fault::ProxyCrash, Fault::InstanceDies, Fault::IdleGone, Fault::DiskFull, Fault::Silence]
    {
        singles(fault, |journey| journey.operator);
    }
}

/// One instance that dies, or a proxy that starts again, is no evidence against a release: what is
/// good still goes live.
#[test]
fn a_good_release_survives_a_moment_of_trouble() {
    let mut taken_back = Vec::new();
    for journey in journeys().into_iter().filter(|journey| journey.goes_live) {
        let begun = journey.begun();
        let (actions, _) = length(&journey, &begun);
        for fault in [Fault::InstanceDies, Fault::ProxyCrash] {
            for action in 1..=actions {
                let done = run(&begun, Schedule::at(&[(action, fault)]), journey.operator);
                done.assert_sound(journey.name);
                if done.rest != Rest::Over(Outcome::Live) {
                    taken_back.push(format!("{} {fault} {action} {:?}", journey.name, done.rest));
                }
            }
        }
    }
    assert!(taken_back.is_empty(), "{}", taken_back.join("\n"));
}

fn pairs(part: usize, parts: usize) {
    let mut runs = 0;
    for (_, journey) in
        journeys().into_iter().enumerate().filter(|(index, _)| index % parts == part)
    {
        let begun = journey.begun();
        let (actions, _) = length(&journey, &begun);
        for first in 1..=actions {
            for second in first + 1..ACTIONS_MAX {
                let schedule = Schedule::at(&[(first, Fault::Kill), (second, Fault::Kill)]);
                let done = run(&begun, schedule, journey.operator);
                done.assert_sound(journey.name);
                runs += 1;
                if done.state.struck().len() < 2 {
                    break;
                }
            }
        }
    }
    assert!(runs > 1_000, "{runs} pairs");
}

#[test]
fn killed_at_every_pair_of_actions_1() {
    pairs(0, 2);
}

#[test]
fn killed_at_every_pair_of_actions_2() {
    pairs(1, 2);
}
