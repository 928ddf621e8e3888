//! What can be changed where it stands, and the statements that do it.

use super::plan::Plan;
use super::{Sql, column, create, privileges, relation, settings, swap};
use crate::postgres::catalogue::{Name, Object};
use crate::postgres::kind::Kind;
use std::collections::BTreeSet;

/// How a difference can be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Possible {
    /// Where the object stands.
    InPlace,
    /// By dropping the object and making it again.
    AnewOnly,
    /// Not at all.
    Not(&'static str),
}

/// How these differences from `old` can be undone on `new`.
pub(super) fn possible(
    kind: Kind,
    changed: &BTreeSet<&str>,
    old: &Object,
    new: &Object,
) -> Possible {
    let differs = |fact: &str| changed.contains(fact);
    let within = |facts: &[&str]| {
        let common = ["comment", "owner", "privileges"];
        changed.iter().all(|fact| facts.contains(fact) || common.contains(fact))
    };
    let in_place: &[&str] = match kind {
        Kind::Function | Kind::Procedure if differs("shape") => &[],
        // A version that was never set cannot be unset.
        Kind::Server if old.text("version").is_none() => &["foreign_options"],
        kind => changeable(kind),
    };
    match kind {
        _ if within(&[]) => Possible::InPlace,
        Kind::Column if differs("generated") && old.text("generated").is_some() => {
            Possible::Not("a column becomes computed only by being made anew")
        }
        Kind::Extension if differs("version") && version(old) < version(new) => {
            Possible::Not("an extension is updated to newer versions only")
        }
        Kind::BaseType => Possible::Not("a base type is made by its functions in C"),
        Kind::UserMapping => Possible::Not("the values of its options are never read"),
        Kind::Subscription => Possible::Not("its connection string is never read"),
        _ if within(in_place) => Possible::InPlace,
        _ => Possible::AnewOnly,
    }
}

/// The facts that statements can change on an object that stays.
fn changeable(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Table | Kind::ForeignTable => &[
            "unlogged",
            "options",
            "tablespace",
            "access_method",
            "partition_of",
            "bound",
            "inherits",
            "row_security",
            "force_row_security",
            "replica_identity",
            "of_type",
            "foreign_options",
        ],
        Kind::Column => &[
            "type",
            "collation",
            "not_null",
            "storage",
            "compression",
            "statistics",
            "options",
            "foreign_options",
            "identity",
            "generated",
            "inherited",
        ],
        Kind::Attribute => &["type", "collation"],
        Kind::Sequence => &[
            "type",
            "start",
            "increment",
            "minimum",
            "maximum",
            "cache",
            "cycle",
            "owned_by",
            "unlogged",
        ],
        Kind::View | Kind::MaterializedView => {
            &["options", "tablespace", "access_method", "populated"]
        }
        Kind::Index | Kind::Constraint => &[
            "partition_of",
            "clustered",
            "replica_identity",
            "tablespace",
            "statistics",
            "index_comment",
        ],
        Kind::Trigger | Kind::Rule | Kind::EventTrigger => &["enabled"],
        Kind::Statistics => &["target"],
        Kind::Enum => &["labels"],
        Kind::Default | Kind::Range => &["definition"],
        Kind::Domain => &["not_null", "default"],
        Kind::Function | Kind::Procedure => &["definition", "window"],
        Kind::TextSearchConfiguration => &["mappings"],
        Kind::ForeignDataWrapper => &["handler", "validator", "foreign_options"],
        Kind::Server => &["version", "foreign_options"],
        Kind::Publication => &["publish", "via_root"],
        Kind::Extension => &["version", "schema"],
        _ => &[],
    }
}

/// A version as numbers that compare.
fn version(extension: &Object) -> Vec<u64> {
    let parts = extension.word("version").split('.');
    parts.map(|part| part.parse().unwrap_or(0)).collect()
}

/// Whether labels are only missing, so that adding them is enough.
pub(super) fn only_adds_labels(old: &Object, new: &Object) -> bool {
    let (old, new) = (old.list("labels"), new.list("labels"));
    let mut rest = old.iter();
    !new.is_empty() && new.iter().all(|label| rest.any(|other| other == label))
}

/// Changes an object that stays.
pub(super) fn alter(plan: &Plan<'_>, name: &Name, out: &mut Vec<Sql>) {
    let (Some(old), Some(new)) = (plan.old(name), plan.new_one(name)) else { return };
    let differs = |fact: &str| old.facts.get(fact) != new.facts.get(fact);
    match name.kind {
        Kind::Table | Kind::ForeignTable => table(name, old, new, out),
        Kind::Column | Kind::Attribute => column::alter(plan, name, old, new, out),
        Kind::Sequence => {
            // It can belong to a column only when it has the owner of the column's table.
            privileges::changed(plan, name, old, new, out);
            return relation::alter_sequence(name, old, new, out);
        }
        Kind::View => settings::relation(name, old, Some(new), out),
        Kind::MaterializedView => {
            settings::relation(name, old, Some(new), out);
            if differs("populated") {
                let no = if old.flag("populated") { "" } else { " WITH NO DATA" };
                let sql = format!("REFRESH MATERIALIZED VIEW {}{no}", name.name);
                out.push(Sql::new(format!("content of {name}"), sql).late());
            }
        }
        Kind::Index | Kind::Constraint => settings::index(name, old, Some(new), out),
        Kind::Trigger | Kind::Rule | Kind::EventTrigger if differs("enabled") => {
            settings::enabled(name, old, out);
        }
        Kind::Enum if differs("labels") => swap::labels(plan, name, old, new, out),
        Kind::Range if differs("definition") => {
            swap::swap(plan, name, old, old.word("definition"), out);
        }
        _ => small(name, old, new, out),
    }
    privileges::changed(plan, name, old, new, out);
}

/// Objects that one or two statements change.
fn small(name: &Name, old: &Object, new: &Object, out: &mut Vec<Sql>) {
    let differs = |fact: &str| old.facts.get(fact) != new.facts.get(fact);
    let head = format!("ALTER {} {}", name.kind.sql(), name.name);
    let mut push = |what: &str, sql: String| out.push(Sql::new(format!("{what} of {name}"), sql));
    match name.kind {
        Kind::Default if differs("definition") => {
            let of = old.of.as_deref().unwrap_or_default();
            let expression = old.word("definition");
            push(
                "value",
                format!(
                    "ALTER TABLE ONLY {of} ALTER COLUMN {} SET DEFAULT {expression}",
                    old.local
                ),
            );
        }
        Kind::Statistics if differs("target") => {
            push("target", format!("{head} SET STATISTICS {}", old.number("target").unwrap_or(-1)));
        }
        Kind::Domain => {
            if differs("default") {
                let set = old.text("default").map_or_else(
                    || "DROP DEFAULT".to_owned(),
                    |text| format!("SET DEFAULT {text}"),
                );
                push("default", format!("{head} {set}"));
            }
            if differs("not_null") {
                let verb = if old.flag("not_null") { "SET" } else { "DROP" };
                push("nullability", format!("{head} {verb} NOT NULL"));
            }
        }
        Kind::Function | Kind::Procedure if differs("definition") => {
            push("definition", old.word("definition").to_owned());
        }
        Kind::Publication if differs("publish") || differs("via_root") => {
            push("options", format!("{head} SET ({})", create::publication_options(old)));
        }
        Kind::Extension => {
            if differs("version") {
                push(
                    "version",
                    format!("{head} UPDATE TO {}", super::text::literal(old.word("version"))),
                );
            }
            if differs("schema") {
                push("schema", format!("{head} SET SCHEMA {}", old.word("schema")));
            }
        }
        Kind::TextSearchConfiguration => create::mappings(name, old, Some(new), out),
        Kind::ForeignDataWrapper | Kind::Server => create::alter_remote(name, old, new, out),
        _ => {}
    }
}

fn table(name: &Name, old: &Object, new: &Object, out: &mut Vec<Sql>) {
    let differs = |fact: &str| old.facts.get(fact) != new.facts.get(fact);
    let moves = differs("partition_of") || differs("bound");
    if let Some(parent) = new.text("partition_of").filter(|_| moves) {
        let sql = format!("ALTER TABLE ONLY {parent} DETACH PARTITION {}", name.name);
        // It joins another when its columns are as they were.
        out.push(Sql::new(format!("{name} leaves {parent}"), sql));
    }
    if differs("inherits") {
        for (verb, object) in [("NO INHERIT", new), ("INHERIT", old)] {
            for parent in object.list("inherits") {
                let sql = format!("ALTER TABLE {} {verb} {parent}", name.name);
                out.push(Sql::new(format!("{name} {} {parent}", verb.to_lowercase()), sql));
            }
        }
    }
    if differs("of_type") {
        let sql =
            old.text("of_type").map_or_else(|| "NOT OF".to_owned(), |kind| format!("OF {kind}"));
        out.push(Sql::new(format!("type of {name}"), format!("ALTER TABLE {} {sql}", name.name)));
    }
    settings::relation(name, old, Some(new), out);
}
