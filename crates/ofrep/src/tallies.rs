//! The counts of all flags, kept beside the document so that they go on after a restart. Losing
//! them harms nobody: they are written now and then, and whoever cannot write serves on.

use crate::counts::{FlagCounts, FlagSeen};
use crate::saved;
use crate::shared::{Shared, now_ms};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The form of the file, for readers of other versions.
const FORMAT: u32 = 1;

/// How long a flag that is in no document any more is remembered after it was last asked for.
const FORGET_MS: u64 = 90 * 24 * 60 * 60 * 1_000;

/// How often is looked whether the server stops.
const LOOK: Duration = Duration::from_millis(50);

/// The counts of all flags.
#[derive(Default)]
pub(crate) struct Tallies {
    flags: Mutex<HashMap<Box<str>, Arc<FlagCounts>>>,
}

/// The counts as they are kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    format: u32,
    flags: BTreeMap<String, FlagSeen>,
}

impl Tallies {
    /// The counts that were kept, or none.
    pub(crate) fn load(file: &Path, say: fn(&str)) -> Tallies {
        let read = |text: String| {
            let kept: Kept = serde_json::from_str(&text).map_err(|error| error.to_string())?;
            match kept.format {
                FORMAT => Ok(kept.flags),
                other => Err(format!("it has form {other}, which this version cannot read")),
            }
        };
        let flags = match saved::counts(file).and_then(|text| text.map(read).transpose()) {
            Ok(flags) => flags.unwrap_or_default(),
            Err(why) => {
                say(&format!("what was counted before is not known, counting begins anew: {why}"));
                BTreeMap::new()
            }
        };
        let flags = flags
            .iter()
            .map(|(key, seen)| (key.as_str().into(), Arc::new(FlagCounts::resume(seen))));
        Tallies { flags: Mutex::new(flags.collect()) }
    }

    /// The counts of a flag of a document.
    pub(crate) fn of(&self, key: &str) -> Arc<FlagCounts> {
        let mut flags = self.flags();
        if let Some(counts) = flags.get(key) {
            return Arc::clone(counts);
        }
        let counts = Arc::new(FlagCounts::begin(now_ms()));
        flags.insert(key.into(), Arc::clone(&counts));
        counts
    }

    /// Writes what is counted from time to time until the server stops, and a last time then. In a
    /// thread of its own: a slow disk must not keep a change of the document waiting.
    pub(crate) fn keep(shared: &Shared, file: &Path, say: fn(&str)) {
        let (mut last, mut is_kept) = (Vec::new(), true);
        loop {
            let began = Instant::now();
            let stopping = || *shared.stopping.borrow();
            while !stopping() && began.elapsed() < shared.limits.counts_every {
                std::thread::sleep(LOOK.min(shared.limits.counts_every));
            }
            let served = shared.served.load_full();
            if let Some(served) = &served {
                served.memo.settle();
            }
            let is_present = |key: &str| served.as_ref().is_none_or(|served| served.has(key));
            let kept = shared.tallies.save(file, &mut last, is_present);
            if let Err(error) = &kept
                && is_kept
            {
                say(&format!(
                    "what is counted cannot be kept ({error}); after a restart counting begins anew"
                ));
            }
            is_kept = kept.is_ok();
            if stopping() {
                return;
            }
        }
    }

    /// Writes what is counted unless it is as `last`, and forgets what nobody has asked for since
    /// long and no document has: `is_present` says which flags there are.
    pub(crate) fn save(
        &self,
        file: &Path,
        last: &mut Vec<u8>,
        is_present: impl Fn(&str) -> bool,
    ) -> std::io::Result<()> {
        let now = now_ms();
        let mut kept = BTreeMap::new();
        self.flags().retain(|key, counts| {
            let seen = counts.seen(now);
            let asked = seen.last_ms().unwrap_or(seen.since_ms);
            let remembered = is_present(key) || now.saturating_sub(asked) < FORGET_MS;
            if remembered {
                kept.insert(key.to_string(), seen);
            }
            remembered
        });
        let text = serde_json::to_vec(&Kept { format: FORMAT, flags: kept })?;
        if text != *last {
            saved::save_counts(file, &text)?;
            *last = text;
        }
        Ok(())
    }

    fn flags(&self) -> MutexGuard<'_, HashMap<Box<str>, Arc<FlagCounts>>> {
        self.flags.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering::Relaxed;

    #[test]
    fn counts_go_on_and_damage_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("flags.json");
        let tallies = Tallies::load(&file, |_| {});
        tallies.of("a").of(Some("on")).single.fetch_add(2, Relaxed);
        tallies.save(&file, &mut Vec::new(), |_| true).unwrap();
        let again = Tallies::load(&file, |_| {});
        let before = tallies.of("a").seen(0);
        assert_eq!(again.of("a").seen(0), before);
        std::fs::write(folder.path().join("flags.json.counts"), "{").unwrap();
        let anew = Tallies::load(&file, |_| {});
        assert!(anew.of("a").seen(0).variants.is_empty());
    }

    #[test]
    fn a_flag_that_is_gone_is_forgotten_after_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("flags.json");
        let tallies = Tallies::default();
        tallies.of("young");
        let old = FlagSeen { since_ms: 1, ..FlagSeen::default() };
        for key in ["old", "old-but-there"] {
            tallies.flags().insert(key.into(), Arc::new(FlagCounts::resume(&old)));
        }
        tallies.save(&file, &mut Vec::new(), |key| key == "old-but-there").unwrap();
        let mut left: Vec<Box<str>> = tallies.flags().keys().cloned().collect();
        left.sort();
        assert_eq!(left, ["old-but-there".into(), Box::<str>::from("young")]);
    }
}
