//! Reading a catalogue: a handful of questions over whole catalogues of the server, in one
//! transaction, asked again when somebody changed a definition meanwhile. It reads definitions
//! only, never rows, and needs no privilege beyond connecting.

use crate::postgres::canonical::canonical;
use crate::postgres::catalogue::{Catalogue, FORMAT, Name, Object};
use crate::postgres::connection::{Connection, Row};
use crate::postgres::kind::Kind;
use crate::postgres::trouble::PostgresError;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Which schemas to look at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// Their names, unquoted; empty for all, and for what belongs to no schema.
    pub schemas: Vec<String>,
}

/// How often a schema that keeps changing is read before giving up.
const ATTEMPTS_MAX: u32 = 5;

/// How many parts may lie between what a dependency names and the object that it means.
const ALIASES_MAX: u32 = 4;

/// Ripcord's own schema.
const OWN: &str = "ripcord";

/// Where an object's rows are kept in the server's catalogues: catalogue, row, column.
pub(crate) type Address = (u32, u32, i32);

/// Which object has which number in the server's catalogues. A number outlives a change of name,
/// which is how renaming something is told from dropping it and making another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Identities {
    /// The objects.
    pub(crate) objects: BTreeMap<Address, Name>,
    /// The labels of enums: the type's name, and the label.
    pub(crate) labels: BTreeMap<u32, (String, String)>,
}

/// The objects of each question, and what it is about.
const QUESTIONS: [(&str, &str); 9] = [
    ("schemas and extensions", include_str!("queries/global.sql")),
    ("relations", include_str!("queries/relations.sql")),
    ("columns", include_str!("queries/columns.sql")),
    ("indexes and constraints", include_str!("queries/indexes.sql")),
    ("triggers, rules and policies", include_str!("queries/attached.sql")),
    ("types", include_str!("queries/types.sql")),
    ("routines", include_str!("queries/routines.sql")),
    ("text search", include_str!("queries/search.sql")),
    ("foreign data and publications", include_str!("queries/remote.sql")),
];

/// The schema as it is.
///
/// # Errors
///
/// The server cannot be asked, a schema of the scope does not exist, or definitions change faster
/// than they can be read.
pub fn snapshot(connection: &mut Connection, scope: &Scope) -> Result<Catalogue, PostgresError> {
    for _ in 0..ATTEMPTS_MAX {
        connection.run("schema", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
        let read = fingerprint(connection).and_then(|mark| Ok((mark, Reading::read(connection)?)));
        connection.run("schema", "ROLLBACK")?;
        // The server deparses definitions as they are now, not as they were when the transaction
        // began, so what was read counts only if nothing was changed until after the last of it.
        let now = fingerprint(connection)?;
        match read {
            Ok((before, reading)) if before == now => return reading.finish(connection, scope),
            // Changed, or dropped under our hands: both are cured by looking again.
            Err(error) if !is_passing(&error) => return Err(error),
            _ => {}
        }
    }
    let place = connection.place().to_owned();
    Err(PostgresError::Restless { place, times: ATTEMPTS_MAX })
}

/// What a session of the user's has to be set to while its schema is read, and undone after.
const LOOK: &str = "SAVEPOINT ripcord_look; SET LOCAL search_path = ''; SET LOCAL quote_all_identifiers = off; \
    SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = 'postgres'; SET LOCAL extra_float_digits = 1; \
    SET LOCAL bytea_output = 'hex'; SET LOCAL TimeZone = 'UTC'";

/// The schema as the open transaction sees it, its own changes included.
///
/// # Errors
///
/// As [`snapshot`]. The transaction stays usable unless the connection is lost.
pub(crate) fn snapshot_here(
    connection: &mut Connection,
    scope: &Scope,
) -> Result<(Catalogue, Identities), PostgresError> {
    for _ in 0..ATTEMPTS_MAX {
        connection.run("schema", LOOK)?;
        let read = fingerprint(connection).and_then(|mark| Ok((mark, Reading::read(connection)?)));
        let again = read.and_then(|(mark, reading)| {
            let same = fingerprint(connection)? == mark;
            Ok(same.then_some((reading, labels(connection)?)))
        });
        connection
            .run("schema", "ROLLBACK TO SAVEPOINT ripcord_look; RELEASE SAVEPOINT ripcord_look")?;
        match again {
            Ok(Some((reading, labels))) => {
                let objects = reading.names.iter().map(|(at, name)| (*at, name.clone())).collect();
                let catalogue = reading.finish(connection, scope)?;
                return Ok((catalogue, Identities { objects, labels }));
            }
            Err(error) if !is_passing(&error) => return Err(error),
            _ => {}
        }
    }
    let place = connection.place().to_owned();
    Err(PostgresError::Restless { place, times: ATTEMPTS_MAX })
}

/// The labels of all enums of users, by their numbers.
fn labels(connection: &mut Connection) -> Result<BTreeMap<u32, (String, String)>, PostgresError> {
    let sql = "SELECT e.oid, format('%I.%I', n.nspname, t.typname), e.enumlabel FROM pg_catalog.pg_enum e \
               JOIN pg_catalog.pg_type t ON t.oid = e.enumtypid \
               JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace";
    let rows = connection.rows("labels of enums", sql)?;
    let label = |row: Row| {
        let [number, name, label] = <[Option<String>; 3]>::try_from(row).ok()?;
        Some((number?.parse().ok()?, (name?, label?)))
    };
    Ok(rows.into_iter().filter_map(label).collect())
}

/// Whether the server only stumbled over something that was dropped while it was looked at.
fn is_passing(error: &PostgresError) -> bool {
    matches!(error, PostgresError::Query { why, .. }
        if why.contains("(SQLSTATE XX000)") || why.contains("(SQLSTATE 42"))
}

fn fingerprint(connection: &mut Connection) -> Result<Row, PostgresError> {
    let rows = connection.rows("last change", include_str!("queries/fingerprint.sql"))?;
    Ok(rows.into_iter().next().unwrap_or_default())
}

/// What one look brought, before names replace numbers.
#[derive(Default)]
struct Reading {
    found: BTreeMap<Name, Object>,
    schemas: HashMap<Name, Option<String>>,
    names: HashMap<Address, Name>,
    aliases: HashMap<(u32, u32), Address>,
    dependencies: Vec<(Address, Address)>,
    hidden_options: Vec<String>,
}

impl Reading {
    fn read(connection: &mut Connection) -> Result<Reading, PostgresError> {
        let mut reading = Reading::default();
        for (about, question) in QUESTIONS {
            let sql = for_version(question, connection.version());
            for row in connection.rows(about, &sql)? {
                reading.object(row).map_err(|what| unexpected(connection, about, what))?;
            }
        }
        let about = "dependencies";
        let sql = for_version(include_str!("queries/aliases.sql"), connection.version());
        for row in connection.rows(about, &sql)? {
            let fields = numbers(&row).map_err(|what| unexpected(connection, about, what))?;
            let [class, row, to_class, to_row, column] = fields[..] else { continue };
            reading
                .aliases
                .insert((unsigned(class), unsigned(row)), address(to_class, to_row, column));
        }
        for row in connection.rows(about, include_str!("queries/dependencies.sql"))? {
            let fields = numbers(&row).map_err(|what| unexpected(connection, about, what))?;
            let [class, row, column, to_class, to_row, to_column] = fields[..] else { continue };
            let edge = (address(class, row, column), address(to_class, to_row, to_column));
            reading.dependencies.push(edge);
        }
        reading.comments_and_privileges(connection)?;
        Ok(reading)
    }

    /// Takes in one object.
    fn object(&mut self, row: Row) -> Result<(), String> {
        let [kind, class, oid, column, schema, name, of, local, facts] =
            <[Option<String>; 9]>::try_from(row).map_err(|row| format!("{} fields", row.len()))?;
        let text = |field: Option<String>, which: &str| field.ok_or_else(|| format!("no {which}"));
        let kind: Kind = serde_json::from_value(Value::String(text(kind, "kind")?))
            .map_err(|error| error.to_string())?;
        let name = Name { kind, name: text(name, "name")? };
        let mut facts: BTreeMap<String, Value> =
            serde_json::from_str(&text(facts, "facts")?).map_err(|error| error.to_string())?;
        if !matches!(kind, Kind::Function | Kind::Procedure) {
            for fact in facts.values_mut() {
                if let Value::String(text) = fact {
                    *text = canonical(text);
                }
            }
        }
        if kind == Kind::UserMapping && !facts.contains_key("option_names") {
            self.hidden_options.push(name.name.clone());
        }
        let fields = numbers(&[class, oid, column])?;
        self.names.insert(address(fields[0], fields[1], fields[2]), name.clone());
        self.schemas.insert(name.clone(), schema);
        let object =
            Object { of, local: text(local, "name of its own")?, facts, requires: BTreeSet::new() };
        self.found.insert(name, object);
        Ok(())
    }

    fn comments_and_privileges(
        &mut self,
        connection: &mut Connection,
    ) -> Result<(), PostgresError> {
        let about = "comments";
        for row in connection.rows(about, include_str!("queries/comments.sql"))? {
            let fields = numbers(&row[..3]).map_err(|what| unexpected(connection, about, what))?;
            let comment = row.get(3).cloned().flatten().map(Value::String);
            self.fact(address(fields[0], fields[1], fields[2]), "comment", comment);
        }
        let about = "privileges";
        for row in connection.rows(about, include_str!("queries/privileges.sql"))? {
            let fields = numbers(&row[..3]).map_err(|what| unexpected(connection, about, what))?;
            let place = address(fields[0], fields[1], fields[2]);
            self.fact(place, "owner", row.get(3).cloned().flatten().map(Value::String));
            let Some(entries) = row.get(4).cloned().flatten() else { continue };
            let entries = serde_json::from_str(&entries)
                .map_err(|error| unexpected(connection, about, error.to_string()))?;
            self.fact(place, "privileges", Some(entries));
        }
        Ok(())
    }

    /// Adds a fact to the object of exactly this address, or of the type that is a relation.
    fn fact(&mut self, place: Address, fact: &str, value: Option<Value>) {
        let exact = self.names.get(&place).or_else(|| {
            self.aliases
                .get(&(place.0, place.1))
                .and_then(|alias| self.names.get(alias))
                .filter(|name| name.kind == Kind::CompositeType)
        });
        if let (Some(value), Some(object)) =
            (value, exact.and_then(|name| self.found.get_mut(name)))
        {
            object.facts.insert(fact.to_owned(), value);
        }
    }

    /// The object that this address means: itself, what it is a part of, or the whole of it.
    fn resolve(&self, place: Address) -> Option<&Name> {
        let mut place = place;
        for _ in 0..ALIASES_MAX {
            if let Some(name) =
                self.names.get(&place).or_else(|| self.names.get(&(place.0, place.1, 0)))
            {
                return Some(name);
            }
            place = *self.aliases.get(&(place.0, place.1))?;
        }
        None
    }

    fn finish(
        mut self,
        connection: &Connection,
        scope: &Scope,
    ) -> Result<Catalogue, PostgresError> {
        let known = |schema: &String| self.schemas.values().flatten().any(|found| found == schema);
        if let Some(schema) = scope.schemas.iter().find(|schema| !known(schema)) {
            let place = connection.place().to_owned();
            return Err(PostgresError::NoSchema { place, schema: schema.clone() });
        }
        let edges: Vec<(Name, Name)> = self
            .dependencies
            .iter()
            .filter_map(|(from, to)| {
                Some((self.resolve(*from)?.clone(), self.resolve(*to)?.clone()))
            })
            .chain(self.containment())
            .collect();
        let schemas = std::mem::take(&mut self.schemas);
        let inside = |name: &Name| {
            scope.schemas.is_empty()
                || schemas
                    .get(name)
                    .and_then(Option::as_ref)
                    .is_some_and(|schema| scope.schemas.contains(schema))
        };
        self.found.retain(|name, _| inside(name));
        for (from, to) in edges {
            let there = from != to && self.found.contains_key(&to);
            if let Some(object) = self.found.get_mut(&from).filter(|_| there) {
                object.requires.insert(to);
            }
        }
        let mut schemas = scope.schemas.clone();
        schemas.sort();
        schemas.dedup();
        Ok(Catalogue {
            format: FORMAT,
            server: connection.version_words().to_owned(),
            schemas,
            unseen: self.unseen(),
            objects: self.found,
        })
    }

    /// Everything needs what it is part of; columns and defaults have no rows that say so.
    fn containment(&self) -> Vec<(Name, Name)> {
        let wholes: HashMap<&str, &Name> = self
            .found
            .keys()
            .filter(|name| name.kind.family() == Some("relation") && name.kind != Kind::Index)
            .map(|name| (name.name.as_str(), name))
            .collect();
        let whole = |(name, object): (&Name, &Object)| {
            let to = match name.kind {
                Kind::Default => Name { kind: Kind::Column, name: name.name.clone() },
                Kind::Sequence | Kind::UserMapping => return None,
                _ => (*wholes.get(object.of.as_deref()?)?).clone(),
            };
            Some((name.clone(), to))
        };
        self.found.iter().filter_map(whole).collect()
    }

    fn unseen(&self) -> Vec<String> {
        let count = |kind: Kind| self.found.keys().filter(|name| name.kind == kind).count();
        let mut unseen = Vec::new();
        if count(Kind::UserMapping) > 0 {
            unseen
                .push("the values of the options of user mappings: they hold passwords".to_owned());
        }
        for name in &self.hidden_options {
            unseen.push(format!(
                "the options of user mapping {name}: this user may not see them, or there are none"
            ));
        }
        if count(Kind::Subscription) > 0 {
            unseen.push("the connection strings of subscriptions: they hold passwords".to_owned());
        }
        unseen
    }
}

fn unexpected(connection: &Connection, about: &'static str, what: String) -> PostgresError {
    PostgresError::Answer { place: connection.place().to_owned(), about, what }
}

fn address(class: i64, row: i64, column: i64) -> Address {
    (unsigned(class), unsigned(row), i32::try_from(column).unwrap_or(0))
}

/// Numbers of rows are unsigned and 32 bits long.
fn unsigned(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

fn numbers(fields: &[Option<String>]) -> Result<Vec<i64>, String> {
    let number = |field: &Option<String>| {
        let text = field.as_deref().unwrap_or("NULL");
        text.parse().map_err(|_| format!("{text} is not a number"))
    };
    fields.iter().map(number).collect()
}

/// A question as this version of the server understands it.
fn for_version(question: &str, version: u32) -> String {
    let (table, schemas, aliases) = if version >= 150_000 {
        (
            "format('ONLY %I.%I', tn.nspname, t.relname) || coalesce(' (' || (SELECT string_agg(quote_ident(a.attname), ', ' \
             ORDER BY a.attname) FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attnum = ANY (r.prattrs)) || ')', '') \
             || coalesce(' WHERE (' || pg_get_expr(r.prqual, r.prrelid) || ')', '')",
            "(SELECT jsonb_agg(quote_ident(pn.nspname) ORDER BY pn.nspname) FROM pg_publication_namespace ps \
             JOIN pg_namespace pn ON pn.oid = ps.pnnspid WHERE ps.pnpubid = p.oid)",
            "UNION ALL SELECT 'pg_publication_namespace'::regclass, oid, 'pg_publication'::regclass, pnpubid, 0 \
             FROM pg_publication_namespace",
        )
    } else {
        ("format('ONLY %I.%I', tn.nspname, t.relname)", "NULL::jsonb", "")
    };
    question
        .replace(
            "{loose_members}",
            &members("jsonb_agg(member ORDER BY member)", "pg_opfamily", "f.oid"),
        )
        .replace(
            "{class_members}",
            &members("string_agg(member, ', ' ORDER BY member)", "pg_opclass", "o.oid"),
        )
        .replace("{publication_table}", table)
        .replace("{publication_schemas}", schemas)
        .replace("{publication_aliases}", aliases)
        .replace(
            "{user_namespace}",
            &format!("n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', '{OWN}')"),
        )
}

/// The operators and functions that belong to an operator class or family.
fn members(aggregate: &str, class: &str, row: &str) -> String {
    format!(
        "(SELECT {aggregate} FROM (SELECT format('OPERATOR %s %I.%s(%s, %s)', m.amopstrategy, mn.nspname, mo.oprname, \
         m.amoplefttype::regtype, m.amoprighttype::regtype) || coalesce(' FOR ORDER BY ' || (SELECT format('%I.%I', sn.nspname, \
         sf.opfname) FROM pg_opfamily sf JOIN pg_namespace sn ON sn.oid = sf.opfnamespace WHERE sf.oid = m.amopsortfamily), '') \
         AS member FROM pg_depend md JOIN pg_amop m ON m.oid = md.objid JOIN pg_operator mo ON mo.oid = m.amopopr \
         JOIN pg_namespace mn ON mn.oid = mo.oprnamespace WHERE md.classid = 'pg_amop'::regclass \
         AND md.refclassid = '{class}'::regclass AND md.refobjid = {row} UNION ALL \
         SELECT format('FUNCTION %s (%s, %s) %s', m.amprocnum, m.amproclefttype::regtype, m.amprocrighttype::regtype, \
         m.amproc::regprocedure) FROM pg_depend md JOIN pg_amproc m ON m.oid = md.objid \
         WHERE md.classid = 'pg_amproc'::regclass AND md.refclassid = '{class}'::regclass AND md.refobjid = {row}) AS member)"
    )
}
