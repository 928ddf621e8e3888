//! Copies aside what is about to be destroyed: rows, values, positions. The statement that
//! destroys them runs afterwards, in the same transaction.

use crate::postgres::connection::Connection;
use crate::postgres::keep::inventory::{Inventory, Lost};
use crate::postgres::keep::table::{Table, TableColumn, kept};
use crate::postgres::outcome::merge;
use crate::postgres::own::{Kept, KeptItem};
use crate::postgres::terms::Terms;
use crate::postgres::trouble::PostgresError;
use ripcord_core::schema::{Counted, Direction, Unit};
use std::collections::BTreeSet;

/// What one run keeps.
#[derive(Debug)]
pub(crate) struct Keeper {
    applied: i64,
    direction: Direction,
    bytes: u64,
    bytes_max: u64,
    next: u32,
    counted: Vec<Counted>,
}

const ABOUT: &str = "kept data";

impl Keeper {
    /// The keeper of a run, which may have kept something before.
    pub(crate) fn of(
        connection: &mut Connection,
        applied: i64,
        direction: Direction,
        terms: &Terms,
    ) -> Result<Keeper, PostgresError> {
        let before = Kept::of(connection, applied, direction)?;
        let name = |kept: &Kept| match &kept.item {
            KeptItem::Hidden { column: Some((_, meanwhile)), .. } => number(meanwhile),
            KeptItem::Hidden { place, column: None, .. } => number(place),
            item => number(item.store()?),
        };
        let next = before.iter().filter_map(name).max();
        Ok(Keeper {
            applied,
            direction,
            bytes: 0,
            bytes_max: terms.copy_bytes_max,
            next: next.unwrap_or(0) + 1,
            counted: Vec::new(),
        })
    }

    /// The number of the run.
    pub(crate) fn applied(&self) -> i64 {
        self.applied
    }

    /// Counts something under another name.
    pub(crate) fn rename(&mut self, from: &str, to: String) {
        if let Some(one) = self.counted.iter_mut().find(|one| one.what == from) {
            one.what = to;
        }
    }

    /// What was kept so far, in numbers.
    pub(crate) fn counted(&self) -> &[Counted] {
        &self.counted
    }

    /// Keeps everything that a statement is about to destroy, under the lock that it will take
    /// anyway.
    pub(crate) fn keep(
        &mut self,
        connection: &mut Connection,
        before: &Inventory,
        lost: &[Lost],
    ) -> Result<(), PostgresError> {
        let lost = values_of_composites(connection, before, lost)?;
        let tables: BTreeSet<u32> = lost
            .iter()
            .filter_map(|one| match one {
                Lost::Table(oid) | Lost::Columns(oid, _) | Lost::Type(oid, _) => Some(*oid),
                Lost::Sequence(_) => None,
            })
            .collect();
        for oid in tables {
            lock(connection, before.name(oid))?;
        }
        for one in &lost {
            match one {
                Lost::Table(oid) => self.rows(connection, *oid, true)?,
                Lost::Columns(oid, numbers) => self.values(connection, *oid, numbers)?,
                Lost::Type(oid, number) => self.values(connection, *oid, &[*number])?,
                Lost::Sequence(oid) => self.position(connection, *oid)?,
            }
        }
        Ok(())
    }

    /// Keeps all rows of a table that is dropped or emptied.
    pub(crate) fn rows(
        &mut self,
        connection: &mut Connection,
        oid: u32,
        dropped: bool,
    ) -> Result<(), PostgresError> {
        let Some(table) = Table::read(connection, oid)? else { return Ok(()) };
        self.afford(&table, connection)?;
        let columns = table.stored();
        let store = self.store();
        let values = selected(&[('c', &columns)], "t");
        let rows = copy(connection, &store, &values, &table.rows(), "true")?;
        let columns = kept(&columns, 'c');
        let item = KeptItem::Rows { store, columns, dropped };
        self.record(connection, &table.name, &item, rows)?;
        self.count(short(&table.name), Unit::Rows, rows);
        Ok(())
    }

    /// Keeps the values of columns, with the keys of their rows.
    pub(crate) fn values(
        &mut self,
        connection: &mut Connection,
        oid: u32,
        numbers: &[i32],
    ) -> Result<(), PostgresError> {
        let Some(table) = Table::read(connection, oid)? else { return Ok(()) };
        let lost = table.only(numbers);
        // What is computed is computed anew.
        if lost.is_empty() {
            return Ok(());
        }
        self.afford(&table, connection)?;
        let key = table.key_without(numbers);
        let columns = if key.is_empty() { table.stored() } else { lost.clone() };
        let store = self.store();
        let values = selected(&[('k', &key), ('c', &columns)], "t");
        let rows = copy(connection, &store, &values, &table.rows(), "true")?;
        for column in &lost {
            let at = columns.iter().position(|other| other == column).unwrap_or_default();
            let count = format!("SELECT pg_catalog.count(c{at}) FROM {store}");
            let count = connection.number(ABOUT, &count)?;
            let what = format!("{}.{}", short(&table.name), column.name);
            self.count(&what, Unit::Values, u64::try_from(count).unwrap_or(0));
        }
        let (key, columns) = (kept(&key, 'k'), kept(&columns, 'c'));
        let item = KeptItem::Values { store, key, columns, lossy: false };
        self.record(connection, &table.name, &item, rows)
    }

    /// Notes all rows of a table as inserted by the run: it made the table in the place of one that
    /// it dropped, and only so it shows later which of them users left alone.
    pub(crate) fn made(
        &mut self,
        connection: &mut Connection,
        oid: u32,
    ) -> Result<(), PostgresError> {
        let Some(table) = Table::read(connection, oid)? else { return Ok(()) };
        let (stored, key) = (table.stored(), table.key_without(&[]));
        if stored.is_empty() {
            return Ok(());
        }
        self.afford(&table, connection)?;
        let store = self.store();
        let define = |(letter, columns): (char, &[&TableColumn])| {
            let one = |(at, column): (usize, &&TableColumn)| {
                format!("NULL::{} AS {letter}{at}", column.stored_type())
            };
            columns.iter().enumerate().map(one).collect::<Vec<_>>().join(", ")
        };
        let mut values = vec![
            "pg_catalog.nextval('ripcord.at') AS at".to_owned(),
            "'i'::\"char\" AS what".to_owned(),
        ];
        if !key.is_empty() {
            values.push(selected(&[('k', &key)], "t"));
        }
        values.push(define(('o', &stored)));
        values.push(selected(&[('n', &stored)], "t"));
        let rows = copy(connection, &store, &values.join(", "), &table.rows(), "true")?;
        let (key, columns) = (kept(&key, 'k'), kept(&stored, 'o'));
        let item = KeptItem::Changes { store, key, columns };
        self.record(connection, &table.name, &item, rows)
    }

    /// Keeps where a sequence stands.
    pub(crate) fn position(
        &mut self,
        connection: &mut Connection,
        oid: u32,
    ) -> Result<(), PostgresError> {
        let name = format!(
            "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.oid = {oid} AND c.relkind = 'S'"
        );
        let Some(name) = connection.value(ABOUT, &name)? else { return Ok(()) };
        let last_value = connection.number(ABOUT, &format!("SELECT last_value FROM {name}"))?;
        let called = connection.value(ABOUT, &format!("SELECT is_called::text FROM {name}"))?;
        let is_called = called.as_deref() == Some("true");
        let item = KeptItem::Position { last_value, is_called };
        self.record(connection, &name, &item, 0)
    }

    /// Locks a table whose rows are about to be copied.
    pub(crate) fn lock(connection: &mut Connection, oid: u32) -> Result<(), PostgresError> {
        match Table::read(connection, oid)? {
            Some(table) => lock(connection, &table.rows()),
            None => Ok(()),
        }
    }

    /// How much is lost, where nothing is kept.
    pub(crate) fn extent(
        connection: &mut Connection,
        before: &Inventory,
        lost: &Lost,
    ) -> Result<Vec<Counted>, PostgresError> {
        let (oid, numbers) = match lost {
            Lost::Table(oid) => (*oid, Vec::new()),
            Lost::Columns(oid, numbers) => (*oid, numbers.clone()),
            Lost::Type(oid, number) => (*oid, vec![*number]),
            Lost::Sequence(_) => return Ok(Vec::new()),
        };
        if before.is_composite(oid) {
            return Ok(Vec::new());
        }
        let Some(table) = Table::read(connection, oid)? else { return Ok(Vec::new()) };
        lock(connection, &table.rows())?;
        let mut counted = Vec::new();
        let mut count = |of: &str, what: String, unit| -> Result<(), PostgresError> {
            let sql = format!("SELECT pg_catalog.count({of}) FROM {}", table.rows());
            let count = u64::try_from(connection.number(ABOUT, &sql)?).unwrap_or(0);
            counted.push(Counted { what, unit, count });
            Ok(())
        };
        if numbers.is_empty() {
            count("*", short(&table.name).to_owned(), Unit::Rows)?;
        }
        for column in table.only(&numbers) {
            let what = format!("{}.{}", short(&table.name), column.name);
            count(&column.name, what, Unit::Values)?;
        }
        Ok(counted)
    }

    /// Puts a piece into the manifest.
    pub(crate) fn record(
        &mut self,
        connection: &mut Connection,
        relation: &str,
        item: &KeptItem,
        rows: u64,
    ) -> Result<(), PostgresError> {
        Kept::record(connection, self.applied, self.direction, relation, item, rows).map(|_| ())
    }

    /// Adds to what was kept.
    pub(crate) fn count(&mut self, what: &str, unit: Unit, count: u64) {
        if count > 0 {
            merge(&mut self.counted, [Counted { what: what.to_owned(), unit, count }]);
        }
    }

    /// The name of another table to keep something in.
    pub(crate) fn store(&mut self) -> String {
        let way = match self.direction {
            Direction::Up => "up",
            Direction::Down => "down",
        };
        let store = format!("ripcord.{way}_{}_{}", self.applied, self.next);
        self.next += 1;
        store
    }

    /// What something else is to be called while it is hidden.
    pub(crate) fn hidden_name(&mut self, prefix: &str) -> String {
        let name = format!("{prefix}{}_{}", self.applied, self.next);
        self.next += 1;
        name
    }

    /// Which way the run goes.
    pub(crate) fn direction(&self) -> Direction {
        self.direction
    }

    /// Refuses what is too large to be copied.
    pub(crate) fn afford(
        &mut self,
        table: &Table,
        connection: &Connection,
    ) -> Result<(), PostgresError> {
        self.take(connection, &table.name, table.bytes)
    }

    /// Counts what was copied already.
    pub(crate) fn measure(
        &mut self,
        connection: &mut Connection,
        what: &str,
        store: &str,
    ) -> Result<(), PostgresError> {
        let size = format!("SELECT pg_catalog.pg_table_size('{store}'::pg_catalog.regclass)");
        let bytes = u64::try_from(connection.number(ABOUT, &size)?).unwrap_or(0);
        self.take(connection, what, bytes)
    }

    fn take(
        &mut self,
        connection: &Connection,
        what: &str,
        bytes: u64,
    ) -> Result<(), PostgresError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes <= self.bytes_max {
            return Ok(());
        }
        Err(PostgresError::Refused {
            place: connection.place().to_owned(),
            what: format!("what destroys data of {}", short(what)),
            why: format!(
                "{} bytes would have to be copied aside and {} are allowed: allow more, hide \
                 instead of dropping, or say in the script that it may be destroyed",
                self.bytes, self.bytes_max
            ),
        })
    }
}

/// Takes the lock that what is to come needs anyway, before anything is copied: a weaker one
/// would have to be raised later, which ends in deadlocks with users.
pub(crate) fn lock(connection: &mut Connection, table: &str) -> Result<(), PostgresError> {
    connection.run("lock", &format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))
}

/// Makes a store from a query, and says how many rows it has.
pub(crate) fn copy(
    connection: &mut Connection,
    store: &str,
    values: &str,
    from: &str,
    condition: &str,
) -> Result<u64, PostgresError> {
    let sql = format!("CREATE TABLE {store} AS SELECT {values} FROM {from} AS t WHERE {condition}");
    connection.count(ABOUT, &sql)
}

/// The columns of a row as they are stored: `(t.id) AS k0, (t.note) AS c0`.
pub(crate) fn selected(groups: &[(char, &[&TableColumn])], row: &str) -> String {
    let values = groups.iter().flat_map(|(letter, columns)| {
        let value = move |(at, column): (usize, &&TableColumn)| {
            format!("{} AS {letter}{at}", column.value(row))
        };
        columns.iter().enumerate().map(value)
    });
    values.collect::<Vec<_>>().join(", ")
}

/// The name for people.
pub(crate) fn short(name: &str) -> &str {
    name.strip_prefix("public.").unwrap_or(name)
}

fn number(store: &str) -> Option<u32> {
    store.rsplit('_').next()?.parse().ok()
}

/// Attributes of a composite type are lost in every column of that type.
fn values_of_composites(
    connection: &mut Connection,
    before: &Inventory,
    lost: &[Lost],
) -> Result<Vec<Lost>, PostgresError> {
    let mut found = Vec::new();
    for one in lost {
        let (Lost::Columns(oid, _) | Lost::Type(oid, _)) = one else {
            found.push(one.clone());
            continue;
        };
        if !before.is_composite(*oid) {
            found.push(one.clone());
            continue;
        }
        let sql = format!(
            "SELECT a.attrelid, a.attnum FROM pg_catalog.pg_attribute a \
             JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
             JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p') \
             LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem \
             WHERE (t.typrelid = {oid} OR e.typrelid = {oid}) AND a.attnum > 0 \
             AND NOT a.attisdropped AND NOT c.relispartition"
        );
        for row in connection.rows(ABOUT, &sql)? {
            let field = |at: usize| row.get(at).and_then(Option::as_deref);
            let oid = field(0).and_then(|text| text.parse().ok());
            let number = field(1).and_then(|text| text.parse().ok());
            found.extend(oid.zip(number).map(|(oid, number)| Lost::Columns(oid, vec![number])));
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}
