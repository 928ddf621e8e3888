//! By which rules the judge decides. Part of plans, so everything is a whole number: rates and
//! error probabilities in parts per million, ratios in thousandths.

use super::nats::as_f64;
use super::past::Past;
use super::restarts::RESERVE;
use crate::model::ids::Millis;
use serde::{Deserialize, Serialize};

/// The rules. The default is that of a deploy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JudgePolicy {
    /// Whether it acts on what it finds.
    pub mode: JudgeMode,
    /// How often an equal release may be taken back, over its whole life and all metrics.
    pub alpha_ppm: u32,
    /// How many times as many errors as stable's are still tolerated.
    pub tolerated_ratio_thousandths: u32,
    /// How much slower than stable is still tolerated, in parts per million.
    pub latency_tolerance_ppm: u32,
    /// A release proceeds once it is shown to have fewer than this many times stable's errors.
    pub promote_ratio_thousandths: u32,
    /// How often that may be shown of one that has more.
    pub promote_beta_ppm: u32,
    /// A release proceeds as well once its errors are shown to be rarer than this.
    pub error_floor_ppm: u32,
    /// How long latency does not count after the start.
    pub burn_in_ms: Millis,
    /// For how many canary requests latency does not count after the start.
    pub burn_in_requests: u64,
    /// Whether errors do not count either, so long: for services that are known to fail while they
    /// warm up. Five errors among the first twenty requests count all the same.
    pub burn_in_errors: bool,
    /// How long nothing may be known before a person is asked.
    pub blind_ms_max: Millis,
    /// What happens then.
    pub on_blind: OnBlind,
    /// Whether errors are compared.
    pub errors: bool,
    /// Whether latency is compared.
    pub latency: bool,
    /// Fixed limits, beside the comparison.
    pub thresholds: Option<Thresholds>,
    /// Metrics from other sources.
    pub external: Vec<MetricSpec>,
    /// Which boundary the evidence must cross.
    pub boundary: Boundary,
    /// How long both releases may fail together before that ends the waiting.
    #[serde(skip_serializing_if = "is_usual_outage")]
    pub outage_ms_max: Millis,
    /// What stable answered before the release; the planner fills it in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Past>,
}

/// Whether the judge acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JudgeMode {
    /// It takes a bad release back.
    #[default]
    Act,
    /// It shows and records what it finds.
    Observe,
    /// It looks at nothing.
    Off,
}

/// What happens when nothing is known for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnBlind {
    /// A person is asked.
    #[default]
    Pause,
    /// The release is taken back.
    GoBack,
}

/// Which boundary the evidence must cross.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Boundary {
    /// One over alpha, valid for ever.
    #[default]
    Ville,
    /// The lowest that keeps alpha over this many errors, with a constant weight.
    Calibrated {
        /// How many.
        horizon_errors: u32,
    },
}

/// Fixed limits: weaker than a comparison, since they know nothing of stable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// The most errors, in parts per million of requests.
    #[serde(default)]
    pub max_error_rate_ppm: Option<u32>,
    /// The longest that one request in a hundred may exceed.
    #[serde(default)]
    pub max_p99_ms: Option<Millis>,
    /// How many windows in a row must be over a limit.
    pub consecutive: u32,
    /// How long a window is.
    pub window_ms: Millis,
    /// The objective of which the burn rate is watched, in parts per million of good answers.
    #[serde(default)]
    pub slo_ppm: Option<u32>,
}

/// A metric from another source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricSpec {
    /// Its name, for people.
    pub name: String,
    /// The source, as the configuration names it.
    pub source: String,
    /// What it measures, and by which queries; `{release}` in them stands for the release.
    pub kind: MetricKind,
    /// How often it is read.
    pub every_ms: Millis,
}

/// What a metric measures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum MetricKind {
    /// Two counters that only grow.
    Counters {
        /// The query for bad events.
        errors: String,
        /// The query for all events.
        requests: String,
    },
    /// A value of the moment.
    Gauge {
        /// The query.
        value: String,
        /// Whether more of it is worse.
        higher_is_worse: bool,
    },
}

/// How long both may fail together by default.
const OUTAGE_MS_MAX: Millis = 600_000;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "this is what serde asks with")]
fn is_usual_outage(ms: &Millis) -> bool {
    *ms == OUTAGE_MS_MAX
}

impl Default for JudgePolicy {
    fn default() -> JudgePolicy {
        JudgePolicy {
            mode: JudgeMode::Act,
            alpha_ppm: 10_000,
            tolerated_ratio_thousandths: 1_250,
            latency_tolerance_ppm: 50_000,
            promote_ratio_thousandths: 2_000,
            promote_beta_ppm: 50_000,
            error_floor_ppm: 5_000,
            burn_in_ms: 30_000,
            burn_in_requests: 200,
            burn_in_errors: false,
            blind_ms_max: 600_000,
            on_blind: OnBlind::Pause,
            errors: true,
            latency: true,
            thresholds: None,
            external: Vec::new(),
            boundary: Boundary::Ville,
            outage_ms_max: OUTAGE_MS_MAX,
            before: None,
        }
    }
}

impl JudgePolicy {
    /// Whether it looks at anything at all. Where it does not, requests need not be divided by
    /// chance, and can be counted out instead.
    pub fn looks(&self) -> bool {
        let has_metric = self.errors || self.latency || !self.external.is_empty();
        self.mode != JudgeMode::Off && (has_metric || self.thresholds.is_some())
    }

    /// How often an equal release may be taken back, between 0 and 1.
    pub(super) fn alpha(&self) -> f64 {
        f64::from(self.alpha_ppm.clamp(1, 500_000)) / 1e6
    }

    /// How much evidence is enough to go back, whenever one looks.
    pub(super) fn enough(&self) -> f64 {
        1.0 / self.alpha()
    }

    /// How much evidence of one metric is enough if the others have none. What is kept back for
    /// bets that begin later is not on it.
    pub(super) fn enough_alone(&self) -> f64 {
        self.enough() * as_f64(self.metrics().max(1)) / (1.0 - RESERVE)
    }

    /// How often a bad release may be promoted, between 0 and 1.
    pub(super) fn beta(&self) -> f64 {
        f64::from(self.promote_beta_ppm.clamp(1, 500_000)) / 1e6
    }

    /// How many times as many errors as stable's are tolerated: at least as many.
    pub(super) fn tolerated_ratio(&self) -> f64 {
        f64::from(self.tolerated_ratio_thousandths.max(1_000)) / 1e3
    }

    /// From how many times as many errors on a release must not be promoted: more than as many.
    pub(super) fn promote_ratio(&self) -> f64 {
        f64::from(self.promote_ratio_thousandths.max(1_001)) / 1e3
    }

    /// Among how many metrics the budget of false alarms is shared.
    pub(super) fn metrics(&self) -> u64 {
        u64::from(self.errors) + u64::from(self.latency) + self.external.len() as u64
    }
}
