//! Owners, privileges and comments: what every kind of object has in the same way.

use super::Sql;
use super::plan::Plan;
use super::text::{literal, target};
use crate::postgres::catalogue::{Catalogue, Name, Object};
use crate::postgres::kind::Kind;
use serde_json::Value;
use std::collections::BTreeSet;

/// What a role was granted, and by whom.
struct Grant {
    to: String,
    by: String,
    privileges: Vec<String>,
}

/// Gives a new object its owner, privileges and comment.
pub(super) fn fresh(plan: &Plan<'_>, name: &Name, object: &Object, out: &mut Vec<Sql>) {
    // The owner of an identity's sequence is its table's.
    if let Some(owner) = object.text("owner").filter(|_| !object.flag("identity")) {
        out.push(Sql::new(
            format!("give {name} to {owner}"),
            format!("ALTER {} OWNER TO {owner}", target(name, object)),
        ));
    }
    let strangers = plan.strangers.clone();
    if object.facts.contains_key("privileges")
        || !strangers.is_empty() && on(name, object).is_some()
    {
        rewrite(name, object, strangers, out);
    }
    if object.facts.contains_key("comment") {
        comment(name, object, out);
    }
}

/// Takes owner, privileges and comment back to what they were.
pub(super) fn changed(
    plan: &Plan<'_>,
    name: &Name,
    old: &Object,
    new: &Object,
    out: &mut Vec<Sql>,
) {
    let differs = |fact: &str| old.facts.get(fact) != new.facts.get(fact);
    // A sequence that belongs to a column has the owner of its table.
    let follows = old.flag("identity")
        || [old, new].iter().all(|object| object.facts.contains_key("owned_by"));
    if let Some(owner) = old.text("owner").filter(|_| differs("owner") && !follows) {
        out.push(Sql::new(
            format!("give {name} back to {owner}"),
            format!("ALTER {} OWNER TO {owner}", target(name, old)),
        ));
    }
    if name.kind == Kind::DefaultPrivileges {
        defaults(name, new, Some(old), out);
    } else if differs("privileges") || differs("owner") && old.facts.contains_key("privileges") {
        let mut held: BTreeSet<String> = grants(new).into_iter().map(|grant| grant.to).collect();
        held.extend(grants(old).into_iter().map(|grant| grant.to));
        rewrite(name, old, held, out);
        if matches!(
            name.kind,
            Kind::Table | Kind::View | Kind::MaterializedView | Kind::ForeignTable
        ) {
            columns_again(plan, name, out);
        }
    }
    if differs("comment") {
        comment(name, old, out);
    }
}

/// Revoking from a table takes the privileges on its columns along; these are granted again.
fn columns_again(plan: &Plan<'_>, table: &Name, out: &mut Vec<Sql>) {
    for part in plan.parts.get(table.name.as_str()).into_iter().flatten() {
        let Some(column) = plan.old(part).filter(|_| part.kind == Kind::Column) else { continue };
        if column.facts.contains_key("privileges")
            && plan.new_one(part).is_some()
            && !plan.alters.contains(part)
        {
            grant(part, column, &grants(column), out);
        }
    }
}

/// Sets the privileges to exactly what the object had, whatever `held` have now.
fn rewrite(name: &Name, object: &Object, held: BTreeSet<String>, out: &mut Vec<Sql>) {
    let Some(on) = on(name, object) else { return };
    let mut roles = held;
    if name.kind != Kind::Column {
        roles.insert("PUBLIC".to_owned());
        roles.extend(object.text("owner").map(str::to_owned));
    }
    if !roles.is_empty() {
        let roles: Vec<String> = roles.into_iter().collect();
        let what = if name.kind == Kind::Column {
            format!("ALL ({})", object.local)
        } else {
            "ALL".to_owned()
        };
        out.push(Sql::new(
            format!("revoke what was granted on {name}"),
            format!("REVOKE {what} ON {on} FROM {} CASCADE", roles.join(", ")),
        ));
    }
    let list = if object.facts.contains_key("privileges") {
        grants(object)
    } else {
        initial(name.kind, object)
    };
    grant(name, object, &list, out);
}

fn grant(name: &Name, object: &Object, grants: &[Grant], out: &mut Vec<Sql>) {
    let Some(on) = on(name, object) else { return };
    let owner = object.text("owner").unwrap_or_default().to_owned();
    // Who passes on a privilege has to have it first.
    let mut grants: Vec<&Grant> = grants.iter().collect();
    grants.sort_by_key(|grant| (grant.by != owner && grant.to != owner, grant.by != owner));
    for entry in grants {
        let foreign = name.kind != Kind::Column
            && !owner.is_empty()
            && entry.by != owner
            && !entry.by.is_empty();
        if foreign {
            out.push(Sql::new(format!("act as {}", entry.by), format!("SET ROLE {}", entry.by)));
        }
        for (suffix, list) in split(&entry.privileges) {
            let list: Vec<String> = match name.kind {
                Kind::Column => {
                    list.iter().map(|one| format!("{one} ({})", object.local)).collect()
                }
                _ => list,
            };
            let list = list.join(", ");
            out.push(Sql::new(
                format!("grant {list} on {name} to {}", entry.to),
                format!("GRANT {list} ON {on} TO {}{suffix}", entry.to),
            ));
        }
        if foreign {
            out.push(Sql::new("act as oneself", "RESET ROLE"));
        }
    }
}

/// Default privileges, from what they are to what they were; absent means as if never set.
pub(super) fn defaults(name: &Name, new: &Object, old: Option<&Object>, out: &mut Vec<Sql>) {
    let schema =
        new.text("schema").map(|schema| format!(" IN SCHEMA {schema}")).unwrap_or_default();
    let (role, on) = (new.word("role"), new.word("on"));
    let head = format!("ALTER DEFAULT PRIVILEGES FOR ROLE {role}{schema}");
    let mut roles: BTreeSet<String> = grants(new).into_iter().map(|grant| grant.to).collect();
    let list = match old {
        Some(old) => grants(old),
        None if schema.is_empty() => {
            let kind = match on {
                "FUNCTIONS" => Kind::Function,
                "TYPES" => Kind::Enum,
                _ => Kind::Table,
            };
            let mut owned = Object { facts: new.facts.clone(), ..new.clone() };
            owned.facts.insert("owner".to_owned(), Value::String(role.to_owned()));
            initial(kind, &owned)
        }
        None => Vec::new(),
    };
    if schema.is_empty() {
        roles.insert("PUBLIC".to_owned());
        roles.insert(role.to_owned());
    }
    if !roles.is_empty() {
        let roles: Vec<String> = roles.into_iter().collect();
        out.push(Sql::new(
            format!("clear {name}"),
            format!("{head} REVOKE ALL ON {on} FROM {}", roles.join(", ")),
        ));
    }
    for entry in list {
        for (suffix, list) in split(&entry.privileges) {
            let list = list.join(", ");
            out.push(Sql::new(
                format!("{name}: grant {list} to {}", entry.to),
                format!("{head} GRANT {list} ON {on} TO {}{suffix}", entry.to),
            ));
        }
    }
}

/// Privileges without and with the option to pass them on.
fn split(privileges: &[String]) -> Vec<(&'static str, Vec<String>)> {
    const OPTION: &str = " WITH GRANT OPTION";
    let plain = privileges.iter().filter(|one| !one.ends_with(OPTION)).cloned().collect::<Vec<_>>();
    let passed: Vec<String> =
        privileges.iter().filter_map(|one| one.strip_suffix(OPTION)).map(str::to_owned).collect();
    let lists = [("", plain), (OPTION, passed)];
    lists.into_iter().filter(|(_, list)| !list.is_empty()).collect()
}

fn grants(object: &Object) -> Vec<Grant> {
    let list = object.facts.get("privileges").and_then(Value::as_array);
    let text = |entry: &Value, field: &str| {
        entry.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let grant = |entry: &Value| {
        let privileges = entry.get("privileges").and_then(Value::as_array);
        let privileges =
            privileges.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        Grant { to: text(entry, "to"), by: text(entry, "by"), privileges }
    };
    list.into_iter().flatten().map(grant).collect()
}

/// What an object has from the start: all for its owner, and use of what everybody may use.
fn initial(kind: Kind, object: &Object) -> Vec<Grant> {
    let everybody = match kind {
        Kind::Function | Kind::Procedure | Kind::Aggregate => Some("EXECUTE"),
        Kind::Enum
        | Kind::Domain
        | Kind::CompositeType
        | Kind::Range
        | Kind::BaseType
        | Kind::Language => Some("USAGE"),
        _ => None,
    };
    let owner = object.text("owner").unwrap_or_default();
    let grant = |to: &str, what: &str| Grant {
        to: to.to_owned(),
        by: owner.to_owned(),
        privileges: vec![what.to_owned()],
    };
    let own = (!owner.is_empty()).then(|| grant(owner, "ALL"));
    own.into_iter().chain(everybody.map(|what| grant("PUBLIC", what))).collect()
}

/// The roles that get something on every new object.
pub(super) fn granted_at_creation(after: &Catalogue) -> BTreeSet<String> {
    let defaults = after.objects.iter().filter(|(name, _)| name.kind == Kind::DefaultPrivileges);
    defaults.flat_map(|(_, object)| grants(object)).map(|grant| grant.to).collect()
}

/// How GRANT names the object, if anything can be granted on it.
fn on(name: &Name, object: &Object) -> Option<String> {
    Some(match name.kind {
        Kind::Table | Kind::ForeignTable | Kind::View | Kind::MaterializedView => {
            format!("TABLE {}", name.name)
        }
        Kind::Column => format!("TABLE {}", object.of.as_deref()?),
        Kind::Sequence => format!("SEQUENCE {}", name.name),
        Kind::Function | Kind::Procedure => format!("{} {}", name.kind.sql(), name.name),
        Kind::Aggregate => format!("FUNCTION {}", name.name.replace("(*)", "()")),
        Kind::Enum | Kind::CompositeType | Kind::Range | Kind::BaseType => {
            format!("TYPE {}", name.name)
        }
        Kind::Domain => format!("DOMAIN {}", name.name),
        Kind::Schema => format!("SCHEMA {}", name.name),
        Kind::Language => format!("LANGUAGE {}", name.name),
        Kind::ForeignDataWrapper => format!("FOREIGN DATA WRAPPER {}", name.name),
        Kind::Server => format!("FOREIGN SERVER {}", name.name),
        _ => return None,
    })
}

fn comment(name: &Name, object: &Object, out: &mut Vec<Sql>) {
    let text = object.text("comment").map_or_else(|| "NULL".to_owned(), literal);
    out.push(Sql::new(
        format!("comment on {name}"),
        format!("COMMENT ON {} IS {text}", target(name, object)),
    ));
}
