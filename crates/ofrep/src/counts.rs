//! How often each flag gave which variant, and when last. Counting is adding to an atomic; when it
//! was last given is noted by who looks at the counts from time to time, so that answering a
//! question costs no look at the clock.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// The counts of one flag. They outlive a change of the document, and restarts.
#[derive(Debug, Default)]
pub(crate) struct FlagCounts {
    variants: Mutex<BTreeMap<String, Arc<Count>>>,
    /// Answers without a variant: the code's default, or an error.
    without: Arc<Count>,
    pub(crate) last_single_at_ms: AtomicU64,
    /// Since when the flag is counted.
    since_ms: u64,
}

/// How often one answer was given.
#[derive(Debug, Default)]
pub(crate) struct Count {
    pub(crate) single: AtomicU64,
    pub(crate) bulk: AtomicU64,
    /// What both were when somebody last looked, and when it was that they had grown.
    looked_at: AtomicU64,
    last_ms: AtomicU64,
}

/// The most variants of a flag that are counted apart; of more, nobody reads the counts.
const VARIANTS_MAX: usize = 1_000;

impl FlagCounts {
    /// Counts that begin now.
    pub(crate) fn begin(now_ms: u64) -> FlagCounts {
        FlagCounts { since_ms: now_ms, ..FlagCounts::default() }
    }

    /// Counts that go on.
    pub(crate) fn resume(seen: &FlagSeen) -> FlagCounts {
        let variants = seen.variants.iter().take(VARIANTS_MAX);
        let variants = variants.map(|(name, seen)| (name.clone(), Arc::new(Count::resume(seen))));
        FlagCounts {
            variants: Mutex::new(variants.collect()),
            without: Arc::new(Count::resume(&seen.no_variant)),
            last_single_at_ms: AtomicU64::new(seen.last_single_at_ms.unwrap_or(0)),
            since_ms: seen.since_ms,
        }
    }

    /// The count of a variant. Takes a lock, so it is asked for once per document.
    pub(crate) fn of(&self, variant: Option<&str>) -> Arc<Count> {
        let Some(variant) = variant else { return Arc::clone(&self.without) };
        let mut variants = self.variants.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = variants.get(variant) {
            return Arc::clone(count);
        }
        if variants.len() >= VARIANTS_MAX {
            return Arc::clone(&self.without);
        }
        Arc::clone(variants.entry(variant.to_owned()).or_default())
    }

    /// The counts as they are, looked at now.
    pub(crate) fn seen(&self, now_ms: u64) -> FlagSeen {
        let variants = self.variants.lock().unwrap_or_else(PoisonError::into_inner);
        let last = self.last_single_at_ms.load(Relaxed);
        FlagSeen {
            since_ms: self.since_ms,
            variants: variants.iter().map(|(name, c)| (name.clone(), c.seen(now_ms))).collect(),
            no_variant: self.without.seen(now_ms),
            last_single_at_ms: (last > 0).then_some(last),
        }
    }
}

impl Count {
    fn resume(seen: &Seen) -> Count {
        let Seen { single, bulk, last_ms } = *seen;
        Count {
            single: AtomicU64::new(single),
            bulk: AtomicU64::new(bulk),
            looked_at: AtomicU64::new(single.wrapping_add(bulk)),
            last_ms: AtomicU64::new(last_ms.unwrap_or(0)),
        }
    }

    fn seen(&self, now_ms: u64) -> Seen {
        let (single, bulk) = (self.single.load(Relaxed), self.bulk.load(Relaxed));
        let sum = single.wrapping_add(bulk);
        if self.looked_at.swap(sum, Relaxed) != sum {
            self.last_ms.store(now_ms, Relaxed);
        }
        let last = self.last_ms.load(Relaxed);
        Seen { single, bulk, last_ms: (last > 0).then_some(last) }
    }
}

/// The counts of one flag as they are told and kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct FlagSeen {
    #[serde(default)]
    pub(crate) since_ms: u64,
    pub(crate) variants: BTreeMap<String, Seen>,
    pub(crate) no_variant: Seen,
    pub(crate) last_single_at_ms: Option<u64>,
}

/// One count as it is told and kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Seen {
    single: u64,
    bulk: u64,
    /// When it was last given, as closely as somebody looked.
    #[serde(default)]
    last_ms: Option<u64>,
}

impl FlagSeen {
    /// When anything was last answered.
    pub(crate) fn last_ms(&self) -> Option<u64> {
        let variants = self.variants.values().filter_map(|seen| seen.last_ms);
        variants.chain(self.no_variant.last_ms).chain(self.last_single_at_ms).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_it_was_last_given_is_when_somebody_saw_it_grow() {
        let counts = FlagCounts::begin(5);
        let on = counts.of(Some("on"));
        let last = |now: u64| counts.seen(now).variants["on"].last_ms;
        assert_eq!(last(10), None);
        on.single.fetch_add(1, Relaxed);
        assert_eq!(last(20), Some(20));
        assert_eq!(last(30), Some(20));
        on.bulk.fetch_add(7, Relaxed);
        assert_eq!(last(40), Some(40));
    }

    #[test]
    fn what_is_kept_goes_on() {
        let counts = FlagCounts::begin(5);
        counts.of(Some("on")).bulk.fetch_add(3, Relaxed);
        counts.of(None).single.fetch_add(2, Relaxed);
        counts.last_single_at_ms.store(9, Relaxed);
        let seen = counts.seen(10);
        let again = FlagCounts::resume(&seen);
        // Nothing was asked meanwhile, so nothing is newer.
        assert_eq!(again.seen(99), seen);
        again.of(Some("on")).bulk.fetch_add(1, Relaxed);
        let later = again.seen(100).variants["on"];
        assert_eq!((later.bulk, later.last_ms), (4, Some(100)));
    }
}
