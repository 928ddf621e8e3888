//! What a run renamed gets its old name back, before anything is compared by name. What stands on
//! that name meanwhile is set aside under another.

use super::ABOUT;
use crate::postgres::catalogue::{Catalogue, Name, Object};
use crate::postgres::connection::Connection;
use crate::postgres::kind::Kind;
use crate::postgres::own::{Delta, Renamed, RenamedLabel};
use crate::postgres::snapshot::Identities;
use crate::postgres::trouble::PostgresError;
use crate::sql::literal;
use std::collections::BTreeMap;

/// How things are called that had to make way.
const ASIDE: &str = "ripcord_aside_";

/// What has to get its old name back: whatever the run renamed, and a script that was to take the
/// run back did not name as it was, known by the numbers it had before that script.
pub(crate) fn to_rename(
    delta: &Delta,
    before_script: &Identities,
    now: &Identities,
) -> Vec<Renamed> {
    let old = |name: &Name| {
        let one = delta.renamed.iter().find(|one| one.to == *name);
        one.map_or(name, |one| &one.from).clone()
    };
    let mut list: Vec<Renamed> = before_script
        .objects
        .iter()
        .filter_map(|(place, name)| {
            let (from, to) = (old(name), now.objects.get(place)?.clone());
            (from != to).then_some(Renamed { from, to })
        })
        .collect();
    // A whole comes before what is part of it.
    list.sort_by(|one, other| one.from.cmp(&other.from));
    list
}

/// Gives back the names that the run changed and nobody changed since.
pub(crate) fn rename_back(
    connection: &mut Connection,
    (renamed, fresh): (&[Renamed], &[Name]),
    labels: &[RenamedLabel],
    now: &Catalogue,
    target: &Catalogue,
) -> Result<(), PostgresError> {
    for statement in statements((renamed, fresh), labels, now, target) {
        connection.run(ABOUT, &statement)?;
    }
    Ok(())
}

/// Columns that the run made under names that other columns had, as they are called now. They are
/// no older form of those, and go as they came.
pub(crate) fn in_place_of_others(
    delta: &Delta,
    before_script: &Identities,
    now: &Identities,
) -> Vec<Name> {
    let fresh = before_script.objects.iter().filter(|(_, name)| delta.fresh.contains(name));
    fresh.filter_map(|(place, _)| now.objects.get(place).cloned()).collect()
}

fn statements(
    (renamed, fresh): (&[Renamed], &[Name]),
    labels: &[RenamedLabel],
    now: &Catalogue,
    target: &Catalogue,
) -> Vec<String> {
    let mut way = Way { now, sql: Vec::new(), moved: BTreeMap::new() };
    for name in fresh {
        way.put_aside(name);
    }
    for one in renamed {
        if let (Some(old), Some(new)) = (target.objects.get(&one.from), now.objects.get(&one.to)) {
            way.back(one, old, new);
        }
    }
    for label in labels {
        let name = Name { kind: Kind::Enum, name: label.type_name.clone() };
        let had = target
            .objects
            .get(&name)
            .is_some_and(|old| old.list("labels").contains(&label.from.as_str()));
        let called = renamed.iter().find(|one| one.from == name).map_or(&name, |one| &one.to);
        let has = now.objects.get(called).is_some_and(|new| {
            let labels = new.list("labels");
            labels.contains(&label.to.as_str()) && !labels.contains(&label.from.as_str())
        });
        if had && has {
            way.sql.push(format!(
                "ALTER TYPE {} RENAME VALUE {} TO {}",
                label.type_name,
                literal(&label.to),
                literal(&label.from)
            ));
        }
    }
    way.sql
}

struct Way<'a> {
    now: &'a Catalogue,
    sql: Vec<String>,
    /// The own names that things bear meanwhile because theirs was wanted.
    moved: BTreeMap<&'a Name, String>,
}

impl<'a> Way<'a> {
    fn back(&mut self, one: &'a Renamed, old: &Object, new: &'a Object) {
        let kind = one.to.kind;
        if matches!(kind, Kind::Default) || old.flag("inherited") {
            return;
        }
        let (wanted, has) = (&old.local, self.moved.get(&one.to).unwrap_or(&new.local).clone());
        let to_schema = schema(&one.from, old);
        let moves = old.of.is_none()
            && kind != Kind::Schema
            && to_schema != self.schema_now(schema(&one.to, new), &one.from)
            && !new.facts.contains_key("owned_by");
        if *wanted == has && !moves {
            return;
        }
        // Partitions' columns and constraints follow those of the parent.
        if old.text("partition_of").is_some() && matches!(kind, Kind::Constraint) {
            return;
        }
        self.make_way(&one.from, &one.to);
        let place = if moves { schema(&one.to, new) } else { to_schema };
        if *wanted != has {
            let (head, tail) = target(&one.from, old, place, &has);
            self.sql.push(format!("{head} RENAME {tail} TO {wanted}"));
        }
        if moves {
            let (head, _) = target(&one.from, old, place, wanted);
            self.sql.push(format!("{head} SET SCHEMA {to_schema}"));
        }
        // Its place is free from here on.
        self.moved.insert(&one.to, wanted.clone());
    }

    /// The schema's name by now, after schemas got theirs back.
    fn schema_now<'s>(&self, schema: &'s str, from: &'s Name) -> &'s str {
        let renamed = self.sql.iter().any(|sql| {
            sql.starts_with(&format!("ALTER SCHEMA {schema} RENAME"))
                && from.name.starts_with(sql.rsplit(' ').next().unwrap_or_default())
        });
        if renamed { from.name.split('.').next().unwrap_or(schema) } else { schema }
    }

    /// Whatever bears the name that is wanted bears another from now on.
    fn make_way(&mut self, wanted: &Name, except: &Name) {
        let holder = self
            .now
            .objects
            .get_key_value(wanted)
            .filter(|(name, _)| *name != except && !self.moved.contains_key(name));
        let Some((name, _)) = holder else { return };
        self.put_aside(name);
    }

    /// Something bears another name from now on.
    fn put_aside(&mut self, name: &Name) {
        let Some((name, object)) = self.now.objects.get_key_value(name) else { return };
        // A parent's column takes those of its children along.
        if object.flag("inherited") {
            return;
        }
        let other = format!("{ASIDE}{}", self.moved.len() + 1);
        let (head, tail) = target(name, object, schema(name, object), &object.local);
        self.sql.push(format!("{head} RENAME {tail} TO {other}"));
        self.moved.insert(name, other);
    }
}

/// The schema of something, or the whole that it is part of.
fn schema<'a>(name: &'a Name, object: &Object) -> &'a str {
    let base = name.name.split('(').next().unwrap_or_default();
    base.strip_suffix(object.local.as_str()).unwrap_or(base).trim_end_matches('.')
}

/// How ALTER names something by what it is part of and its own name.
fn target(name: &Name, object: &Object, schema: &str, local: &str) -> (String, String) {
    let of = object.of.as_deref().unwrap_or_default();
    match name.kind {
        Kind::Schema | Kind::Extension | Kind::Server | Kind::EventTrigger | Kind::Publication => {
            (format!("ALTER {} {local}", name.kind.sql()), String::new())
        }
        Kind::Column => (format!("ALTER TABLE {of}"), format!("COLUMN {local}")),
        Kind::Attribute => (format!("ALTER TYPE {of}"), format!("ATTRIBUTE {local}")),
        Kind::Constraint => (format!("ALTER TABLE {of}"), format!("CONSTRAINT {local}")),
        Kind::DomainConstraint => (format!("ALTER DOMAIN {of}"), format!("CONSTRAINT {local}")),
        Kind::Trigger | Kind::Policy | Kind::Rule => {
            (format!("ALTER {} {local} ON {of}", name.kind.sql()), String::new())
        }
        Kind::Function | Kind::Procedure | Kind::Aggregate => {
            let shape = name.name.find('(').map_or("", |at| &name.name[at..]);
            (format!("ALTER {} {schema}.{local}{shape}", name.kind.sql()), String::new())
        }
        _ => (format!("ALTER {} {schema}.{local}", name.kind.sql()), String::new()),
    }
}
