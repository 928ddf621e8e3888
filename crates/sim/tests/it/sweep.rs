//! Running one journey under one schedule, and telling what was wrong in a way that can be run
//! again.

use ripcord_sim::{Journey, Operator, Rest, Schedule, Sim, State, Violation, judge};

/// One run.
pub(crate) struct Run {
    pub(crate) rest: Rest,
    pub(crate) state: State,
    pub(crate) violations: Vec<Violation>,
}

/// Runs a plan that has begun under a schedule, and judges it.
pub(crate) fn run(begun: &State, schedule: Schedule, operator: Operator) -> Run {
    let sim = Sim::of(begun.clone());
    sim.with(|state| state.set_schedule(schedule));
    let rest = sim.drive(operator);
    let state = sim.state();
    let violations = judge(&state, &rest);
    Run { rest, state, violations }
}

impl Run {
    /// What went wrong, with what struck when.
    pub(crate) fn told(&self, journey: &str) -> Option<String> {
        if self.violations.is_empty() {
            return None;
        }
        let mut told = format!("{journey}: {:?}", self.rest);
        for violation in &self.violations {
            told.push_str(&format!("\n  {violation}"));
        }
        for struck in self.state.struck() {
            told.push_str(&format!(
                "\n  {} at action {} ({}) in {:?}",
                struck.fault, struck.action, struck.name, struck.moment
            ));
        }
        Some(told)
    }

    pub(crate) fn assert_sound(&self, journey: &str) {
        let told = self.told(journey);
        assert!(told.is_none(), "{}\n{}", told.unwrap_or_default(), self.state.story());
    }
}

/// How many actions and effects a journey takes when nothing goes wrong.
pub(crate) fn length(journey: &Journey, begun: &State) -> (u64, u64) {
    let run = run(begun, Schedule::default(), journey.operator);
    (run.state.actions(), run.state.calls())
}
