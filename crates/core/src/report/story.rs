//! A story: lines of the timeline that know what came before. The journal has counts since the
//! entry before; people want to know how many there are in all, and not fifty times.

use crate::analysis::{ArmCounts, JudgePolicy};
use crate::model::{PlanId, StepId};
use crate::plan::display::duration;
use crate::plan::{Effect, Plan};
use crate::report::timeline::{Line, Mark, line};
use crate::run::event::{Event, Observation};
use crate::run::{Entry, Subject};
use std::collections::BTreeMap;

/// From which evidence on each entry is worth a line: it may end soon.
const TENSE: f64 = 5.0;

/// Tells entries one after the other.
#[derive(Debug, Clone, Default)]
pub struct Story {
    plans: BTreeMap<PlanId, Counts>,
    verbose: bool,
}

/// What was counted in a plan so far, and what of it was told.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    canary: Arm,
    stable: Arm,
    told: Option<Told>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Arm {
    requests: u64,
    errors: u64,
}

#[derive(Debug, Clone, Copy)]
struct Told {
    step: StepId,
    canary: u64,
    tense: bool,
}

impl Story {
    /// A story that leaves out what hardly changes, unless it is to be verbose.
    pub fn new(verbose: bool) -> Story {
        Story { plans: BTreeMap::new(), verbose }
    }

    /// Tells an entry; none when it says nothing that people need. Entries must come in order,
    /// and none may be missing since their plan began.
    pub fn tell(&mut self, entry: &Entry, plan: Option<&Plan>) -> Option<Line> {
        let (
            Event::Observed { observation: Observation::Judged { elapsed_ms, tick, evidence, .. } },
            Subject::Plan { plan: id, step, .. },
        ) = (&entry.event, &entry.subject)
        else {
            return line(entry, plan);
        };
        let counts = self.plans.entry(id.clone()).or_default();
        counts.canary.add(&tick.canary);
        counts.stable.add(&tick.stable);
        if !counts.are_news(*step, *evidence) && !self.verbose {
            return None;
        }
        let (tense, canary) = (*evidence >= TENSE, counts.canary.requests);
        counts.told = Some(Told { step: *step, canary, tense });
        let text = format!(
            "{}: canary {}, stable {}; evidence {evidence:.1} of {:.0}",
            duration(*elapsed_ms),
            counts.canary,
            counts.stable,
            enough(plan, *step)
        );
        Some(Line { at: entry.at, mark: Mark::Seen, text })
    }
}

/// At how much evidence a release goes; what is usual where the plan is not known.
fn enough(plan: Option<&Plan>, step: StepId) -> f64 {
    let alpha_ppm = match plan.and_then(|plan| plan.step(step)).map(|step| &step.effect) {
        Some(Effect::Analysis(analysis)) => analysis.judge.alpha_ppm,
        _ => JudgePolicy::default().alpha_ppm,
    };
    1e6 / f64::from(alpha_ppm.max(1))
}

impl Counts {
    /// Whether they differ enough from what was told: another step, twice as many requests, or
    /// evidence that has become serious, or is so no longer.
    fn are_news(&self, step: StepId, evidence: f64) -> bool {
        self.told.is_none_or(|told| {
            told.step != step
                || told.tense != (evidence >= TENSE)
                || self.canary.requests >= told.canary.saturating_mul(2).max(1)
        })
    }
}

impl Arm {
    fn add(&mut self, counts: &ArmCounts) {
        self.requests = self.requests.saturating_add(counts.requests);
        self.errors = self.errors.saturating_add(counts.errors);
    }
}

impl std::fmt::Display for Arm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} errors in {} requests", self.errors, self.requests)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::{entries, events, plan, tick};
    use expect_test::{Expect, expect};

    fn check(expected: &Expect) {
        let plan = plan();
        let quiet = (1..=30).map(|second| tick(second * 1_000, 5, 0, 95, 1));
        let loud = (31..=33).map(|second| tick(second * 1_000, 5, 3, 95, 1));
        let (_, events) = events(&quiet.chain(loud).collect::<Vec<_>>());
        let mut story = Story::new(false);
        let entries = entries(&plan, events);
        let told = entries.iter().filter_map(|entry| story.tell(entry, Some(&plan)));
        let seen = told.filter(|line| line.mark == Mark::Seen).map(|line| line.text);
        expected.assert_eq(&seen.collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn totals_and_only_where_they_are_news() {
        check(&expect![[r"
            1.0 s: canary 0 errors in 5 requests, stable 1 errors in 95 requests; evidence 0.7 of 100
            2.0 s: canary 0 errors in 10 requests, stable 2 errors in 190 requests; evidence 0.5 of 100
            4.0 s: canary 0 errors in 20 requests, stable 4 errors in 380 requests; evidence 0.4 of 100
            8.0 s: canary 0 errors in 40 requests, stable 8 errors in 760 requests; evidence 0.3 of 100
            16.0 s: canary 0 errors in 80 requests, stable 16 errors in 1520 requests; evidence 0.2 of 100
            32.0 s: canary 6 errors in 160 requests, stable 32 errors in 3040 requests; evidence 2.8 of 100
            33.0 s: canary 9 errors in 165 requests, stable 33 errors in 3135 requests; evidence 52.3 of 100"]]);
    }

    #[test]
    fn a_verbose_story_has_all() {
        let plan = plan();
        let (_, events) = events(&[tick(1_000, 5, 0, 95, 1), tick(2_000, 5, 0, 95, 1)]);
        let mut story = Story::new(true);
        let entries = entries(&plan, events);
        let lines = entries.iter().filter_map(|entry| story.tell(entry, Some(&plan)));
        let seen: Vec<String> =
            lines.filter(|line| line.mark == Mark::Seen).map(|line| line.text).collect();
        assert_eq!(seen.len(), 2);
        assert!(seen[1].contains("stable 2 errors in 190 requests"), "{seen:?}");
    }
}
