//! A full disk: nothing new begins, and what must go back goes back on the reserve.

use crate::sweep::{length, run};
use ripcord_engine::LedgerError;
use ripcord_engine::control::StartError;
use ripcord_sim::{Denied, Fault, Schedule, Sim, journeys};

/// How often a controller started.
fn lives(story: &str) -> usize {
    story.lines().filter(|line| line.contains(" controller ")).count()
}

#[test]
fn a_full_disk_keeps_no_release_from_going_back() {
    for journey in journeys().into_iter().filter(|journey| !journey.goes_live) {
        let begun = journey.begun();
        let (actions, _) = length(&journey, &begun);
        let calm = run(&begun, Schedule::default(), journey.operator);
        for action in 1..=actions {
            let schedule = Schedule::at(&[(action, Fault::DiskFull)]);
            let done = run(&begun, schedule, journey.operator);
            done.assert_sound(journey.name);
            assert_eq!(done.rest, calm.rest, "{} at {action}", journey.name);
            let (now, before) = (lives(&done.state.story()), lives(&calm.state.story()));
            assert_eq!(now, before, "{} at {action}: it had to be restarted", journey.name);
        }
    }
}

#[test]
fn nothing_new_begins_on_a_full_disk() {
    for journey in journeys() {
        let sim = Sim::of(journey.state.clone());
        let controller = sim.start_controller();
        sim.with(ripcord_sim::State::fill_disk);
        let before = sim.state().fingerprint();
        let denied = controller.begin(&journey.wish, "ann").unwrap_err();
        let full = matches!(denied, Denied::NotStarted(StartError::Ledger(LedgerError::Full(_))));
        assert!(full, "{}: {denied}", journey.name);
        assert_eq!(sim.state().fingerprint(), before);
    }
}
