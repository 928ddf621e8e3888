//! The judge of one comparison: takes what is seen, says what it makes of it.

use crate::analysis::errors::ErrorEvidence;
use crate::analysis::{ArmCounts, JudgePolicy, Reference, Sample, Tick, Verdict};
use crate::model::ReleaseId;
use crate::model::ids::Millis;
use serde::Serialize;
use thiserror::Error;

/// The judge.
#[derive(Debug, Clone)]
pub struct Judge {
    policy: JudgePolicy,
    canary: ReleaseId,
    stable: ReleaseId,
    reference: Option<Reference>,
    errors: ErrorEvidence,
    counts: [ArmCounts; 2],
}

/// What the judge makes of what it has seen.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Assessment {
    /// The verdict.
    pub verdict: Verdict,
    /// The evidence against the canary, of all metrics together; 1 is none.
    pub evidence: f64,
    /// So much speaks against it that it gets no larger share for now.
    pub suspect: bool,
    /// It is shown to be no worse.
    pub promotable: bool,
}

/// Counts that contradict themselves.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the counts contradict themselves: {0}")]
pub struct BadTick(String);

impl Judge {
    /// A judge who has seen nothing yet.
    pub fn new(policy: &JudgePolicy, canary: &ReleaseId, stable: &ReleaseId) -> Judge {
        Judge {
            policy: policy.clone(),
            canary: canary.clone(),
            stable: stable.clone(),
            reference: None,
            errors: ErrorEvidence::new(policy.tolerated_ratio_thousandths),
            counts: [ArmCounts::default(), ArmCounts::default()],
        }
    }

    /// What stable's latency was before.
    pub fn refer(&mut self, reference: Reference) {
        self.reference = Some(reference);
    }

    /// Whether there is a yardstick of latency.
    pub fn has_reference(&self) -> bool {
        self.reference.is_some()
    }

    /// A yardstick from what stable has answered meanwhile.
    pub fn reference_so_far(&self) -> Option<Reference> {
        None
    }

    /// From which bucket on answers are merely late.
    pub fn cap_bucket(&self) -> Option<u16> {
        None
    }

    /// Takes requests into account.
    ///
    /// # Errors
    ///
    /// Refuses counts that contradict themselves; nothing has changed then.
    pub fn tick(&mut self, tick: &Tick) -> Result<(), BadTick> {
        for arm in [&tick.canary, &tick.stable] {
            if arm.errors > arm.requests {
                let what = format!("{} errors in {} requests", arm.errors, arm.requests);
                return Err(BadTick(what));
            }
        }
        if tick.weight == 0 || tick.weight >= 10_000 {
            return Err(BadTick(format!("a weight of {}", tick.weight)));
        }
        self.errors.take(tick.weight, tick.canary.errors, tick.stable.errors);
        for (counts, more) in self.counts.iter_mut().zip([&tick.canary, &tick.stable]) {
            counts.requests = counts.requests.saturating_add(more.requests);
            counts.errors = counts.errors.saturating_add(more.errors);
        }
        Ok(())
    }

    /// Takes what a source of metrics said into account.
    pub fn sample(&mut self, _sample: &Sample) {}

    /// What it makes of what it has seen by this time.
    pub fn assess(&self, _at_ms: Millis) -> Assessment {
        let evidence = self.errors.evidence();
        let threshold = 1e6 / f64::from(self.policy.alpha_ppm.max(1));
        let [canary, stable] = &self.counts;
        let floor = f64::from(self.policy.error_floor_ppm) / 1e6;
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
        let promotable = canary.errors == 0 && canary.requests as f64 * floor >= 3.0;
        let verdict = if canary.requests == 0 {
            Verdict::Undecided { because: format!("no request has reached {}", self.canary) }
        } else if evidence >= threshold {
            Verdict::GoBack {
                because: format!(
                    "{} answered {} of {} requests with errors, {} {} of {}",
                    self.canary,
                    canary.errors,
                    canary.requests,
                    self.stable,
                    stable.errors,
                    stable.requests
                ),
            }
        } else {
            Verdict::Continue
        };
        Assessment { verdict, evidence, suspect: evidence >= 0.2 * threshold, promotable }
    }
}

impl Assessment {
    /// Nothing can be said.
    pub fn undecided(because: &str) -> Assessment {
        Assessment {
            verdict: Verdict::Undecided { because: because.to_owned() },
            evidence: 1.0,
            suspect: false,
            promotable: false,
        }
    }

    /// In one line.
    pub fn summary(&self) -> String {
        format!("evidence {:.1}", self.evidence)
    }

    /// What is missing for a promotion.
    pub fn lacking(&self) -> String {
        "more requests are needed".to_owned()
    }
}
