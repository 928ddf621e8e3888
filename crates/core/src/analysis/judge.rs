//! The judge: takes in what was seen, and weighs it. What follows from it is said in `look.rs`.
//!
//! It is a function of the policy and of what it was given, in whatever order within one look and
//! in whatever batches. It has no clock and draws no lots. All metrics share one budget of false
//! alarms: their evidence is averaged, which is sound whatever they have to do with each other.

use super::assessment::Counts;
use super::bad::{self, BadTick};
use super::boundary::Lattice;
use super::external::External;
use super::latency::Latency;
use super::nats::as_f64;
use super::outage::Outage;
use super::policy::{Boundary, JudgePolicy};
use super::reference::Reference;
use super::restarts::{self, Restarts};
use super::strata::Strata;
use super::thresholds::Limits;
use super::tick::{Sample, Tick};
use super::warmth::Warmth;
use crate::model::ReleaseId;
use crate::model::ids::Millis;
use std::borrow::Borrow;
use std::sync::Arc;

/// Among how many of its first requests so many errors end a canary at once.
const FIRST_REQUESTS: u64 = 20;
const FIRST_ERRORS: u64 = 5;

/// How often a good release may end so, as a part of the budget.
const FIRST_ALPHA: f64 = 0.1;

/// The most errors for which a boundary is computed; a longer horizon gains nothing.
const HORIZON_MAX: u32 = 20_000;

/// Compares a canary with stable.
#[derive(Debug, Clone)]
pub struct Judge {
    pub(super) case: Arc<Case>,
    pub(super) warmth: Warmth,
    pub(super) strata: Strata,
    pub(super) latency: Option<Latency>,
    pub(super) external: Vec<External>,
    pub(super) outage: Outage,
    pub(super) limits: Option<Box<Limits>>,
    /// The lowest boundary for the first weight, if the policy wants it.
    calibrated: Option<f64>,
}

/// What does not change.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) policy: JudgePolicy,
    pub(super) canary: ReleaseId,
    pub(super) stable: ReleaseId,
}

impl Judge {
    /// Has seen nothing yet.
    pub fn new(policy: &JudgePolicy, canary: &ReleaseId, stable: &ReleaseId) -> Judge {
        // A calibrated boundary is made for bets that run from start to end.
        let restarts = match policy.boundary {
            Boundary::Ville => Restarts::new(),
            Boundary::Calibrated { .. } => Restarts::none(),
        };
        let (tolerated, bad) = (policy.tolerated_ratio(), policy.promote_ratio());
        let enough = policy.enough_alone();
        let external = |spec| External::new(spec, tolerated, enough);
        Judge {
            warmth: Warmth::default(),
            strata: Strata::new(tolerated, bad, restarts),
            latency: policy.latency.then(|| Latency::new(policy.latency_tolerance_ppm)),
            external: policy.external.iter().map(external).collect(),
            outage: Outage::new(policy.error_floor_ppm, policy.before),
            limits: policy
                .thresholds
                .as_ref()
                .map(|rules| Box::new(Limits::new(rules, "the canary's"))),
            calibrated: None,
            case: Arc::new(Case {
                policy: policy.clone(),
                canary: canary.clone(),
                stable: stable.clone(),
            }),
        }
    }

    /// Fixes the yardstick of latency, once; later ones change nothing, nor do those that are made
    /// of too few answers.
    pub fn refer(&mut self, reference: impl Borrow<Reference>) {
        if let Some(latency) = &mut self.latency {
            latency.refer(reference.borrow());
        }
    }

    /// Takes in requests that were divided by chance.
    ///
    /// # Errors
    ///
    /// Refuses a tick that cannot be true; the judge is as before then.
    pub fn tick(&mut self, tick: &Tick) -> Result<(), BadTick> {
        bad::check(tick, self.warmth.newest_ms)?;
        if restarts::are_due(self.warmth.newest_ms, tick.at_ms) {
            self.strata.restart();
            if let Some(latency) = &mut self.latency {
                latency.restart();
            }
        }
        if tick.at_ms > self.warmth.newest_ms {
            self.outage.settle(self.warmth.newest_ms, self.strata.stable());
        }
        self.warmth.add(tick);
        let warm = self.warmth.is_warm(&self.case.policy);
        let counts = warm || !self.case.policy.burn_in_errors;
        self.strata.add(tick, counts, self.warmth.before_ms);
        if let Some(latency) = &mut self.latency {
            latency.add(tick, warm);
        }
        self.outage.add(tick);
        if let Some(limits) = &mut self.limits {
            limits.add(tick);
        }
        if self.calibrated.is_none() {
            self.calibrated = self.calibrate();
        }
        Ok(())
    }

    /// Takes in what a source of metrics said. What comes late, twice or makes no sense changes
    /// nothing but what is said of the metric; one that the policy does not know is left out.
    pub fn sample(&mut self, sample: &Sample) {
        if let Some(metric) = self.external.iter_mut().find(|one| one.name() == sample.metric) {
            metric.add(sample);
        }
    }

    /// The bucket from which on latencies are one, also those of requests in flight; none while
    /// latency is not judged.
    pub fn cap_bucket(&self) -> Option<u16> {
        self.latency.as_ref().and_then(Latency::cap)
    }

    /// Whether a yardstick of latency is fixed, or none is needed.
    pub fn has_reference(&self) -> bool {
        self.latency.as_ref().is_none_or(|latency| latency.cap().is_some())
    }

    /// A yardstick from what stable has answered since the comparison began; none while that is
    /// too little, and after one was fixed.
    pub fn reference_so_far(&self) -> Option<Reference> {
        self.latency.as_ref().and_then(Latency::reference_so_far)
    }

    /// Since when both releases fail together, as of the newest counts; none while they do not.
    pub fn failing_since_ms(&self) -> Option<Millis> {
        self.outage.since(self.warmth.newest_ms, self.strata.stable())
    }

    /// The evidence against the canary over all metrics; 1 is none.
    pub fn evidence(&self) -> f64 {
        let policy = &self.case.policy;
        let mut sum = 0.0;
        if policy.errors {
            sum += self.strata.evidence();
        }
        if let Some(latency) = &self.latency {
            sum += latency.evidence();
        }
        sum += self.external.iter().map(External::evidence).sum::<f64>();
        sum / as_f64(policy.metrics().max(1))
    }

    /// How much of it is enough.
    pub fn enough(&self) -> f64 {
        self.calibrated.filter(|_| self.is_within_horizon()).unwrap_or(self.case.policy.enough())
    }

    /// Whether any bet is so large that their mean could be enough.
    pub(super) fn may_have_enough(&self) -> bool {
        let enough = libm::log(self.enough()) - 1e-6;
        let latency = self.latency.as_ref().is_some_and(|one| one.largest() >= enough);
        let external = self.external.iter().any(|metric| metric.largest() >= enough);
        latency || external || (self.case.policy.errors && self.strata.largest() >= enough)
    }

    /// Whether the canary fails from its first requests on, while stable does not.
    pub(super) fn fails_at_once(&self) -> bool {
        let Counts { canary, stable } = self.counts();
        let later = canary.total.saturating_sub(FIRST_REQUESTS);
        let surely = canary.events.saturating_sub(later);
        if !self.case.policy.errors || surely < FIRST_ERRORS || stable.events > 0 {
            return false;
        }
        // At a large weight it may be luck that none of them was stable's.
        let luck = libm::pow(self.strata.expected_share(), as_f64(surely));
        stable.total > 0 && luck <= FIRST_ALPHA * self.case.policy.alpha()
    }

    /// All that was counted.
    pub(super) fn counts(&self) -> Counts {
        Counts { canary: self.strata.canary(), stable: self.strata.stable() }
    }

    /// The lowest boundary for the first weight, if the policy wants it and errors decide alone.
    fn calibrate(&self) -> Option<f64> {
        let policy = &self.case.policy;
        let Boundary::Calibrated { horizon_errors } = policy.boundary else { return None };
        let [first] = self.strata.all() else { return None };
        let lattice = Lattice::new(first.weight, policy.tolerated_ratio_thousandths);
        (policy.errors && policy.metrics() == 1)
            .then(|| lattice.calibrated(policy.alpha(), horizon_errors.min(HORIZON_MAX)))
    }

    /// Whether that boundary holds: no other weight was used, and the errors it was made for have
    /// not all been seen. From then on, the one that holds for ever is used.
    fn is_within_horizon(&self) -> bool {
        let Boundary::Calibrated { horizon_errors } = self.case.policy.boundary else {
            return false;
        };
        let Counts { canary, stable } = self.counts();
        let errors = canary.events.saturating_add(stable.events);
        self.strata.all().len() == 1 && errors <= u64::from(horizon_errors.min(HORIZON_MAX))
    }
}
