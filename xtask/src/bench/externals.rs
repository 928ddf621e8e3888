//! Twelve metrics at once: the proxy's own errors, and eleven counters that are read from outside
//! every fifteen seconds. The more one looks at, the more often chance looks bad; all of them
//! together still have the budget of one.

use crate::bench::Effort;
use crate::bench::nulls::{self, REQUESTS};
use crate::bench::random::{Random, small};
use crate::bench::runs::{Summary, many};
use crate::bench::stream::{RATE, Segment, Step, Stream, Tally, pieces};
use crate::bench::subject::{Subject, at_ms, errors_only};
use crate::bench::table::{Report, Table, number, percent};
use ripcord_core::analysis::{JudgePolicy, MetricKind, MetricSpec, Pair, Reading, Sample};

/// Metrics from outside, beside the proxy's own.
const METRICS: usize = 11;

/// Requests between two readings.
const SCRAPE: u64 = 15 * RATE;

/// The error rate of everything.
const BASE: f64 = 0.005;

/// How many times as bad the canary is in the one metric in which it is.
const LIFT: f64 = 5.0;

/// How the metrics hang together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Together {
    /// Not at all.
    Apart,
    /// They all count the same errors.
    AsOne,
}

/// The table, and the bar of each null.
pub(crate) fn table(effort: Effort, report: &mut Report) {
    let mut table = Table::new(
        "Releases that are no worse in any of twelve metrics, taken back within a million requests",
        &["canary, metrics", "runs", "taken back", "mean"],
    );
    for weight in [500, 1_000, 5_000] {
        for together in [Together::Apart, Together::AsOne] {
            let words = match together {
                Together::Apart => "twelve that have nothing to do with each other",
                Together::AsOne => "twelve that count the same errors",
            };
            let name = format!("{} canary, {words}", percent_of(weight));
            let segments = segments(weight, effort.requests(REQUESTS));
            let judge = Subject::new(&policy(), None);
            let run = |seed| watch(judge.clone(), &segments, together, 1.0, seed);
            let found = Summary::of(many(effort.runs(2_000), run));
            nulls::bar(report, &name, &found);
            let share = percent(found.share());
            table.row(vec![name, number(small(found.runs)), share, number(found.mean())]);
        }
        let name = format!("{} canary, one of twelve five times as bad", percent_of(weight));
        let segments = segments(weight, REQUESTS);
        let judge = Subject::new(&policy(), None);
        let run = |seed| watch(judge.clone(), &segments, Together::Apart, LIFT, seed);
        let found = Summary::of(many(effort.runs(400), run));
        report.hold(&format!("{name}, found in every run"), found.share() >= 1.0);
        let share = percent(found.share());
        table.row(vec![name, number(small(found.runs)), share, number(found.mean())]);
    }
    report.table(&table);
}

/// Requests in pieces between two readings, with a canary that is no worse.
fn segments(weight: u16, requests: u64) -> Vec<Segment> {
    let one = Segment { requests: 0, weight, stable: BASE, canary: BASE };
    pieces(requests, SCRAPE, |_| one)
}

fn percent_of(weight: u16) -> String {
    percent(f64::from(weight) / 10_000.0)
}

/// The policy with all twelve.
fn policy() -> JudgePolicy {
    let spec = |index: usize| MetricSpec {
        name: name(index),
        source: "simulation".to_owned(),
        kind: MetricKind::Counters { errors: "errors".to_owned(), requests: "all".to_owned() },
        every_ms: at_ms(SCRAPE),
    };
    JudgePolicy { external: (0..METRICS).map(spec).collect(), ..errors_only() }
}

fn name(index: usize) -> String {
    format!("metric {index}")
}

/// One run: a look after each error and after each reading. The first metric from outside is
/// `lift` times as bad.
fn watch(
    mut judge: Subject,
    segments: &[Segment],
    together: Together,
    lift: f64,
    seed: u64,
) -> Option<u64> {
    let mut random = Random::new(!seed);
    let mut since = Step::nothing(0, 0);
    for step in Stream::new(segments, seed) {
        judge.step(&step);
        since.canary.add(step.canary);
        since.stable.add(step.stable);
        let read = step.at.is_multiple_of(SCRAPE);
        if read {
            for metric in 0..METRICS {
                let mut count = |arm: Tally, rate: f64| {
                    let drawn = random.binomial(arm.requests, rate);
                    let events = if together == Together::AsOne { arm.errors } else { drawn };
                    Pair { events, total: arm.requests }
                };
                let rate = if metric == 0 { BASE * lift } else { BASE };
                let (canary, stable) = (count(since.canary, rate), count(since.stable, BASE));
                judge.sample(&Sample {
                    at_ms: at_ms(step.at),
                    metric: name(metric),
                    reading: Reading::Counters { canary, stable },
                });
            }
            since = Step::nothing(0, 0);
        }
        if (read || step.failed()) && judge.goes_back(step.at) {
            return Some(step.at);
        }
    }
    None
}
