//! Stable's latency, fixed in advance: the yardstick for the canary's.

use serde::{Deserialize, Serialize};

/// How many answers make a yardstick.
const ANSWERS_MIN: u64 = 200;

/// A distribution of latency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// Bucket of latency and how many; only buckets that are not empty, in order.
    pub latency: Vec<(u16, u64)>,
}

impl Reference {
    /// A yardstick from so many answers; none if they are too few.
    pub fn new(latency: &[(u16, u64)]) -> Option<Reference> {
        let answers = latency.iter().fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
        (answers >= ANSWERS_MIN).then(|| Reference { latency: latency.to_vec() })
    }
}
