//! Ticks that cannot be true. They are refused whole, so that none leads to a wrong verdict.

use super::tick::{ArmCounts, BUCKETS, Tick};
use crate::model::Share;
use crate::model::ids::Millis;
use crate::model::traffic::WHOLE;
use thiserror::Error;

/// More than any proxy counts between two looks: a trillion.
pub(super) const COUNT_MAX: u64 = 1 << 40;

/// Why a tick was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadTick {
    /// It is older than what was seen before.
    #[error("counts of {at_ms} ms came after those of {newest_ms} ms; counts must come in order")]
    Late {
        /// Its time.
        at_ms: Millis,
        /// The newest time before it.
        newest_ms: Millis,
    },
    /// One of the releases got nothing by chance, so there is nothing to compare.
    #[error("a canary weight of {weight} of 10000 compares nothing; it must be between 1 and 9999")]
    Weight {
        /// The weight.
        weight: Share,
    },
    /// More failed than were asked.
    #[error("{arm} has {errors} errors in {requests} requests; count errors among the requests")]
    Errors {
        /// Whose.
        arm: &'static str,
        /// How many errors.
        errors: u64,
        /// Among how many requests.
        requests: u64,
    },
    /// There is no such bucket.
    #[error("{arm} has answers in bucket {bucket} of latency; the last bucket is 270")]
    Bucket {
        /// Whose.
        arm: &'static str,
        /// The bucket.
        bucket: u16,
    },
    /// A count that nothing can reach.
    #[error("{arm} has a count of {count}; that is more than can be counted between two looks")]
    Count {
        /// Whose.
        arm: &'static str,
        /// The count.
        count: u64,
    },
}

/// # Errors
///
/// Whatever is wrong with the tick, given the time of the newest one before it.
pub(super) fn check(tick: &Tick, newest_ms: Millis) -> Result<(), BadTick> {
    if tick.at_ms < newest_ms {
        return Err(BadTick::Late { at_ms: tick.at_ms, newest_ms });
    }
    if tick.weight == 0 || tick.weight >= WHOLE {
        return Err(BadTick::Weight { weight: tick.weight });
    }
    check_arm("the canary", &tick.canary)?;
    check_arm("stable", &tick.stable)
}

fn check_arm(arm: &'static str, counts: &ArmCounts) -> Result<(), BadTick> {
    let &ArmCounts { requests, errors, .. } = counts;
    if requests > COUNT_MAX {
        return Err(BadTick::Count { arm, count: requests });
    }
    if errors > requests {
        return Err(BadTick::Errors { arm, errors, requests });
    }
    for &(bucket, count) in &counts.latency {
        if usize::from(bucket) >= BUCKETS {
            return Err(BadTick::Bucket { arm, bucket });
        }
        if count > COUNT_MAX {
            return Err(BadTick::Count { arm, count });
        }
    }
    Ok(())
}
