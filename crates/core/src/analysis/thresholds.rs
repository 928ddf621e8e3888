//! Fixed limits, window by window. They know nothing of stable and nothing of chance: near a limit
//! they take good releases back and keep bad ones. They stand beside the comparison for what a
//! user must never see, not in its place.

use super::burn::BurnRate;
use super::explain;
use super::nats::as_f64;
use super::policy::Thresholds;
use super::reference::{quantile, total};
use super::tick::{BUCKETS, Pair, Tick};
use crate::model::ids::Millis;

/// A window with fewer requests says nothing.
const REQUESTS_MIN: u64 = 10;

/// The limits, and how the canary fares against them.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    rules: Thresholds,
    /// Whose answers these are, for people.
    whose: &'static str,
    window: u64,
    counts: Pair,
    latency: [u64; BUCKETS],
    /// Windows in a row that were over a limit.
    over: u32,
    /// The limit that was passed too often, once that happened.
    passed: Option<String>,
    burn: Option<[BurnRate; 2]>,
}

/// What the limits say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Passed {
    /// The canary is over one.
    Canary(String),
    /// Stable is, too.
    Both(String),
}

impl Limits {
    pub(super) fn new(rules: &Thresholds, whose: &'static str) -> Limits {
        let burn = rules.slo_ppm.map(|slo| [BurnRate::new(slo), BurnRate::new(slo)]);
        Limits {
            rules: rules.clone(),
            whose,
            window: 0,
            counts: Pair::default(),
            latency: [0; BUCKETS],
            over: 0,
            passed: None,
            burn,
        }
    }

    /// Takes a tick into account; the first one of a new window ends the one before.
    pub(super) fn add(&mut self, tick: &Tick) {
        let window = tick.at_ms / self.rules.window_ms.max(1);
        if window != self.window {
            self.close();
            self.window = window;
        }
        let arm = &tick.canary;
        self.counts = self.counts.plus(Pair { events: arm.errors, total: arm.requests });
        for (bucket, count) in &arm.latency {
            if let Some(sum) = self.latency.get_mut(usize::from(*bucket)) {
                *sum = sum.saturating_add(*count);
            }
        }
        for (burn, arm) in self.burn.iter_mut().flatten().zip([&tick.canary, &tick.stable]) {
            burn.add(tick.at_ms, arm.requests, arm.errors);
        }
    }

    /// What is passed at this time.
    pub(super) fn now(&self, now_ms: Millis) -> Option<Passed> {
        if let Some(passed) = &self.passed {
            return Some(Passed::Canary(passed.clone()));
        }
        let [canary, stable] = self.burn.as_ref()?;
        let burning = canary.burning(now_ms)?;
        Some(match stable.burning(now_ms) {
            None => Passed::Canary(burning),
            Some(_) => Passed::Both(format!("{burning}, and stable does the same")),
        })
    }

    fn close(&mut self) {
        let counts = std::mem::take(&mut self.counts);
        let latency = std::mem::replace(&mut self.latency, [0; BUCKETS]);
        if counts.total < REQUESTS_MIN {
            return;
        }
        let Some(what) = self.over(counts, &latency) else {
            self.over = 0;
            return;
        };
        self.over = self.over.saturating_add(1);
        if self.over >= self.rules.consecutive.max(1) && self.passed.is_none() {
            let times = if self.over == 1 { "once".into() } else { format!("{} times", self.over) };
            let window = explain::time(self.rules.window_ms);
            self.passed = Some(format!("{what} over {window}, {times} in a row"));
        }
    }

    /// Over which limit a window is.
    fn over(&self, counts: Pair, latency: &[u64; BUCKETS]) -> Option<String> {
        let rate = as_f64(counts.events) / as_f64(counts.total);
        let most = self.rules.max_error_rate_ppm.map(|most| f64::from(most) / 1e6);
        if let Some(most) = most.filter(|most| rate > *most) {
            let [rate, most] = [rate, most].map(|rate| explain::plain(100.0 * rate));
            return Some(format!(
                "{rate} % of {} answers were errors, {most} % is the limit",
                self.whose
            ));
        }
        let most = self.rules.max_p99_ms.filter(|_| total(latency) >= REQUESTS_MIN)?;
        // Where the bucket begins, so that it is surely longer.
        let p99 = 0.1 * libm::pow(1.05, as_f64(quantile(latency, 0.99) as u64) - 1.0);
        (p99 > as_f64(most)).then(|| {
            let p99 = explain::plain(p99);
            let whose = self.whose;
            format!(
                "one in a hundred of {whose} answers took over {p99} ms, {most} ms is the limit"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::ArmCounts;

    fn rules() -> Thresholds {
        Thresholds {
            max_error_rate_ppm: Some(10_000),
            max_p99_ms: Some(200),
            consecutive: 3,
            window_ms: 60_000,
            slo_ppm: None,
        }
    }

    /// Windows with so many errors of 100 requests, all of them in this bucket.
    fn passed(windows: &[(u64, u64, u16)]) -> Option<Passed> {
        let mut limits = Limits::new(&rules(), "the canary's");
        let mut at_ms = 0;
        for &(requests, errors, bucket) in windows {
            let canary = ArmCounts { requests, errors, latency: vec![(bucket, requests)] };
            limits.add(&Tick { at_ms, weight: 500, canary, stable: ArmCounts::default() });
            at_ms += 60_000;
        }
        limits.add(&Tick { at_ms, weight: 500, ..Tick::default() });
        limits.now(at_ms)
    }

    #[test]
    fn limits() {
        assert_eq!(passed(&[(100, 1, 0); 9]), None);
        assert_eq!(passed(&[(100, 2, 0), (100, 2, 0), (100, 1, 0), (100, 2, 0)]), None);
        let said = "2.0 % of the canary's answers were errors, 1.0 % is the limit over 60 s, \
                    3 times in a row";
        assert_eq!(passed(&[(100, 2, 0); 3]), Some(Passed::Canary(said.to_owned())));
        assert_eq!(passed(&[(5, 5, 0); 9]), None, "too few to say");
        assert_eq!(passed(&[(100, 0, 155); 9]), None, "192 ms");
        assert!(passed(&[(100, 0, 160); 9]).is_some(), "245 ms");
    }

    #[test]
    fn an_objective_is_burnt_by_one_or_by_both() {
        let now = |stable_errors| {
            let slo_ppm = Some(999_000);
            let mut limits =
                Limits::new(&Thresholds { slo_ppm, max_p99_ms: None, ..rules() }, "the canary's");
            let arm = |errors| ArmCounts { requests: 1_000, errors, latency: Vec::new() };
            limits.add(&Tick {
                at_ms: 0,
                weight: 5_000,
                canary: arm(30),
                stable: arm(stable_errors),
            });
            limits.now(0)
        };
        assert!(matches!(now(0), Some(Passed::Canary(_))));
        assert!(matches!(now(30), Some(Passed::Both(_))));
    }
}
