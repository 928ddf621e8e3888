//! What real traffic does that a clean experiment does not: it grows and ebbs, fails for both
//! releases at once, moves to the canary step by step, comes from a few busy users, and meets a
//! release that has only just started. None of it may cost a good release its place.

use crate::bench::Effort;
use crate::bench::nulls::{self, REQUESTS};
use crate::bench::peers;
use crate::bench::random::small;
use crate::bench::runs::{Summary, many};
use crate::bench::sticky::{self, Count};
use crate::bench::stream::{MINUTE, RATE, Segment, Step, Stream, minutes, shaped, steady};
use crate::bench::subject::{Subject, errors_only};
use crate::bench::table::{Report, Table, number, percent};
use ripcord_core::analysis::JudgePolicy;
use std::f64::consts::PI;

/// Runs of each scenario.
const RUNS: u64 = 2_000;

/// The table, and the bar for each null.
pub(crate) fn table(effort: Effort, report: &mut Report) {
    let mut table = Table::new(
        "What real traffic does (errors, tolerated ratio 1.0; requests to the rollback)",
        &["scenario", "runs", "taken back", "mean", "p50", "p95"],
    );
    let mut row = |name: &str, found: &Summary| {
        table.row(vec![
            name.to_owned(),
            number(small(found.runs)),
            percent(found.share()),
            number(found.mean()),
            number(found.percentile(50)),
            number(found.percentile(95)),
        ]);
    };
    let runs = effort.runs(RUNS);
    let requests = effort.requests(REQUESTS);
    for (name, segments) in nulls(requests) {
        let found = watch(&segments, runs);
        row(&format!("no worse: {name}"), &found);
        nulls::bar(report, name, &found);
    }
    let all = restless(requests, 1.0);
    let flagger = many(effort.runs(300), |seed| {
        let failed = peers::flagger(minutes(&all, seed).iter().map(peers::flagger_failed));
        failed.map(|minute| minute * MINUTE)
    });
    row("no worse: ramp, ebb and outage: Flagger, 99 %, five checks", &Summary::of(flagger));
    row(
        "five times the errors: ramp, ebb and outage",
        &watch(&restless(requests, 5.0), effort.runs(300)),
    );
    users(effort, report, &mut row);
    turning_bad(effort, report, &mut row);
    wrong_weight(effort, report, &mut row);
    warm_up(effort, report, &mut row);
    report.table(&table);
}

/// Streams in which the canary is no worse.
fn nulls(requests: u64) -> [(&'static str, Vec<Segment>); 4] {
    let one = Segment { requests: 0, weight: 500, stable: 0.005, canary: 0.005 };
    [
        ("errors ebb and flow over the day", shaped(requests, |minute| ebb(minute, one))),
        ("both releases fail for a minute", shaped(requests, |minute| outage(minute, one))),
        ("weights of 5, 10, 25 and 50 %", shaped(requests, |minute| ramp(minute, one))),
        ("ramp, ebb and outage together", restless(requests, 1.0)),
    ]
}

/// All of it together, with a canary that fails `lift` times as often outside the outage.
fn restless(requests: u64, lift: f64) -> Vec<Segment> {
    let one = Segment { requests: 0, weight: 500, stable: 0.005, canary: 0.005 * lift };
    shaped(requests, |minute| outage(minute, ramp(minute, ebb(minute, one))))
}

/// A day in small: errors between a fifth and nearly twice the usual, back and forth each hour.
fn ebb(minute: u64, segment: Segment) -> Segment {
    let turn = 2.0 * PI * small(minute) / 60.0;
    let factor = 1.0 + 0.8 * libm::sin(turn);
    Segment { stable: segment.stable * factor, canary: segment.canary * factor, ..segment }
}

/// A minute in which a fifth of all requests fail, whoever answers.
fn outage(minute: u64, segment: Segment) -> Segment {
    if minute == 20 { Segment { stable: 0.2, canary: 0.2, ..segment } } else { segment }
}

/// More weight in four steps.
fn ramp(minute: u64, segment: Segment) -> Segment {
    let weight = match minute {
        0..15 => 500,
        15..30 => 1_000,
        30..60 => 2_500,
        _ => 5_000,
    };
    Segment { weight, ..segment }
}

fn watch(segments: &[Segment], runs: u64) -> Summary {
    let judge = Subject::new(&errors_only(), None);
    Summary::of(many(runs, |seed| judge.clone().watch(Stream::new(segments, seed))))
}

/// Busy users for whom nothing works.
fn users(effort: Effort, report: &mut Report, row: &mut impl FnMut(&str, &Summary)) {
    let judge = Subject::new(&errors_only(), None);
    let requests = effort.requests(300_000);
    for (count, name) in [
        (Count::EveryRequest, "users keep their release, every request counted (not done)"),
        (Count::FirstOfUser, "users keep their release, the first request of each counted"),
    ] {
        let run = |seed| sticky::watch(judge.clone(), 500, requests, count, seed);
        let found = Summary::of(many(effort.runs(RUNS), run));
        row(&format!("no worse: {name}"), &found);
        if count == Count::FirstOfUser {
            nulls::bar(report, name, &found);
        }
    }
}

/// A canary that is no worse for two hours, and then fails five times as often. What counts is how
/// many requests it takes from then on.
fn turning_bad(effort: Effort, report: &mut Report, row: &mut impl FnMut(&str, &Summary)) {
    let good = effort.requests(120 * MINUTE);
    let mut segments = steady(good, 500, 0.01, 0.01);
    segments.extend(steady(30_000, 500, 0.01, 0.05));
    let found = watch(&segments, effort.runs(RUNS));
    let found = found.since(good);
    let name = "errors x5 after two good hours, requests from then on";
    row(name, &found);
    // One in a hundred may have been taken back while it was good.
    report.at_most(&format!("not found in 30,000 requests, {name}"), 1.0 - found.share(), 0.02);
}

/// A canary that gets a sixth more than its weight says, for whatever reason.
fn wrong_weight(effort: Effort, report: &mut Report, row: &mut impl FnMut(&str, &Summary)) {
    let segments = steady(effort.requests(REQUESTS), 600, 0.005, 0.005);
    let judge = Subject::new(&errors_only(), None);
    let run = |seed| {
        let mut judge = judge.clone();
        let believed = Stream::new(&segments, seed).map(|step| Step { weight: 500, ..step });
        (judge.watch_on(believed), judge.is_undecided(REQUESTS))
    };
    let seen = many(effort.runs(RUNS), run);
    let name = "6 % of the requests where 5 % are believed";
    let noticed = Summary::of(seen.iter().map(|(_, undecided)| undecided.then_some(REQUESTS)));
    row(&format!("no worse: {name}: noticed"), &noticed);
    let found = Summary::of(seen.into_iter().map(|(alarm, _)| alarm));
    row(&format!("no worse: {name}: taken back"), &found);
    // The judge may take it back before it notices; on good shares there is a bar for that.
    report.at_most(&format!("not noticed, {name}"), 1.0 - noticed.share(), 0.1);
}

/// A release that fails five times as often while it starts, and never again.
fn warm_up(effort: Effort, report: &mut Report, row: &mut impl FnMut(&str, &Summary)) {
    let mut segments = steady(30 * RATE, 500, 0.01, 0.05);
    segments.extend(steady(effort.requests(97_000), 500, 0.01, 0.01));
    let watch = |policy: &JudgePolicy| {
        let judge = Subject::new(policy, None);
        let run = |seed| judge.clone().watch(Stream::new(&segments, seed));
        Summary::of(many(effort.runs(RUNS), run))
    };
    row("errors x5 for the first 30 s, all counted (the default)", &watch(&errors_only()));
    let name = "errors x5 for the first 30 s, burn-in of errors";
    let found = watch(&JudgePolicy { burn_in_errors: true, ..errors_only() });
    row(name, &found);
    nulls::bar(report, name, &found);
}
