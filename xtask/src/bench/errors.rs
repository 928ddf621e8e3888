//! A canary with more errors: how many requests the judge needs to find it bad, beside what any
//! test would need at least and beside what the rules of other tools need on the same streams.

use crate::bench::peers;
use crate::bench::random::{small, whole};
use crate::bench::runs::{Summary, many};
use crate::bench::stream::{MINUTE, Minute, RATE, Segment, minutes, steady};
use crate::bench::subject::{Subject, errors_only};
use crate::bench::table::{Report, Table, number, percent};
use crate::bench::{Effort, bound};
use ripcord_core::analysis::JudgePolicy;

/// The weights, base error rates and lifts of the table.
const WEIGHTS: [u16; 3] = [500, 1_000, 5_000];
const BASES: [f64; 2] = [0.001, 0.01];
const LIFTS: [f64; 3] = [2.0, 5.0, 20.0];

/// How far above the information bound the judge may be on average.
const RATIO_MAX: f64 = 1.6;

/// How many times the information bound a canary is watched for at most.
const HORIZON: f64 = 40.0;

/// Requests that the other tools get to see.
const PEERS_WATCH: u64 = 1_000_000;

/// One way for a canary to be bad.
#[derive(Debug, Clone, Copy)]
struct Cell {
    weight: u16,
    base: f64,
    lift: f64,
}

impl Cell {
    fn share(self) -> f64 {
        f64::from(self.weight) / 10_000.0
    }

    fn bound(self) -> f64 {
        bound::errors(self.share(), self.base, self.base * self.lift)
    }

    fn stream(self, requests: u64) -> Vec<Segment> {
        steady(requests, self.weight, self.base, self.base * self.lift)
    }

    fn name(self) -> String {
        let lift = number(self.lift);
        format!("{} canary, base {}, x{lift}", percent(self.share()), percent(self.base))
    }

    fn detect(self, policy: &JudgePolicy, runs: u64) -> Summary {
        let segments = self.stream(whole(HORIZON * self.bound()));
        let judge = Subject::new(policy, None);
        Summary::of(many(runs, |seed| judge.clone().watch(&segments, seed)))
    }
}

/// All cells.
fn cells() -> impl Iterator<Item = Cell> {
    let pairs = WEIGHTS.into_iter().flat_map(|weight| BASES.map(|base| (weight, base)));
    pairs.flat_map(|(weight, base)| LIFTS.map(|lift| Cell { weight, base, lift }))
}

/// The table of all cells, what must hold in each, and what must hold in those that are promised.
pub(crate) fn table(effort: Effort, report: &mut Report) {
    let mut table = Table::new(
        "A canary with more errors: requests until it is taken back, on average (one metric, alpha 1 %)\n\
         bound: ln(1/alpha) / information of one request; no test needs fewer",
        &[
            "canary, base, lift",
            "bound",
            "judge",
            "+-",
            "ratio",
            "p50",
            "p95",
            "seconds",
            "found",
            "tolerating 1.25",
            "its price",
        ],
    );
    let lenient = JudgePolicy { latency: false, ..JudgePolicy::default() };
    for cell in cells() {
        let (strict, bound) = (cell.detect(&errors_only(), effort.runs(10_000)), cell.bound());
        let lenient = cell.detect(&lenient, effort.runs(1_000));
        let what = format!("{}, requests over the bound", cell.name());
        report.at_most(&what, strict.mean() / bound, RATIO_MAX);
        report.hold(&format!("{}, found in every run", cell.name()), strict.share() >= 1.0);
        table.row(vec![
            cell.name(),
            number(bound),
            number(strict.mean()),
            number(strict.error()),
            number(strict.mean() / bound),
            number(strict.percentile(50)),
            number(strict.percentile(95)),
            number(strict.mean() / small(RATE)),
            percent(strict.share()),
            number(lenient.mean()),
            format!("x{}", number(lenient.mean() / strict.mean())),
        ]);
    }
    report.table(&table);
    promised(effort, report);
}

/// The cells for which a number of requests is promised. Many runs, since some promises lie less
/// than a hundredth above what the judge needs.
fn promised(effort: Effort, report: &mut Report) {
    for (base, lift, limit) in
        [(0.01, 5.0, 3_300.0), (0.001, 5.0, 33_000.0), (0.001, 1_000.0, 65.0)]
    {
        let cell = Cell { weight: 500, base, lift };
        let found = cell.detect(&errors_only(), effort.runs(400_000));
        let words = format!("{}, mean requests (+- {})", cell.name(), number(found.error()));
        report.at_most(&words, found.mean(), limit);
    }
}

/// What other tools make of the same canaries, in minutes, and how often they find them at all.
pub(crate) fn peers(effort: Effort, report: &mut Report) {
    let mut table = Table::new(
        "The same canaries and the rules of other tools: minutes until they act, on average, and how\n\
         often they do within a million requests (2.8 hours)",
        &["canary, base, lift", "judge", "Kayenta", "Flagger", "Argo Rollouts"],
    );
    for cell in cells() {
        let segments = cell.stream(effort.requests(PEERS_WATCH));
        let judge = Subject::new(&errors_only(), None);
        let runs = effort.runs(200);
        let seen = many(runs, |seed| {
            let minutes = minutes(&segments, seed);
            let own = judge.clone().watch(&segments, seed);
            let [canary, control] = [|one: &Minute| one.canary, |one: &Minute| one.stable]
                .map(|arm| minutes.iter().map(|one| arm(one).percent()).collect::<Vec<f64>>());
            let flagger = peers::flagger(minutes.iter().map(peers::flagger_failed));
            [own, peers::kayenta(&canary, &control), flagger, peers::argo(&minutes)]
        });
        let tool = |index: usize| Summary::of(seen.iter().map(|run| run[index]));
        let own = tool(0);
        let in_minutes = |found: &Summary, unit: f64| {
            format!("{} ({})", number(found.mean() / unit), percent(found.share()))
        };
        table.row(vec![
            cell.name(),
            in_minutes(&own, small(MINUTE)),
            in_minutes(&tool(1), 1.0),
            in_minutes(&tool(2), 1.0),
            in_minutes(&tool(3), 1.0),
        ]);
    }
    report.table(&table);
}
