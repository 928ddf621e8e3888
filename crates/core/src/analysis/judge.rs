//! The judge: takes in what was seen, and says at any time what follows from it.
//!
//! It is a function of the policy and of what it was given, in whatever order within one look and
//! in whatever batches. It has no clock and draws no lots. All metrics share one budget of false
//! alarms: their evidence is averaged, which is sound whatever they have to do with each other.

use super::assessment::{Assessment, Counts, MetricEvidence, MetricState};
use super::bad::{self, BadTick};
use super::explain;
use super::external::External;
use super::interval::Interval;
use super::latency::Latency;
use super::nats::as_f64;
use super::policy::JudgePolicy;
use super::promotion::{Need, Proof};
use super::ratio;
use super::reference::Reference;
use super::strata::Strata;
use super::tick::{Pair, Sample, Tick};
use super::verdict::Verdict;
use super::warmth::Warmth;
use crate::model::ReleaseId;
use crate::model::ids::Millis;
use std::borrow::Borrow;
use std::sync::Arc;

/// From which part of the evidence that is enough a release is under suspicion.
const SUSPECT: f64 = 0.2;

/// Among how many of its first requests so many errors end a canary at once.
const FIRST_REQUESTS: u64 = 20;
const FIRST_ERRORS: u64 = 5;

/// After how long without any request nothing is known any more.
const SILENT_MS_MAX: Millis = 60_000;

/// For how long a request may be in flight before it is counted, where the yardstick of latency
/// does not say.
const FLIGHT_MS: Millis = 1_000;

/// Compares a canary with stable.
#[derive(Debug, Clone)]
pub struct Judge {
    case: Arc<Case>,
    warmth: Warmth,
    strata: Strata,
    latency: Option<Latency>,
    external: Vec<External>,
}

/// What does not change.
#[derive(Debug)]
struct Case {
    policy: JudgePolicy,
    canary: ReleaseId,
    stable: ReleaseId,
}

impl Judge {
    /// Has seen nothing yet.
    pub fn new(policy: &JudgePolicy, canary: &ReleaseId, stable: &ReleaseId) -> Judge {
        let case = Case { policy: policy.clone(), canary: canary.clone(), stable: stable.clone() };
        Judge {
            strata: Strata::new(policy.tolerated_ratio(), policy.promote_ratio()),
            warmth: Warmth::default(),
            external: policy
                .external
                .iter()
                .map(|spec| External::new(spec, policy.tolerated_ratio()))
                .collect(),
            latency: policy.latency.then(|| Latency::new(policy.latency_tolerance_ppm)),
            case: Arc::new(case),
        }
    }

    /// Fixes the yardstick of latency, once; later ones change nothing.
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
        self.warmth.add(tick);
        self.strata.add(tick);
        if let Some(latency) = &mut self.latency {
            latency.add(tick, self.warmth.is_warm(&self.case.policy));
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

    /// The evidence against the canary over all metrics; 1 is none.
    pub fn evidence(&self) -> f64 {
        let policy = &self.case.policy;
        let mut sum = 0.0;
        if policy.errors {
            sum += self.strata.worse().mean();
        }
        if let Some(latency) = &self.latency {
            sum += latency.bets().mean();
        }
        sum += self.external.iter().map(External::evidence).sum::<f64>();
        sum / as_f64(policy.metrics().max(1))
    }

    /// How much of it is enough.
    pub fn enough(&self) -> f64 {
        1.0 / self.case.policy.alpha()
    }

    /// Whether the verdict is to go back. The same as asking [`Judge::assess`], and much cheaper.
    pub fn gone(&self) -> bool {
        let may_be = self.fails_at_once() || self.may_have_enough();
        may_be && matches!(self.finding(), Some(Verdict::GoBack { .. }))
    }

    /// Whether any bet is so large that their mean could be enough.
    fn may_have_enough(&self) -> bool {
        let enough = libm::log(self.enough()) - 1e-6;
        let latency = self.latency.as_ref().is_some_and(|one| one.bets().largest() >= enough);
        let external = self.external.iter().any(|metric| metric.largest() >= enough);
        latency || external || (self.case.policy.errors && self.strata.worse().largest() >= enough)
    }

    /// What is known at this time.
    pub fn assess(&self, now_ms: Millis) -> Assessment {
        let evidence = self.evidence();
        let enough = self.enough();
        let metrics = self.metrics(now_ms);
        let finding = self.finding();
        let suspect = evidence >= SUSPECT * enough;
        let lift = Interval::new(&self.strata, self.case.policy.alpha());
        let counts = self.counts();
        let need = self.need();
        let mut promotable = false;
        let verdict = finding.or_else(|| self.blind(now_ms)).unwrap_or_else(|| {
            if suspect {
                let need = "there is some evidence against it, though not enough to go back";
                return Verdict::Wait { need: need.to_owned() };
            }
            promotable = self.is_proven();
            if promotable { Verdict::Continue } else { Verdict::Wait { need: self.lacks(need) } }
        });
        let words = format!(
            "{} {}",
            explain::counts(&self.case.canary, &counts, lift.as_ref()),
            explain::chance(evidence)
        );
        let need = if promotable { None } else { need };
        Assessment {
            verdict,
            evidence,
            enough,
            metrics,
            lift,
            counts,
            promotable,
            suspect,
            need,
            words,
        }
    }

    /// What ends the comparison at once, for or against nobody: broken shares, or enough evidence.
    fn finding(&self) -> Option<Verdict> {
        let flight_ms = self.cap_bucket().map_or(FLIGHT_MS, |_| FLIGHT_MS);
        if let Some(because) = ratio::broken(&self.strata, self.warmth.seen_ms(), flight_ms) {
            let because = format!("requests are not divided as they should be: {because}");
            return Some(Verdict::Undecided { because });
        }
        let evidence = self.evidence();
        if !self.fails_at_once() && evidence < self.enough() {
            return None;
        }
        let lift = Interval::new(&self.strata, self.case.policy.alpha());
        let counts = self.counts();
        let because = explain::counts(&self.case.canary, &counts, lift.as_ref());
        Some(Verdict::GoBack { because: format!("{because} {}", explain::chance(evidence)) })
    }

    /// Whether the canary fails from its first requests on, while stable does not.
    fn fails_at_once(&self) -> bool {
        let Counts { canary, stable } = self.counts();
        let later = canary.total.saturating_sub(FIRST_REQUESTS);
        let surely = canary.events.saturating_sub(later);
        if !self.case.policy.errors || surely < FIRST_ERRORS || stable.events > 0 {
            return false;
        }
        // That all errors are the canary's by luck must be rare beside the budget.
        let luck = libm::pow(self.strata.expected_share(), as_f64(surely));
        stable.total > 0 && luck <= 0.1 * self.case.policy.alpha()
    }

    /// What is not seen, though it must be.
    fn blind(&self, now_ms: Millis) -> Option<Verdict> {
        let Case { canary, stable, .. } = &*self.case;
        let Counts { canary: new, stable: old } = self.counts();
        let because = match (new.total, old.total) {
            (0, 0) => format!("no request has reached {canary} or {stable}"),
            (0, _) => format!("no request has reached {canary}"),
            (_, 0) => format!("no request has reached {stable}, so {canary} cannot be compared"),
            _ if self.warmth.silent_ms(now_ms) > SILENT_MS_MAX => {
                let silent = explain::time(self.warmth.silent_ms(now_ms));
                format!("no request has been counted for {silent}")
            }
            _ => {
                let deciding = self.external.iter().filter(|metric| metric.can_decide());
                let unknown: Vec<String> = deciding.filter_map(|one| one.blind(now_ms)).collect();
                if unknown.is_empty() {
                    return None;
                }
                unknown.join("; ")
            }
        };
        Some(Verdict::Undecided { because })
    }

    /// Whether the canary is shown to be good enough, as far as each metric must be heard.
    fn is_proven(&self) -> bool {
        let heard = self.latency.as_ref().is_none_or(Latency::has_judged);
        heard && Proof::new(&self.case.policy).is_given(&self.strata)
    }

    fn need(&self) -> Option<Need> {
        let policy = &self.case.policy;
        let chance = self.strata.recent_chance();
        let requests = Proof::new(policy).requests_left(&self.strata, chance)?;
        let Counts { canary, stable } = self.counts();
        let all = as_f64(canary.total.saturating_add(stable.total));
        let seconds = as_f64(self.warmth.seen_ms()) / 1e3;
        let per_second = if seconds > 0.0 { chance * all / seconds } else { 0.0 };
        let answered = canary.total;
        Some(Need::new(policy, requests, answered, self.warmth.canary_for_ms(), per_second))
    }

    /// What is lacking, in words.
    fn lacks(&self, need: Option<Need>) -> String {
        if self.latency.as_ref().is_some_and(|latency| latency.cap().is_none()) {
            return "too little of stable's latency is known to compare with".to_owned();
        }
        let Some(need) = need else {
            return "no amount of requests is enough at this rate of errors".to_owned();
        };
        need.words()
    }

    fn counts(&self) -> Counts {
        Counts { canary: self.strata.canary(), stable: self.strata.stable() }
    }

    fn metrics(&self, now_ms: Millis) -> Vec<MetricEvidence> {
        let mut metrics = Vec::new();
        if self.case.policy.errors {
            let Counts { canary, stable } = self.counts();
            let evidence = self.strata.worse().mean();
            let blind = canary.total == 0 || stable.total == 0;
            let words = format!("{} and {}", share(canary), share(stable));
            metrics.push(self.metric("errors", blind, evidence, words));
        }
        if let Some(latency) = &self.latency {
            let (blind, words) = (!latency.has_judged(), latency.words());
            metrics.push(self.metric("latency", blind, latency.bets().mean(), words));
        }
        for one in &self.external {
            let blind = one.blind(now_ms);
            let words = blind.clone().unwrap_or_else(|| one.words());
            let knows_nothing = blind.is_some() || !one.can_decide();
            metrics.push(self.metric(one.name(), knows_nothing, one.evidence(), words));
        }
        metrics
    }

    fn metric(&self, name: &str, blind: bool, evidence: f64, words: String) -> MetricEvidence {
        let state = match evidence / self.enough() {
            part if part >= 1.0 => MetricState::Bad,
            part if part >= SUSPECT => MetricState::Suspect,
            _ if blind => MetricState::Blind,
            _ => MetricState::Ok,
        };
        MetricEvidence { name: name.to_owned(), state, evidence, words }
    }
}

fn share(pair: Pair) -> String {
    format!("{} of {}", explain::thousands(pair.events), explain::thousands(pair.total))
}
