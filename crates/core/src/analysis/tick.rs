//! What is seen of the two releases between two looks: counts, never rates.

use crate::model::Share;
use crate::model::ids::Millis;
use serde::{Deserialize, Serialize};

/// How many buckets a histogram of latency has. Bucket `i` ends at `100 us * 1.05^i`; the last has
/// no end.
pub const BUCKETS: usize = 271;

/// Requests of one release.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArmCounts {
    /// Answered or failed.
    pub requests: u64,
    /// Of these, failed. Where none are counted, none failed.
    #[serde(default)]
    pub errors: u64,
    /// Bucket of latency and how many; only buckets that are not empty, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub latency: Vec<(u16, u64)>,
}

/// Requests that were divided between two releases by chance, since the tick before.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tick {
    /// When, since the comparison began.
    pub at_ms: Millis,
    /// The chance with which each of them went to the canary.
    pub weight: Share,
    /// Those that did.
    pub canary: ArmCounts,
    /// Those that did not.
    pub stable: ArmCounts,
}

/// What a source of metrics said of both releases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// When, since the comparison began.
    pub at_ms: Millis,
    /// The metric.
    pub metric: String,
    /// What was said.
    pub reading: Reading,
}

/// The value of a metric for both releases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Reading {
    /// Counted since the sample before.
    Counters {
        /// Of the canary.
        canary: Pair,
        /// Of stable.
        stable: Pair,
    },
    /// Measured at this moment.
    Gauge {
        /// Of the canary.
        canary: f64,
        /// Of stable.
        stable: f64,
    },
    /// What the same gauge said earlier of two equal releases, one against the other: what it may
    /// differ by for no reason. Comes before the first reading of the comparison.
    Calibration {
        /// Values of one and of the other at the same time, in the order of time.
        pairs: Vec<(f64, f64)>,
    },
    /// Nothing, which is neither good nor bad.
    Missing {
        /// Why.
        why: String,
    },
}

/// Events among all that could have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// Bad ones.
    pub events: u64,
    /// All.
    pub total: u64,
}

impl Pair {
    /// Both together.
    #[must_use]
    pub(super) fn plus(self, more: Pair) -> Pair {
        Pair {
            events: self.events.saturating_add(more.events),
            total: self.total.saturating_add(more.total),
        }
    }

    /// What is left without some of it.
    #[must_use]
    pub(super) fn minus(self, less: Pair) -> Pair {
        Pair {
            events: self.events.saturating_sub(less.events),
            total: self.total.saturating_sub(less.total),
        }
    }
}
