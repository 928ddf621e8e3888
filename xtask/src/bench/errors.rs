//! A canary with more errors: how many requests the judge needs to find it bad, beside what any
//! test would need at least and beside what the rules of other tools need on the same streams.

use crate::bench::Effort;
use crate::bench::bound::{self, ALPHA};
use crate::bench::nulls::REQUESTS;
use crate::bench::peers;
use crate::bench::random::{small, whole};
use crate::bench::runs::{Summary, many};
use crate::bench::stream::{MINUTE, Minute, RATE, Segment, Step, Stream, minutes, steady};
use crate::bench::subject::{Subject, errors_only};
use crate::bench::table::{Report, Table, number, percent};
use ripcord_core::analysis::boundary::Lattice;
use ripcord_core::analysis::{Boundary, JudgePolicy};

/// The weights, base error rates and lifts of the table.
const WEIGHTS: [u16; 3] = [500, 1_000, 5_000];
const BASES: [f64; 2] = [0.001, 0.01];
const LIFTS: [f64; 3] = [2.0, 5.0, 20.0];

/// How far above the information bound the judge may be on average.
const RATIO_MAX: f64 = 1.6;

/// How many times the information bound a canary is watched for at most.
const HORIZON: f64 = 40.0;

/// How many standard errors a simulated mean may lie off the exact one: with chance alone, one
/// table in ten thousand is beyond.
const ERRORS_MAX: f64 = 4.5;

/// The part of the stake that the judge keeps back for bets that begin later, and that must be
/// known here to say exactly what it needs. Where errors come in small numbers, one more of them
/// can be needed for it.
const RESERVED: f64 = 0.01;

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

    /// The mean of what the judge needs, over all ways in which errors can fall. What the judge has
    /// kept back stays as it is until later bets begin, so the first ones must reach a little more.
    fn exact(self) -> f64 {
        let enough = (1.0 / ALPHA - RESERVED) / (1.0 - RESERVED);
        Lattice::new(self.weight, 1_000).expected_requests(self.base, self.lift, enough)
    }

    /// The same with the boundary that spends all of alpha on a million requests.
    fn exact_calibrated(self, effort: Effort) -> f64 {
        let lattice = Lattice::new(self.weight, 1_000);
        let threshold = lattice.calibrated(ALPHA, self.errors_in_a_life(effort));
        lattice.expected_requests(self.base, self.lift, threshold)
    }

    /// The policy with that boundary.
    fn calibrated(self, effort: Effort) -> JudgePolicy {
        let boundary = Boundary::Calibrated { horizon_errors: self.errors_in_a_life(effort) };
        JudgePolicy { boundary, ..errors_only() }
    }

    /// The judge must need what the lattice says that it needs.
    fn agrees(self, exact: f64, simulated: &Summary, report: &mut Report) {
        let words = format!(
            "{}, simulated {} +- {}, standard errors off the exact mean",
            self.name(),
            number(simulated.mean()),
            number(simulated.error())
        );
        let apart = (exact - simulated.mean()).abs() / simulated.error();
        report.at_most(&words, apart, ERRORS_MAX);
    }

    /// Errors of a canary that is no worse in a million requests.
    fn errors_in_a_life(self, effort: Effort) -> u32 {
        u32::try_from(whole(self.base * small(effort.requests(REQUESTS)))).unwrap_or(u32::MAX)
    }

    fn detect(self, policy: &JudgePolicy, runs: u64) -> Summary {
        let segments = self.stream(whole(HORIZON * self.bound()));
        let mut judge = Subject::new(policy, None);
        // A calibrated boundary is worked out at the first tick; once is enough for all runs.
        judge.step(&Step::nothing(0, self.weight));
        Summary::of(many(runs, |seed| judge.clone().watch(Stream::new(&segments, seed))))
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
         bound: ln(1/alpha) / information of one request; exact: over the lattice of errors, where the\n\
         simulation is the judge itself; calibrated: the boundary that spends all of alpha on a million\n\
         requests (aim: 1.25 times the bound)",
        &[
            "canary, base, lift",
            "bound",
            "exact",
            "ratio",
            "simulated",
            "+-",
            "p50",
            "p95",
            "seconds",
            "found",
            "tolerating 1.25",
            "its price",
            "calibrated",
            "ratio",
        ],
    );
    let lenient = JudgePolicy { latency: false, ..JudgePolicy::default() };
    for cell in cells() {
        let (strict, bound) = (cell.detect(&errors_only(), effort.runs(10_000)), cell.bound());
        let lenient = cell.detect(&lenient, effort.runs(1_000));
        let what = format!("{}, requests over the bound", cell.name());
        let exact = cell.exact();
        report.at_most(&what, exact / bound, RATIO_MAX);
        cell.agrees(exact, &strict, report);
        report.hold(&format!("{}, found in every run", cell.name()), strict.share() >= 1.0);
        let calibrated = cell.exact_calibrated(effort);
        cell.agrees(calibrated, &cell.detect(&cell.calibrated(effort), effort.runs(1_000)), report);
        table.row(vec![
            cell.name(),
            number(bound),
            number(exact),
            number(exact / bound),
            number(strict.mean()),
            number(strict.error()),
            number(strict.percentile(50)),
            number(strict.percentile(95)),
            number(strict.mean() / small(RATE)),
            percent(strict.share()),
            number(lenient.mean()),
            format!("x{}", number(lenient.mean() / strict.mean())),
            number(calibrated),
            number(calibrated / bound),
        ]);
    }
    report.table(&table);
    promised(effort, report);
}

/// The cells for which a number of requests is promised. Some promises lie less than a hundredth
/// above what the judge needs, so the exact mean is held to them, the judge to the exact mean, and
/// with enough runs the judge to the promise.
fn promised(effort: Effort, report: &mut Report) {
    for (base, lift, limit) in
        [(0.01, 5.0, 3_300.0), (0.001, 5.0, 33_000.0), (0.001, 1_000.0, 65.0)]
    {
        let cell = Cell { weight: 500, base, lift };
        let exact = cell.exact();
        report.at_most(&format!("{}, exact mean requests", cell.name()), exact, limit);
        let found = cell.detect(&errors_only(), effort.runs(400_000));
        cell.agrees(exact, &found, report);
        if effort == Effort::Full {
            // With fewer runs, chance alone would decide on this.
            let words = format!("{}, mean requests (+- {})", cell.name(), number(found.error()));
            report.at_most(&words, found.mean(), limit);
        }
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
        let segments = cell.stream(effort.requests(REQUESTS));
        let judge = Subject::new(&errors_only(), None);
        let runs = effort.runs(200);
        let seen = many(runs, |seed| {
            let minutes = minutes(&segments, seed);
            let own = judge.clone().watch(Stream::new(&segments, seed));
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

#[cfg(test)]
mod tests {
    use super::*;

    /// With half of the traffic a handful of errors decides, so being off by one of them shows.
    #[test]
    fn the_judge_needs_what_the_lattice_says() {
        let cell = Cell { weight: 5_000, base: 0.01, lift: 20.0 };
        let mut report = Report::new(|_| ());
        cell.agrees(cell.exact(), &cell.detect(&errors_only(), 2_000), &mut report);
        assert!(report.all_hold(), "{}", report.bars());
    }
}
