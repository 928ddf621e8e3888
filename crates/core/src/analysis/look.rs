//! What follows from what the judge has seen, in the order in which it matters: fixed limits, a
//! broken division, enough evidence, blindness, an outage of both, suspicion, proof.

use super::assessment::{Assessment, Bound, Counts, MetricEvidence, MetricState};
use super::explain;
use super::interval::Interval;
use super::judge::{Case, Judge};
use super::latency::{self, Latency};
use super::nats::as_f64;
use super::outage::SharedOutage;
use super::promotion::{Need, Proof};
use super::ratio;
use super::reference::ANSWERS_MIN;
use super::thresholds::Passed;
use super::tick::Pair;
use super::verdict::Verdict;
use crate::model::ids::Millis;

/// From which part of the evidence that is enough a release is under suspicion.
const SUSPECT: f64 = 0.2;

/// After how long without any request nothing is known any more.
const SILENT_MS_MAX: Millis = 60_000;

/// For how long a request may be in flight before it is counted: as long as it takes while latency
/// is not judged, and a little longer than the cap of latency otherwise.
const FLIGHT_MS: Millis = 30_000;
const FLIGHT_SLACK_MS: Millis = 200;

impl Judge {
    /// What is known at this time.
    pub fn assess(&self, now_ms: Millis) -> Assessment {
        let (evidence, enough) = (self.evidence(), self.enough());
        let need = self.need();
        let outage = self.shared_outage();
        let held = self.held(outage.as_ref(), evidence >= SUSPECT * enough);
        let suspect = held.is_some();
        let verdict = self
            .finding()
            .or_else(|| self.blind(now_ms).map(|because| Verdict::Undecided { because }))
            .or_else(|| held.map(|need| Verdict::Wait { need }))
            .or_else(|| self.lacks(need).map(|need| Verdict::Wait { need }))
            .unwrap_or(Verdict::Continue);
        let promotable = verdict == Verdict::Continue;
        let lift = Interval::new(&self.strata, self.case.policy.alpha());
        Assessment {
            evidence,
            enough,
            metrics: self.metrics(now_ms),
            lift,
            counts: self.counts(),
            promotable,
            suspect,
            outage,
            need: need.filter(|_| !promotable),
            words: self.words(evidence, lift.as_ref()),
            verdict,
        }
    }

    /// Whether the verdict is to go back. The same as asking [`Judge::assess`], and much cheaper.
    pub fn gone(&self) -> bool {
        let may_be = self.limits.is_some()
            || self.fails_at_once()
            || self.may_have_enough()
            || self.failing_since_ms().is_some();
        may_be && matches!(self.finding(), Some(Verdict::GoBack { .. }))
    }

    /// Whether the verdict is to go on. The same as asking [`Judge::assess`], and cheaper.
    pub fn promotable(&self, now_ms: Millis) -> bool {
        let suspicious = self.evidence() >= SUSPECT * self.enough();
        self.lacks(None).is_none()
            && self.finding().is_none()
            && self.blind(now_ms).is_none()
            && self.held(self.shared_outage().as_ref(), suspicious).is_none()
    }

    /// What ends the comparison: a limit, enough evidence, or that there is none to be had.
    fn finding(&self) -> Option<Verdict> {
        if let Some(Passed::Canary(because)) = self.passed() {
            return Some(Verdict::GoBack { because });
        }
        if let Some(because) = ratio::broken(&self.strata, self.flight_ms()) {
            let because = format!("requests are not divided as they should be: {because}");
            return Some(Verdict::Undecided { because });
        }
        let evidence = self.evidence();
        if !self.fails_at_once() && evidence < self.enough() {
            return self.precaution();
        }
        let lift = Interval::new(&self.strata, self.case.policy.alpha());
        Some(Verdict::GoBack { because: self.words(evidence, lift.as_ref()) })
    }

    /// What both releases suffer from now. The time is that of the newest counts, so that a
    /// decision depends on nothing that the journal has not.
    fn shared_outage(&self) -> Option<SharedOutage> {
        self.outage.now(self.warmth.newest_ms, self.strata.stable())
    }

    /// Both have failed since the canary got more, and for too long: it is not shown to be bad, and
    /// goes all the same.
    fn precaution(&self) -> Option<Verdict> {
        self.failing_since_ms()?;
        let outage = self.shared_outage().filter(|outage| outage.with_release)?;
        (outage.lasts_ms >= self.case.policy.outage_ms_max).then(|| Verdict::GoBack {
            because: format!(
                "as a precaution, since it began when {} got more requests and has lasted {}: {}",
                self.case.canary,
                explain::time(outage.lasts_ms),
                outage.words
            ),
        })
    }

    /// What is not seen, though it must be.
    fn blind(&self, now_ms: Millis) -> Option<String> {
        let Case { canary, stable, .. } = &*self.case;
        let Counts { canary: new, stable: old } = self.counts();
        match (new.total, old.total) {
            (0, 0) => return Some(format!("no request has reached {canary} or {stable}")),
            (0, _) => return Some(format!("no request has reached {canary}")),
            (_, 0) => {
                return Some(format!(
                    "no request has reached {stable}, so {canary} cannot be compared"
                ));
            }
            _ => {}
        }
        let silent_ms = self.warmth.silent_ms(now_ms);
        if silent_ms > SILENT_MS_MAX {
            return Some(format!("no request has been counted for {}", explain::time(silent_ms)));
        }
        let deciding = self.external.iter().filter(|metric| metric.can_decide());
        let unknown: Vec<String> = deciding.filter_map(|metric| metric.blind(now_ms)).collect();
        (!unknown.is_empty()).then(|| unknown.join("; "))
    }

    /// Why the canary must not get more now, though nothing is proven.
    fn held(&self, outage: Option<&SharedOutage>, suspicious: bool) -> Option<String> {
        if let Some(Passed::Both(why)) = self.passed() {
            return Some(why);
        }
        if let Some(outage) = outage {
            let end = if outage.with_release {
                "it goes back as a precaution"
            } else {
                "a person is asked"
            };
            let longest = explain::time(self.case.policy.outage_ms_max);
            return Some(format!("{}; {end} if that lasts {longest}", outage.words));
        }
        let why = "there is evidence against it, though not yet enough to go back";
        suspicious.then(|| why.to_owned())
    }

    /// What is lacking before the canary is good enough; none when it is.
    fn lacks(&self, need: Option<Need>) -> Option<String> {
        let knows = |latency: &&Latency| latency.judged() >= ANSWERS_MIN;
        let Some(latency) = self.latency.as_ref().filter(|latency| !knows(latency)) else {
            if Proof::new(&self.case.policy).is_given(&self.strata) {
                return None;
            }
            let never = "at this rate of errors no number of requests is enough";
            return Some(need.map_or_else(|| never.to_owned(), |need| need.words()));
        };
        Some(match need.filter(|need| need.requests > 0 && latency.cap().is_some()) {
            Some(need) => need.words(),
            None => format!("latency is not known: {}", latency.words()),
        })
    }

    fn need(&self) -> Option<Need> {
        let policy = &self.case.policy;
        let chance = self.warmth.chance();
        let requests = Proof::new(policy).requests_left(&self.strata, chance)?;
        let unjudged = |latency: &Latency| ANSWERS_MIN.saturating_sub(latency.judged());
        let requests = requests.max(self.latency.as_ref().map_or(0, unjudged));
        let Counts { canary, stable } = self.counts();
        let all = as_f64(canary.total.saturating_add(stable.total));
        let seconds = as_f64(self.warmth.seen_ms()) / 1e3;
        let per_second = if seconds > 0.0 { chance * all / seconds } else { 0.0 };
        let answered = canary.total;
        Some(Need::new(policy, requests, answered, self.warmth.canary_for_ms(), per_second))
    }

    /// The limit that is passed, as of the newest tick.
    fn passed(&self) -> Option<Passed> {
        self.limits.as_ref()?.now(self.warmth.newest_ms)
    }

    fn flight_ms(&self) -> Millis {
        self.cap_bucket().map_or(FLIGHT_MS, |cap| latency::end_ms(cap) + FLIGHT_SLACK_MS)
    }

    /// The whole in a few sentences: the counts, what else speaks loudest, and by what luck.
    fn words(&self, evidence: f64, lift: Option<&Interval>) -> String {
        let mut words = explain::counts(&self.case.canary, &self.counts(), lift);
        let errors = if self.case.policy.errors { self.strata.evidence() } else { 0.0 };
        if let Some(latency) = self.latency.as_ref().filter(|one| one.evidence() > errors.max(2.0))
        {
            words = format!("{words} Latency: {}.", latency.words());
        }
        for metric in self.external.iter().filter(|one| one.evidence() > errors.max(2.0)) {
            words = format!("{words} {}: {}.", metric.name(), metric.words());
        }
        // Where nothing is found, what nobody could have found is part of the answer.
        let found = evidence >= self.enough();
        for metric in self.external.iter().filter(|one| !found && !one.can_decide()) {
            words = format!("{words} {}: {}.", metric.name(), metric.words());
        }
        format!("{words} {}", explain::chance(evidence))
    }

    fn metrics(&self, now_ms: Millis) -> Vec<MetricEvidence> {
        let mut metrics = Vec::new();
        if self.case.policy.errors {
            let Counts { canary, stable } = self.counts();
            let blind = canary.total == 0 || stable.total == 0;
            let words = format!("{} of the canary, {} of stable", share(canary), share(stable));
            let evidence = self.strata.evidence();
            metrics.push(self.metric(("errors", Bound::Exact), blind, evidence, words));
        }
        if let Some(latency) = &self.latency {
            let blind = !Latency::has_judged(latency);
            let (evidence, words) = (latency.evidence(), latency.words());
            metrics.push(self.metric(("latency", Bound::Exact), blind, evidence, words));
        }
        for one in &self.external {
            let blind = one.blind(now_ms);
            let knows_nothing = blind.is_some() || !one.can_decide();
            let words = blind.filter(|_| one.can_decide()).unwrap_or_else(|| one.words());
            let name = (one.name(), one.bound());
            metrics.push(self.metric(name, knows_nothing, one.evidence(), words));
        }
        metrics
    }

    fn metric(
        &self,
        (name, bound): (&str, Bound),
        blind: bool,
        evidence: f64,
        words: String,
    ) -> MetricEvidence {
        let state = match evidence / self.enough() {
            part if part >= 1.0 => MetricState::Bad,
            part if part >= SUSPECT => MetricState::Suspect,
            _ if blind => MetricState::Blind,
            _ => MetricState::Ok,
        };
        MetricEvidence { name: name.to_owned(), state, evidence, bound, words }
    }
}

fn share(pair: Pair) -> String {
    format!("{} of {}", explain::thousands(pair.events), explain::thousands(pair.total))
}
