//! Releases that are no worse, watched for a million requests with a look after each: how often
//! one is taken back all the same.

use crate::bench::Effort;
use crate::bench::bound::ALPHA;
use crate::bench::peers;
use crate::bench::random::{small, whole};
use crate::bench::runs::{Summary, many};
use crate::bench::stream::{Minute, Stream, minutes, steady};
use crate::bench::subject::{Subject, errors_only};
use crate::bench::table::{Report, Table, number, percent};
use ripcord_core::analysis::boundary::Lattice;

/// How long each run is watched.
pub(crate) const REQUESTS: u64 = 1_000_000;

/// How many alarms so many runs may have: one in a hundred and 2.25 deviations of chance, which
/// are 30 in 2,000.
pub(crate) fn alarms_max(runs: u64) -> f64 {
    let expected = small(runs) * ALPHA;
    (expected + 2.25 * expected.sqrt()).floor()
}

/// Adds the line that so many alarms are allowed.
pub(crate) fn bar(report: &mut Report, name: &str, found: &Summary) {
    let what = format!("false rollbacks in {} runs, {name}", number(small(found.runs)));
    report.at_most(&what, small(found.alarmed()), alarms_max(found.runs));
}

/// Errors alone: the table, the bars, and the rules of other tools on the same streams.
pub(crate) fn errors(effort: Effort, report: &mut Report) {
    let mut table = Table::new(
        "Releases that are no worse, taken back within a million requests (one metric, alpha 1 %,\n\
         tolerated ratio 1.0; the other tools in as many runs as they are given)",
        &[
            "canary, base",
            "exact",
            "runs",
            "judge",
            "undecided",
            "runs",
            "Kayenta",
            "Flagger",
            "Argo Rollouts",
        ],
    );
    for (weight, base) in [500, 1_000, 5_000].into_iter().flat_map(|w| [(w, 0.001), (w, 0.01)]) {
        let share = percent(f64::from(weight) / 10_000.0);
        let name = format!("{share} canary, base {}", percent(base));
        let segments = steady(effort.requests(REQUESTS), weight, base, base);
        let judge = Subject::new(&errors_only(), None);
        let own = many(effort.runs(2_000), |seed| {
            let mut judge = judge.clone();
            let alarm = judge.watch_on(Stream::new(&segments, seed));
            (alarm, judge.is_undecided(alarm.unwrap_or(REQUESTS)))
        });
        let undecided = own.iter().filter(|(_, undecided)| *undecided).count() as u64;
        let own = Summary::of(own.into_iter().map(|(alarm, _)| alarm));
        let what = format!("left undecided in {} runs, {name}", number(small(own.runs)));
        report.at_most(&what, small(undecided), alarms_max(own.runs));
        bar(report, &format!("errors, {name}"), &own);
        let others = many(effort.runs(200), |seed| {
            let minutes = minutes(&segments, seed);
            let [canary, control] = [|one: &Minute| one.canary, |one: &Minute| one.stable]
                .map(|arm| minutes.iter().map(|one| arm(one).percent()).collect::<Vec<f64>>());
            let flagger = peers::flagger(minutes.iter().map(peers::flagger_failed));
            [peers::kayenta(&canary, &control), flagger, peers::argo(&minutes)]
        });
        let errors =
            u32::try_from(whole(base * small(effort.requests(REQUESTS)))).unwrap_or(u32::MAX);
        let exact = Lattice::new(weight, 1_000).crossing_probability(1.0, 1.0 / ALPHA, errors);
        report.at_most(&format!("exact chance of a false rollback, {name}"), exact, ALPHA);
        let mut cells = vec![name, percent(exact), number(small(own.runs)), percent(own.share())];
        cells.push(number(small(undecided)));
        cells.push(number(small(others.len() as u64)));
        for tool in 0..3 {
            cells.push(percent(Summary::of(others.iter().map(|run| run[tool])).share()));
        }
        table.row(cells);
    }
    report.table(&table);
}
