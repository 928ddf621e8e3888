//! What a run changed of a schema, small enough to be stored with it: the objects that differ, as
//! they were and as they became. Laid over the schema of a later day it says what that schema
//! would be without the run, and what somebody else changed since.

use crate::postgres::catalogue::{Catalogue, Name, Object};
use crate::postgres::kind::Kind;
use crate::postgres::snapshot::Identities;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The objects that differ.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Delta {
    /// Each with how it was and how it became; absent where it did not exist.
    pub(crate) objects: Vec<Differing>,
    /// Those that are the same object under another name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) renamed: Vec<Renamed>,
    /// Labels of enums that have another name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) labels: Vec<RenamedLabel>,
    /// Tables and columns that are no more, with the names that they had before the run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) gone: Vec<Gone>,
    /// Columns that are new, though their tables had columns of these names before, and tables that
    /// are new, though others that are still there, or of another sort, had their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) fresh: Vec<Name>,
    /// What tells whether the numbers in here still mean what they meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) anchor: Option<u32>,
}

/// A table or column that is no more, by its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Gone {
    /// The table's number.
    pub(crate) table: u32,
    /// The column's; nought for the table itself.
    pub(crate) column: i32,
    /// What it was called before the run.
    pub(crate) name: Name,
}

/// One object under two names. What is part of something renamed is listed as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Renamed {
    /// Its name before.
    pub(crate) from: Name,
    /// Its name after.
    pub(crate) to: Name,
}

/// One label of an enum under two names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RenamedLabel {
    /// The type's name before.
    pub(crate) type_name: String,
    /// The label before.
    pub(crate) from: String,
    /// The label after.
    pub(crate) to: String,
}

/// One object that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Differing {
    /// Which.
    pub(crate) name: Name,
    /// As it was.
    pub(crate) before: Option<Object>,
    /// As it became.
    pub(crate) after: Option<Object>,
}

/// An object that somebody else changed since the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Drift {
    /// Which.
    pub(crate) name: Name,
    /// What became of it, in words.
    pub(crate) words: String,
    /// Which facts differ; none when it was made or dropped.
    pub(crate) facts: Vec<String>,
}

impl Drift {
    /// Whether only such facts were changed.
    pub(crate) fn is_harmless(&self, harmless: &[&str]) -> bool {
        let known = |fact: &String| harmless.contains(&fact.as_str());
        !self.facts.is_empty() && self.facts.iter().all(known)
    }
}

impl Delta {
    /// What differs between two schemas of one database, with what only bears another name.
    pub(crate) fn of(before: (&Catalogue, &Identities), after: (&Catalogue, &Identities)) -> Delta {
        let mut delta = Delta::between(before.0, after.0);
        for (place, from) in &before.1.objects {
            if let Some(to) = after.1.objects.get(place).filter(|to| *to != from) {
                delta.renamed.push(Renamed { from: from.clone(), to: to.clone() });
            }
        }
        // A whole comes before what is part of it.
        delta.renamed.sort_by(|one, other| one.from.cmp(&other.from));
        let rows = |name: &Name| matches!(name.kind, Kind::Table | Kind::Column);
        for (place, name) in before.1.objects.iter().filter(|(_, name)| rows(name)) {
            if !after.1.objects.contains_key(place) {
                let (_, table, column) = *place;
                delta.gone.push(Gone { table, column, name: name.clone() });
            }
        }
        let stays = |name: &Name| {
            let mut places = before.1.objects.iter().filter(|(_, other)| *other == name);
            places.any(|(place, _)| after.1.objects.contains_key(place))
        };
        // Whether rows are divided among partitions is decided when a table is made.
        let divided = |catalogue: &Catalogue, name: &Name| {
            let object = catalogue.objects.get(name);
            object.and_then(|object| object.facts.get("partition_key").cloned())
        };
        let remade = |name: &Name| divided(before.0, name) != divided(after.0, name);
        for (place, name) in after.1.objects.iter().filter(|(_, name)| rows(name)) {
            let made = !before.1.objects.contains_key(place) && before.0.objects.contains_key(name);
            let fresh = match name.kind {
                Kind::Column => before.1.objects.contains_key(&(place.0, place.1, 0)),
                _ => made && (stays(name) || remade(name)),
            };
            if made && fresh {
                delta.fresh.push(name.clone());
            }
        }
        for (place, (type_name, from)) in &before.1.labels {
            if let Some((_, to)) = after.1.labels.get(place).filter(|(_, to)| to != from) {
                let (type_name, from, to) = (type_name.clone(), from.clone(), to.clone());
                delta.labels.push(RenamedLabel { type_name, from, to });
            }
        }
        delta
    }

    /// What was renamed by the run, and then by something that belongs to it.
    pub(crate) fn followed_by(&self, later: Vec<Renamed>) -> Vec<Renamed> {
        let mut all = self.renamed.clone();
        for one in later {
            match all.iter_mut().find(|old| old.to == one.from) {
                Some(old) => old.to = one.to,
                None => all.push(one),
            }
        }
        all.retain(|one| one.from != one.to);
        all.sort_by(|one, other| one.from.cmp(&other.from));
        all
    }

    /// What differs between two schemas. A difference of position alone counts, too.
    pub(crate) fn between(before: &Catalogue, after: &Catalogue) -> Delta {
        let names: BTreeSet<&Name> = before.objects.keys().chain(after.objects.keys()).collect();
        let differing = |name: &Name| {
            let (old, new) = (before.objects.get(name), after.objects.get(name));
            let same = match (old, new) {
                (Some(old), Some(new)) => old == new,
                (old, new) => old.is_none() && new.is_none(),
            };
            (!same).then(|| Differing {
                name: name.clone(),
                before: old.cloned(),
                after: new.cloned(),
            })
        };
        let objects = names.into_iter().filter_map(differing).collect();
        Delta { objects, ..Delta::default() }
    }

    /// Whether something, by the name that it has after the run, was made by it.
    pub(crate) fn adds(&self, name: &Name) -> bool {
        let made = |one: &Differing| one.name == *name && one.before.is_none();
        self.fresh.contains(name)
            || self.objects.iter().any(made) && !self.renamed.iter().any(|one| one.to == *name)
    }

    /// What `now` would be had the run never happened, and what was changed since by others: their
    /// changes to other objects stay, those to the same objects are named.
    pub(crate) fn taken_from(&self, now: &Catalogue) -> (Catalogue, Vec<Drift>) {
        self.laid(now, |one| (&one.after, &one.before))
    }

    fn laid<'a>(
        &'a self,
        now: &Catalogue,
        sides: impl Fn(&'a Differing) -> (&'a Option<Object>, &'a Option<Object>),
    ) -> (Catalogue, Vec<Drift>) {
        let mut target = now.clone();
        let mut drifts = Vec::new();
        for one in &self.objects {
            let (expected, wanted) = sides(one);
            let found = now.objects.get(&one.name);
            let facts = |object: Option<&Object>| {
                object.map(|object| {
                    // Where a column stands moves with every column before it.
                    let mut facts = object.facts.clone();
                    facts.remove("position");
                    facts
                })
            };
            if facts(found) != facts(expected.as_ref()) {
                let words = match (found, expected) {
                    (None, _) => "was dropped since",
                    (_, None) => "was made since",
                    _ => "was changed since",
                };
                let changed = match (found, expected) {
                    (Some(found), Some(expected)) => differing(found, expected),
                    _ => Vec::new(),
                };
                let (name, words) = (one.name.clone(), words.to_owned());
                drifts.push(Drift { name, words, facts: changed });
            }
            match wanted {
                Some(object) => target.objects.insert(one.name.clone(), object.clone()),
                None => target.objects.remove(&one.name),
            };
        }
        (target, drifts)
    }
}

/// The facts in which two objects differ; where a column stands is none.
fn differing(one: &Object, other: &Object) -> Vec<String> {
    let names: BTreeSet<&String> = one.facts.keys().chain(other.facts.keys()).collect();
    let differs = |name: &&String| {
        name.as_str() != "position" && one.facts.get(*name) != other.facts.get(*name)
    };
    names.into_iter().filter(differs).cloned().collect()
}
