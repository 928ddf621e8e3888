//! The suite is tried on itself: with each protection switched off it must find something wrong,
//! and with all of them on nothing.

use crate::sweep::{Run, length, run};
use ripcord_sim::{Fault, Journey, Operator, Protection, Schedule, State, journeys};

/// What is tried at every action and every effect.
fn tries(journey: &Journey, begun: &State, found: &mut dyn FnMut(Run) -> bool) -> bool {
    let (actions, calls) = length(journey, begun);
    let aborts = Operator { aborts_after_restart: true, ..journey.operator };
    if found(run(begun, Schedule::default(), journey.operator)) {
        return true;
    }
    for action in 1..=actions {
        for (fault, operator) in [
            (Fault::Kill, journey.operator),
            (Fault::PowerCut, journey.operator),
            (Fault::PowerCut, aborts),
            (Fault::ProxyCrash, journey.operator),
            (Fault::Silence, journey.operator),
            (Fault::FlagOff, journey.operator),
            (Fault::FlagOffAndKill, journey.operator),
            (Fault::Meddle, journey.operator),
        ] {
            if found(run(begun, Schedule::at(&[(action, fault)]), operator)) {
                return true;
            }
        }
        if found(run(begun, Schedule::at(&[(action, Fault::Freeze)]), journey.operator)) {
            return true;
        }
    }
    for call in 1..=calls {
        for action in (1..=actions).step_by(2) {
            let mut schedule = Schedule::at(&[(action, Fault::Abort)]);
            schedule.calls.insert(call, Fault::Late);
            if found(run(begun, schedule, journey.operator)) {
                return true;
            }
        }
    }
    false
}

/// The first schedule with which a violation shows, told.
fn first_violation(off: Option<Protection>) -> (u32, Option<String>) {
    let (mut runs, mut told) = (0, None);
    for mut journey in journeys() {
        if off == Some(Protection::BackAtOnce) {
            // It is the planner's, so the plan begins without it.
            journey.state.switch_off(Protection::BackAtOnce);
        }
        let mut begun = journey.begun();
        if let Some(off) = off {
            begun.switch_off(off);
        }
        let mut found = |run: Run| {
            runs += 1;
            told = run.told(journey.name);
            told.is_some()
        };
        if tries(&journey, &begun, &mut found) {
            break;
        }
    }
    (runs, told)
}

/// The promise that is broken without a protection.
fn guards(protection: Protection) -> &'static str {
    match protection {
        Protection::MarkerInTransaction
        | Protection::Tombstone
        | Protection::IntentFirst
        | Protection::FlagsFollow => "I3",
        Protection::FenceChecked => "I7",
        Protection::Adoption => "I5",
        Protection::LedgerSynced => "I4",
        Protection::ProxyPersists => "I1",
        Protection::Drain | Protection::Limits => "I2",
        Protection::Keep => "I8",
        Protection::FlagsOnce | Protection::FlagsMerged | Protection::ServicePrecondition => "I10",
        Protection::LeaseLapses | Protection::Renewal | Protection::BackAtOnce => "I9",
    }
}

#[test]
fn each_protection_is_missed() {
    for protection in Protection::ALL {
        let (runs, told) = first_violation(Some(protection));
        let Some(told) = told else {
            panic!("without {protection:?} nothing is found wrong in {runs} runs")
        };
        let promise = format!("\n  {}: ", guards(protection));
        assert!(told.contains(&promise), "without {protection:?}, run {runs}: {told}");
    }
}

#[test]
fn with_all_protections_nothing_is_wrong() {
    let (runs, told) = first_violation(None);
    assert_eq!(told, None);
    assert!(runs > 1_000, "{runs} runs");
}
