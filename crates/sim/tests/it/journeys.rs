//! Every journey, undisturbed: it ends as it should, and nothing is wrong.

use ripcord_core::run::Outcome;
use ripcord_sim::{Rest, Sim, journeys, judge};

#[test]
fn calm() {
    for journey in journeys() {
        let sim = Sim::of(journey.begun());
        let rest = sim.drive(journey.operator);
        let violations = judge(&sim.state(), &rest);
        assert!(violations.is_empty(), "{}: {rest:?} {violations:?}", journey.name);
        let Rest::Over(outcome) = &rest else { panic!("{}: {rest:?}", journey.name) };
        assert_eq!(*outcome == Outcome::Live, journey.goes_live, "{}: {rest:?}", journey.name);
    }
}

/// A person who approves the switch has not said that the release need not be watched.
#[test]
fn an_approved_release_is_watched_all_the_same() {
    let journeys = journeys();
    let approved = journeys.iter().find(|journey| journey.name == "approved, found bad");
    let journey = approved.expect("there is such a journey");
    let sim = Sim::of(journey.begun());
    let rest = sim.drive(journey.operator);
    assert!(matches!(rest, Rest::Over(Outcome::WentBack(_))), "{rest:?}\n{}", sim.state().story());
}
