//! Which rules are tried on history, and how often each alarmed. The comparison stands alone, and
//! beside it the fixed limits that people write; what is usual for the service sets some of them.

use ripcord_core::analysis::{BUCKETS, JudgePolicy, Thresholds};
use serde::Serialize;

/// How long the windows of fixed limits are, and how many in a row must be over the limit.
const WINDOW_MS: u64 = 60_000;
const IN_A_ROW: u32 = 3;

/// What stable answers as a rule.
#[derive(Debug, Clone)]
pub(super) struct Usual {
    all: u64,
    failed: u64,
    latency: Box<[u64; BUCKETS]>,
}

/// How often one rule alarmed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Fired {
    pub(super) rule: String,
    pub(super) alarms: u32,
    pub(super) runs: u32,
    pub(super) rate: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Usual {
    /// Nothing was answered yet.
    pub(super) fn new() -> Usual {
        Usual { all: 0, failed: 0, latency: Box::new([0; BUCKETS]) }
    }

    /// One more answer.
    pub(super) fn add(&mut self, failed: bool, bucket: Option<u16>) {
        self.all += 1;
        self.failed += u64::from(failed);
        if let Some(sum) = bucket.and_then(|bucket| self.latency.get_mut(usize::from(bucket))) {
            *sum += 1;
        }
    }

    /// The share of errors in parts per million.
    fn errors_ppm(&self) -> u32 {
        let ppm = self.failed.saturating_mul(1_000_000) / self.all.max(1);
        u32::try_from(ppm).unwrap_or(1_000_000)
    }

    /// The 99th percentile of latency in milliseconds; none where nobody measured.
    fn p99_ms(&self) -> Option<u64> {
        let measured: u64 = self.latency.iter().sum();
        let mut below = 0;
        let found = self.latency.iter().position(|count| {
            below += count;
            below > measured.saturating_mul(99) / 100
        });
        found.and_then(ripcord_proxy::Histogram::upper_us).map(|us| us.div_ceil(1_000))
    }
}

/// The rules that are tried: the comparison alone, and fixed limits alone.
pub(super) fn rules(policy: &JudgePolicy, usual: &Usual) -> Vec<(String, JudgePolicy)> {
    let mut rules = Vec::new();
    if policy.errors || policy.latency {
        let compares = JudgePolicy { thresholds: None, ..policy.clone() };
        let percent = f64::from(policy.alpha_ppm) / 1e4;
        rules.push((format!("the comparison, at most {percent} % by its rules"), compares));
    }
    let limits = |limits: Thresholds| JudgePolicy {
        errors: false,
        latency: false,
        thresholds: Some(limits),
        ..policy.clone()
    };
    if let Some(own) = &policy.thresholds {
        rules.push(("the fixed limits of the policy".to_owned(), limits(own.clone())));
    }
    let limit = |errors, p99, consecutive| {
        limits(Thresholds {
            max_error_rate_ppm: errors,
            max_p99_ms: p99,
            consecutive,
            window_ms: WINDOW_MS,
            slo_ppm: None,
        })
    };
    // Twice what is usual, in hundredths of a percent.
    let twice = usual.errors_ppm().saturating_mul(2).next_multiple_of(100).clamp(100, 1_000_000);
    let mut rates = vec![10_000, twice];
    rates.dedup();
    for rate in rates {
        for times in [1, IN_A_ROW] {
            let percent = f64::from(rate) / 1e4;
            let rule = format!("errors over {percent} % in a minute, {}", in_a_row(times));
            rules.push((rule, limit(Some(rate), None, times)));
        }
    }
    if let Some(p99_ms) = usual.p99_ms() {
        let most = p99_ms.saturating_add(p99_ms / 4).max(p99_ms + 1);
        let rule = format!("p99 over {most} ms in a minute, {}", in_a_row(IN_A_ROW));
        rules.push((rule, limit(None, Some(most), IN_A_ROW)));
    }
    rules
}

fn in_a_row(times: u32) -> String {
    if times == 1 { "once".to_owned() } else { format!("{times} times in a row") }
}

impl Fired {
    /// With the 95 % interval of Wilson.
    pub(super) fn new(rule: String, alarms: u32, runs: u32) -> Fired {
        Fired::overlapping(rule, alarms, runs, 1.0)
    }

    /// Where each run shares what it saw with others: together they are worth only this part of
    /// as many that have nothing to do with each other.
    pub(super) fn overlapping(rule: String, alarms: u32, runs: u32, worth: f64) -> Fired {
        if runs == 0 {
            return Fired { rule, alarms, runs, rate: 0.0, low: 0.0, high: 1.0 };
        }
        let rate = f64::from(alarms) / f64::from(runs);
        let n = (f64::from(runs) * worth).max(1.0);
        let z = 1.96_f64;
        let middle = rate + z * z / (2.0 * n);
        let spread = z * (rate * (1.0 - rate) / n + z * z / (4.0 * n * n)).sqrt();
        let whole = 1.0 + z * z / n;
        let low = if alarms == 0 { 0.0 } else { (middle - spread) / whole };
        let high = if alarms == runs { 1.0 } else { (middle + spread) / whole };
        Fired { rule, alarms, runs, rate, low, high }
    }

    /// Rule, alarms, rate and interval as a row for people.
    pub(super) fn row(&self) -> Vec<String> {
        let percent = |part: f64| format!("{:.1} %", 100.0 * part);
        let between = format!("{} to {}", percent(self.low), percent(self.high));
        let of = format!("{} of {}", self.alarms, self.runs);
        vec![self.rule.clone(), of, percent(self.rate), between]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals() {
        let shown = |alarms| {
            let Fired { low, high, .. } = Fired::new(String::new(), alarms, 200);
            format!("{low:.4} {high:.4}")
        };
        assert_eq!(shown(0), "0.0000 0.0188");
        assert_eq!(shown(2), "0.0027 0.0357");
        assert_eq!(shown(200), "0.9812 1.0000");
    }

    #[test]
    fn what_overlaps_is_worth_less() {
        let width = |worth| {
            let Fired { low, high, rate, .. } = Fired::overlapping(String::new(), 20, 200, worth);
            assert!((rate - 0.1).abs() < 1e-12);
            high - low
        };
        assert!(width(0.1) > 2.5 * width(1.0));
        let Fired { low, high, .. } = Fired::new(String::new(), 0, 0);
        assert!(low <= 0.0 && high >= 1.0, "nobody knows");
    }

    #[test]
    fn what_is_usual() {
        let mut usual = Usual::new();
        for number in 0..1_000_u32 {
            usual.add(number % 50 == 0, Some(if number < 985 { 100 } else { 150 }));
        }
        assert_eq!((usual.all, usual.errors_ppm()), (1_000, 20_000));
        let end_ms =
            |bucket| ripcord_proxy::Histogram::upper_us(bucket).map(|us| us.div_ceil(1_000));
        assert_eq!(usual.p99_ms(), end_ms(150));
        assert_eq!(Usual::new().p99_ms(), None);
    }
}
