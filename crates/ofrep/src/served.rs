//! One document as it is served: compiled, with the answers of its flags serialised.

use crate::answer::Problem;
use crate::counts::{Count, FlagCounts, FlagSeen};
use crate::fragment::{Fragment, Fragments, failed, hash};
use crate::memo::{BulkFlags, Memo};
use crate::shared::now_ms;
use crate::tallies::Tallies;
use bytes::Bytes;
use ripcord_core::model::Digest;
use ripcord_flags::{
    BrokenRules, Context, Evaluation, EvaluationError, FlagSet, FlagsError, Options,
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A document in force.
pub(crate) struct Served {
    set: FlagSet,
    /// In the order in which the set evaluates them all.
    flags: Vec<Flag>,
    places: HashMap<Box<str>, usize>,
    /// The name of the set, which clients may ask for.
    pub(crate) set_id: Option<String>,
    pub(crate) memo: Memo,
    /// Of the document's bytes.
    pub(crate) digest: Digest,
    /// Which document of this process it is, from 1.
    pub(crate) number: u64,
    pub(crate) loaded_at_ms: u64,
    /// Whether it is the copy of an earlier document, because the file cannot be used.
    pub(crate) from_copy: bool,
}

struct Flag {
    key: Box<str>,
    fragments: Fragments,
    counts: Arc<FlagCounts>,
}

/// What a bulk answer begins with. The elements follow; who asks says how it ends.
const BULK_BEGINS: &[u8] = br#"{"flags":["#;

/// A flag that was not evaluated, and why.
pub(crate) struct Failed {
    pub(crate) problem: Problem,
    pub(crate) details: String,
}

impl Served {
    /// Compiles a document, the `number`th of this process; what was counted of its flags goes on.
    pub(crate) fn build(
        text: &str,
        digest: Digest,
        broken_rules: BrokenRules,
        tallies: &Tallies,
        number: u64,
    ) -> Result<Served, FlagsError> {
        let options = Options { broken_rules, ..Options::default() };
        let set = FlagSet::parse_with(text, &options)?;
        let flag = |key: &str| Flag {
            fragments: Fragments::default(),
            counts: tallies.of(key),
            key: key.into(),
        };
        let flags: Vec<Flag> = set.keys().map(flag).collect();
        let places = flags.iter().enumerate().map(|(place, flag)| (flag.key.clone(), place));
        // It was JSON when it was read.
        let metadata: Value = serde_json::from_str(set.metadata()).unwrap_or_default();
        Ok(Served {
            places: places.collect(),
            flags,
            set_id: metadata["flagSetId"].as_str().map(str::to_owned),
            set,
            memo: Memo::new(),
            digest,
            number,
            loaded_at_ms: now_ms(),
            from_copy: false,
        })
    }

    /// The same, known to be a copy.
    pub(crate) fn into_copy(mut self) -> Served {
        self.from_copy = true;
        self
    }

    /// What is said of the whole set, as JSON.
    pub(crate) fn metadata(&self) -> &str {
        self.set.metadata()
    }

    /// How many flags there are.
    pub(crate) fn flags(&self) -> usize {
        self.flags.len()
    }

    /// The answer of one flag, counted.
    pub(crate) fn single(&self, key: &str, context: &Context<'_>) -> Result<&Fragment, Failed> {
        use std::sync::atomic::Ordering::Relaxed;
        let Some(flag) = self.places.get(key).and_then(|place| self.flags.get(*place)) else {
            let problem = Problem::FlagNotFound;
            return Err(Failed { problem, details: format!("there is no flag `{key}`") });
        };
        flag.counts.last_single_at_ms.store(now_ms(), Relaxed);
        match flag.answer(&self.set.evaluate(key, context)) {
            Ok(fragment) => {
                fragment.count.single.fetch_add(1, Relaxed);
                Ok(fragment)
            }
            Err(failed) => {
                flag.counts.of(None).single.fetch_add(1, Relaxed);
                Err(failed)
            }
        }
    }

    /// The answers of all flags, not counted yet.
    pub(crate) fn bulk(&self, context: &Context<'_>) -> BulkFlags {
        let mut json = Vec::with_capacity(self.flags.len() * 128);
        json.extend_from_slice(BULK_BEGINS);
        let mut seal = Sha256::new();
        let mut given: Vec<Arc<Count>> = Vec::with_capacity(self.flags.len());
        for (flag, (_, evaluation)) in self.flags.iter().zip(self.set.evaluate_all(context)) {
            if json.len() > BULK_BEGINS.len() {
                json.push(b',');
            }
            match flag.answer(&evaluation) {
                Ok(fragment) => {
                    json.extend_from_slice(&fragment.json);
                    seal.update(fragment.hash);
                    given.push(Arc::clone(&fragment.count));
                }
                Err(Failed { problem, details }) => {
                    let element = failed(&flag.key, problem, &details);
                    seal.update(hash(&element));
                    json.extend_from_slice(&element);
                    given.push(flag.counts.of(None));
                }
            }
        }
        BulkFlags::new(Bytes::from(json), seal.finalize().into(), given)
    }

    /// How often each flag gave what.
    pub(crate) fn seen(&self) -> BTreeMap<&str, FlagSeen> {
        self.memo.settle();
        let now = now_ms();
        self.flags.iter().map(|flag| (&*flag.key, flag.counts.seen(now))).collect()
    }

    /// Whether there is a flag of this key.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.places.contains_key(key)
    }
}

impl Flag {
    fn answer(&self, evaluation: &Evaluation<'_>) -> Result<&Fragment, Failed> {
        match &evaluation.error {
            None => Ok(self.fragments.of(&self.key, evaluation, &self.counts)),
            Some(error) => {
                let problem = match error {
                    EvaluationError::FlagNotFound => Problem::FlagNotFound,
                    EvaluationError::General(_) => Problem::General,
                    EvaluationError::Rules(_) => Problem::Parse,
                };
                Err(Failed { problem, details: error.to_string() })
            }
        }
    }
}
