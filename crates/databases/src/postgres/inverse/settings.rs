//! What tables, views, indexes and the like have beside their definition.

use super::Sql;
use super::text::{changed_options, parameter_names, parameters};
use crate::postgres::catalogue::{Name, Object};
use crate::postgres::kind::Kind;

/// Settings of a relation, from what they are to what they were; absent for one just made, whose
/// definition has brought its options along.
pub(super) fn relation(name: &Name, old: &Object, new: Option<&Object>, out: &mut Vec<Sql>) {
    let table = format!("ALTER {} {}", name.kind.sql(), name.name);
    let differs = |fact: &str| old.facts.get(fact) != new.and_then(|new| new.facts.get(fact));
    let mut set = |what: &str, sql: &str| {
        out.push(Sql::new(format!("{what} of {name}"), format!("{table} {sql}")));
    };
    if let Some(new) = new {
        if differs("unlogged") {
            set("logging", if old.flag("unlogged") { "SET UNLOGGED" } else { "SET LOGGED" });
        }
        if differs("options") {
            let (from, to) = (new.list("options"), old.list("options"));
            if !from.is_empty() {
                set("options", &format!("RESET ({})", parameter_names(&from)));
            }
            if !to.is_empty() {
                set("options", &format!("SET ({})", parameters(&to)));
            }
        }
        if differs("tablespace") {
            set(
                "tablespace",
                &format!("SET TABLESPACE {}", old.text("tablespace").unwrap_or("pg_default")),
            );
        }
        if differs("access_method") {
            set(
                "access method",
                &format!("SET ACCESS METHOD {}", old.text("access_method").unwrap_or("heap")),
            );
        }
        if let Some(options) =
            changed_options(&new.pairs("foreign_options"), &old.pairs("foreign_options"))
        {
            set("foreign options", &options);
        }
    }
    if differs("row_security") {
        let verb = if old.flag("row_security") { "ENABLE" } else { "DISABLE" };
        set("row security", &format!("{verb} ROW LEVEL SECURITY"));
    }
    if differs("force_row_security") {
        let verb = if old.flag("force_row_security") { "FORCE" } else { "NO FORCE" };
        set("row security", &format!("{verb} ROW LEVEL SECURITY"));
    }
    if differs("replica_identity") {
        let identity = old.text("replica_identity").unwrap_or("default").to_uppercase();
        set("replica identity", &format!("REPLICA IDENTITY {identity}"));
    }
}

/// Settings of an index, or of the index behind a constraint.
pub(super) fn index(name: &Name, old: &Object, new: Option<&Object>, out: &mut Vec<Sql>) {
    let of = old.of.as_deref().unwrap_or_default();
    let differs = |fact: &str| old.facts.get(fact) != new.and_then(|new| new.facts.get(fact));
    let index = index_name(name, old);
    if differs("clustered") {
        let sql = if old.flag("clustered") {
            format!("ALTER TABLE {of} CLUSTER ON {}", old.local)
        } else {
            format!("ALTER TABLE {of} SET WITHOUT CLUSTER")
        };
        out.push(Sql::new(format!("clustering on {name}"), sql));
    }
    if differs("replica_identity") {
        let sql = if old.flag("replica_identity") {
            format!("ALTER TABLE {of} REPLICA IDENTITY USING INDEX {}", old.local)
        } else {
            format!("ALTER TABLE {of} REPLICA IDENTITY DEFAULT")
        };
        out.push(Sql::new(format!("replica identity by {name}"), sql));
    }
    if differs("tablespace") {
        let sql = format!(
            "ALTER INDEX {index} SET TABLESPACE {}",
            old.text("tablespace").unwrap_or("pg_default")
        );
        out.push(Sql::new(format!("tablespace of {name}"), sql));
    }
    if differs("statistics") {
        let (was, is) =
            (old.pairs("statistics"), new.map(|new| new.pairs("statistics")).unwrap_or_default());
        for column in was.keys().chain(is.keys().filter(|column| !was.contains_key(*column))) {
            let target = was.get(column).map_or("-1", String::as_str);
            let sql = format!("ALTER INDEX {index} ALTER COLUMN {column} SET STATISTICS {target}");
            out.push(Sql::new(format!("statistics target of {name}"), sql));
        }
    }
    if differs("index_comment") {
        let text =
            old.text("index_comment").map_or_else(|| "NULL".to_owned(), super::text::literal);
        out.push(Sql::new(
            format!("comment on the index of {name}"),
            format!("COMMENT ON INDEX {index} IS {text}"),
        ));
    }
}

/// The qualified name of an index, or of the index behind a constraint: it is in the schema of
/// its table.
pub(super) fn index_name(name: &Name, object: &Object) -> String {
    if name.kind == Kind::Index {
        return name.name.clone();
    }
    let of = object.of.as_deref().unwrap_or_default();
    format!("{}{}", schema_of(of), object.local)
}

/// The schema of a qualified name, with its dot.
fn schema_of(name: &str) -> &str {
    let mut quoted = false;
    for (at, character) in name.char_indices() {
        match character {
            '"' => quoted = !quoted,
            '.' if !quoted => return &name[..=at],
            _ => {}
        }
    }
    ""
}

/// Whether a trigger or rule fires.
pub(super) fn enabled(name: &Name, old: &Object, out: &mut Vec<Sql>) {
    let verb = match old.text("enabled") {
        None => "ENABLE",
        Some("disabled") => "DISABLE",
        Some("replica") => "ENABLE REPLICA",
        Some(_) => "ENABLE ALWAYS",
    };
    let sql = match name.kind {
        Kind::EventTrigger => format!("ALTER EVENT TRIGGER {} {verb}", name.name),
        kind => {
            let of = old.of.as_deref().unwrap_or_default();
            format!("ALTER TABLE ONLY {of} {verb} {} {}", kind.sql(), old.local)
        }
    };
    out.push(Sql::new(format!("{} {name}", verb.to_lowercase()), sql));
}

#[cfg(test)]
mod tests {
    use super::schema_of;

    #[test]
    fn schemas_of_names() {
        assert_eq!(schema_of("public.orders"), "public.");
        assert_eq!(schema_of("\"a.b\"\"c.d\".\"e.f\""), "\"a.b\"\"c.d\".");
    }
}
