//! Metrics from outside: each with its own evidence, and each may know nothing. What comes late,
//! twice or makes no sense is no evidence, and never good.

use super::assessment::Bound;
use super::bad::COUNT_MAX;
use super::errors::{Odds, WORSE};
use super::explain;
use super::gauge::{self, Gauge};
use super::nats::{Bets, as_f64};
use super::policy::{MetricKind, MetricSpec};
use super::restarts::{self, Restarts};
use super::tick::{Pair, Reading, Sample};
use crate::model::ids::Millis;

/// After how many times its rhythm a metric that says nothing is blind.
const PATIENCE: u64 = 3;

/// One metric.
#[derive(Debug, Clone)]
pub(super) struct External {
    name: String,
    source: String,
    patience_ms: Millis,
    evidence: Evidence,
    /// The newest reading that made sense.
    heard_ms: Option<Millis>,
    /// Why the latest reading made none.
    missing: Option<String>,
    /// Readings that came after newer ones.
    late: u64,
}

#[derive(Debug, Clone)]
enum Evidence {
    Counters {
        tolerated_ratio: f64,
        bets: Bets<8>,
        restarts: Restarts<8>,
        canary: Pair,
        stable: Pair,
    },
    Gauge(Gauge),
}

impl External {
    /// With so much evidence of its own it would decide alone.
    pub(super) fn new(spec: &MetricSpec, tolerated_ratio: f64, enough: f64) -> External {
        let (canary, stable) = (Pair::default(), Pair::default());
        let evidence = match spec.kind {
            MetricKind::Counters { .. } => {
                let (bets, restarts) = (Bets::new(), Restarts::new());
                Evidence::Counters { tolerated_ratio, bets, restarts, canary, stable }
            }
            MetricKind::Gauge { higher_is_worse, .. } => {
                Evidence::Gauge(Gauge::new(higher_is_worse, gauge::blocks_needed(enough)))
            }
        };
        External {
            name: spec.name.clone(),
            source: spec.source.clone(),
            patience_ms: spec.every_ms.saturating_mul(PATIENCE),
            evidence,
            heard_ms: None,
            missing: None,
            late: 0,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Takes a reading into account. Of two of the same time only the first one counts.
    pub(super) fn add(&mut self, sample: &Sample) {
        if let Reading::Calibration { pairs } = &sample.reading {
            if let Evidence::Gauge(gauge) = &mut self.evidence {
                gauge.calibrate(pairs);
            }
            return;
        }
        if let Some(newest) = self.heard_ms.filter(|newest| sample.at_ms <= *newest) {
            self.late += u64::from(sample.at_ms < newest);
            return;
        }
        if restarts::are_due(self.heard_ms.unwrap_or(0), sample.at_ms) {
            self.evidence.restart();
        }
        match self.read(&sample.reading) {
            Ok(()) => (self.heard_ms, self.missing) = (Some(sample.at_ms), None),
            Err(why) => self.missing = Some(why),
        }
    }

    fn read(&mut self, reading: &Reading) -> Result<(), String> {
        match (reading, &mut self.evidence) {
            (Reading::Missing { why }, _) => Err(why.clone()),
            (Reading::Gauge { canary, stable }, Evidence::Gauge(gauge)) => {
                let none = || format!("{canary} and {stable} are no values to compare");
                gauge.add(*canary, *stable).ok_or_else(none)
            }
            (
                Reading::Counters { canary: new, stable: old },
                Evidence::Counters { tolerated_ratio, bets, canary, stable, .. },
            ) => {
                for pair in [new, old] {
                    check(*pair)?;
                }
                bet(bets, *tolerated_ratio, *new, *old);
                (*canary, *stable) = (canary.plus(*new), stable.plus(*old));
                Ok(())
            }
            _ => Err("it is measured in another way than the policy says".to_owned()),
        }
    }

    /// The evidence against the canary; 1 is none.
    pub(super) fn evidence(&self) -> f64 {
        match &self.evidence {
            Evidence::Counters { bets, restarts, .. } => restarts.sum(bets, Bets::mean),
            Evidence::Gauge(gauge) => gauge.evidence(),
        }
    }

    /// The logarithm of the largest bet.
    pub(super) fn largest(&self) -> f64 {
        match &self.evidence {
            Evidence::Counters { bets, restarts, .. } => restarts.largest(bets),
            Evidence::Gauge(gauge) => gauge.largest(),
        }
    }

    /// Whether it could decide anything at all; if not, it is shown and holds nothing up.
    pub(super) fn can_decide(&self) -> bool {
        match &self.evidence {
            Evidence::Counters { .. } => true,
            Evidence::Gauge(gauge) => gauge.can_decide(),
        }
    }

    /// How far the promise about false alarms holds for it.
    pub(super) fn bound(&self) -> Bound {
        match &self.evidence {
            Evidence::Counters { .. } => Bound::Readings,
            Evidence::Gauge(gauge) if gauge.can_decide() => Bound::Approximate,
            Evidence::Gauge(_) => Bound::Advice,
        }
    }

    /// Why nothing is known of it now; none when something is.
    pub(super) fn blind(&self, now_ms: Millis) -> Option<String> {
        let External { name, source, .. } = self;
        let fresh =
            self.heard_ms.is_some_and(|heard| now_ms.saturating_sub(heard) <= self.patience_ms);
        if !fresh {
            let why = match (&self.missing, self.heard_ms) {
                (Some(why), _) => why.clone(),
                (None, None) => format!("{source} has not said anything yet"),
                (None, Some(heard)) => {
                    let silent = explain::time(now_ms.saturating_sub(heard));
                    format!("{source} has not said anything for {silent}")
                }
            };
            return Some(format!("{name} is not known: {why}"));
        }
        match &self.evidence {
            Evidence::Counters { canary, .. } if canary.total == 0 => {
                Some(format!("{name} is not known: {source} counted nothing of the canary"))
            }
            Evidence::Counters { stable, .. } if stable.total == 0 => {
                Some(format!("{name} is not known: {source} counted nothing of stable"))
            }
            _ => None,
        }
    }

    /// What it says, for people.
    pub(super) fn words(&self) -> String {
        let said = match &self.evidence {
            Evidence::Counters { canary, stable, .. } => {
                let of = |pair: &Pair| {
                    let [events, total] = [pair.events, pair.total].map(explain::thousands);
                    format!("{events} of {total}")
                };
                format!("{} of the canary, {} of stable", of(canary), of(stable))
            }
            Evidence::Gauge(gauge) if gauge.can_decide() => {
                let ranked = format!("ranked among {} values of equal releases", gauge.blocks());
                match gauge.latest().map(|(new, old)| [new, old].map(explain::plain)) {
                    Some([new, old]) => {
                        format!("{new} of the canary at last, {old} of stable, {ranked}")
                    }
                    None => ranked,
                }
            }
            Evidence::Gauge(gauge) => {
                let advice = gauge.advice().map(|said| format!("; {said}")).unwrap_or_default();
                format!(
                    "cannot decide: {} independent values of two equal releases are needed \
                     beforehand, there are {}{advice}",
                    gauge.needed(),
                    gauge.blocks()
                )
            }
        };
        if self.late == 0 { said } else { format!("{said}; {} came too late", self.late) }
    }
}

impl Evidence {
    /// Begins to bet anew, beside the bets that there are.
    fn restart(&mut self) {
        match self {
            Evidence::Counters { bets, restarts, .. } => restarts.begin(*bets),
            Evidence::Gauge(gauge) => gauge.restart(),
        }
    }
}

/// The counts of one reading, with the share of the requests that the canary really had in it.
fn bet(bets: &mut Bets<8>, tolerated_ratio: f64, canary: Pair, stable: Pair) {
    let no_comparison = canary.total == 0 || stable.total == 0;
    if no_comparison || canary.events + stable.events == 0 {
        return;
    }
    let (new, old) = (as_f64(canary.total), as_f64(stable.total));
    let odds = Odds::new(&WORSE, tolerated_ratio, new / (new + old));
    bets.add(&odds.canary, canary.events);
    bets.add(&odds.stable, stable.events);
}

fn check(pair: Pair) -> Result<(), String> {
    let Pair { events, total } = pair;
    match pair {
        _ if total > COUNT_MAX => Err(format!("a count of {total} cannot be")),
        _ if events > total => Err(format!("{events} of {total} cannot be")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn external(kind: MetricKind) -> External {
        let (name, source) = ("checkout".to_owned(), "prometheus".to_owned());
        External::new(&MetricSpec { name, source, kind, every_ms: 1_000 }, 1.0, 100.0)
    }

    fn counters() -> External {
        external(MetricKind::Counters { errors: "e".to_owned(), requests: "r".to_owned() })
    }

    fn counted(at_ms: Millis, canary: (u64, u64), stable: (u64, u64)) -> Sample {
        let pair = |(events, total)| Pair { events, total };
        let reading = Reading::Counters { canary: pair(canary), stable: pair(stable) };
        Sample { at_ms, metric: "checkout".to_owned(), reading }
    }

    #[test]
    fn errors_of_the_canary_are_found() {
        let mut bad = counters();
        (1..=5).for_each(|at| bad.add(&counted(at * 1_000, (10, 50), (10, 950))));
        assert!(bad.evidence() >= 100.0, "{}", bad.evidence());
        let mut good = counters();
        (1..=50).for_each(|at| good.add(&counted(at * 1_000, (1, 50), (19, 950))));
        assert!(good.evidence() < 2.0, "{}", good.evidence());
        assert_eq!(good.blind(50_000), None);
    }

    #[test]
    fn twice_late_or_senseless_is_no_evidence() {
        let mut metric = counters();
        metric.add(&counted(5_000, (10, 50), (0, 950)));
        let evidence = metric.evidence();
        metric.add(&counted(5_000, (10, 50), (0, 950)));
        metric.add(&counted(4_000, (10, 50), (0, 950)));
        metric.add(&counted(6_000, (51, 50), (0, 950)));
        metric.add(&counted(7_000, (1, u64::MAX), (0, 950)));
        let reading = Reading::Gauge { canary: 9.0, stable: 1.0 };
        metric.add(&Sample { at_ms: 8_000, metric: "checkout".to_owned(), reading });
        assert!((metric.evidence() - evidence).abs() < f64::EPSILON);
        assert!(metric.words().ends_with("1 came too late"), "{}", metric.words());
        let blind = metric.blind(9_000).expect("the last good reading is too old");
        assert!(blind.contains("another way"), "{blind}");
    }

    #[test]
    fn no_data_is_not_good() {
        let mut metric = counters();
        assert!(metric.blind(0).is_some_and(|why| why.contains("prometheus has not said")));
        let reading = Reading::Missing { why: "connection refused".to_owned() };
        metric.add(&Sample { at_ms: 0, metric: "checkout".to_owned(), reading });
        assert!(metric.blind(0).is_some_and(|why| why.ends_with("connection refused")));
        metric.add(&counted(1_000, (0, 0), (0, 900)));
        assert!(metric.blind(1_000).is_some_and(|why| why.contains("nothing of the canary")));
        metric.add(&counted(2_000, (0, 40), (0, 900)));
        assert_eq!(metric.blind(5_000), None);
        assert!(metric.blind(5_001).is_some());
    }

    #[test]
    fn a_gauge_without_a_past_decides_nothing() {
        let value = "p99".to_owned();
        let mut gauge = external(MetricKind::Gauge { value, higher_is_worse: true });
        let sample = |at_ms, reading| Sample { at_ms, metric: "checkout".to_owned(), reading };
        gauge.add(&sample(1_000, Reading::Gauge { canary: 9.0, stable: 1.0 }));
        assert!(!gauge.can_decide() && gauge.words().starts_with("cannot decide"));
        assert_eq!((gauge.bound(), counters().bound()), (Bound::Advice, Bound::Readings));
        let pairs = (0..120_u32).map(|turn| (f64::from(turn * 37 % 120) + 100.0, 160.0)).collect();
        gauge.add(&sample(2_000, Reading::Calibration { pairs }));
        assert!(gauge.can_decide());
        assert_eq!(gauge.bound(), Bound::Approximate);
        (3..9).for_each(|at| {
            gauge.add(&sample(at * 1_000, Reading::Gauge { canary: 300.0, stable: 160.0 }));
        });
        assert!(gauge.evidence() >= 100.0, "{}", gauge.evidence());
    }

    proptest! {
        /// So many errors among the requests of a reading, drawn without any regard to the
        /// release: the mean evidence is not above the stake.
        #[test]
        fn the_share_that_was_is_as_good_as_a_chance(
            new in 1_u64..30, old in 1_u64..60, errors in 1_u64..12,
        ) {
            let errors = errors.min(new + old);
            let choose = |n: u64, k: u64| {
                (0..k).fold(1.0, |ways, i| ways * as_f64(n - i) / as_f64(i + 1))
            };
            let mut mean = 0.0;
            for bad in errors.saturating_sub(old)..=errors.min(new) {
                let mut metric = counters();
                metric.add(&counted(1, (bad, new), (errors - bad, old)));
                let chance = choose(new, bad) * choose(old, errors - bad) / choose(new + old, errors);
                mean += chance * metric.evidence();
            }
            prop_assert!(mean <= 1.0 + 1e-12, "{mean}");
        }
    }
}
