//! Hiding: what a statement would drop is renamed and moved aside, which takes the same time
//! whatever it holds. Tables go into Ripcord's own schema; columns stay where they are, under
//! another name and without demands. Everything else becomes what the statement as written would
//! have made of it: that was tried out and taken back a moment before.
//!
//! Nothing here copies rows, and nothing here decides what is to be hidden.

use crate::postgres::catalogue::{Catalogue, Name, Object};
use crate::postgres::connection::Connection;
use crate::postgres::diff::diff;
use crate::postgres::inverse::way_back;
use crate::postgres::keep::{Inventory, Keeper, Lost, Table};
use crate::postgres::kind::Kind;
use crate::postgres::own::{HiddenName, Kept, KeptItem};
use crate::postgres::script::Step;
use crate::postgres::snapshot::{Scope, snapshot_here};
use crate::postgres::trouble::PostgresError;
use crate::sql::literal;
use crate::statement::Statement;
use ripcord_core::schema::{Counted, Unit};
use std::collections::BTreeSet;

const ABOUT: &str = "hidden data";

/// What hidden things are called, before the numbers of the run and of the thing.
pub(crate) const PREFIX: &str = "ripcord_hidden_";

/// What a statement does as written.
pub(crate) struct Trial {
    /// What there was before it.
    pub(crate) before: Inventory,
    /// What there is after it.
    pub(crate) after: Inventory,
    /// The schema after it.
    pub(crate) catalogue: Catalogue,
}

/// What came of hiding.
#[derive(Debug, Default)]
pub(crate) struct Hid {
    /// What is hidden.
    pub(crate) hidden: Vec<Counted>,
    /// What else to know.
    pub(crate) notes: Vec<String>,
}

impl Trial {
    /// The tables that are missing after it, roots of partitioned ones included.
    fn tables(&self) -> Vec<u32> {
        self.before.tables_missing(&self.after)
    }

    /// The columns that are missing of tables that stay.
    fn columns(&self) -> Vec<(u32, Vec<i32>)> {
        let columns = |lost| match lost {
            Lost::Columns(oid, numbers) => Some((oid, numbers)),
            _ => None,
        };
        self.before.lost(&self.after).into_iter().filter_map(columns).collect()
    }

    /// Why what it drops cannot be hidden; none when it can.
    pub(crate) fn hindrance(
        &self,
        connection: &mut Connection,
        known: &Inventory,
    ) -> Result<Option<String>, PostgresError> {
        let (tables, columns) = (self.tables(), self.columns());
        if tables.is_empty() && columns.is_empty() {
            return Ok(Some("it drops nothing that is there".to_owned()));
        }
        let fresh = |oid: &u32| !known.is_table(*oid);
        if tables.iter().any(fresh) || columns.iter().any(|(oid, _)| fresh(oid)) {
            return Ok(Some("the same script made it".to_owned()));
        }
        // Whoever leaves what it inherits from comes back as something that has all of it by itself.
        for oid in &tables {
            let sql = format!(
                "SELECT 1 FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c \
                 ON c.oid = i.inhparent WHERE c.relkind <> 'p' AND i.inhrelid = {oid}"
            );
            if !connection.rows(ABOUT, &sql)?.is_empty() {
                return Ok(Some("it inherits from another table".to_owned()));
            }
        }
        for (oid, numbers) in &columns {
            let list: Vec<String> = numbers.iter().map(ToString::to_string).collect();
            let sql = format!(
                "SELECT 1 FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON \
                 c.oid = i.inhparent WHERE c.relkind <> 'p' AND {oid} IN (i.inhrelid, i.inhparent) \
                 UNION ALL SELECT 1 FROM pg_catalog.pg_attribute a WHERE a.attrelid = {oid} \
                 AND a.attnum IN ({}) HAVING pg_catalog.bool_and(a.attgenerated <> '')",
                list.join(", ")
            );
            if !connection.rows(ABOUT, &sql)?.is_empty() {
                let why = "its table inherits or is inherited from, or its values are computed";
                return Ok(Some(why.to_owned()));
            }
        }
        Ok(None)
    }

    /// The size on disk of the tables that it concerns.
    pub(crate) fn bytes(&self, connection: &mut Connection) -> Result<u64, PostgresError> {
        let columns = self.columns();
        let concerned: BTreeSet<u32> =
            self.tables().into_iter().chain(columns.into_iter().map(|(oid, _)| oid)).collect();
        let mut bytes = 0_u64;
        for oid in concerned {
            let table = Table::read(connection, oid)?.filter(|table| !table.partitioned);
            bytes = bytes.saturating_add(table.map_or(0, |table| table.bytes));
        }
        Ok(bytes)
    }

    /// Hides what it would drop, and makes of the rest what it would.
    pub(crate) fn hide(
        self,
        keeper: &mut Keeper,
        connection: &mut Connection,
    ) -> Result<Hid, PostgresError> {
        let mut hid = Hid::default();
        let tables = self.tables();
        // What stands apart from its table goes as written, and where it stood is all it holds.
        for one in self.before.lost(&self.after) {
            if let Lost::Sequence(oid) = one
                && !belongs_to(connection, oid, &tables)?
            {
                keeper.position(connection, oid)?;
            }
        }
        let mut columns = Vec::new();
        for (oid, numbers) in self.columns() {
            Keeper::lock(connection, oid)?;
            for number in numbers {
                columns.extend(column(keeper, connection, oid, number, &mut hid)?);
            }
        }
        for oid in &tables {
            table(keeper, connection, *oid, &tables, &mut hid)?;
        }
        let (now, _) = snapshot_here(connection, &Scope::default())?;
        let mut wanted = self.catalogue;
        for column in &columns {
            bare(&mut wanted, &now, column);
        }
        for statement in way_back(&wanted, &now, &BTreeSet::new()).inverse.statements {
            connection.run(ABOUT, &statement.sql)?;
        }
        let (found, _) = snapshot_here(connection, &Scope::default())?;
        let differs =
            diff(&wanted, &found).into_iter().map(|one| format!("otherwise than written: {one}"));
        hid.notes.extend(differs);
        Ok(hid)
    }
}

/// Schema and name of a relation, quoted where SQL needs it.
const NAMED: &str = "pg_catalog.quote_ident(n.nspname), pg_catalog.quote_ident(c.relname)";

/// Takes a table aside.
fn table(
    keeper: &mut Keeper,
    connection: &mut Connection,
    oid: u32,
    with: &[u32],
    hid: &mut Hid,
) -> Result<(), PostgresError> {
    let Some(table) = Table::read(connection, oid)? else { return Ok(()) };
    let name = &table.name;
    connection.run("lock", &format!("LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE"))?;
    for statement in parting(connection, oid, with)? {
        connection.run(ABOUT, &statement)?;
    }
    let meanwhile = keeper.hidden_name(PREFIX);
    let sql = format!(
        "SELECT 'TABLE', {NAMED} FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = {oid} \
         UNION ALL SELECT 'INDEX', {NAMED} FROM pg_catalog.pg_index i \
         JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE i.indrelid = {oid} \
         UNION ALL SELECT 'SEQUENCE', {NAMED} FROM pg_catalog.pg_depend d \
         JOIN pg_catalog.pg_class c ON c.oid = d.objid AND c.relkind = 'S' \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refclassid = d.classid \
         AND d.refobjid = {oid} AND d.deptype IN ('a', 'i')"
    );
    let mut names = Vec::new();
    let mut schema = String::new();
    for (at, row) in connection.rows(ABOUT, &sql)?.into_iter().enumerate() {
        let mut row = row.into_iter().flatten();
        let (Some(kind), Some(of), Some(before)) = (row.next(), row.next(), row.next()) else {
            continue;
        };
        let other = if at == 0 { meanwhile.clone() } else { format!("{meanwhile}_{at}") };
        connection.run(ABOUT, &format!("ALTER {kind} {of}.{before} RENAME TO {other}"))?;
        schema = of;
        names.push(HiddenName { kind, before, meanwhile: other });
    }
    connection.run(ABOUT, &format!("ALTER TABLE {schema}.{meanwhile} SET SCHEMA ripcord"))?;
    let place = format!("ripcord.{meanwhile}");
    let item = KeptItem::Hidden { place, column: None, names };
    keeper.record(connection, name, &item, 0)?;
    hid.hidden.push(object(format!("table {}", table.short())));
    Ok(())
}

/// What ties a table to others that stay: it leaves what it is a part of, and refers to nothing.
fn parting(
    connection: &mut Connection,
    oid: u32,
    with: &[u32],
) -> Result<Vec<String>, PostgresError> {
    let with: Vec<String> = with.iter().map(ToString::to_string).collect();
    let with = with.join(", ");
    let sql = format!(
        "SELECT pg_catalog.format('ALTER TABLE %s DETACH PARTITION %s', \
           i.inhparent::pg_catalog.regclass, i.inhrelid::pg_catalog.regclass) \
         FROM pg_catalog.pg_inherits i \
         WHERE i.inhrelid = {oid} AND i.inhparent NOT IN ({with}) \
         UNION ALL SELECT pg_catalog.format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS %I', \
           k.conrelid::pg_catalog.regclass, k.conname) FROM pg_catalog.pg_constraint k \
         WHERE k.contype = 'f' AND k.conrelid = {oid} AND k.confrelid NOT IN ({with})"
    );
    let rows = connection.rows(ABOUT, &sql)?;
    Ok(rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect())
}

/// Gives a column another name, and says which. None when its values are computed: then there is
/// nothing to hide.
fn column(
    keeper: &mut Keeper,
    connection: &mut Connection,
    oid: u32,
    number: i32,
    hid: &mut Hid,
) -> Result<Option<String>, PostgresError> {
    let Some(table) = Table::read(connection, oid)? else { return Ok(None) };
    let Some(column) = table.only(&[number]).first().copied() else { return Ok(None) };
    let (name, before) = (&table.name, column.name.clone());
    let meanwhile = keeper.hidden_name(PREFIX);
    connection.run(ABOUT, &format!("ALTER TABLE {name} RENAME COLUMN {before} TO {meanwhile}"))?;
    let item = KeptItem::Hidden {
        place: name.clone(),
        column: Some((before.clone(), meanwhile.clone())),
        names: Vec::new(),
    };
    keeper.record(connection, name, &item, 0)?;
    let what = format!("{}.{before}", table.short());
    hid.notes.push(format!(
        "the column {what} is still there as {meanwhile}: SELECT *, INSERT without a list of \
         columns and COPY see it"
    ));
    hid.hidden.push(object(format!("column {what}")));
    Ok(Some(meanwhile))
}

/// A column as it is to be while it is hidden, in its table and in the parts of it: it demands
/// nothing and gives nothing.
fn bare(wanted: &mut Catalogue, now: &Catalogue, column: &str) {
    let hidden = now.objects.iter().filter(|(name, object)| {
        name.kind == Kind::Column && object.local == column && object.of.is_some()
    });
    for (name, object) in hidden {
        let mut object = object.clone();
        positions(wanted, now, object.of.as_deref().unwrap_or_default());
        object.facts.remove("identity");
        // With a default of its own new rows are as old code would write them.
        let default = Name { kind: Kind::Default, name: name.name.clone() };
        let stays = |one: &Object| {
            one.requires.iter().all(|needed| needed == name || wanted.objects.contains_key(needed))
        };
        match now.objects.get(&default).filter(|one| stays(one)) {
            Some(one) => _ = wanted.objects.insert(default, one.clone()),
            None => _ = object.facts.remove("not_null"),
        }
        object.requires.retain(|needed| wanted.objects.contains_key(needed));
        wanted.objects.insert(name.clone(), object);
    }
}

/// The columns of a table stand where they stood.
fn positions(wanted: &mut Catalogue, now: &Catalogue, table: &str) {
    for (name, object) in &now.objects {
        let of = name.kind == Kind::Column && object.of.as_deref() == Some(table);
        let position = object.facts.get("position").filter(|_| of);
        if let (Some(position), Some(there)) = (position, wanted.objects.get_mut(name)) {
            there.facts.insert("position".to_owned(), position.clone());
        }
    }
}

/// Whether later statements of its script make something of a name that a statement drops: then
/// two things would bear it on the way back.
pub(crate) fn is_made_again<'a>(step: &Step, later: impl Iterator<Item = &'a Step>) -> bool {
    let made: Vec<&Statement> = later.flat_map(|one| &one.parsed.does).collect();
    let again = |does: &Statement| match does {
        Statement::DropTable { table, .. } => made.iter().any(|one| match one {
            Statement::CreateTable(definition) => definition.table.key() == table.key(),
            Statement::Rename { to, .. } => *to == table.name,
            _ => false,
        }),
        Statement::DropColumn { column, .. } => made.iter().any(|one| match one {
            Statement::AddColumn { column: other, .. } => other.name == *column,
            Statement::RenameColumn { to, .. } => to == column,
            _ => false,
        }),
        _ => false,
    };
    step.parsed.does.iter().any(again)
}

/// Whether a sequence goes aside with one of these tables.
fn belongs_to(
    connection: &mut Connection,
    sequence: u32,
    tables: &[u32],
) -> Result<bool, PostgresError> {
    let list: Vec<String> = tables.iter().map(ToString::to_string).collect();
    let sql = format!(
        "SELECT 1 FROM pg_catalog.pg_depend d WHERE d.objid = {sequence} \
         AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refclassid = d.classid \
         AND d.deptype IN ('a', 'i') AND d.refobjid IN (0, {})",
        if list.is_empty() { "0".to_owned() } else { list.join(", ") }
    );
    Ok(!connection.rows(ABOUT, &sql)?.is_empty())
}

/// Moves back what a run hid, the last first, under its own name. What it is to be beside that is
/// for the way back to see to.
pub(crate) fn show(connection: &mut Connection, pieces: &[Kept]) -> Result<bool, PostgresError> {
    let mut any = false;
    for piece in pieces.iter().rev() {
        let KeptItem::Hidden { column, names, .. } = &piece.item else { continue };
        any = true;
        match column {
            Some((before, meanwhile)) => column_back(connection, before, meanwhile)?,
            None => table_back(connection, &piece.relation, names)?,
        }
    }
    Ok(any)
}

fn table_back(
    connection: &mut Connection,
    relation: &str,
    names: &[HiddenName],
) -> Result<(), PostgresError> {
    let Some(table) = names.first() else { return Ok(()) };
    let schema = relation.strip_suffix(table.before.as_str()).unwrap_or(relation);
    let schema = schema.trim_end_matches('.');
    let meanwhile = &table.meanwhile;
    connection.run(ABOUT, &format!("ALTER TABLE ripcord.{meanwhile} SET SCHEMA {schema}"))?;
    for HiddenName { kind, before, meanwhile } in names {
        let sql =
            format!("SELECT pg_catalog.to_regclass({})", literal(&format!("{schema}.{before}")));
        if connection.value(ABOUT, &sql)?.is_some() {
            return Err(taken(connection, relation, &format!("{schema}.{before}")));
        }
        connection.run(ABOUT, &format!("ALTER {kind} {schema}.{meanwhile} RENAME TO {before}"))?;
    }
    Ok(())
}

/// The name of a hidden column is unique, whatever its table is called by now.
fn column_back(
    connection: &mut Connection,
    before: &str,
    meanwhile: &str,
) -> Result<(), PostgresError> {
    let sql = format!(
        "SELECT a.attrelid::pg_catalog.regclass::text FROM pg_catalog.pg_attribute a \
         WHERE a.attname = {} AND a.attinhcount = 0 AND NOT a.attisdropped",
        literal(meanwhile)
    );
    let Some(table) = connection.value(ABOUT, &sql)? else { return Ok(()) };
    let sql = format!(
        "SELECT 1 FROM pg_catalog.pg_attribute a WHERE a.attrelid = {}::pg_catalog.regclass \
         AND pg_catalog.quote_ident(a.attname) = {} AND NOT a.attisdropped",
        literal(&table),
        literal(before)
    );
    if !connection.rows(ABOUT, &sql)?.is_empty() {
        return Err(taken(connection, &table, &format!("{table}.{before}")));
    }
    connection.run(ABOUT, &format!("ALTER TABLE {table} RENAME COLUMN {meanwhile} TO {before}"))
}

fn taken(connection: &Connection, what: &str, name: &str) -> PostgresError {
    PostgresError::Refused {
        place: connection.place().to_owned(),
        what: format!("the way back of what was hidden of {what}"),
        why: format!("something else is called {name} now; rename that, and run it again"),
    }
}

fn object(what: String) -> Counted {
    Counted { what, unit: Unit::Objects, count: 1 }
}
