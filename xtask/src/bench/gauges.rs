//! A measured value a minute, such as a queue's length: few points, and each resembles the one
//! before. What resembles its past looks like evidence to whoever takes every point for news.

use crate::bench::Effort;
use crate::bench::nulls;
use crate::bench::peers;
use crate::bench::random::{Random, small};
use crate::bench::runs::{Summary, many};
use crate::bench::stream::{MINUTE, Step, Tally};
use crate::bench::subject::{Subject, at_ms, errors_only};
use crate::bench::table::{Report, Table, number, percent};
use ripcord_core::analysis::{JudgePolicy, MetricKind, MetricSpec, Reading, Sample};
use std::f64::consts::PI;

/// Points of both releases from before, when both ran the same code: two hours, or a day.
const HISTORIES: [u64; 2] = [120, 1_440];

/// Points of the comparison: a million requests at a hundred a second.
const POINTS: u64 = 166;

/// The noise of one arm against the other, as a share of the value.
const NOISE: f64 = 0.1;

/// How much each point resembles the one before.
const AUTOCORRELATIONS: [f64; 3] = [0.0, 0.5, 0.8];

/// By how many deviations of its own noise a worse canary is worse.
const SHIFTS: [f64; 4] = [0.0, 1.0, 2.0, 4.0];

/// The table, and the bar of each null.
pub(crate) fn table(effort: Effort, report: &mut Report) {
    let mut table = Table::new(
        &format!(
            "A value a minute, {POINTS} compared: how often the release is taken back, and after how \
             many points\non average. Where two hours from before are too few to decide, the judge \
             says so and does not"
        ),
        &[
            "resemblance, worse by",
            "runs",
            "two hours before",
            "points",
            "a day before",
            "points",
            "Kayenta",
            "points",
        ],
    );
    for likeness in AUTOCORRELATIONS {
        for shift in SHIFTS {
            let runs = effort.runs(if shift == 0.0 { 2_000 } else { 400 });
            let judge = Subject::new(&policy(), None);
            let seen = many(runs, |seed| {
                let [short, long] = HISTORIES
                    .map(|history| World::new(history, likeness, shift, seed).watch(judge.clone()));
                let points = World::new(0, likeness, shift, seed).points;
                let (canary, stable): (Vec<f64>, Vec<f64>) = points.into_iter().unzip();
                [short, long, peers::kayenta(&canary, &stable)]
            });
            let name = format!("{likeness}, {} deviations", number(shift));
            let mut cells = vec![name, number(small(runs))];
            for tool in 0..3 {
                let found = Summary::of(seen.iter().map(|run| run[tool]));
                if let (true, Some(history)) = (shift == 0.0, HISTORIES.get(tool)) {
                    let words =
                        format!("a value a minute, resemblance {likeness}, {history} before");
                    nulls::bar(report, &words, &found);
                }
                cells.extend([percent(found.share()), number(found.mean())]);
            }
            table.row(cells);
        }
    }
    report.table(&table);
}

/// The policy with this one metric.
fn policy() -> JudgePolicy {
    let spec = MetricSpec {
        name: "queue".to_owned(),
        source: "simulation".to_owned(),
        kind: MetricKind::Gauge { value: "length".to_owned(), higher_is_worse: true },
        every_ms: at_ms(MINUTE),
    };
    JudgePolicy { errors: false, external: vec![spec], ..errors_only() }
}

/// One run: what both arms measured, before and during the comparison.
#[derive(Debug)]
struct World {
    history: Vec<(f64, f64)>,
    points: Vec<(f64, f64)>,
}

impl World {
    fn new(history: u64, likeness: f64, shift: f64, seed: u64) -> World {
        let mut random = Random::new(seed);
        let mut noise = random.normal();
        let fresh = (1.0 - likeness * likeness).sqrt();
        let mut pair = |minute: u64, shift: f64| {
            noise = likeness * noise + fresh * random.normal();
            // Both ebb and flow together.
            let stable = 100.0 * (1.0 + 0.5 * libm::sin(2.0 * PI * small(minute) / 60.0));
            (stable * libm::exp(NOISE * (noise + shift)), stable)
        };
        let history = (0..history).map(|minute| pair(minute, 0.0)).collect();
        let points = (0..POINTS).map(|minute| pair(minute, shift)).collect();
        World { history, points }
    }

    /// The number of the point after which the judge took the release back.
    fn watch(self, mut judge: Subject) -> Option<u64> {
        judge.sample(&sample(0, Reading::Calibration { pairs: self.history }));
        for (point, (canary, stable)) in (1..).zip(self.points) {
            let at = point * MINUTE;
            let arm = Tally { requests: MINUTE / 2, errors: 0 };
            judge.step(&Step { at, weight: 5_000, canary: arm, stable: arm });
            judge.sample(&sample(at, Reading::Gauge { canary, stable }));
            if judge.goes_back(at) {
                return Some(point);
            }
        }
        None
    }
}

fn sample(at: u64, reading: Reading) -> Sample {
    Sample { at_ms: at_ms(at), metric: "queue".to_owned(), reading }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Neighbouring points resemble each other as much as they should.
    #[test]
    fn noise_resembles_itself() {
        for likeness in AUTOCORRELATIONS {
            let (mut product, mut square) = (0.0, 0.0);
            for seed in 0..100 {
                let world = World::new(0, likeness, 0.0, seed);
                let of = |pair: &(f64, f64)| libm::log(pair.0 / pair.1) / NOISE;
                for two in world.points.windows(2) {
                    product += of(&two[0]) * of(&two[1]);
                    square += of(&two[0]) * of(&two[0]);
                }
            }
            assert!(
                (product / square - likeness).abs() < 0.05,
                "{} at {likeness}",
                product / square
            );
        }
    }
}
