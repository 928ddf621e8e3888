//! From the request that crosses the line to the last one that reaches the canary: a real
//! controller, its ledger and its proxy, under ten thousand requests a second. Which request
//! crossed the line is found afterwards, by judging the users' own notes one by one.

use super::users::{Asked, Users};
use super::{deploy, quantile};
use crate::cli::follow::Ended;
use crate::demo::{Data, ENVIRONMENT, Fixture, Options, Stage, cannot_write};
use crate::failure::{Code, Failure};
use crate::terminal;
use ripcord_core::analysis::{Judge, Tick};
use ripcord_core::model::ids::Millis;
use ripcord_core::plan::{Analysis, Effect, Plan};
use ripcord_core::run::{Entry, Event, FailureKind, Observation, Outcome, Subject, TurnReason};
use std::fs;
use std::time::Duration;

/// How long it may take.
const MOVED_MS_MAX: f64 = 100.0;

/// A twentieth of the requests goes to the canary, which is judged by its errors.
const CANARY: &str = r#"strategy = "canary"
steps = ["5%", "analysis 1m"]
lease = "10s"
[environments.demo.judge]
metrics = ["errors"]
"#;

/// Good for a moment, and bad from then on.
const BAD: &str =
    r#"{"banner":"bad","page_size":20,"faults":{"error_percent":40,"after_requests":150}}"#;

/// Measure how fast a canary that fails is taken back
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many canaries
    #[arg(long, default_value_t = 20)]
    rounds: u32,
    /// Requests per second meanwhile
    #[arg(long, default_value_t = 10_000)]
    rps: u32,
    /// Tell where the time of each canary went
    #[arg(long)]
    verbose: bool,
}

/// A canary that was taken back.
struct Case {
    plan: Plan,
    entries: Vec<Entry>,
}

/// When what happened, in milliseconds after the request that crossed the line.
#[derive(Debug, Clone, Copy)]
struct Course {
    written: f64,
    turned: f64,
    moved: f64,
    last: f64,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let options =
        Options { directory: None, keep: false, json: false, rps: args.rps, data: Data::Sqlite };
    let stage = Stage::set(&options)?;
    let measured = measure(&stage, args);
    stage.strike(Duration::from_secs(30))?;
    let (cases, asked) = measured?;
    let rate = rate(&asked);
    let stable_failed = asked.iter().filter(|one| is_lost(one, &cases)).count();
    let mut courses = Vec::new();
    for case in &cases {
        let course = course(case, &asked)?;
        if args.verbose {
            terminal::print(&format!(
                "{}: written {:.1}, turned back {:.1}, moved {:.1}, last request {:.1} ms",
                case.plan.to, course.written, course.turned, course.moved, course.last
            ));
        }
        courses.push(course);
    }
    let sorted = |of: fn(&Course) -> f64| {
        let mut all: Vec<f64> = courses.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all
    };
    let last = sorted(|course| course.last);
    terminal::print(&format!(
        "{} canaries at {rate:.0} requests/s: from the request that crosses the line to the last \
         request that reaches the canary: p50 {:.1} ms, p90 {:.1} ms, max {:.1} ms; {stable_failed} \
         requests failed beside the errors of canaries",
        last.len(),
        quantile(&last, 0.5),
        quantile(&last, 0.9),
        quantile(&last, 1.0)
    ));
    for (what, of) in [
        ("in the ledger", (|course| course.written) as fn(&Course) -> f64),
        ("turned back", |course| course.turned),
        ("traffic moved", |course| course.moved),
    ] {
        let all = sorted(of);
        terminal::print(&format!(
            "  {what}: p50 {:.1} ms, max {:.1} ms",
            quantile(&all, 0.5),
            quantile(&all, 1.0)
        ));
    }
    if stable_failed == 0 && quantile(&last, 1.0) <= MOVED_MS_MAX {
        return Ok(());
    }
    let what = format!("more than {MOVED_MS_MAX} ms, or requests failed");
    Err(Failure::new(Code::DemoFailed, what))
}

/// Deploys one bad canary after the other, under load.
fn measure(stage: &Stage, args: &Args) -> Result<(Vec<Case>, Vec<Asked>), Failure> {
    let client = stage.open(false)?;
    stage.dress_round(Fixture::GOOD, 0)?;
    let (plan, ended) = deploy(stage, &client)?;
    if ended != Ended::Over(Outcome::Live) {
        return Err(Failure::new(Code::DemoFailed, format!("{}: {ended:?}", plan.to)));
    }
    let users = Users::start(stage.listen, args.rps);
    let mut cases = Vec::new();
    for round in 1..=args.rounds {
        stage.dress_round(Fixture::GOOD, usize::try_from(round).unwrap_or_default())?;
        let config = fs::read_to_string(stage.config()).map_err(cannot_write)?;
        fs::write(stage.config(), format!("{config}{CANARY}"))
            .and_then(|()| fs::write(stage.project().join("shop.json"), BAD))
            .map_err(cannot_write)?;
        let before = client.status(ENVIRONMENT)?.sequence;
        let (plan, ended) = deploy(stage, &client)?;
        if !matches!(&ended, Ended::Over(Outcome::WentBack(TurnReason::Evidence(_)))) {
            return Err(Failure::new(Code::DemoFailed, format!("{}: {ended:?}", plan.to)));
        }
        let entries = client.entries(ENVIRONMENT, before, 0)?;
        cases.push(Case { plan, entries });
    }
    Ok((cases, users.stop()?))
}

/// What became of one canary.
fn course(case: &Case, asked: &[Asked]) -> Result<Course, Failure> {
    let lacks = |what: &str| Failure::new(Code::DemoFailed, format!("{}: {what}", case.plan.to));
    let is_canary = |one: &&Asked| one.release.as_deref() == Some(case.plan.to.as_str());
    let own = || asked.iter().filter(is_canary);
    let first_us = own().map(|one| one.start_us).min().ok_or_else(|| lacks("was never asked"))?;
    let last_us = own().map(|one| one.start_us).max().ok_or_else(|| lacks("was never asked"))?;
    let crossed_us =
        crossed_us(case, asked, first_us).ok_or_else(|| lacks("the notes cross no line"))?;
    let after = |us: i64| {
        #[expect(clippy::cast_precision_loss, reason = "microseconds of one run")]
        let ms = (us - crossed_us) as f64 / 1e3;
        ms.max(0.0)
    };
    let at = |what, is: fn(&Event) -> bool| {
        let own = case.entries.iter().rev().filter(|entry| is_of(entry, &case.plan));
        let mut found = own.filter(|entry| is(&entry.event));
        found.next().map(|entry| after(entry.at.as_microsecond())).ok_or_else(|| lacks(what))
    };
    Ok(Course {
        written: at("nothing was judged", |event| {
            matches!(event, Event::Observed { observation: Observation::Judged { .. } })
        })?,
        turned: at("it was not turned back", |event| matches!(event, Event::TurnedBack { .. }))?,
        moved: moved(case).map(after).ok_or_else(|| lacks("nothing was undone"))?,
        last: after(last_us),
    })
}

/// When the first undo after the turn was done, which is that of traffic.
fn moved(case: &Case) -> Option<i64> {
    let own = || case.entries.iter().filter(|entry| is_of(entry, &case.plan));
    let bad = own().position(|entry| {
        matches!(entry.event, Event::Failed { kind: FailureKind::Evidence, .. })
    })?;
    let traffic = |entry: &&Entry| {
        let Subject::Plan { step, .. } = &entry.subject else { return false };
        let effect = case.plan.step(*step).map(|step| &step.effect);
        matches!(entry.event, Event::UndoSucceeded { .. })
            && matches!(effect, Some(Effect::EnsureTraffic { .. }))
    };
    own().skip(bad).find(traffic).map(|entry| entry.at.as_microsecond())
}

fn is_of(entry: &Entry, plan: &Plan) -> bool {
    matches!(&entry.subject, Subject::Plan { plan: of, .. } if *of == plan.id)
}

/// When the answer came with which the evidence was enough: what the judge would have said, had it
/// looked after every single one.
fn crossed_us(case: &Case, asked: &[Asked], first_us: i64) -> Option<i64> {
    let Analysis { canary, stable, judge, traffic, .. } =
        case.plan.steps.iter().find_map(|step| match &step.effect {
            Effect::Analysis(analysis) => Some(analysis),
            _ => None,
        })?;
    let weight = traffic.split.share(canary);
    let mut judge = Judge::new(judge, canary, stable);
    let (canary, stable) = (Some(canary.as_str()), Some(stable.as_str()));
    for one in asked.iter().filter(|one| one.start_us >= first_us) {
        let at_ms = Millis::try_from((one.end_us - first_us) / 1_000).unwrap_or(0);
        let mut tick = Tick { at_ms, weight, ..Tick::default() };
        let arm = match one.release.as_deref() {
            release if release == canary => &mut tick.canary,
            release if release == stable => &mut tick.stable,
            _ => continue,
        };
        (arm.requests, arm.errors) = (1, u64::from(one.status >= 500));
        judge.tick(&tick).ok()?;
        if judge.gone() {
            return Some(one.end_us);
        }
    }
    None
}

/// A request that failed though no canary answered it.
fn is_lost(asked: &Asked, cases: &[Case]) -> bool {
    let is_canary = |release: &str| cases.iter().any(|case| case.plan.to.as_str() == release);
    let failed = asked.status == 0 || asked.status >= 500;
    failed && !asked.release.as_deref().is_some_and(is_canary)
}

#[expect(clippy::cast_precision_loss, reason = "counts and microseconds of one run")]
fn rate(asked: &[Asked]) -> f64 {
    let first = asked.iter().map(|one| one.start_us).min().unwrap_or_default();
    let last = asked.iter().map(|one| one.start_us).max().unwrap_or_default();
    asked.len() as f64 / ((last - first).max(1) as f64 / 1e6)
}
