//! The comparison of a plan, judged anew from its journal. Every look that the journal has is
//! taken again, in the same order and with the same policy, so what comes out is what the judge
//! said at the time, to the bit; where it is not, the record and the judge do not agree.

use crate::analysis::{Assessment, Judge, JudgePolicy, MetricState, Tick, Verdict};
use crate::model::ids::Millis;
use crate::model::{ReleaseId, StepId};
use crate::plan::{Analysis, Effect, Plan};
use crate::run::event::{Event, FailureKind, Observation};
use crate::run::{Entry, Subject, hear};

/// A comparison, as far as the journal has it.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// The release that is judged.
    pub canary: ReleaseId,
    /// The release that it is compared with.
    pub stable: ReleaseId,
    /// By which rules.
    pub policy: JudgePolicy,
    /// Each look, in order.
    pub looks: Vec<Look>,
    /// How its steps ended.
    pub ends: Vec<End>,
    /// Counts that the journal has and that cannot be true.
    pub refused: Vec<String>,
}

/// What the judge makes of everything up to some entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// The entry.
    pub sequence: u64,
    /// The step that looked.
    pub step: StepId,
    /// When, since the comparison began.
    pub at_ms: Millis,
    /// What is new since the look before; several when traffic was divided anew meanwhile.
    pub ticks: Vec<Tick>,
    /// The evidence that was written down with it; none when only metrics were heard.
    pub recorded: Option<f64>,
    /// What the judge says.
    pub said: Assessment,
}

/// The end of a step that compared.
#[derive(Debug, Clone, PartialEq)]
pub struct End {
    /// The entry.
    pub sequence: u64,
    /// The step.
    pub step: StepId,
    /// How.
    pub how: How,
}

/// How a step that compared ended, by the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// It proceeded.
    Passed,
    /// The release was found bad.
    Bad(String),
    /// A person was asked.
    Undecided(String),
}

/// Judges the comparison of a plan anew; none when the plan compares nothing. Entries of other
/// plans are passed over.
pub fn replay<'a>(plan: &Plan, entries: impl IntoIterator<Item = &'a Entry>) -> Option<Comparison> {
    let first = plan.steps.iter().find_map(|step| analysis(plan, step.id))?;
    let mut court = Court::new(first);
    for entry in entries {
        let Subject::Plan { plan: of, step, .. } = &entry.subject else { continue };
        if of == &plan.id
            && let Some(analysis) = analysis(plan, *step)
        {
            court.take(analysis, *step, entry);
        }
    }
    court.look();
    Some(court.comparison)
}

fn analysis(plan: &Plan, step: StepId) -> Option<&Analysis> {
    match &plan.step(step)?.effect {
        Effect::Analysis(analysis) => Some(analysis),
        _ => None,
    }
}

/// The judge at work again.
struct Court {
    judge: Judge,
    comparison: Comparison,
    /// All evidence, since a step with other rules judges it anew.
    heard: Vec<Observation>,
    /// The look that is not complete: more of the same time may follow.
    open: Option<Open>,
}

struct Open {
    sequence: u64,
    step: StepId,
    at_ms: Millis,
    ticks: Vec<Tick>,
    recorded: Option<f64>,
}

impl Court {
    fn new(analysis: &Analysis) -> Court {
        let Analysis { canary, stable, judge, .. } = analysis;
        let comparison = Comparison {
            canary: canary.clone(),
            stable: stable.clone(),
            policy: JudgePolicy::clone(judge),
            looks: Vec::new(),
            ends: Vec::new(),
            refused: Vec::new(),
        };
        Court {
            judge: Judge::new(judge, canary, stable),
            comparison,
            heard: Vec::new(),
            open: None,
        }
    }

    fn take(&mut self, analysis: &Analysis, step: StepId, entry: &Entry) {
        let how = match &entry.event {
            Event::Observed { observation } if observation.is_evidence() => {
                self.change_rules(analysis);
                return self.hear(step, entry.sequence, observation);
            }
            Event::Observed { observation: Observation::Undecided { because } } => {
                How::Undecided(because.clone())
            }
            Event::Failed { kind: FailureKind::Evidence, error } => How::Bad(error.clone()),
            Event::Succeeded { .. } => How::Passed,
            _ => return,
        };
        self.look();
        self.comparison.ends.push(End { sequence: entry.sequence, step, how });
    }

    /// A step with other rules has a judge of its own, who hears everything.
    fn change_rules(&mut self, analysis: &Analysis) {
        let now = &mut self.comparison;
        if now.policy == *analysis.judge
            && now.canary == analysis.canary
            && now.stable == analysis.stable
        {
            return;
        }
        self.look();
        let now = &mut self.comparison;
        (now.canary, now.stable) = (analysis.canary.clone(), analysis.stable.clone());
        now.policy = JudgePolicy::clone(&analysis.judge);
        self.judge = Judge::new(&now.policy, &now.canary, &now.stable);
        for observation in &self.heard {
            // What is refused was noted when it came.
            drop(hear(&mut self.judge, observation));
        }
    }

    fn hear(&mut self, step: StepId, sequence: u64, observation: &Observation) {
        let at_ms = match observation {
            Observation::Judged { tick, .. } => tick.at_ms,
            Observation::Sampled { sample } => sample.at_ms,
            _ => {
                // The yardstick by itself is no reason to look.
                self.look();
                drop(hear(&mut self.judge, observation));
                self.heard.push(observation.clone());
                return;
            }
        };
        if self.open.as_ref().is_some_and(|open| (open.at_ms, open.step) != (at_ms, step)) {
            self.look();
        }
        if let Err(bad) = hear(&mut self.judge, observation) {
            self.comparison.refused.push(format!("entry {sequence}: {bad}"));
        }
        self.heard.push(observation.clone());
        let (ticks, recorded) = (Vec::new(), None);
        let open = self.open.get_or_insert(Open { sequence, step, at_ms, ticks, recorded });
        open.sequence = sequence;
        if let Observation::Judged { tick, evidence, .. } = observation {
            open.recorded = Some(*evidence);
            open.ticks.push(tick.clone());
        }
    }

    /// Looks, if anything has been heard since the last look.
    fn look(&mut self) {
        let Some(Open { sequence, step, at_ms, ticks, recorded }) = self.open.take() else {
            return;
        };
        let said = self.judge.assess(at_ms);
        self.comparison.looks.push(Look { sequence, step, at_ms, ticks, recorded, said });
    }
}

impl Comparison {
    /// The last look.
    pub fn last(&self) -> Option<&Look> {
        self.looks.last()
    }

    /// The first look at which the canary had to go.
    pub fn gone(&self) -> Option<&Look> {
        self.whole().find(|look| matches!(look.said.verdict, Verdict::GoBack { .. }))
    }

    /// The first look at which it was good enough.
    pub fn promotable(&self) -> Option<&Look> {
        self.whole().find(|look| look.said.promotable)
    }

    /// The looks of which the journal has everything. Where only a metric was heard, requests
    /// that were counted by then may have been written down later.
    fn whole(&self) -> impl Iterator<Item = &Look> {
        let last = self.looks.last().map(|look| look.sequence);
        self.looks.iter().filter(move |look| look.recorded.is_some() || Some(look.sequence) == last)
    }

    /// The last look before an entry.
    fn before(&self, sequence: u64) -> Option<&Look> {
        self.looks.iter().rev().find(|look| look.sequence < sequence)
    }

    /// Where the judge, asked again, says something else than the journal has; empty when they
    /// agree.
    pub fn differences(&self) -> Vec<String> {
        let mut found = self.refused.clone();
        for look in &self.looks {
            let now = look.said.evidence;
            if let Some(then) = look.recorded.filter(|then| then.to_bits() != now.to_bits()) {
                let sequence = look.sequence;
                found.push(format!("entry {sequence}: evidence {then} was written, it is {now}"));
            }
        }
        found.extend(self.ends.iter().filter_map(|end| self.difference(end)));
        found
    }

    fn difference(&self, end: &End) -> Option<String> {
        let sequence = end.sequence;
        let look = self.before(sequence);
        let verdict = look.map(|look| &look.said.verdict);
        let is_bad = matches!(verdict, Some(Verdict::GoBack { .. }));
        match &end.how {
            How::Bad(because) if self.is_from_elsewhere(because) => None,
            How::Bad(because) => match verdict {
                Some(Verdict::GoBack { because: now }) if now == because => None,
                Some(Verdict::GoBack { because: now }) => {
                    Some(format!("entry {sequence} says «{because}», the judge says «{now}»"))
                }
                _ => Some(format!(
                    "entry {sequence} takes the release back, the judge does not: {}",
                    look.map_or_else(
                        || "it has seen nothing".to_owned(),
                        |look| look.said.lacking()
                    )
                )),
            },
            How::Passed | How::Undecided(_) if is_bad && self.acts() => Some(format!(
                "entry {sequence} lets the release go on, the judge takes it back: {}",
                look.map(|look| look.said.lacking()).unwrap_or_default()
            )),
            How::Passed | How::Undecided(_) => None,
        }
    }

    /// Whether this reason is none of the judge's: a crash or an instance that is not ready is
    /// seen by others, and being blind too long is a matter of time.
    pub fn is_from_elsewhere(&self, because: &str) -> bool {
        let canary = &self.canary;
        because.starts_with(&format!("{canary} was restarted "))
            || because == format!("{canary} has instances that do not become ready")
            || because.starts_with("nothing is known: ")
    }

    fn acts(&self) -> bool {
        self.policy.mode == crate::analysis::JudgeMode::Act
    }
}

/// What a metric amounts to, in a word.
pub fn state(state: MetricState) -> &'static str {
    match state {
        MetricState::Ok => "ok",
        MetricState::Suspect => "suspect",
        MetricState::Bad => "bad",
        MetricState::Blind => "blind",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::{entries, events, plan, tick};
    use expect_test::{Expect, expect};

    fn compared(events: Vec<(StepId, Event)>) -> Comparison {
        let plan = plan();
        replay(&plan, &entries(&plan, events)).expect("a canary compares")
    }

    fn check(comparison: &Comparison, expected: &Expect) {
        let mut said = String::new();
        for difference in comparison.differences() {
            said.push_str(&difference);
            said.push('\n');
        }
        expected.assert_eq(&said);
    }

    #[test]
    fn what_the_journal_has_is_what_the_judge_says() {
        let (step, events) = events(&[tick(1_000, 5, 0, 95, 0), tick(2_000, 5, 5, 95, 0)]);
        let compared = compared(events);
        let verdicts: Vec<bool> = compared
            .looks
            .iter()
            .map(|look| matches!(look.said.verdict, Verdict::GoBack { .. }))
            .collect();
        assert_eq!(verdicts, [false, true]);
        assert_eq!(compared.gone().map(|look| look.step), Some(step));
        assert_eq!(compared.last().map(|look| look.said.counts.canary.total), Some(10));
        check(&compared, &expect![""]);
    }

    #[test]
    fn a_digit_that_was_changed_is_found() {
        let (_, mut events) = events(&[tick(1_000, 5, 0, 95, 0), tick(2_000, 5, 5, 95, 0)]);
        for (_, event) in &mut events {
            if let Event::Observed { observation: Observation::Judged { evidence, .. } } = event {
                *evidence = f64::from_bits(evidence.to_bits() + 1);
                break;
            }
        }
        check(
            &compared(events),
            &expect![[r"
            entry 11: evidence 1.0000000000000002 was written, it is 1
        "]],
        );
    }

    #[test]
    fn a_count_that_was_changed_is_found() {
        let (_, mut events) = events(&[tick(1_000, 5, 0, 95, 0), tick(2_000, 5, 5, 95, 0)]);
        for (_, event) in &mut events {
            if let Event::Observed { observation: Observation::Judged { tick, .. } } = event {
                tick.canary.errors = 0;
            }
        }
        let differences = compared(events).differences();
        assert!(differences.len() >= 2, "{differences:?}");
        assert!(
            differences.iter().any(|one| one.contains("the judge does not")),
            "{differences:?}"
        );
    }

    #[test]
    fn a_crash_is_none_of_the_judges_decisions() {
        let (step, mut events) = events(&[tick(1_000, 5, 0, 95, 0)]);
        let error = "v2 was restarted 3 times".to_owned();
        events.push((step, Event::Failed { kind: FailureKind::Evidence, error }));
        check(&compared(events), &expect![""]);
        let (step, mut events) = self::events(&[tick(1_000, 5, 0, 95, 0)]);
        let error = "v2 looked bad".to_owned();
        events.push((step, Event::Failed { kind: FailureKind::Evidence, error }));
        check(
            &compared(events),
            &expect![[r"
            entry 12 takes the release back, the judge does not: about 614 more canary requests, 2 min at the present traffic
        "]],
        );
    }

    #[test]
    fn one_that_had_to_go_and_went_on_is_found() {
        let (step, mut events) = events(&[tick(2_000, 5, 5, 95, 0)]);
        events.retain(|(_, event)| !matches!(event, Event::Failed { .. }));
        events.push((step, Event::Succeeded { receipt: crate::run::Receipt::of("fine") }));
        check(
            &compared(events),
            &expect![[r"
            entry 12 lets the release go on, the judge takes it back: v2 answered 5 of 5 canary requests with 5xx, stable 0 of 95: at least 6.7 times as often at 99 %. Seen by chance in an equal release: less than once in 100,000.
        "]],
        );
    }

    #[test]
    fn counts_that_cannot_be_true_are_told() {
        let (_, events) = events(&[tick(1_000, 5, 0, 95, 0)]);
        let mut events = events;
        for (_, event) in &mut events {
            if let Event::Observed { observation: Observation::Judged { tick, .. } } = event {
                tick.canary.errors = 9;
            }
        }
        let compared = compared(events);
        assert_eq!(compared.refused.len(), 1, "{:?}", compared.refused);
    }
}
