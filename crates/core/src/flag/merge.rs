//! The three-way change: what was to become what, applied to what is now. A part that somebody
//! changed meanwhile is theirs.

use crate::flag::change::Clash;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A part of a flags document that changes as a whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The definition of a flag, by its key.
    Flag(String),
    /// Another member of the document, such as `$evaluators` or `metadata`.
    Member(String),
}

/// A document in its parts: the text of each, without insignificant spaces.
pub type Parts = BTreeMap<Part, String>;

/// What came of a change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Merged {
    /// The parts afterwards.
    pub parts: Parts,
    /// What changed.
    pub taken: BTreeSet<Part>,
    /// What should have changed but is left as somebody made it.
    pub kept: BTreeSet<Part>,
    /// What was changed although somebody had made it otherwise.
    pub forced: BTreeSet<Part>,
}

/// Applies the change between two documents to a third.
pub fn merge(from: &Parts, to: &Parts, now: &Parts, clash: Clash) -> Merged {
    let mut merged = Merged { parts: now.clone(), ..Merged::default() };
    for part in changed(from, to) {
        let (old, new, found) = (from.get(&part), to.get(&part), now.get(&part));
        if found == new {
            continue;
        }
        if found != old && clash == Clash::Keep {
            merged.kept.insert(part);
            continue;
        }
        match new {
            Some(text) => merged.parts.insert(part.clone(), text.clone()),
            None => merged.parts.remove(&part),
        };
        if found != old {
            merged.forced.insert(part.clone());
        }
        merged.taken.insert(part);
    }
    merged
}

/// The parts in which two documents differ.
pub fn changed(from: &Parts, to: &Parts) -> BTreeSet<Part> {
    let parts = from.keys().chain(to.keys());
    parts.filter(|part| from.get(part) != to.get(part)).cloned().collect()
}

impl Part {
    /// The key, if it is a flag.
    pub fn flag(&self) -> Option<&str> {
        match self {
            Part::Flag(key) => Some(key),
            Part::Member(_) => None,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Flag(key) => write!(f, "flag {key}"),
            Part::Member(name) => write!(f, "{name} of the flags"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(text: &str) -> Parts {
        let flags = text.split_whitespace().map(|one| one.split_once('=').unwrap());
        flags.map(|(key, value)| (Part::Flag(key.into()), value.into())).collect()
    }

    fn names(parts: &BTreeSet<Part>) -> String {
        parts.iter().filter_map(Part::flag).collect::<Vec<_>>().join(" ")
    }

    /// from, to, now; what there is afterwards, what was taken, what was kept.
    fn check(case: [&str; 3], expected: [&str; 3]) {
        let [from, to, now] = case.map(parts);
        let merged = merge(&from, &to, &now, Clash::Keep);
        assert_eq!(merged.parts, parts(expected[0]), "{case:?}");
        assert_eq!([names(&merged.taken), names(&merged.kept)], expected[1..], "{case:?}");
        assert!(merged.forced.is_empty());
    }

    #[test]
    fn what_nobody_touched_changes() {
        check(["a=1", "a=2", "a=1 b=1"], ["a=2 b=1", "a", ""]);
        check(["", "a=1", ""], ["a=1", "a", ""]);
        check(["a=1", "", "a=1"], ["", "a", ""]);
    }

    #[test]
    fn what_somebody_changed_is_theirs() {
        check(["a=1", "a=2", "a=3"], ["a=3", "", "a"]);
        check(["a=1", "", "a=3"], ["a=3", "", "a"]);
        check(["a=1", "a=2", ""], ["", "", "a"]);
        check(["", "a=2", "a=3"], ["a=3", "", "a"]);
    }

    #[test]
    fn what_is_so_already_is_no_clash() {
        check(["a=1", "a=2", "a=2"], ["a=2", "", ""]);
        check(["a=1", "", ""], ["", "", ""]);
    }

    #[test]
    fn force_takes_all_and_says_so() {
        let [from, to, now] = ["a=1 b=1", "a=2 b=2", "a=3 b=1"].map(parts);
        let merged = merge(&from, &to, &now, Clash::Force);
        assert_eq!(merged.parts, parts("a=2 b=2"));
        assert_eq!((names(&merged.taken), names(&merged.forced)), ("a b".into(), "a".into()));
        assert!(merged.kept.is_empty());
    }

    fn some() -> impl Strategy<Value = Parts> {
        let flag = ("[a-d]", "[1-3]").prop_map(|(key, value)| (Part::Flag(key), value));
        proptest::collection::vec(flag, 0..5).prop_map(|flags| flags.into_iter().collect())
    }

    proptest! {
        /// What a change did is taken back whole, and twice is the same as once.
        #[test]
        fn back_again(from in some(), to in some(), now in some()) {
            let there = merge(&from, &to, &now, Clash::Keep);
            prop_assert_eq!(&merge(&from, &to, &there.parts, Clash::Keep).parts, &there.parts);
            let back = merge(&there.parts, &now, &there.parts, Clash::Keep);
            prop_assert_eq!(&back.parts, &now);
            prop_assert!(back.kept.is_empty());
        }

        /// Whatever differs from what a change expects stays as it is.
        #[test]
        fn theirs_stays(from in some(), to in some(), now in some()) {
            let merged = merge(&from, &to, &now, Clash::Keep);
            for (part, text) in &now {
                if from.get(part) != Some(text) {
                    prop_assert_eq!(merged.parts.get(part), Some(text));
                }
            }
        }
    }
}
