//! Statements that make tables, views and sequences.

use super::Sql;
use super::plan::Plan;
use super::text::{foreign_options, parameters};
use super::{column, settings};
use crate::postgres::catalogue::{Name, Object};
use crate::postgres::kind::Kind;

/// Makes a table or a foreign table with its columns.
pub(super) fn table(plan: &Plan<'_>, name: &Name, table: &Object, out: &mut Vec<Sql>) {
    let mut columns: Vec<(&Name, &Object)> = plan
        .parts
        .get(name.name.as_str())
        .into_iter()
        .flatten()
        .filter(|part| part.kind == Kind::Column)
        .filter_map(|part| Some((*part, plan.old(part)?)))
        .collect();
    columns.sort_by_key(|(_, column)| column.number("position"));
    let partition = table.text("partition_of").is_some();
    // A typed table's columns are its type's; inherited ones are the parent's.
    let own = |column: &Object| {
        table.text("of_type").is_none() && (partition || !column.flag("inherited"))
    };
    let (mut definitions, mut demands) = (Vec::new(), Vec::new());
    for (name, column) in columns.iter().filter(|(_, column)| own(column)) {
        let (definition, demand) = column::in_new_table(plan, name, column);
        definitions.push(format!("  {definition}"));
        demands.extend(demand);
    }
    let unlogged = if table.flag("unlogged") { "UNLOGGED " } else { "" };
    let mut sql = format!("CREATE {unlogged}{} {}", name.kind.sql(), name.name);
    match table.text("of_type") {
        Some(kind) => sql.extend([format!(" OF {kind}")]),
        None if definitions.is_empty() => sql.push_str(" ()"),
        None => sql.extend([format!(" (\n{}\n)", definitions.join(",\n"))]),
    }
    let parents = table.list("inherits");
    if !parents.is_empty() {
        sql.extend([format!(" INHERITS ({})", parents.join(", "))]);
    }
    if let Some(key) = table.text("partition_key") {
        sql.extend([format!(" PARTITION BY {key}")]);
    }
    if let Some(server) = table.text("server") {
        sql.extend([format!(" SERVER {server}")]);
        sql.push_str(&foreign_options(&table.pairs("foreign_options")));
    }
    sql.push_str(&storage(table));
    out.push(Sql::new(format!("create {name}"), sql));
    for (column, object) in columns.iter().filter(|(_, column)| !own(column)) {
        inherited(plan, name, column, object, out);
    }
    out.extend(demands);
    settings::relation(name, table, None, out);
}

/// Where an inherited column is not as the parent's.
fn inherited(plan: &Plan<'_>, table: &Name, name: &Name, column: &Object, out: &mut Vec<Sql>) {
    let alter = format!("ALTER TABLE ONLY {} ALTER COLUMN {}", table.name, column.local);
    let default = Name { kind: Kind::Default, name: name.name.clone() };
    if column.facts.contains_key("generated") {
        return;
    }
    if plan.old(&default).is_none() {
        out.push(Sql::new(format!("no default for {name}"), format!("{alter} DROP DEFAULT")));
    }
    if column.flag("not_null") {
        let demand = column::never_empty(name, column);
        let now = Sql { late: plan.whole, caution: None, ..demand };
        out.push(Sql { sql: format!("{alter} SET NOT NULL"), ..now });
    }
}

/// The clauses on how a relation is stored.
fn storage(object: &Object) -> String {
    let mut sql = String::new();
    if let Some(method) = object.text("access_method") {
        sql.extend([format!(" USING {method}")]);
    }
    let options = object.list("options");
    if !options.is_empty() {
        sql.extend([format!(" WITH ({})", parameters(&options))]);
    }
    if let Some(space) = object.text("tablespace") {
        sql.extend([format!(" TABLESPACE {space}")]);
    }
    sql
}

/// Makes a view, materialised or not.
pub(super) fn view(name: &Name, view: &Object, out: &mut Vec<Sql>) {
    let query = view.word("definition").trim_end().trim_end_matches(';');
    let empty = if name.kind == Kind::MaterializedView { "\nWITH NO DATA" } else { "" };
    let sql =
        format!("CREATE {} {}{} AS\n{query}{empty}", name.kind.sql(), name.name, storage(view));
    out.push(Sql::new(format!("create {name}"), sql));
    if view.flag("populated") {
        out.push(Sql::new(
            format!("fill {name}"),
            format!("REFRESH MATERIALIZED VIEW {}", name.name),
        ));
    }
}

/// Makes a sequence that is no identity's: those come with their column.
pub(super) fn sequence(name: &Name, sequence: &Object, out: &mut Vec<Sql>) {
    if sequence.flag("identity") {
        return;
    }
    let unlogged = if sequence.flag("unlogged") { "UNLOGGED " } else { "" };
    let options = sequence_options(sequence);
    let sql =
        format!("CREATE {unlogged}SEQUENCE {} AS {} {options}", name.name, sequence.word("type"));
    out.push(Sql::new(format!("create {name}"), sql));
}

/// The sequence belongs to its column, once its own owner is the table's.
pub(super) fn owned(name: &Name, sequence: &Object, out: &mut Vec<Sql>) {
    if let Some(column) = sequence.text("owned_by").filter(|_| !sequence.flag("identity")) {
        let sql = format!("ALTER SEQUENCE {} OWNED BY {column}", name.name);
        out.push(Sql::new(format!("{name} goes with {column}"), sql));
    }
}

/// Sequences that stay are freed from columns that they leave, which may go and take them along.
pub(super) fn freed(plan: &Plan<'_>, out: &mut Vec<Sql>) {
    for name in plan.alters.iter().filter(|name| name.kind == Kind::Sequence) {
        let (Some(old), Some(new)) = (plan.old(name), plan.new_one(name)) else { continue };
        if new.facts.contains_key("owned_by") && old.text("owned_by") != new.text("owned_by") {
            let sql = format!("ALTER SEQUENCE {} OWNED BY NONE", name.name);
            out.push(Sql::new(format!("{name} stands alone"), sql));
        }
    }
}

/// All parameters of a sequence but its type.
pub(super) fn sequence_options(sequence: &Object) -> String {
    let number = |fact: &str| sequence.number(fact).unwrap_or(1);
    format!(
        "INCREMENT BY {} MINVALUE {} MAXVALUE {} START WITH {} CACHE {} {}",
        number("increment"),
        number("minimum"),
        number("maximum"),
        number("start"),
        number("cache"),
        if sequence.flag("cycle") { "CYCLE" } else { "NO CYCLE" }
    )
}

/// Changes a sequence that stays.
pub(super) fn alter_sequence(name: &Name, old: &Object, new: &Object, out: &mut Vec<Sql>) {
    let differs = |fact: &str| old.facts.get(fact) != new.facts.get(fact);
    let parameters = ["type", "start", "increment", "minimum", "maximum", "cache", "cycle"];
    if parameters.into_iter().any(differs) {
        let kind =
            if differs("type") { format!("AS {} ", old.word("type")) } else { String::new() };
        let sql = format!("ALTER SEQUENCE {} {kind}{}", name.name, sequence_options(old));
        let statement = Sql::new(format!("parameters of {name}"), sql);
        out.push(statement.caution("fails where it stands outside its old bounds"));
    }
    if differs("unlogged") {
        let how = if old.flag("unlogged") { "UNLOGGED" } else { "LOGGED" };
        out.push(Sql::new(
            format!("logging of {name}"),
            format!("ALTER SEQUENCE {} SET {how}", name.name),
        ));
    }
    if differs("owned_by") {
        owned(name, old, out);
    }
}
