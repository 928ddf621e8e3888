//! A slower canary: how many requests the judge needs to find it, how often it takes back one that
//! is not slower, and what the rules of other tools make of the same answers.

use crate::bench::answers::{Answers, P99s, SIGMA, reference};
use crate::bench::nulls::{self, REQUESTS};
use crate::bench::random::{Random, small, whole};
use crate::bench::runs::{Summary, many};
use crate::bench::stream::{MINUTE, RATE};
use crate::bench::subject::{Subject, latency_only};
use crate::bench::table::{Report, Table, number, percent};
use crate::bench::{Effort, bound, peers};
use ripcord_core::analysis::JudgePolicy;

/// The weights and slownesses of the table.
const WEIGHTS: [u16; 3] = [500, 1_000, 5_000];
const RATIOS: [f64; 2] = [1.1, 1.5];

/// How far above the information bound the judge may be on average.
const RATIO_MAX: f64 = 1.6;

/// How many times the information bound a canary is watched for at most.
const HORIZON: f64 = 40.0;

/// The table of slower canaries, and what must hold in each cell.
pub(crate) fn table(effort: Effort, report: &mut Report) {
    let mut table = Table::new(
        &format!(
            "A slower canary: requests until it is taken back, on average (log-normal answers, sigma \
             {SIGMA}, one metric,\nalpha 1 %); other tools: minutes, and how often within a million \
             requests"
        ),
        &[
            "canary, slower by",
            "bound",
            "judge",
            "+-",
            "ratio",
            "p50",
            "p95",
            "seconds",
            "tolerating 5 %",
            "Kayenta p99",
            "Flagger p99",
        ],
    );
    let lenient = JudgePolicy { latency_tolerance_ppm: 50_000, ..latency_only() };
    for (weight, ratio) in WEIGHTS.into_iter().flat_map(|weight| RATIOS.map(|one| (weight, one))) {
        let answers = Answers::new(weight, ratio);
        let share = f64::from(weight) / 10_000.0;
        let name = format!("{} canary, +{}", percent(share), percent(ratio - 1.0));
        let bound = bound::latency(share, SIGMA, ratio);
        // The promises lie close to what is needed, so the quick cells get more runs.
        let runs = effort.runs(if ratio > 1.2 { 100_000 } else { 20_000 });
        let horizon = whole(HORIZON * bound);
        let strict = detect(&latency_only(), &answers, runs, horizon);
        let tolerant = detect(&lenient, &answers, effort.runs(400), horizon);
        report.at_most(&format!("{name}, over the bound"), strict.mean() / bound, RATIO_MAX);
        report.hold(&format!("{name}, found in every run"), strict.share() >= 1.0);
        if weight == 500 {
            let limit = if ratio > 1.2 { 460.0 } else { 7_200.0 };
            let words = format!("{name}, mean requests (+- {})", number(strict.error()));
            report.at_most(&words, strict.mean(), limit);
        }
        let [kayenta, flagger] = others(&answers, effort, 100);
        let minutes =
            |found: &Summary| format!("{} ({})", number(found.mean()), percent(found.share()));
        table.row(vec![
            name,
            number(bound),
            number(strict.mean()),
            number(strict.error()),
            number(strict.mean() / bound),
            number(strict.percentile(50)),
            number(strict.percentile(95)),
            number(strict.mean() / small(RATE)),
            number(tolerant.mean()),
            minutes(&kayenta),
            minutes(&flagger),
        ]);
    }
    report.table(&table);
}

/// Canaries that are not slower, and what must hold for each.
pub(crate) fn nulls(effort: Effort, report: &mut Report) {
    let mut table = Table::new(
        "Releases that are not slower, taken back within a million requests (a look after each)",
        &["canary", "runs", "judge", "runs", "Kayenta p99", "Flagger p99"],
    );
    for weight in WEIGHTS {
        let answers = Answers::new(weight, 1.0);
        let own = detect(&latency_only(), &answers, effort.runs(2_000), effort.requests(REQUESTS));
        let name = format!("{} canary", percent(f64::from(weight) / 10_000.0));
        nulls::bar(report, &format!("latency, {name}"), &own);
        let [kayenta, flagger] = others(&answers, effort, 200);
        table.row(vec![
            name,
            number(small(own.runs)),
            percent(own.share()),
            number(small(kayenta.runs)),
            percent(kayenta.share()),
            percent(flagger.share()),
        ]);
    }
    report.table(&table);
    warm_up(effort, report);
}

/// Canaries that are slow while they start, with and without a burn-in.
fn warm_up(effort: Effort, report: &mut Report) {
    /// Requests in half a minute.
    const COLD: u64 = 30 * RATE;
    let mut table = Table::new(
        "A canary that answers three times as slowly for half a minute and is as fast as stable \
         afterwards",
        &["5 % canary", "runs", "taken back", "mean"],
    );
    let usual = JudgePolicy::default();
    let burn_in = JudgePolicy {
        burn_in_ms: usual.burn_in_ms,
        burn_in_requests: usual.burn_in_requests,
        ..latency_only()
    };
    let (cold, warm) = (Answers::new(500, 3.0), Answers::new(500, 1.0));
    for (name, policy) in [("no burn-in (not done)", latency_only()), ("burn-in", burn_in)] {
        let judge = Subject::new(&policy, Some(&reference()));
        let found = Summary::of(many(effort.runs(2_000), |seed| {
            let mut random = Random::new(seed);
            let answer = |at| if at <= COLD { &cold } else { &warm }.next(&mut random);
            judge.clone().listen(500, effort.requests(REQUESTS), answer)
        }));
        if policy.burn_in_ms > 0 {
            nulls::bar(report, "slow while it starts, burn-in", &found);
        }
        table.row(vec![
            name.to_owned(),
            number(small(found.runs)),
            percent(found.share()),
            number(found.mean()),
        ]);
    }
    report.table(&table);
}

/// Many runs of the judge over the answers.
fn detect(policy: &JudgePolicy, answers: &Answers, runs: u64, most: u64) -> Summary {
    let judge = Subject::new(policy, Some(&reference()));
    Summary::of(many(runs, |seed| {
        let mut random = Random::new(seed);
        judge.clone().listen(answers.weight(), most, |_| answers.next(&mut random))
    }))
}

/// Kayenta on the 99th percentile of each minute, and Flagger with a limit of a quarter above
/// stable's.
fn others(answers: &Answers, effort: Effort, runs: u64) -> [Summary; 2] {
    let watched = effort.requests(REQUESTS) / MINUTE;
    let seen = many(effort.runs(runs), |seed| {
        let P99s { canary, stable } = answers.p99s(watched, seed);
        let failed = canary.iter().zip(&stable).map(|(canary, stable)| *canary > 1.25 * stable);
        [peers::kayenta(&canary, &stable), peers::flagger(failed)]
    });
    [0, 1].map(|tool| Summary::of(seen.iter().map(|run| run[tool])))
}
