//! A release that has no other beside it, after a switch: is it bad by itself?
//!
//! The absolute test finds a rate of errors that was never tolerated. It adds up everything since
//! the switch, so it is slow with a release that was good for hours; behind it stands the burn
//! rate, whose windows forget. Fixed limits stand beside both. Who served before is no comparison;
//! but where it failed likewise just before, the release is not to blame, and going back is no
//! help. Nothing here may read a clock.

use super::absolute::{AbsoluteTest, THRESHOLD};
use super::burn::BurnRate;
use super::explain;
use super::nats::as_count;
use super::policy::{JudgePolicy, Thresholds};
use super::thresholds::{Limits, Passed};
use super::tick::{ArmCounts, Pair, Tick};
use super::verdict::Verdict;
use crate::model::ids::Millis;
use crate::model::traffic::WHOLE;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where no objective is set, so many times what is tolerated must be lost over six hours before
/// the budget burns six times too fast: the windows know nothing of chance.
const LAST_RESORT: f64 = 2.0;
const SLOWEST_BURN: f64 = 6.0;

/// What found a release bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alarm {
    /// More errors than are tolerated, beyond chance.
    ErrorRate,
    /// The errors that the objective allows are used up too fast.
    BurnRate,
    /// A fixed limit was passed.
    Limit,
}

/// What speaks against a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What found it.
    pub by: Alarm,
    /// Why.
    pub because: String,
    /// Why it is not to blame, if it is not.
    pub shared: Option<String>,
}

/// What was seen of one release that answers everything.
#[derive(Debug, Clone)]
pub struct Alone {
    errors: bool,
    test: AbsoluteTest,
    /// What is tolerated of a release that came into an outage.
    excused: Option<Excuse>,
    burn: BurnRate,
    /// The objective in words.
    objective: String,
    limits: Option<Limits>,
    seen: Pair,
}

#[derive(Debug, Clone, Copy)]
struct Excuse {
    test: AbsoluteTest,
    rate: f64,
}

impl Alone {
    /// Has seen nothing yet. `usual` is the rate of errors of the release before where the policy
    /// has none, and `floor` the one that is tolerated in any case; both are between 0 and 1.
    pub fn new(policy: &JudgePolicy, usual: f64, floor: f64) -> Alone {
        let usual = policy.before.and_then(|past| past.usual()).unwrap_or(usual);
        let test = AbsoluteTest::new(usual, floor);
        let failing = policy.before.and_then(|past| past.failing(floor));
        let rules = policy.thresholds.as_ref();
        let set = rules.and_then(|rules| rules.slo_ppm);
        let slo_ppm = set.unwrap_or_else(|| objective(usual, test.tolerated()));
        let good = explain::share(f64::from(slo_ppm) / 1e6);
        let from = if set.is_some() { "" } else { ", from its history, since `slo` is not set" };
        let has_limit =
            |rules: &&Thresholds| rules.max_error_rate_ppm.is_some() || rules.max_p99_ms.is_some();
        let limits = rules.filter(|_| policy.looks()).filter(has_limit).map(|rules| {
            Limits::new(&Thresholds { slo_ppm: None, ..rules.clone() }, "the release's")
        });
        Alone {
            errors: policy.errors && policy.looks(),
            test,
            excused: failing.map(|rate| Excuse { test: AbsoluteTest::new(rate, floor), rate }),
            burn: BurnRate::new(slo_ppm),
            objective: format!("the objective is {good} of good answers{from}"),
            limits,
            seen: Pair::default(),
        }
    }

    /// Takes answers into account that came until this time since it was first watched.
    pub fn add(&mut self, at_ms: Millis, counts: &ArmCounts) {
        let Pair { events, total } =
            self.seen.plus(Pair { events: counts.errors, total: counts.requests });
        self.seen = Pair { events: events.min(total), total };
        self.burn.add(at_ms, counts.requests.max(counts.errors), counts.errors);
        if let Some(limits) = &mut self.limits {
            let (canary, stable) = (counts.clone(), ArmCounts::default());
            limits.add(&Tick { at_ms, weight: WHOLE, canary, stable });
        }
    }

    /// What speaks against it at this time; what it is to blame for comes first.
    pub fn finding(&self, now_ms: Millis) -> Option<Finding> {
        let found = [self.by_errors(), self.by_burn(now_ms), self.by_limit(now_ms)];
        let mut found: Vec<Finding> = found.into_iter().flatten().collect();
        let to_blame = found.iter().position(|finding| finding.shared.is_none());
        (!found.is_empty()).then(|| found.swap_remove(to_blame.unwrap_or(0)))
    }

    /// The tolerated rate of errors, between 0 and 1.
    pub fn tolerated(&self) -> f64 {
        self.test.tolerated()
    }

    /// The evidence of the absolute test; 1 is none, [`THRESHOLD`] is enough.
    pub fn evidence(&self) -> f64 {
        self.test.evidence(self.seen.total, self.seen.events)
    }

    /// Whether no request was seen at all, where requests are what it is judged by.
    pub fn is_blind(&self) -> bool {
        self.errors && self.seen.total == 0
    }

    fn by_errors(&self) -> Option<Finding> {
        let Pair { events, total } = self.seen;
        let verdict = self.errors.then(|| self.test.verdict(total, events))?;
        let Verdict::GoBack { because } = verdict else { return None };
        Some(Finding { by: Alarm::ErrorRate, because, shared: self.shared() })
    }

    fn by_burn(&self, now_ms: Millis) -> Option<Finding> {
        let burning = self.burn.burning(now_ms).filter(|_| self.errors)?;
        let because = format!("{burning}; {}", self.objective);
        Some(Finding { by: Alarm::BurnRate, because, shared: self.shared() })
    }

    fn by_limit(&self, now_ms: Millis) -> Option<Finding> {
        let Passed::Canary(because) = self.limits.as_ref()?.now(now_ms)? else { return None };
        Some(Finding { by: Alarm::Limit, because, shared: None })
    }

    /// Why it is not to blame: the release before failed likewise, and this one not much more.
    fn shared(&self) -> Option<String> {
        let Excuse { test, rate } = self.excused?;
        let is_worse = test.evidence(self.seen.total, self.seen.events) >= THRESHOLD;
        (!is_worse).then(|| {
            format!("the release before failed {} of its last requests", explain::share(rate))
        })
    }
}

/// The objective where none is set, in parts per million of good answers: that of its history, and
/// no stricter than what is tolerated in any case.
fn objective(usual: f64, tolerated: f64) -> u32 {
    let budget = usual.max(tolerated * LAST_RESORT / SLOWEST_BURN);
    let ppm = as_count(libm::ceil(1e6 * budget)).min(999_999);
    1_000_000 - u32::try_from(ppm).unwrap_or(999_999)
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Alarm::ErrorRate => "error rate",
            Alarm::BurnRate => "burn rate",
            Alarm::Limit => "fixed limit",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Past;

    const MINUTE_MS: Millis = 60_000;

    fn past(usual_errors: u64, lately_errors: u64) -> Past {
        let lately = Pair { events: lately_errors, total: 1_000 };
        let all = Pair { events: usual_errors + lately_errors, total: 101_000 };
        Past { all, lately, lately_ms: MINUTE_MS }
    }

    /// Minutes of 1,000 requests each, with so many errors.
    fn watched(policy: &JudgePolicy, minutes: &[(u64, u64)]) -> Option<Finding> {
        let (mut alone, mut at_ms) = (Alone::new(policy, 0.0, 0.005), 0);
        for &(count, errors) in minutes {
            for _ in 0..count {
                at_ms += MINUTE_MS;
                alone.add(at_ms, &ArmCounts { requests: 1_000, errors, latency: Vec::new() });
            }
        }
        alone.finding(at_ms)
    }

    fn by(policy: &JudgePolicy, minutes: &[(u64, u64)]) -> Option<Alarm> {
        watched(policy, minutes).map(|finding| finding.by)
    }

    fn limits(slo_ppm: Option<u32>, max_error_rate_ppm: Option<u32>) -> JudgePolicy {
        let thresholds = Thresholds {
            max_error_rate_ppm,
            max_p99_ms: Some(200),
            consecutive: 3,
            window_ms: MINUTE_MS,
            slo_ppm,
        };
        JudgePolicy { thresholds: Some(thresholds), ..JudgePolicy::default() }
    }

    #[test]
    fn each_alarm_by_itself() {
        let usual = JudgePolicy::default();
        assert_eq!(by(&usual, &[(600, 5)]), None, "what is tolerated");
        assert_eq!(by(&usual, &[(1, 30)]), Some(Alarm::ErrorRate));
        // What was good for hours is found by what forgets.
        assert_eq!(by(&usual, &[(600, 0), (60, 30)]), Some(Alarm::BurnRate));
        assert_eq!(by(&usual, &[(600, 0), (60, 10)]), None, "not fast enough");
        let strict = limits(Some(999_900), None);
        assert_eq!(by(&strict, &[(360, 1)]), Some(Alarm::BurnRate), "an objective of 99.99 %");
        assert_eq!(by(&limits(None, Some(10_000)), &[(600, 0), (4, 11)]), Some(Alarm::Limit));
        let silent = JudgePolicy { errors: false, ..JudgePolicy::default() };
        assert_eq!(by(&silent, &[(10, 1_000)]), None);
    }

    #[test]
    fn slow_answers_pass_a_limit() {
        let mut alone = Alone::new(&limits(None, None), 0.0, 0.005);
        for minute in 1..=5 {
            let slow = ArmCounts { requests: 100, errors: 0, latency: vec![(170, 100)] };
            alone.add(minute * MINUTE_MS, &slow);
        }
        assert_eq!(alone.finding(5 * MINUTE_MS).map(|finding| finding.by), Some(Alarm::Limit));
    }

    #[test]
    fn history_says_what_is_usual() {
        let with = |before| JudgePolicy { before: Some(before), ..JudgePolicy::default() };
        assert_eq!(by(&with(past(0, 0)), &[(10, 30)]), Some(Alarm::ErrorRate));
        assert_eq!(by(&with(past(2_000, 20)), &[(10, 30)]), None, "2 % is usual");
        assert_eq!(by(&with(past(2_000, 20)), &[(10, 90)]), Some(Alarm::ErrorRate));
        let said = watched(&with(past(2_000, 20)), &[(2_000, 20), (60, 300)]).unwrap();
        assert!(said.because.contains("98 % of good answers, from its history"), "{said:?}");
    }

    /// Who comes into an outage is not to blame for it, but for making it much worse.
    #[test]
    fn an_outage_from_before_is_nobodys() {
        let during = JudgePolicy { before: Some(past(100, 300)), ..JudgePolicy::default() };
        let said = watched(&during, &[(3, 300)]).unwrap();
        let shared = said.shared.expect("30 % failed before as well");
        assert_eq!(shared, "the release before failed 30 % of its last requests");
        assert_eq!(watched(&during, &[(3, 900)]).unwrap().shared, None);
        let calm = JudgePolicy { before: Some(past(100, 1)), ..JudgePolicy::default() };
        assert_eq!(watched(&calm, &[(3, 300)]).unwrap().shared, None);
    }

    #[test]
    fn the_objective_of_a_history() {
        let check = |usual: f64, expected: u32| {
            let tolerated = AbsoluteTest::new(usual, 0.005).tolerated();
            assert_eq!(objective(usual, tolerated), expected, "{usual}");
        };
        check(0.0, 998_333);
        check(0.001, 998_333);
        check(0.02, 980_000);
        check(1.0, 1);
    }

    /// The windows know nothing of chance; at exactly what is tolerated they are wrong about as
    /// seldom as the test before them. 400 runs of a fixed generator, looked at after each error.
    #[test]
    fn what_is_tolerated_hardly_ever_burns() {
        let (mut state, mut alarms) = (0x9E37_79B9_7F4A_7C15_u64, 0);
        for _ in 0..400 {
            let mut burn = BurnRate::new(objective(0.0, 0.005));
            for second in 0..600 {
                let mut errors = 0;
                for _ in 0..20 {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    errors += u64::from(state.is_multiple_of(200));
                }
                burn.add(second * 1_000, 20, errors);
                if errors > 0 && burn.burning(second * 1_000).is_some() {
                    alarms += 1;
                    break;
                }
            }
        }
        assert!(alarms <= 12, "{alarms} false alarms in 400 runs");
    }
}
