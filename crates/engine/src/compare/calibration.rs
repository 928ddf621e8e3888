//! What gauges may differ by for no reason: found before they decide, from earlier comparisons in
//! the ledger, or from what their source remembers of stable. Where neither is enough, the judge
//! is told what there is, says so, and does not decide by them.

use crate::execute::{ExecuteError, Runner};
use crate::world::{Metrics, Question};
use ripcord_core::analysis::{MetricKind, MetricSpec, Reading, Sample, calibration};
use ripcord_core::model::Share;
use ripcord_core::model::ids::Millis;
use ripcord_core::model::traffic::WHOLE;
use ripcord_core::plan::{Analysis, Effect};
use ripcord_core::run::{Observation, earlier};

/// How often a source is asked what it remembers before that is given up.
const TRIES_MAX: u32 = 3;

/// How long to wait before it is asked again.
const AGAIN_MS: Millis = 10_000;

/// The gauges of a comparison of which nothing is known yet.
pub(super) struct Calibration<'a> {
    metrics: &'a dyn Metrics,
    share: Share,
    /// How many independent values are enough.
    needed: usize,
    lacking: Vec<Lacking>,
}

struct Lacking {
    metric: String,
    question: Question,
    /// What earlier comparisons saw.
    seen: Vec<(f64, f64)>,
    asked: u32,
    due_ms: Millis,
}

impl<'a> Calibration<'a> {
    /// Looks what the ledger knows of gauges that were not calibrated in this plan yet.
    pub(super) fn new(runner: &Runner<'a>, analysis: &Analysis) -> Result<Self, ExecuteError> {
        let known: Vec<String> = runner.evidence().iter().filter_map(calibrated).collect();
        let gauges: Vec<&MetricSpec> = analysis
            .judge
            .external
            .iter()
            .filter(|spec| analysis.judge.looks() && !known.contains(&spec.name))
            .collect();
        let metrics = runner.world.metrics;
        let share = smallest_share(runner, analysis);
        let needed = calibration::needed(&analysis.judge);
        if !gauges.iter().any(|spec| question(spec, analysis).is_some()) {
            return Ok(Calibration { metrics, share, needed, lacking: Vec::new() });
        }
        let entries = runner.ledger.entries(&runner.plan.environment, 0)?;
        let lacking = gauges.into_iter().filter_map(|spec| {
            Some(Lacking {
                metric: spec.name.clone(),
                question: question(spec, analysis)?,
                seen: earlier(spec, &entries),
                asked: 0,
                due_ms: 0,
            })
        });
        Ok(Calibration { metrics, share, needed, lacking: lacking.collect() })
    }

    /// Asks what is lacking, and gives what is known now.
    pub(super) fn look(&mut self, at_ms: Millis) -> Vec<Sample> {
        let mut known = Vec::new();
        if self.lacking.is_empty() {
            return known;
        }
        let memories = self.metrics.memories();
        let (metrics, share, needed) = (self.metrics, self.share, self.needed);
        self.lacking.retain_mut(|one| {
            let remembered = memories.iter().find(|memory| memory.question == one.question);
            let pairs = match remembered.map(|memory| &memory.values) {
                _ if calibration::is_enough(&one.seen, needed) => std::mem::take(&mut one.seen),
                Some(Ok(Some(values))) => {
                    let pairs = calibration::of_one(values, share);
                    if pairs.len() > one.seen.len() { pairs } else { std::mem::take(&mut one.seen) }
                }
                // It has no memory, or was asked in vain too often.
                Some(Ok(None)) => std::mem::take(&mut one.seen),
                Some(Err(_)) if one.asked >= TRIES_MAX => std::mem::take(&mut one.seen),
                Some(Err(_)) | None => {
                    if at_ms >= one.due_ms && one.asked < TRIES_MAX {
                        metrics.recall(&one.question);
                        (one.asked, one.due_ms) = (one.asked + 1, at_ms + AGAIN_MS);
                    }
                    return true;
                }
            };
            if !pairs.is_empty() {
                let metric = one.metric.clone();
                known.push(Sample { at_ms, metric, reading: Reading::Calibration { pairs } });
            }
            false
        });
        known
    }
}

/// The metric that this calibrates, if it does.
fn calibrated(observation: &Observation) -> Option<String> {
    match observation {
        Observation::Sampled { sample: Sample { metric, reading, .. } } => {
            matches!(reading, Reading::Calibration { .. }).then(|| metric.clone())
        }
        _ => None,
    }
}

/// What is asked about stable alone; none for counters, which need no past.
fn question(spec: &MetricSpec, analysis: &Analysis) -> Option<Question> {
    let MetricKind::Gauge { value, .. } = &spec.kind else { return None };
    Some(Question {
        source: spec.source.clone(),
        query: value.clone(),
        release: analysis.stable.clone(),
        stable: analysis.stable.clone(),
        window_ms: spec.every_ms,
    })
}

/// The smallest share that the canary has in this plan: there its values are the noisiest.
fn smallest_share(runner: &Runner<'_>, analysis: &Analysis) -> Share {
    let shares = runner.plan.steps.iter().filter_map(|step| match &step.effect {
        Effect::Analysis(other) => Some(other.traffic.split.share(&analysis.canary)),
        _ => None,
    });
    shares.filter(|share| (1..WHOLE).contains(share)).min().unwrap_or(WHOLE / 2)
}
