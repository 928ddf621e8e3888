//! Where a canary stands: its steps, its share, what speaks against it, what it still needs, and
//! how all that came about. Data only; how it looks is for whoever shows it.

use crate::analysis::{Assessment, Verdict};
use crate::model::ids::Millis;
use crate::model::{Draw, ReleaseId, Share, StepId};
use crate::plan::{Analysis, Effect, Plan};
use crate::report::replay::{Comparison, Look, replay, state};
use crate::run::{Entry, Progress, StepState};
use serde::{Deserialize, Serialize};

/// How many points a course has at most; more are no use on a screen.
const POINTS_MAX: usize = 120;

/// Where a canary stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rollout {
    /// The release that is judged.
    pub canary: ReleaseId,
    /// The release that it is compared with.
    pub stable: ReleaseId,
    /// What it goes through.
    pub rungs: Vec<Rung>,
    /// The share of the requests that it is to have now, in hundredths of a percent.
    pub asked: Share,
    /// The share of the requests that it had since that was asked, between 0 and 1; none while
    /// nothing is known.
    pub measured: Option<f64>,
    /// Likewise of the users, where these keep their release: few of them may send most requests,
    /// so that the two shares differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured_users: Option<f64>,
    /// What the judge says; none before the first request was counted.
    pub judged: Option<Judged>,
    /// How it came to that, oldest first.
    pub course: Vec<Point>,
}

/// A step of the plan that divides, waits or compares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// Its number in the plan.
    pub step: StepId,
    /// What it does.
    pub what: String,
    /// Where it stands.
    pub stands: Stands,
}

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stands {
    /// It is done.
    Done,
    /// It is under way.
    Now,
    /// It comes later.
    Ahead,
    /// It failed.
    Failed,
    /// It was taken back.
    Back,
}

/// What the judge says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// What follows.
    pub verdict: Verdict,
    /// The evidence against the canary; 1 is none.
    pub evidence: f64,
    /// At how much of it the canary goes.
    pub enough: f64,
    /// Each metric.
    pub metrics: Vec<Metric>,
    /// Whether it is good enough to proceed for good.
    pub promotable: bool,
    /// How many more canary requests are needed for that, if it is as good as stable.
    pub need_requests: Option<u64>,
    /// How long that takes with the present traffic.
    pub need_ms: Option<Millis>,
    /// The whole in a sentence or two.
    pub words: String,
}

/// What one metric says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// `ok`, `suspect`, `bad` or `blind`.
    pub state: String,
    /// The evidence against the canary; 1 is none.
    pub evidence: f64,
    /// How far the promise about false alarms holds for it: `exact`, `by reading`, `approximate`,
    /// or `advice`, where nothing follows from it.
    #[serde(default)]
    pub bound: String,
    /// The same for people.
    pub words: String,
}

/// A moment of the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// When, since it began.
    pub at_ms: Millis,
    /// The evidence against the canary by then.
    pub evidence: f64,
    /// Requests of the canary since the point before.
    pub canary: u64,
    /// Of these, errors.
    pub canary_errors: u64,
    /// Requests of stable since the point before.
    pub stable: u64,
    /// Of these, errors.
    pub stable_errors: u64,
}

impl Rollout {
    /// Where the plan's canary stands; none when it has none, or is beyond it.
    pub fn of<'a>(
        plan: &Plan,
        progress: &Progress,
        entries: impl IntoIterator<Item = &'a Entry>,
    ) -> Option<Rollout> {
        let compared = replay(plan, entries)?;
        let now = current(plan, progress);
        let rungs: Vec<Rung> = plan
            .steps
            .iter()
            .filter(|step| share(&step.effect, &compared.canary).is_some())
            .map(|step| Rung {
                step: step.id,
                what: step.effect.to_string(),
                stands: stands(progress, step.id, now),
            })
            .collect();
        // Before the first of them nobody has met the canary, and after the last one all have.
        let at = rungs.iter().rposition(|rung| rung.stands != Stands::Ahead)?;
        let over = rungs.iter().all(|rung| rung.stands == Stands::Done);
        let beyond = over && now.is_some_and(|now| rungs.iter().all(|rung| rung.step < now));
        if beyond && progress.turned_back.is_none() {
            return None;
        }
        let asked = match progress.turned_back {
            Some(_) => 0,
            None => plan
                .step(rungs[at].step)
                .and_then(|step| share(&step.effect, &compared.canary))
                .unwrap_or(0),
        };
        let measured = measured(&compared, asked);
        // The journal has the first request of each user alone.
        let of_users = measured.filter(|_| keeps_users(plan));
        Some(Rollout {
            measured: measured.xor(of_users),
            measured_users: of_users,
            judged: compared.last().map(|look| Judged::of(&look.said)),
            course: course(&compared.looks),
            canary: compared.canary,
            stable: compared.stable,
            rungs,
            asked,
        })
    }
}

impl Judged {
    fn of(said: &Assessment) -> Judged {
        let metric = |one: &crate::analysis::MetricEvidence| Metric {
            name: one.name.clone(),
            state: state(one.state).to_owned(),
            evidence: one.evidence,
            bound: one.bound.name().to_owned(),
            words: one.words.clone(),
        };
        Judged {
            verdict: said.verdict.clone(),
            evidence: said.evidence,
            enough: said.enough,
            metrics: said.metrics.iter().map(metric).collect(),
            promotable: said.promotable,
            need_requests: said.need.map(|need| need.requests),
            need_ms: said.need.and_then(|need| need.ms),
            words: said.words.clone(),
        }
    }
}

/// The share of the canary while this step is under way, where it has one below everything.
fn share(effect: &Effect, canary: &ReleaseId) -> Option<Share> {
    let (Effect::EnsureTraffic { state, .. } | Effect::Analysis(Analysis { traffic: state, .. })) =
        effect
    else {
        return None;
    };
    let share = state.split.share(canary);
    let divides = share > 0 && state.split.only().is_none();
    let compares = matches!(effect, Effect::Analysis(_));
    (divides || compares || !state.rules.is_empty()).then_some(share)
}

/// Whether users keep their release while the plan divides.
fn keeps_users(plan: &Plan) -> bool {
    plan.steps.iter().any(|step| match &step.effect {
        Effect::Analysis(analysis) => matches!(analysis.traffic.draw, Draw::Sticky(_)),
        _ => false,
    })
}

/// The step that is under way.
fn current(plan: &Plan, progress: &Progress) -> Option<StepId> {
    let done = |id: StepId| progress.states.get(&id) == Some(&StepState::Succeeded);
    plan.steps.iter().map(|step| step.id).find(|id| !done(*id))
}

fn stands(progress: &Progress, step: StepId, now: Option<StepId>) -> Stands {
    match progress.states.get(&step) {
        Some(StepState::Succeeded) => Stands::Done,
        Some(StepState::Failed) => Stands::Failed,
        Some(StepState::Undone | StepState::UndoInDoubt | StepState::Stuck) => Stands::Back,
        Some(StepState::InDoubt) => Stands::Now,
        None if Some(step) == now && progress.turned_back.is_none() => Stands::Now,
        None => Stands::Ahead,
    }
}

/// The canary's share of the requests that were divided with this chance.
#[expect(clippy::cast_precision_loss, reason = "counts of requests stay far below 2^52")]
fn measured(compared: &Comparison, asked: Share) -> Option<f64> {
    let ticks = compared.looks.iter().flat_map(|look| &look.ticks);
    let (mut canary, mut all) = (0_u64, 0_u64);
    for tick in ticks.filter(|tick| tick.weight == asked) {
        canary = canary.saturating_add(tick.canary.requests);
        all = all.saturating_add(tick.canary.requests).saturating_add(tick.stable.requests);
    }
    (all > 0).then(|| canary as f64 / all as f64)
}

/// The course, with neighbours put together where there are too many points.
fn course(looks: &[Look]) -> Vec<Point> {
    let together = looks.len().div_ceil(POINTS_MAX).max(1);
    let point = |looks: &[Look]| {
        let last = looks.last()?;
        let mut point = Point {
            at_ms: last.at_ms,
            evidence: last.said.evidence,
            canary: 0,
            canary_errors: 0,
            stable: 0,
            stable_errors: 0,
        };
        for tick in looks.iter().flat_map(|look| &look.ticks) {
            point.canary = point.canary.saturating_add(tick.canary.requests);
            point.canary_errors = point.canary_errors.saturating_add(tick.canary.errors);
            point.stable = point.stable.saturating_add(tick.stable.requests);
            point.stable_errors = point.stable_errors.saturating_add(tick.stable.errors);
        }
        Some(point)
    };
    looks.chunks(together).filter_map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::{entries, events, plan, tick};
    use crate::run::event::Event;
    use crate::run::{Receipt, replay as progress};
    use expect_test::{Expect, expect};
    use std::fmt::Write as _;

    fn check(events: Vec<(StepId, Event)>, expected: &Expect) {
        let plan = plan();
        let entries = entries(&plan, events);
        let progress = progress(&entries).expect("a journal that can be");
        let mut said = String::new();
        if let Some(rollout) = Rollout::of(&plan, &progress, &entries) {
            for rung in &rollout.rungs {
                writeln!(said, "{:?} {} {}", rung.stands, rung.step, rung.what).unwrap();
            }
            let measured = rollout.measured.map(|share| format!("{share:.3}"));
            let requests: Vec<u64> = rollout.course.iter().map(|point| point.canary).collect();
            writeln!(said, "{} asked, {measured:?}, {requests:?}", rollout.asked).unwrap();
        }
        expected.assert_eq(&said);
    }

    #[test]
    fn under_way() {
        let (_, events) = events(&[tick(1_000, 5, 0, 95, 0), tick(2_000, 7, 0, 93, 0)]);
        check(
            events,
            &expect![[r#"
            Done 4 traffic to v1 95 %, v2 5 %, 1 of v2 serve, preview of v2
            Now 5 compare v2 with v1 until it is proven, 10 min at most
            Ahead 6 traffic to v1 50 %, v2 50 %, 1 of v2 serve, preview of v2
            Ahead 7 compare v2 with v1 until it is proven, 10 min at most
            500 asked, Some("0.060"), [5, 7]
        "#]],
        );
    }

    #[test]
    fn nobody_has_met_it_yet() {
        check(Vec::new(), &expect![""]);
    }

    #[test]
    fn found_bad() {
        let (_, events) = events(&[tick(1_000, 5, 0, 95, 0), tick(2_000, 5, 5, 95, 0)]);
        check(
            events,
            &expect![[r#"
            Done 4 traffic to v1 95 %, v2 5 %, 1 of v2 serve, preview of v2
            Failed 5 compare v2 with v1 until it is proven, 10 min at most
            Ahead 6 traffic to v1 50 %, v2 50 %, 1 of v2 serve, preview of v2
            Ahead 7 compare v2 with v1 until it is proven, 10 min at most
            500 asked, Some("0.050"), [5, 5]
        "#]],
        );
    }

    #[test]
    fn beyond_all_of_it() {
        let plan = plan();
        let done = |step: &crate::plan::Step| {
            let receipt = Receipt::of("done");
            [(step.id, Event::Started), (step.id, Event::Succeeded { receipt })]
        };
        let last = plan
            .steps
            .iter()
            .rposition(|step| share(&step.effect, &plan.to).is_some())
            .expect("it compares");
        let events = plan.steps[..=last].iter().flat_map(done).collect();
        check(events, &expect![""]);
    }

    #[test]
    fn a_long_course_is_put_together() {
        let ticks: Vec<_> = (1..=1_000).map(|at| tick(at * 1_000, 1, 0, 19, 0)).collect();
        let (plan, (_, events)) = (plan(), events(&ticks));
        let compared = replay(&plan, &entries(&plan, events)).expect("it compares");
        let course = course(&compared.looks);
        assert!((60..=POINTS_MAX).contains(&course.len()), "{}", course.len());
        assert_eq!(course.iter().map(|point| point.canary).sum::<u64>(), 1_000);
        assert_eq!(course.last().map(|point| point.at_ms), Some(1_000_000));
    }
}
