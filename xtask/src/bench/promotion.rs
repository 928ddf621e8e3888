//! Releases that are no worse must get on, in the time that was foretold; those that are as bad as
//! must never be promoted must not.

use crate::bench::Effort;
use crate::bench::nulls;
use crate::bench::random::{small, whole};
use crate::bench::runs::{Summary, many};
use crate::bench::stream::{RATE, Segment, Stream, pieces};
use crate::bench::subject::{Subject, errors_only};
use crate::bench::table::{Report, Table, number, percent};
use ripcord_core::analysis::{JudgePolicy, Need};

/// The table, and what must hold.
pub(crate) fn table(effort: Effort, report: &mut Report) {
    let mut table = Table::new(
        "Proceeding (errors, tolerated ratio 1.25): canary requests foretold, and how many it took",
        &[
            "canary, base, lift",
            "runs",
            "foretold",
            "in time",
            "p50",
            "p95",
            "proceeds",
            "taken back",
        ],
    );
    let policy = JudgePolicy { tolerated_ratio_thousandths: 1_250, ..errors_only() };
    for (weight, base, lift) in [
        (500, 0.0, 1.0),
        (5_000, 0.0, 1.0),
        (500, 0.001, 1.0),
        (5_000, 0.001, 1.0),
        (500, 0.01, 1.0),
        (5_000, 0.01, 1.0),
        (500, 0.01, 2.0),
        (5_000, 0.01, 2.0),
    ] {
        let share = f64::from(weight) / 10_000.0;
        let name = format!("{} canary, base {}, x{lift}", percent(share), percent(base));
        let foretold = Need::beforehand(&policy, weight, base, small(RATE));
        let foretold = foretold.map_or(f64::INFINITY, |need| small(need.requests));
        let one = Segment { requests: 0, weight, stable: base, canary: base * lift };
        // Ten times what is foretold, so that being late can be seen.
        let requests = whole((10.0 * foretold / share).min(2e6));
        let segments = pieces(effort.requests(requests), RATE, |_| one);
        let judge = Subject::new(&policy, None);
        let seen = many(effort.runs(400), |seed| watch(judge.clone(), &segments, seed));
        let proceeds = Summary::of(seen.iter().map(|end| end.proceeds));
        let back = Summary::of(seen.iter().map(|end| end.back));
        // It is looked at once a second, so it can be late by one look, in which chance has a part.
        let late = foretold + 1.5 * small(RATE) * share;
        let in_time = seen.iter().filter(|end| end.proceeds.is_some_and(|at| small(at) <= late));
        let in_time = small(in_time.count() as u64) / small(proceeds.runs);
        if lift > 1.0 {
            let what = format!("{name}, proceeds though it must not");
            // One in twenty, and what chance adds to it.
            let most = 0.05 + 2.25 * (0.05 / small(proceeds.runs)).sqrt();
            report.at_most(&what, proceeds.share(), most);
        } else {
            let what = format!("{name}, does not proceed in the time foretold");
            report.at_most(&what, 1.0 - in_time, 0.1);
            nulls::bar(report, &format!("until it proceeds, {name}"), &back);
        }
        table.row(vec![
            name,
            number(small(proceeds.runs)),
            number(foretold),
            percent(in_time),
            number(proceeds.percentile(50)),
            number(proceeds.percentile(95)),
            percent(proceeds.share()),
            percent(back.share()),
        ]);
    }
    report.table(&table);
}

/// How one run ended: after how many canary requests it proceeded or was taken back.
#[derive(Debug, Clone, Copy, Default)]
struct End {
    proceeds: Option<u64>,
    back: Option<u64>,
}

/// One run, with a look after each error and each second.
fn watch(mut judge: Subject, segments: &[Segment], seed: u64) -> End {
    let mut answered = 0;
    for step in Stream::new(segments, seed) {
        judge.step(&step);
        answered += step.canary.requests;
        if judge.goes_back(step.at) {
            return End { back: Some(answered), ..End::default() };
        }
        if judge.promotes(step.at) {
            return End { proceeds: Some(answered), ..End::default() };
        }
    }
    End::default()
}
