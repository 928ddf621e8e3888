//! Rows that statements insert, update and delete, seen by triggers, so that it does not matter
//! what makes them do so: a cascade, a function, a block of code. The triggers are made in
//! short transactions of their own before the run, because making one locks out writers; they
//! do nothing unless the run says so, and are dropped when it is over.

use crate::postgres::connection::Connection;
use crate::postgres::keep::inventory::Lost;
use crate::postgres::keep::keeper::{Keeper, short};
use crate::postgres::keep::table::{Table, TableColumn, kept};
use crate::postgres::own::KeptItem;
use crate::postgres::terms::{Terms, pause_ms};
use crate::postgres::trouble::PostgresError;
use ripcord_core::schema::Unit;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The tables that a run watches.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    key: String,
    tables: BTreeSet<u32>,
    /// Those that were added inside the transaction, and have to be given up inside it.
    late: BTreeSet<u32>,
    /// Where changes go while statements run that may change rows.
    stores: BTreeMap<u32, (Table, String)>,
    /// What is kept already as it was before the statement that runs now: columns of tables, or
    /// none for all of a table.
    except: BTreeMap<u32, Vec<i32>>,
    on: bool,
}

const ABOUT: &str = "watched tables";

/// The name of the triggers: the first in the alphabet, so that what others do in answer to a
/// change is seen after the change.
const TRIGGER: &str = "\" ripcord\"";

impl Watch {
    /// Watches tables from now on, on a connection that is in no transaction.
    pub(crate) fn begin(
        guard: &mut Connection,
        key: &str,
        tables: &BTreeSet<u32>,
        terms: &Terms,
    ) -> Result<Watch, PostgresError> {
        let mut watch = Watch { key: key.to_owned(), ..Watch::default() };
        for oid in tables {
            let made = patiently(guard, terms, |guard| {
                let Some(table) = Table::read(guard, *oid)? else { return Ok(false) };
                guard.run(ABOUT, &format!("BEGIN; {}; COMMIT", make(&table, key))).map(|()| true)
            });
            match made {
                Ok(true) => _ = watch.tables.insert(*oid),
                Ok(false) => {}
                Err(error) => {
                    watch.end(guard, terms);
                    return Err(error);
                }
            }
        }
        Ok(watch)
    }

    /// Watches another table, inside the transaction of the run. Writers of it wait until the
    /// end, unless the run locked them out already.
    pub(crate) fn add(
        &mut self,
        connection: &mut Connection,
        oid: u32,
    ) -> Result<(), PostgresError> {
        if self.tables.contains(&oid) || self.late.contains(&oid) {
            return Ok(());
        }
        if let Some(table) = Table::read(connection, oid)? {
            connection.run(ABOUT, &make(&table, &self.key))?;
            self.late.insert(oid);
        }
        Ok(())
    }

    /// Notes changes from now on. Does nothing when it does so already.
    pub(crate) fn on(
        &mut self,
        keeper: &mut Keeper,
        connection: &mut Connection,
    ) -> Result<(), PostgresError> {
        let all: Vec<u32> = self.tables.union(&self.late).copied().collect();
        for oid in all {
            if self.stores.contains_key(&oid) {
                continue;
            }
            let Some(mut table) = Table::read(connection, oid)? else { continue };
            match self.except.get(&oid) {
                Some(columns) if columns.is_empty() => {
                    connection.run(ABOUT, &idle(oid))?;
                    continue;
                }
                Some(columns) => table.leave_out(columns),
                None => {}
            }
            let store = keeper.store();
            connection.run(ABOUT, &note(&table, &store))?;
            enable(connection, &table)?;
            self.stores.insert(oid, (table, store));
        }
        if !self.on && !self.stores.is_empty() {
            let key = crate::sql::literal(&self.key);
            let on = format!("SELECT pg_catalog.set_config('ripcord.act', {key}, true)");
            connection.rows(ABOUT, &on)?;
            self.on = true;
        }
        Ok(())
    }

    /// Notes no more changes, and puts those that were noted into the manifest.
    pub(crate) fn off(
        &mut self,
        keeper: &mut Keeper,
        connection: &mut Connection,
    ) -> Result<(), PostgresError> {
        self.pause(connection)?;
        self.except.clear();
        for (table, store) in std::mem::take(&mut self.stores).into_values() {
            let counts = connection.rows(
                ABOUT,
                &format!(
                    "SELECT what, pg_catalog.count(*) FROM {store} GROUP BY what ORDER BY what"
                ),
            )?;
            if counts.is_empty() {
                connection.run(ABOUT, &format!("DROP TABLE {store}"))?;
                continue;
            }
            keeper.measure(connection, &table.name, &store)?;
            let count = |row: &Vec<Option<String>>| row.get(1)?.as_deref()?.parse::<u64>().ok();
            let rows = counts.iter().filter_map(count).sum();
            keeper.count(short(&table.name), Unit::Rows, rows);
            let stored = table.stored();
            let key = kept(&table.key_without(&[]), 'k');
            let columns = kept(&stored, 'o');
            let item = KeptItem::Changes { store, key, columns };
            keeper.record(connection, &table.name, &item, rows)?;
        }
        Ok(())
    }

    /// Begins anew behind what was kept in the middle of a statement, which is not noted twice.
    pub(crate) fn renew(
        &mut self,
        keeper: &mut Keeper,
        connection: &mut Connection,
        kept: &[Lost],
    ) -> Result<(), PostgresError> {
        if !self.on {
            return Ok(());
        }
        let mut except = std::mem::take(&mut self.except);
        for one in kept {
            match one {
                Lost::Table(oid) => _ = except.insert(*oid, Vec::new()),
                Lost::Columns(oid, numbers) => except.entry(*oid).or_default().extend(numbers),
                Lost::Type(oid, number) => except.entry(*oid).or_default().push(*number),
                Lost::Sequence(_) => {}
            }
        }
        self.off(keeper, connection)?;
        self.except = except;
        self.on(keeper, connection)
    }

    /// Whether changes of all that is watched are being noted.
    pub(crate) fn is_on(&self) -> bool {
        self.on
    }

    /// Notes nothing until the savepoint before is gone back to.
    pub(crate) fn pass(connection: &mut Connection) -> Result<(), PostgresError> {
        let off = "SELECT pg_catalog.set_config('ripcord.act', '', true)";
        connection.rows(ABOUT, off).map(|_| ())
    }

    /// Notes no changes until it is told to go on.
    fn pause(&mut self, connection: &mut Connection) -> Result<(), PostgresError> {
        if self.on {
            Watch::pass(connection)?;
            self.on = false;
        }
        Ok(())
    }

    /// Gives up, inside the transaction, what was added inside it.
    pub(crate) fn close(&mut self, connection: &mut Connection) -> Result<(), PostgresError> {
        for oid in std::mem::take(&mut self.late) {
            connection.run(ABOUT, &give_up(oid))?;
        }
        Ok(())
    }

    /// What was noted inside a transaction is gone with it.
    pub(crate) fn forget(&mut self) {
        self.stores.clear();
        self.late.clear();
        self.except.clear();
        self.on = false;
    }

    /// Watches no more. What cannot be had now, because others are in the way all the time, is
    /// named: it does nothing any more, and the next run removes it.
    pub(crate) fn end(&mut self, guard: &mut Connection, terms: &Terms) -> Vec<String> {
        let mut left = Vec::new();
        for oid in std::mem::take(&mut self.tables) {
            let given_up = patiently(guard, terms, |guard| guard.run(ABOUT, &give_up(oid)));
            if let Err(error) = given_up {
                left.push(format!(
                    "a trigger that does nothing is left until the next run: {error}"
                ));
            }
        }
        left
    }
}

/// Removes what a run that was ended left behind.
pub(crate) fn sweep(guard: &mut Connection, terms: &Terms) -> Result<(), PostgresError> {
    let left = "SELECT pg_catalog.substr(p.proname, 7) FROM pg_catalog.pg_proc p \
                JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace \
                WHERE n.nspname = 'ripcord' AND p.proname ~ '^watch_[0-9]+$'";
    for row in guard.rows(ABOUT, left)? {
        let oid = row.first().and_then(|oid| oid.as_deref()?.parse::<u32>().ok());
        let Some(oid) = oid else { continue };
        patiently(guard, terms, |guard| guard.run(ABOUT, &give_up(oid)))?;
    }
    Ok(())
}

/// Tries again while others are in the way, as often as the terms allow.
fn patiently<T>(
    guard: &mut Connection,
    terms: &Terms,
    mut body: impl FnMut(&mut Connection) -> Result<T, PostgresError>,
) -> Result<T, PostgresError> {
    guard.run(ABOUT, &format!("SET lock_timeout = {}", terms.lock_timeout_ms))?;
    let mut attempt = 0;
    loop {
        let error = match body(guard) {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        if !error.is_lost() {
            guard.run(ABOUT, "ROLLBACK")?;
        }
        attempt += 1;
        if !error.is_contention() {
            return Err(error);
        }
        if attempt >= terms.attempts_max {
            let (place, why) = (guard.place().to_owned(), error.to_string());
            return Err(PostgresError::Contended { place, why, attempts: attempt });
        }
        std::thread::sleep(Duration::from_millis(pause_ms(attempt)));
    }
}

/// A trigger that calls a function which does nothing yet.
fn make(table: &Table, key: &str) -> String {
    let (oid, name) = (table.oid, &table.name);
    let when = format!(
        "WHEN (pg_catalog.current_setting('ripcord.act', true) = {})",
        crate::sql::literal(key)
    );
    let function = format!("EXECUTE FUNCTION ripcord.watch_{oid}()");
    format!(
        "{}; \
         CREATE TRIGGER {TRIGGER} AFTER INSERT OR UPDATE OR DELETE ON {name} FOR EACH ROW {when} {function}; \
         CREATE TRIGGER \" ripcord truncate\" BEFORE TRUNCATE ON {name} FOR EACH STATEMENT {when} {function}; \
         ALTER TABLE {name} {ENABLE}",
        idle(oid)
    )
}

/// A function that notes nothing.
fn idle(oid: u32) -> String {
    format!(
        "CREATE OR REPLACE FUNCTION ripcord.watch_{oid}() RETURNS trigger LANGUAGE plpgsql \
         AS 'BEGIN RETURN NULL; END'"
    )
}

/// The function takes its triggers with it.
fn give_up(oid: u32) -> String {
    format!("DROP FUNCTION IF EXISTS ripcord.watch_{oid}() CASCADE")
}

const ENABLE: &str =
    "ENABLE ALWAYS TRIGGER \" ripcord\", ENABLE ALWAYS TRIGGER \" ripcord truncate\"";

/// A script may have switched off all triggers of a table. Only then is the table locked.
fn enable(connection: &mut Connection, table: &Table) -> Result<(), PostgresError> {
    let off = format!(
        "SELECT 1 FROM pg_catalog.pg_trigger g WHERE g.tgrelid = {} AND g.tgenabled <> 'A' \
         AND g.tgfoid = 'ripcord.watch_{}'::pg_catalog.regproc",
        table.oid, table.oid
    );
    if connection.rows(ABOUT, &off)?.is_empty() {
        return Ok(());
    }
    connection.run(ABOUT, &format!("ALTER TABLE {} {ENABLE}", table.name))
}

/// With these settings a value is always the same text.
const CANONICAL: &str = " SET DateStyle = 'ISO, YMD' SET IntervalStyle = 'postgres' \
                         SET extra_float_digits = 1 SET bytea_output = 'hex' SET TimeZone = 'UTC'";

/// From now on changes of a table go into a store, under the columns that it has now. Nobody
/// waits for this: the function is Ripcord's own.
fn note(table: &Table, store: &str) -> String {
    let stored = table.stored();
    let key = table.key_without(&[]);
    let mut definitions = vec![
        "at bigint DEFAULT pg_catalog.nextval('ripcord.at')".to_owned(),
        "what \"char\"".to_owned(),
    ];
    for (letter, columns) in [('k', &key), ('o', &stored), ('n', &stored)] {
        let define =
            |(at, column): (usize, &&TableColumn)| format!("{letter}{at} {}", column.stored_type());
        definitions.extend(columns.iter().enumerate().map(define));
    }
    let names = |letter: char, count: usize| {
        (0..count).map(|at| format!(", {letter}{at}")).collect::<Vec<_>>().concat()
    };
    let values = |columns: &[&TableColumn], row: &str| {
        columns.iter().map(|column| format!(", {}", column.value(row))).collect::<Vec<_>>().concat()
    };
    let (k, o, n) = (names('k', key.len()), names('o', stored.len()), names('n', stored.len()));
    let deleted = |row: &str| {
        format!(
            "INSERT INTO {store} (what{k}{o}) SELECT 'd'{}{}",
            values(&key, row),
            values(&stored, row)
        )
    };
    let inserted = format!(
        "INSERT INTO {store} (what{k}{n}) SELECT 'i'{}{};",
        values(&key, "NEW"),
        values(&stored, "NEW")
    );
    let changed = |what: char| {
        format!(
            "INSERT INTO {store} (what{k}{o}{n}) SELECT '{what}'{}{}{};",
            values(&key, "NEW"),
            values(&stored, "OLD"),
            values(&stored, "NEW")
        )
    };
    // A row that gets another key is a new one that knows what it was.
    let updated = changed('u');
    let moved = if key.is_empty() { inserted.clone() } else { changed('i') };
    let same_key =
        key.iter().map(|column| format!("{} = {}", column.value("OLD"), column.value("NEW")));
    let same_key = same_key.collect::<Vec<_>>().join(" AND ");
    let same_key = if key.is_empty() { "false" } else { &same_key };
    let settings = if stored.iter().any(|column| column.as_text) { CANONICAL } else { "" };
    let (old, truncated) = (deleted("OLD"), deleted("t"));
    let body = format!(
        "BEGIN
           IF TG_OP = 'INSERT' THEN {inserted}
           ELSIF TG_OP = 'DELETE' THEN {old};
           ELSIF TG_OP = 'TRUNCATE' THEN {truncated} FROM ONLY {} AS t;
           ELSIF OLD OPERATOR(pg_catalog.*=) NEW THEN RETURN NULL;
           ELSIF {same_key} THEN {updated}
           ELSE {old}; {moved}
           END IF;
           RETURN NULL;
         END",
        table.name
    );
    format!(
        "CREATE TABLE {store} ({}); \
         CREATE OR REPLACE FUNCTION ripcord.watch_{}() RETURNS trigger LANGUAGE plpgsql \
         SECURITY DEFINER{settings} AS {}",
        definitions.join(", "),
        table.oid,
        crate::sql::literal(&body)
    )
}
