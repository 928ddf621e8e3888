//! What earlier comparisons of an environment saw of a gauge, of releases that proved good: pairs
//! of equal releases side by side, at the shares and with the noise that canaries really have.

use crate::analysis::{MetricSpec, Reading};
use crate::model::PlanId;
use crate::plan::{Effect, Plan};
use crate::run::event::{Event, Observation, Outcome};
use crate::run::{Entry, Subject};
use std::collections::BTreeMap;

/// How many pairs are remembered; the latest ones.
const PAIRS_MAX: usize = 4_000;

/// Values of canaries that went live, each beside stable's of the same time, oldest first. A
/// metric that was measured in another way then is another metric.
pub fn earlier<'a>(
    spec: &MetricSpec,
    entries: impl IntoIterator<Item = &'a Entry>,
) -> Vec<(f64, f64)> {
    let mut open: BTreeMap<&PlanId, Vec<(f64, f64)>> = BTreeMap::new();
    let mut pairs = Vec::new();
    for entry in entries {
        let Subject::Plan { plan: id, .. } = &entry.subject else { continue };
        match &entry.event {
            Event::PlanStarted { plan } if measures(plan, spec) => {
                open.insert(id, Vec::new());
            }
            Event::Observed { observation: Observation::Sampled { sample } }
                if sample.metric == spec.name =>
            {
                if let (Some(seen), Reading::Gauge { canary, stable }) =
                    (open.get_mut(id), &sample.reading)
                {
                    seen.push((*canary, *stable));
                }
            }
            Event::Finished { outcome } => {
                let seen = open.remove(id).unwrap_or_default();
                if *outcome == Outcome::Live {
                    pairs.extend(seen);
                }
            }
            _ => {}
        }
    }
    let surplus = pairs.len().saturating_sub(PAIRS_MAX);
    pairs.split_off(surplus)
}

fn measures(plan: &Plan, spec: &MetricSpec) -> bool {
    plan.steps.iter().any(|step| match &step.effect {
        Effect::Analysis(analysis) => analysis.judge.external.contains(spec),
        _ => false,
    })
}
