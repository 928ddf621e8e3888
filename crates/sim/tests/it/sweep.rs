//! Running one journey under one schedule, and telling what was wrong in a way that can be run
//! again.

use ripcord_sim::{Journey, Operator, Rest, Schedule, Sim, State, Violation, judge};

/// One run.
pub(crate) struct Run {
    pub(crate) rest: Rest,
    pub(crate) state: State,
    pub(crate) violations: Vec<Violation>,
}

/// Runs a plan that has begun under a schedule, and judges it. Where the schedule freezes a
/// controller, a successor lives its life meanwhile; then the frozen one wakes.
pub(crate) fn run(begun: &State, schedule: Schedule, operator: Operator) -> Run {
    let sim = Sim::of(begun.clone());
    sim.with(|state| state.set_schedule(schedule));
    sim.on_freeze(Box::new(Sim::one_life));
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
        let violations = self.violations.iter().map(|violation| format!("\n  {violation}"));
        let struck = self.state.struck().iter().map(|struck| {
            let (fault, action, name) = (struck.fault, struck.action, struck.name);
            format!("\n  {fault} at action {action} ({name}) in {:?}", struck.moment)
        });
        let details: String = violations.chain(struck).collect();
        let told = format!("{journey}: {:?}{details}", self.rest);
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
