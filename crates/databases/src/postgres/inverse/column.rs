//! Columns and attributes: how they are defined, added, and changed where they stand.

use super::Sql;
use super::order::{ancestors, inlined};
use super::plan::Plan;
use super::text::{changed_options, foreign_options, parameter_names, parameters};
use crate::postgres::catalogue::{Name, Object};
use crate::postgres::kind::Kind;

/// A column as CREATE TABLE and ADD COLUMN take it.
pub(super) fn definition(plan: &Plan<'_>, name: &Name, column: &Object) -> String {
    let mut sql = format!("{} {}", column.local, column.word("type"));
    let remote = foreign_options(&column.pairs("foreign_options"));
    sql.push_str(&remote);
    if let Some(collation) = column.text("collation") {
        sql.extend([format!(" COLLATE {collation}")]);
    }
    if let Some(expression) = column.text("generated") {
        let kind = if column.flag("virtual") { "VIRTUAL" } else { "STORED" };
        sql.extend([format!(" GENERATED ALWAYS AS ({expression}) {kind}")]);
    }
    let default = Name { kind: Kind::Default, name: name.name.clone() };
    if let Some(object) =
        plan.old(&default).filter(|object| inlined(plan, &default, object).is_some())
    {
        sql.extend([format!(" DEFAULT {}", object.word("definition"))]);
    }
    if column.flag("not_null") {
        sql.push_str(" NOT NULL");
    }
    if let Some(identity) = identity(plan, name, column) {
        sql.extend([format!(" {identity}")]);
    }
    sql
}

/// `GENERATED … AS IDENTITY` with the sequence behind it.
fn identity(plan: &Plan<'_>, name: &Name, column: &Object) -> Option<String> {
    let when = column.text("identity")?.to_uppercase();
    let sequence = plan.parts.get(name.name.as_str()).into_iter().flatten().find_map(|part| {
        let object = plan.old(part).filter(|object| object.flag("identity"))?;
        Some(format!(
            " (SEQUENCE NAME {} {})",
            part.name,
            super::relation::sequence_options(object)
        ))
    });
    Some(format!("GENERATED {when} AS IDENTITY{}", sequence.unwrap_or_default()))
}

/// Adds a column to a table that stands.
pub(super) fn add(plan: &Plan<'_>, name: &Name, column: &Object, out: &mut Vec<Sql>) {
    let of = column.of.as_deref().unwrap_or_default();
    if name.kind == Kind::Attribute {
        let sql = format!("ALTER TYPE {of} ADD ATTRIBUTE {}", definition(plan, name, column));
        out.push(Sql::new(format!("add {name}"), sql));
        return;
    }
    let definition = definition(plan, name, column);
    let filled = !is_filled_later(column) || definition.contains(" DEFAULT ");
    // Rows that are there have no value yet, so that it can be demanded only afterwards.
    let demand = definition.strip_suffix(" NOT NULL").filter(|_| !filled);
    let definition = demand.unwrap_or(&definition);
    let sql = format!("ALTER TABLE {of} ADD COLUMN {definition}");
    out.push(Sql::new(format!("add {name}"), sql));
    if demand.is_some() {
        out.push(never_empty(name, column));
    }
}

/// The same for a table that is being made, and what can be demanded of the column only when the
/// rows are back: they may have been kept without it, or hold nothing in it by now.
pub(super) fn in_new_table(plan: &Plan<'_>, name: &Name, column: &Object) -> (String, Option<Sql>) {
    let definition = definition(plan, name, column);
    let holds = plan.new_one(name).is_some_and(|now| now.flag("not_null"));
    let late = plan.whole && is_filled_later(column) && !holds;
    match definition.strip_suffix(" NOT NULL").filter(|_| late) {
        Some(bare) => (bare.to_owned(), Some(never_empty(name, column))),
        None => (definition, None),
    }
}

/// Whether a column must never be empty, and is filled by nothing of its own.
fn is_filled_later(column: &Object) -> bool {
    let own = ["generated", "identity"].iter().any(|fact| column.facts.contains_key(*fact));
    column.flag("not_null") && !own
}

/// The demand that a column is never empty, once the rows are back.
pub(super) fn never_empty(name: &Name, column: &Object) -> Sql {
    let of = column.of.as_deref().unwrap_or_default();
    not_null(name, &format!("ALTER TABLE {of} ALTER COLUMN {}", column.local))
}

/// What a column has beside its definition, from what it is to what it was.
pub(super) fn settings(name: &Name, old: &Object, new: Option<&Object>, out: &mut Vec<Sql>) {
    let of = old.of.as_deref().unwrap_or_default();
    let column = format!("ALTER TABLE ONLY {of} ALTER COLUMN {}", old.local);
    let differs = |fact: &str| old.facts.get(fact) != new.and_then(|new| new.facts.get(fact));
    let mut set = |what: &str, sql: String| {
        out.push(Sql::new(format!("{what} of {name}"), format!("{column} {sql}")));
    };
    if differs("storage") {
        let by_type = match old.word("type").split('(').next() {
            Some("numeric" | "inet" | "cidr") => "main",
            _ => "extended",
        };
        set("storage", format!("SET STORAGE {}", old.text("storage").unwrap_or(by_type)));
    }
    if differs("compression") {
        set(
            "compression",
            format!("SET COMPRESSION {}", old.text("compression").unwrap_or("default")),
        );
    }
    if differs("statistics") {
        set(
            "statistics target",
            format!("SET STATISTICS {}", old.number("statistics").unwrap_or(-1)),
        );
    }
    if differs("options") {
        let (from, to) =
            (new.map(|new| new.list("options")).unwrap_or_default(), old.list("options"));
        if !from.is_empty() {
            set("options", format!("RESET ({})", parameter_names(&from)));
        }
        if !to.is_empty() {
            set("options", format!("SET ({})", parameters(&to)));
        }
    }
}

/// Changes a column that stays.
pub(super) fn alter(plan: &Plan<'_>, name: &Name, old: &Object, new: &Object, out: &mut Vec<Sql>) {
    let differs = |fact: &str| old.facts.get(fact) != new.facts.get(fact);
    let of = old.of.as_deref().unwrap_or_default();
    if name.kind == Kind::Attribute {
        if differs("type") || differs("collation") {
            let sql = format!("ALTER TYPE {of} ALTER ATTRIBUTE {} TYPE {}", old.local, kind(old));
            out.push(Sql::new(format!("type of {name}"), sql));
        }
        return;
    }
    let column = format!("ALTER TABLE {of} ALTER COLUMN {}", old.local);
    if differs("generated") {
        out.push(Sql::new(
            format!("{name} is no longer computed"),
            format!("{column} DROP EXPRESSION"),
        ));
    }
    retype(plan, name, old, new, out);
    if differs("identity") {
        let sql = match (new.text("identity"), old.text("identity")) {
            (_, None) => "DROP IDENTITY".to_owned(),
            (None, Some(_)) => format!("ADD {}", identity(plan, name, old).unwrap_or_default()),
            (Some(_), Some(when)) => format!("SET GENERATED {}", when.to_uppercase()),
        };
        // An identity needs a column that is never empty, and may be given up before it can be.
        if old.flag("not_null") && !new.flag("not_null") {
            out.push(not_null(name, &column));
        }
        out.push(Sql::new(format!("identity of {name}"), format!("{column} {sql}")));
        if !old.flag("not_null") && new.flag("not_null") {
            out.push(Sql::new(format!("{name} may be empty"), format!("{column} DROP NOT NULL")));
        }
    } else if differs("not_null") {
        out.push(if old.flag("not_null") {
            not_null(name, &column)
        } else {
            Sql::new(format!("{name} may be empty"), format!("{column} DROP NOT NULL"))
        });
    }
    if let Some(options) =
        changed_options(&new.pairs("foreign_options"), &old.pairs("foreign_options"))
    {
        let sql = format!("ALTER FOREIGN TABLE {of} ALTER COLUMN {} {options}", old.local);
        out.push(Sql::new(format!("options of {name}"), sql));
    }
    settings(name, old, Some(new), out);
}

/// Takes a type back, with a conversion of the values.
fn retype(plan: &Plan<'_>, name: &Name, old: &Object, new: &Object, out: &mut Vec<Sql>) {
    let differs = |object: &Object, other: &Object| {
        ["type", "collation"].iter().any(|fact| object.facts.get(*fact) != other.facts.get(*fact))
    };
    // A type that came from a parent is changed with the parent's.
    let with_parent = ancestors(plan.before, name, old).into_iter().any(|parent| {
        let (was, is) = (plan.old(parent), plan.new_one(parent));
        let joined = ancestors(plan.after, name, new).contains(&parent);
        joined
            && plan.alters.contains(parent)
            && was.zip(is).is_some_and(|(was, is)| differs(was, is))
    });
    if !differs(old, new) || with_parent {
        return;
    }
    let of = old.of.as_deref().unwrap_or_default();
    let (from, to) = (new.word("type"), old.word("type"));
    let mut sql = format!("ALTER TABLE {of} ALTER COLUMN {} TYPE {}", old.local, kind(old));
    // A foreign table has no values to convert.
    if plan.holds_data(name) {
        sql.extend([format!(" USING {}", converted(&old.local, from, to))]);
    }
    let statement = Sql::new(format!("type of {name}: {from} -> {to}"), sql);
    out.push(statement.caution("fails where a value does not fit; the table may be rewritten"));
}

fn not_null(name: &Name, column: &str) -> Sql {
    let sql = Sql::new(format!("{name} is never empty"), format!("{column} SET NOT NULL"));
    let sql = sql.caution("fails while there are empty values").late();
    Sql { object: Some(name.clone()), ..sql }
}

fn kind(object: &Object) -> String {
    let collation = object.text("collation").map(|name| format!(" COLLATE {name}"));
    format!("{}{}", object.word("type"), collation.unwrap_or_default())
}

/// An expression of one type as another.
pub(crate) fn converted(expression: &str, from: &str, to: &str) -> String {
    let through = if converts(from, to) { "" } else { "::text" };
    format!("{expression}{through}::{to}")
}

/// Whether the server converts directly between two types of its own; all others go through text.
pub(crate) fn converts(from: &str, to: &str) -> bool {
    let family = |name: &str| {
        let array = name.ends_with("[]");
        let base = name.split(['(', '[']).next().unwrap_or_default().trim_end();
        let family = match base {
            "smallint" | "integer" | "bigint" | "numeric" | "real" | "double precision"
            | "boolean" => "number",
            "text" | "character varying" | "character" | "name" => "text",
            "date" => "time",
            "json" | "jsonb" => "json",
            "bit" | "bit varying" => "bit",
            "inet" | "cidr" => "network",
            _ if base.starts_with("timestamp") => "time",
            other => other,
        };
        (family.to_owned(), array)
    };
    let (one, other) = (family(from), family(to));
    // Truth converts to and from integer alone.
    let truth = |name: &str| name.starts_with("boolean");
    let truths = truth(from) != truth(to) && !(from == "integer" || to == "integer");
    one == other && !truths
}

#[cfg(test)]
mod tests {
    use super::converts;

    #[test]
    fn which_types_convert() {
        let check = |from: &str, to: &str, expected: bool| {
            assert_eq!(converts(from, to), expected, "{from} -> {to}");
        };
        check("bigint", "integer", true);
        check("numeric(10,2)", "double precision", true);
        check("text", "character varying(3)", true);
        check("text[]", "character varying(3)[]", true);
        check("text[]", "text", false);
        check("timestamp with time zone", "timestamp(3) without time zone", true);
        check("boolean", "integer", true);
        check("boolean", "bigint", false);
        check("text", "uuid", false);
        check("public.mood", "text", false);
    }
}
