//! Statements that make what is not there.

use super::plan::Plan;
use super::text::{changed_options, foreign_options, literal};
use super::{Sql, column, privileges, relation, settings};
use crate::postgres::catalogue::{Name, Object};
use crate::postgres::kind::Kind;
use serde_json::Value;
use std::collections::BTreeMap;

/// Makes an object as it was, and what comes along with it.
pub(super) fn create(plan: &Plan<'_>, name: &Name, along: &[&Name], out: &mut Vec<Sql>) {
    let Some(object) = plan.old(name) else { return };
    definition(plan, name, object, out);
    let before_owner = out.len();
    privileges::fresh(plan, name, object, out);
    for part in along {
        let Some(object) = plan.old(part) else { continue };
        if part.kind == Kind::Column {
            settings_of_column(plan, part, object, out);
        }
        privileges::fresh(plan, part, object, out);
    }
    match name.kind {
        Kind::Column => {
            settings_of_column(plan, name, object, out);
        }
        Kind::Sequence => relation::owned(name, object, out),
        // Who may fill a view is decided by who owns it.
        Kind::MaterializedView if out.len() > before_owner => {}
        _ => {}
    }
}

/// A view's columns have no settings of their own.
fn settings_of_column(plan: &Plan<'_>, name: &Name, object: &Object, out: &mut Vec<Sql>) {
    let whole = Plan::whole(plan.before, object);
    if whole.is_some_and(|whole| {
        matches!(whole.kind, Kind::Table | Kind::ForeignTable | Kind::MaterializedView)
    }) {
        column::settings(name, object, None, out);
    }
}

fn definition(plan: &Plan<'_>, name: &Name, object: &Object, out: &mut Vec<Sql>) {
    let label = format!("create {name}");
    let of = object.of.as_deref().unwrap_or_default();
    let (local, text) = (&object.local, object.word("definition"));
    let sql = match name.kind {
        Kind::Table | Kind::ForeignTable => return relation::table(plan, name, object, out),
        Kind::View | Kind::MaterializedView => return relation::view(name, object, out),
        Kind::Sequence => return relation::sequence(name, object, out),
        Kind::Column | Kind::Attribute => return column::add(plan, name, object, out),
        Kind::Index => {
            out.push(Sql::new(label, text));
            return settings::index(name, object, None, out);
        }
        Kind::Constraint => return constraint(plan, name, object, out),
        Kind::Default => format!("ALTER TABLE ONLY {of} ALTER COLUMN {local} SET DEFAULT {text}"),
        Kind::Trigger if object.flag("inherited") => return settings::enabled(name, object, out),
        Kind::Trigger | Kind::Rule | Kind::EventTrigger => {
            out.push(Sql::new(label, text.trim_end_matches(';')));
            if object.text("enabled").is_some() {
                settings::enabled(name, object, out);
            }
            return;
        }
        Kind::DefaultPrivileges => {
            // What it is without an entry is what the server starts from.
            let mut bare = object.clone();
            bare.facts.remove("privileges");
            return privileges::defaults(name, &bare, Some(object), out);
        }
        Kind::Statistics => {
            out.push(Sql::new(label, text));
            return statistics(name, object, out);
        }
        Kind::TextSearchConfiguration => {
            out.push(Sql::new(label, text));
            return mappings(name, object, None, out);
        }
        Kind::OperatorFamily => {
            out.push(Sql::new(label, text));
            let members = object.list("members");
            if members.is_empty() {
                return;
            }
            format!("ALTER OPERATOR FAMILY {} ADD {}", name.name, members.join(", "))
        }
        _ => plain(plan, name, object),
    };
    out.push(Sql::new(format!("create {name}"), sql));
}

/// Objects that one statement makes.
fn plain(plan: &Plan<'_>, name: &Name, object: &Object) -> String {
    let (of, text) = (object.of.as_deref().unwrap_or_default(), object.word("definition"));
    match name.kind {
        Kind::Schema => format!("CREATE SCHEMA {}", name.name),
        Kind::Extension => format!(
            "CREATE EXTENSION {} SCHEMA {} VERSION {}",
            name.name,
            object.word("schema"),
            literal(object.word("version"))
        ),
        Kind::Enum => format!("CREATE TYPE {} AS ENUM ({})", name.name, labels(object)),
        Kind::CompositeType => composite(plan, name),
        Kind::Domain => domain(name, object),
        Kind::DomainConstraint => {
            format!("ALTER DOMAIN {of} ADD CONSTRAINT {} {text}", object.local)
        }
        Kind::Policy => policy(object),
        Kind::ForeignDataWrapper => {
            let part = |word: &str, fact: &str| {
                object
                    .text(fact)
                    .map_or_else(|| format!(" NO {word}"), |name| format!(" {word} {name}"))
            };
            format!(
                "CREATE FOREIGN DATA WRAPPER {}{}{}{}",
                name.name,
                part("HANDLER", "handler"),
                part("VALIDATOR", "validator"),
                foreign_options(&object.pairs("foreign_options"))
            )
        }
        Kind::Server => {
            let part = |word: &str, fact: &str| {
                object
                    .text(fact)
                    .map(|text| format!(" {word} {}", literal(text)))
                    .unwrap_or_default()
            };
            format!(
                "CREATE SERVER {}{}{} FOREIGN DATA WRAPPER {}{}",
                name.name,
                part("TYPE", "type"),
                part("VERSION", "version"),
                object.word("wrapper"),
                foreign_options(&object.pairs("foreign_options"))
            )
        }
        Kind::Publication => publication(name, object),
        _ => text.to_owned(),
    }
}

pub(super) fn labels(object: &Object) -> String {
    object.list("labels").into_iter().map(literal).collect::<Vec<_>>().join(", ")
}

fn composite(plan: &Plan<'_>, name: &Name) -> String {
    let mut attributes: Vec<(Option<i64>, String)> = plan
        .parts
        .get(name.name.as_str())
        .into_iter()
        .flatten()
        .filter_map(|part| Some((*part, plan.old(part)?)))
        .filter(|(part, _)| part.kind == Kind::Attribute)
        .map(|(part, object)| (object.number("position"), column::definition(plan, part, object)))
        .collect();
    attributes.sort();
    let list: Vec<String> = attributes.into_iter().map(|(_, text)| text).collect();
    format!("CREATE TYPE {} AS ({})", name.name, list.join(", "))
}

fn domain(name: &Name, object: &Object) -> String {
    let mut sql = format!("CREATE DOMAIN {} AS {}", name.name, object.word("type"));
    if let Some(collation) = object.text("collation") {
        sql.extend([format!(" COLLATE {collation}")]);
    }
    if let Some(default) = object.text("default") {
        sql.extend([format!(" DEFAULT {default}")]);
    }
    if object.flag("not_null") {
        sql.push_str(" NOT NULL");
    }
    sql
}

fn constraint(plan: &Plan<'_>, name: &Name, object: &Object, out: &mut Vec<Sql>) {
    let of = object.of.as_deref().unwrap_or_default();
    let (local, kind) = (&object.local, object.word("type"));
    if kind == "check" && was_inherited(plan, object) {
        return;
    }
    // A parent's key is made alone; those of its partitions join it by their names.
    let indexed = !matches!(kind, "check" | "foreign key");
    let only = if indexed { "ONLY " } else { "" };
    let mut text = object.word("definition").to_owned();
    let options = object.list("index_options");
    if !options.is_empty() {
        let place = ["NOT DEFERRABLE", "DEFERRABLE", "INITIALLY DEFERRED", " WHERE ("];
        let at = place.iter().filter_map(|word| text.find(word)).min().unwrap_or(text.len());
        text.insert_str(at, &format!(" WITH ({}) ", super::text::parameters(&options)));
    }
    let sql = format!("ALTER TABLE {only}{of} ADD CONSTRAINT {local} {text}");
    let statement = Sql::new(format!("create {name}"), sql);
    out.push(if text.ends_with("NOT VALID") {
        statement
    } else {
        statement.caution("fails where rows written since violate it")
    });
    if indexed {
        settings::index(name, object, None, out);
    }
}

/// A table that leaves its parent keeps the checks that it had from there as its own.
fn was_inherited(plan: &Plan<'_>, check: &Object) -> bool {
    super::order::parents(plan.after, check).into_iter().any(|parent| {
        let name = Name { kind: Kind::Constraint, name: format!("{parent}.{}", check.local) };
        let same = |other: &Object| other.word("definition") == check.word("definition");
        plan.new_one(&name).is_some_and(same) && !plan.drops.contains(&name)
    })
}

fn policy(object: &Object) -> String {
    let mut sql = format!(
        "CREATE POLICY {} ON {} AS {} FOR {} TO {}",
        object.local,
        object.of.as_deref().unwrap_or_default(),
        if object.flag("restrictive") { "RESTRICTIVE" } else { "PERMISSIVE" },
        object.word("command"),
        object.word("roles")
    );
    if let Some(expression) = object.text("using") {
        sql.extend([format!(" USING ({expression})")]);
    }
    if let Some(expression) = object.text("check") {
        sql.extend([format!(" WITH CHECK ({expression})")]);
    }
    sql
}

fn publication(name: &Name, object: &Object) -> String {
    let schemas = object.list("schemas");
    let mut whats = Vec::new();
    if object.flag("all_tables") {
        whats.push("ALL TABLES".to_owned());
    }
    whats.extend(object.list("tables").iter().map(|table| format!("TABLE {table}")));
    whats.extend(schemas.iter().map(|schema| format!("TABLES IN SCHEMA {schema}")));
    let whats = if whats.is_empty() { String::new() } else { format!(" FOR {}", whats.join(", ")) };
    format!("CREATE PUBLICATION {}{whats} WITH ({})", name.name, publication_options(object))
}

pub(super) fn publication_options(object: &Object) -> String {
    let root = object.flag("via_root");
    format!("publish = {}, publish_via_partition_root = {root}", literal(object.word("publish")))
}

/// The target of a statistics object.
pub(super) fn statistics(name: &Name, object: &Object, out: &mut Vec<Sql>) {
    if let Some(target) = object.number("target") {
        let sql = format!("ALTER STATISTICS {} SET STATISTICS {target}", name.name);
        out.push(Sql::new(format!("target of {name}"), sql));
    }
}

/// The dictionaries of a text search configuration, token by token.
pub(super) fn mappings(name: &Name, old: &Object, new: Option<&Object>, out: &mut Vec<Sql>) {
    let read = |object: &Object| -> BTreeMap<String, String> {
        let list =
            object.facts.get("mappings").and_then(Value::as_array).cloned().unwrap_or_default();
        let text = |entry: &Value, field: &str| {
            entry.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        list.iter().map(|entry| (text(entry, "token"), text(entry, "dictionaries"))).collect()
    };
    let (to, from) = (read(old), new.map(read).unwrap_or_default());
    let head = format!("ALTER TEXT SEARCH CONFIGURATION {}", name.name);
    for token in from.keys().filter(|token| to.get(*token) != from.get(*token)) {
        let token = super::text::identifier(token);
        out.push(Sql::new(
            format!("mapping of {name}"),
            format!("{head} DROP MAPPING FOR {token}"),
        ));
    }
    for (token, dictionaries) in to.iter().filter(|(token, _)| to.get(*token) != from.get(*token)) {
        let token = super::text::identifier(token);
        let sql = format!("{head} ADD MAPPING FOR {token} WITH {dictionaries}");
        out.push(Sql::new(format!("mapping of {name}"), sql));
    }
}

/// Changes a foreign data wrapper or a server that stays.
pub(super) fn alter_remote(name: &Name, old: &Object, new: &Object, out: &mut Vec<Sql>) {
    let differs = |fact: &str| old.facts.get(fact) != new.facts.get(fact);
    let head = format!("ALTER {} {}", name.kind.sql(), name.name);
    for (word, fact) in [("HANDLER", "handler"), ("VALIDATOR", "validator")] {
        if differs(fact) {
            let part = old
                .text(fact)
                .map_or_else(|| format!("NO {word}"), |name| format!("{word} {name}"));
            out.push(Sql::new(format!("{fact} of {name}"), format!("{head} {part}")));
        }
    }
    if differs("version") {
        let version = old.text("version").map_or_else(|| "NULL".to_owned(), literal);
        out.push(Sql::new(format!("version of {name}"), format!("{head} VERSION {version}")));
    }
    if let Some(options) =
        changed_options(&new.pairs("foreign_options"), &old.pairs("foreign_options"))
    {
        out.push(Sql::new(format!("options of {name}"), format!("{head} {options}")));
    }
}
