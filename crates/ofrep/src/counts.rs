//! How often each flag gave which variant since the start. Counting is adding to an atomic.

use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// The counts of one flag. They outlive a change of the document.
#[derive(Debug, Default)]
pub(crate) struct FlagCounts {
    variants: Mutex<BTreeMap<String, Arc<Count>>>,
    /// Answers without a variant: the code's default, or an error.
    without: Arc<Count>,
    pub(crate) last_single_at_ms: AtomicU64,
}

/// How often one answer was given.
#[derive(Debug, Default)]
pub(crate) struct Count {
    pub(crate) single: AtomicU64,
    pub(crate) bulk: AtomicU64,
}

/// The most variants of a flag that are counted apart; of more, nobody reads the counts.
const VARIANTS_MAX: usize = 1_000;

impl FlagCounts {
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

    pub(crate) fn seen(&self) -> FlagSeen {
        let variants = self.variants.lock().unwrap_or_else(PoisonError::into_inner);
        let last = self.last_single_at_ms.load(Relaxed);
        FlagSeen {
            variants: variants.iter().map(|(name, count)| (name.clone(), count.seen())).collect(),
            no_variant: self.without.seen(),
            last_single_at_ms: (last > 0).then_some(last),
        }
    }
}

impl Count {
    fn seen(&self) -> Seen {
        Seen { single: self.single.load(Relaxed), bulk: self.bulk.load(Relaxed) }
    }
}

/// The counts of one flag as they are told.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct FlagSeen {
    variants: BTreeMap<String, Seen>,
    no_variant: Seen,
    last_single_at_ms: Option<u64>,
}

/// One count as it is told.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Seen {
    single: u64,
    bulk: u64,
}
