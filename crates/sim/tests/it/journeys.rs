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
