//! What differs between two schemas, object by object and fact by fact, in a stable order and in
//! words. A renamed object is one dropped and one created: names are all that there is to go by.

use crate::postgres::catalogue::{Catalogue, Name, Object};
use crate::postgres::kind::Kind;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Of which object.
    pub object: Name,
    /// What happened to it.
    pub change: What,
    /// The same in words.
    pub words: String,
}

/// What happened to an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// It is only in the second.
    Created,
    /// It is only in the first.
    Dropped,
    /// One of its facts differs.
    Changed {
        /// Which.
        fact: String,
        /// As in the first; absent when it was as by default.
        before: Option<Value>,
        /// As in the second; absent when it is as by default.
        after: Option<Value>,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

/// What changed from `before` to `after`. The columns of a table that came or went as a whole are
/// not listed beside it.
pub fn diff(before: &Catalogue, after: &Catalogue) -> Vec<Change> {
    let names: BTreeSet<&Name> = before.objects.keys().chain(after.objects.keys()).collect();
    let mut changes = Vec::new();
    let reordered = reordered(before, after);
    for name in names {
        match (before.objects.get(name), after.objects.get(name)) {
            (None, Some(object)) if !whole_is_missing(before, name, object) => {
                changes.push(came_or_went(name, object, What::Created));
            }
            (Some(object), None) if !whole_is_missing(after, name, object) => {
                changes.push(came_or_went(name, object, What::Dropped));
            }
            (Some(old), Some(new)) => {
                let moved = old.of.as_deref().is_some_and(|of| reordered.contains(of));
                facts(name, old, new, moved, &mut changes);
            }
            _ => {}
        }
    }
    changes
}

/// Whether it is part of something that `other` lacks as a whole.
fn whole_is_missing(other: &Catalogue, name: &Name, object: &Object) -> bool {
    let part = name.kind.is_part() || name.kind == Kind::Default;
    let Some(of) = object.of.as_deref().filter(|_| part) else { return false };
    let wholes =
        [Kind::Table, Kind::ForeignTable, Kind::View, Kind::MaterializedView, Kind::CompositeType];
    !wholes.iter().any(|kind| other.get(*kind, of).is_some())
}

fn came_or_went(name: &Name, object: &Object, change: What) -> Change {
    let verb = if change == What::Created { "created" } else { "dropped" };
    let detail = match name.kind {
        Kind::Column | Kind::Attribute | Kind::Constraint => format!(" {}", object.word("type")),
        Kind::Default => format!(" {}", object.word("definition")),
        _ => String::new(),
    };
    Change { object: name.clone(), change, words: format!("{name}{detail}: {verb}") }
}

/// Where columns that are in both stand in another order. Elsewhere a position is another only
/// because a column before it came or went, which is said already.
fn reordered<'a>(before: &'a Catalogue, after: &'a Catalogue) -> BTreeSet<&'a str> {
    let orders = |of: &'a Catalogue, other: &'a Catalogue| {
        let mut orders: BTreeMap<&str, Vec<(Option<i64>, &str)>> = BTreeMap::new();
        for (name, object) in of.objects.iter().filter(|(name, _)| name.kind.is_part()) {
            if let Some(whole) = object.of.as_deref().filter(|_| other.objects.contains_key(name)) {
                let place = (object.number("position"), object.local.as_str());
                orders.entry(whole).or_default().push(place);
            }
        }
        for order in orders.values_mut() {
            order.sort_unstable();
        }
        orders
    };
    let names = |order: &[(Option<i64>, &'a str)]| -> Vec<&'a str> {
        order.iter().map(|(_, name)| *name).collect()
    };
    let (old, new) = (orders(before, after), orders(after, before));
    let differs = |(whole, order): (&'a str, Vec<(Option<i64>, &'a str)>)| {
        let same = new.get(whole).is_some_and(|other| names(other) == names(&order));
        (!same).then_some(whole)
    };
    old.into_iter().filter_map(differs).collect()
}

fn facts(name: &Name, old: &Object, new: &Object, moved: bool, changes: &mut Vec<Change>) {
    let facts: BTreeSet<&String> = old.facts.keys().chain(new.facts.keys()).collect();
    for fact in facts {
        let (before, after) = (old.facts.get(fact), new.facts.get(fact));
        if before == after || fact == "position" && !moved {
            continue;
        }
        let owner = old.text("owner").unwrap_or_default();
        let words = format!("{name}: {}", words(fact, before, after, owner));
        let change =
            What::Changed { fact: fact.clone(), before: before.cloned(), after: after.cloned() };
        changes.push(Change { object: name.clone(), change, words });
    }
}

/// The longest value that is shown to people.
const SHOWN_MAX: usize = 80;

fn words(fact: &str, before: Option<&Value>, after: Option<&Value>, owner: &str) -> String {
    let name = fact.replace('_', " ");
    if fact == "privileges" {
        return format!("privileges {}", privileges(before, after, owner));
    }
    let (before, after) = match (before, after) {
        (Some(Value::Bool(true)), None) => return format!("no longer {name}"),
        (None, Some(Value::Bool(true))) => return format!("{name} now"),
        _ => (shown(before), shown(after)),
    };
    let long = |text: &str| text.contains('\n') || text.chars().count() > SHOWN_MAX;
    if long(&before) || long(&after) {
        return format!("{name} changed");
    }
    format!("{name} {before} -> {after}")
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None => "none".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(list)) => {
            let parts: Vec<String> = list.iter().map(|part| shown(Some(part))).collect();
            format!("[{}]", parts.join(", "))
        }
        Some(other) => other.to_string(),
    }
}

/// What was granted and what was taken away. What everything has at first is not written down, so
/// that beside it the owner's own privileges say nothing.
fn privileges(before: Option<&Value>, after: Option<&Value>, owner: &str) -> String {
    let initial = before.is_none() || after.is_none();
    let entries = |value: Option<&Value>| -> BTreeSet<String> {
        let list = value.and_then(Value::as_array);
        let entry = |entry: &Value| {
            let to = entry.get("to").and_then(Value::as_str).unwrap_or_default().to_owned();
            let list = entry.get("privileges").and_then(Value::as_array).cloned();
            let word = move |word: Value| format!("{} to {to}", word.as_str().unwrap_or_default());
            list.unwrap_or_default().into_iter().map(word).collect::<Vec<_>>()
        };
        let others =
            |entry: &&Value| !initial || entry.get("to").and_then(Value::as_str) != Some(owner);
        list.into_iter().flatten().filter(others).flat_map(entry).collect()
    };
    let (old, new) = (entries(before), entries(after));
    let plus = new.difference(&old).map(|entry| format!("+ {entry}"));
    let minus = old.difference(&new).map(|entry| format!("- {entry}"));
    let list: Vec<String> = minus.chain(plus).collect();
    if list.is_empty() { "changed".to_owned() } else { list.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(fact: &str, before: Value, after: Value, expected: &str) {
        let some = |value: Value| if value.is_null() { None } else { Some(value) };
        assert_eq!(words(fact, some(before).as_ref(), some(after).as_ref(), "bob"), expected);
    }

    #[test]
    fn what_people_read() {
        check(
            "type",
            json!("text"),
            json!("character varying(3)"),
            "type text -> character varying(3)",
        );
        check("not_null", json!(null), json!(true), "not null now");
        check("row_security", json!(true), json!(null), "no longer row security");
        check("labels", json!(["a"]), json!(["a", "b"]), "labels [a] -> [a, b]");
        check("comment", json!(null), json!("x"), "comment none -> x");
        check("definition", json!("SELECT 1"), json!("SELECT\n2"), "definition changed");
        check(
            "privileges",
            json!(null),
            json!([
                {"to": "ann", "by": "bob", "privileges": ["SELECT"]},
                {"to": "bob", "by": "bob", "privileges": ["INSERT", "SELECT"]},
            ]),
            "privileges + SELECT to ann",
        );
    }
}
