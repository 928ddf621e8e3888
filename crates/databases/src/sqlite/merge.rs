//! Bringing back what was kept, without ever overwriting what users wrote since.
//!
//! [`guard`] runs before anything changes and notes, row by row and column by column, where the
//! present value is no longer the one the transition left: there the user's word stands.

use crate::sql::quoted;
use crate::sqlite::capture::{bare_key, equal_keys};
use crate::sqlite::catalogue::{Catalogue, Table};
use crate::sqlite::kept::{Kept, Side, add_counts, same};
use crate::sqlite::reshape::fallback;
use crate::sqlite::trouble::Result;
use ripcord_core::schema::{Counted, Unit};
use rusqlite::Connection;

/// Rows that refer to each other come back or leave in at most this many passes.
const PASSES_MAX: usize = 64;

/// What came of bringing back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Merged {
    pub(crate) restored: Vec<Counted>,
    /// Where what users wrote since stands instead.
    pub(crate) users: Vec<Counted>,
    /// Rows that cannot stand in the table any more; they stay in their store.
    pub(crate) held_back: Vec<Counted>,
    /// Rows written since that have no kept value for a column that returned.
    pub(crate) without_value: Vec<String>,
    /// Stores with nothing left to give.
    pub(crate) consumed: Vec<String>,
}

/// Notes where users wrote since.
pub(crate) fn guard(connection: &Connection, overlay: &[Kept], now: &Catalogue) -> Result<()> {
    for (at, kept) in overlay.iter().enumerate() {
        let conflict = format!("ripcord_conflict_{at}");
        let columns: Vec<String> = kept
            .key
            .iter()
            .enumerate()
            .map(|(n, part)| format!("k{n} {}", part.affinity))
            .collect();
        connection.execute_batch(&format!(
            "CREATE TABLE temp.{conflict}({}, c INT);
             CREATE INDEX temp.{conflict}_key ON {conflict}({}, c)",
            columns.join(", "),
            bare_key(kept),
        ))?;
        let table = kept.after.as_ref().and_then(|name| now.table(name));
        let Some(table) = table.filter(|_| !kept.is_only_columns()) else { continue };
        let from = format!(
            "main.{} AS k JOIN main.{} AS t ON {}",
            quoted(&kept.store),
            quoted(&table.name),
            kept.finds(Side::After, "t", "k")
        );
        let note = |column: i64, state: char, condition: &str| {
            connection.execute_batch(&format!(
                "INSERT INTO temp.{conflict} SELECT {}, {column} FROM {from}
                 WHERE k.state = '{state}' AND ({condition})",
                kept.key_of("k"),
            ))
        };
        let mut inserted = vec!["0".to_owned()];
        for (n, column) in kept.columns.iter().enumerate() {
            let after = column.after.as_ref().filter(|name| table.column(name).is_some());
            let Some(after) = after else { continue };
            let left = format!("k.n{n}");
            let edited = format!("NOT {}", same(&format!("t.{}", quoted(after)), &left));
            inserted.push(edited.clone());
            if column.values > 0 {
                let changed = format!("NOT {}", same(&format!("k.o{n}"), &left));
                note(
                    i64::try_from(n).unwrap_or(i64::MAX),
                    'u',
                    &format!("{changed} AND {edited}"),
                )?;
            }
        }
        for (n, added) in kept.added.iter().enumerate() {
            if table.column(added).is_some() {
                let edited = same(&format!("t.{}", quoted(added)), &format!("k.a{n}"));
                inserted.push(format!("NOT {edited}"));
            }
        }
        note(-1, 'i', &inserted.join(" OR "))?;
        note(-1, 'd', "1")?;
    }
    Ok(())
}

/// Brings everything back that [`guard`] did not find taken, into the tables of `now`.
pub(crate) fn merge(connection: &Connection, overlay: &[Kept], now: &Catalogue) -> Result<Merged> {
    let mut merged = Merged::default();
    let tables: Vec<Merge<'_>> = overlay
        .iter()
        .enumerate()
        .filter_map(|(at, kept)| {
            Some(Merge { connection, kept, at, table: now.table(&kept.table)?, now })
        })
        .collect();
    let orphans_are_usual = !crate::sqlite::integrity::orphans(connection)?.is_empty();
    settle(&tables, Merge::remove_inserted)?;
    let mut totals = vec![0; tables.len()];
    let mut blocked = Vec::with_capacity(tables.len());
    for merge in &tables {
        merge.clear_way()?;
        blocked.push(merge.update(&mut merged)?);
    }
    if tables.iter().any(|merge| merge.kept.deleted > 0) {
        totals = settle(&tables, |merge| merge.insert_deleted(!orphans_are_usual, false))?;
        // A row's number is not its own: where another row has it now, the old one gets a new one.
        for (at, merge) in tables.iter().enumerate().filter(|(_, merge)| merge.kept.by_rowid) {
            totals[at] += merge.insert_deleted(!orphans_are_usual, true)?;
        }
    }
    for (at, merge) in tables.iter().enumerate() {
        merge.report(totals[at], blocked[at], &mut merged)?;
    }
    for at in 0..overlay.len() {
        connection.execute_batch(&format!("DROP TABLE temp.ripcord_conflict_{at}"))?;
    }
    Ok(merged)
}

/// Repeats an act over all tables until it changes nothing more.
fn settle<'m>(tables: &[Merge<'m>], act: impl Fn(&Merge<'m>) -> Result<u64>) -> Result<Vec<u64>> {
    let mut totals = vec![0; tables.len()];
    for _ in 0..PASSES_MAX {
        let mut progress = 0;
        for (at, merge) in tables.iter().enumerate() {
            let changed = act(merge)?;
            totals[at] += changed;
            progress += changed;
        }
        if progress == 0 {
            break;
        }
    }
    Ok(totals)
}

struct Merge<'a> {
    connection: &'a Connection,
    kept: &'a Kept,
    at: usize,
    table: &'a Table,
    now: &'a Catalogue,
}

impl Merge<'_> {
    /// Rows that the transition inserted go, unless somebody made them their own.
    fn remove_inserted(&self) -> Result<u64> {
        if self.kept.inserted == 0 {
            return Ok(0);
        }
        let mut unreferred = Vec::new();
        for reference in crate::sqlite::integrity::references(self.connection, self.now)? {
            if reference.parent.eq_ignore_ascii_case(&self.table.name) {
                let equal = reference
                    .columns
                    .iter()
                    .map(|(child, parent)| format!("c.{} = t.{}", quoted(child), quoted(parent)));
                unreferred.push(format!(
                    " AND NOT EXISTS (SELECT 1 FROM main.{} AS c WHERE {})",
                    quoted(&reference.child),
                    equal.collect::<Vec<_>>().join(" AND ")
                ));
            }
        }
        let sql = format!("{} {}", self.delete_kept('i'), unreferred.concat());
        Ok(self.connection.execute(&sql, [])? as u64)
    }

    /// Rows that a script put in the place of deleted ones that now return.
    fn clear_way(&self) -> Result<()> {
        if self.kept.deleted > 0 {
            self.connection.execute(&self.delete_kept('d'), [])?;
        }
        Ok(())
    }

    fn delete_kept(&self, state: char) -> String {
        let names = self.kept.key.iter().map(|part| format!("t.{}", quoted(&part.before)));
        format!(
            "DELETE FROM main.{} AS t WHERE ({}) IN (SELECT {} FROM main.{} AS k
             WHERE k.state = '{state}' AND {})",
            quoted(&self.table.name),
            names.collect::<Vec<_>>().join(", "),
            self.kept.key_of("k"),
            quoted(&self.kept.store),
            self.free(-1),
        )
    }

    /// Old values return to the rows that are still there. Says how many could not.
    fn update(&self, merged: &mut Merged) -> Result<u64> {
        let mut blocked = 0;
        let table = quoted(&self.table.name);
        let store = quoted(&self.kept.store);
        let finds = self.kept.finds(Side::Before, "t", "k");
        for (n, column) in self.kept.columns.iter().enumerate() {
            let Some(here) = self.table.column(&column.name).filter(|here| !here.generated) else {
                continue;
            };
            let guarded = column.after.is_some();
            if self.kept.updated == 0 || (guarded && column.values == 0) {
                continue;
            }
            let name = quoted(&here.name);
            let old = format!("k.o{n}");
            let mut wanted = format!("{finds} AND k.state = 'u'");
            if guarded {
                let changed = same(&old, &format!("k.n{n}"));
                let free = self.free(i64::try_from(n).unwrap_or(i64::MAX));
                wanted = format!("{wanted} AND NOT {changed} AND {free}");
            }
            if self.kept.only_missing {
                wanted = format!("{wanted} AND t.{name} IS NULL");
            }
            let differs = format!("NOT {}", same(&format!("t.{name}"), &old));
            let update = format!(
                "UPDATE OR IGNORE main.{table} AS t SET {name} = {old} FROM main.{store} AS k
                 WHERE {wanted} AND {differs}"
            );
            // A value may be free only after another has returned, hence the passes.
            for _ in 0..PASSES_MAX {
                if self.connection.execute(&update, [])? == 0 {
                    break;
                }
            }
            let blocked_rows = format!("{wanted} AND {differs}");
            let is_blocked = format!(
                "SELECT EXISTS(SELECT 1 FROM main.{store} AS k JOIN main.{table} AS t ON {finds}
                 WHERE {blocked_rows})"
            );
            if self.connection.query_row(&is_blocked, [], |row| row.get(0))? {
                self.exchange(&here.name, &old, &blocked_rows)?;
            }
            let value = if guarded { "" } else { " AND k.o0 IS NOT NULL" };
            let value = value.replace("o0", &format!("o{n}"));
            let sql = format!(
                "SELECT count(*), coalesce(sum({differs}), 0) FROM main.{store} AS k
                 JOIN main.{table} AS t ON {finds} WHERE {wanted}{value}"
            );
            let (all, left): (u64, u64) =
                self.connection.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let what = format!("{}.{}", self.table.name, here.name);
            let count = |count| Counted { what: what.clone(), unit: Unit::Values, count };
            add_counts(&mut merged.restored, [count(all - left)]);
            add_counts(&mut merged.held_back, [count(left)]);
            blocked += left;
            if guarded {
                add_counts(&mut merged.users, [count(self.conflicts(&n.to_string(), 'u')?)]);
            } else {
                self.note_without_value(here, merged)?;
            }
        }
        Ok(blocked)
    }

    /// Rows that stand in each other's way, as after an exchange of unique values, are taken out
    /// and put in again together. Where that fails too, everything stays as it was.
    fn exchange(&self, column: &str, old: &str, blocked: &str) -> Result<()> {
        let (mut names, mut values) = (Vec::new(), Vec::new());
        if let (Some(rowid), false) = (self.table.rowid(), self.table.key_is_number()) {
            names.push(quoted(rowid));
            values.push(format!("t.{} AS c0", quoted(rowid)));
        }
        for stored in self.table.stored() {
            let name = quoted(&stored.name);
            let value = if stored.name == column { old.to_owned() } else { format!("t.{name}") };
            values.push(format!("{value} AS c{}", names.len()));
            names.push(name);
        }
        let table = quoted(&self.table.name);
        let key: Vec<String> =
            self.kept.key.iter().map(|part| format!("d.{}", quoted(&part.before))).collect();
        let from = format!(
            "FROM main.{} AS k JOIN main.{table} AS t ON {} WHERE {blocked}",
            quoted(&self.kept.store),
            self.kept.finds(Side::Before, "t", "k"),
        );
        crate::sqlite::reshape::attempt(
            self.connection,
            &format!(
                "CREATE TEMP TABLE ripcord_parked AS SELECT {values} {from};
                 DELETE FROM main.{table} AS d WHERE ({key}) IN (SELECT {kept_key} {from});
                 INSERT INTO main.{table}({names}) SELECT * FROM temp.ripcord_parked;
                 DROP TABLE temp.ripcord_parked;",
                values = values.join(", "),
                key = key.join(", "),
                kept_key = self.kept.key_of("k"),
                names = names.join(", "),
            ),
        )
    }

    /// Rows that the transition deleted return, unless their key is taken.
    fn insert_deleted(&self, with_parents: bool, renumber: bool) -> Result<u64> {
        if self.kept.deleted == 0 {
            return Ok(0);
        }
        let mut names = Vec::new();
        let mut values = Vec::new();
        if self.kept.by_rowid {
            names.push(quoted(&self.kept.key[0].before));
            values.push(if renumber { "NULL" } else { "k.k0" }.to_owned());
        }
        for column in self.table.stored() {
            let same = |kept: &crate::sqlite::kept::KeptColumn| {
                kept.name.eq_ignore_ascii_case(&column.name)
            };
            names.push(quoted(&column.name));
            values.push(match self.kept.columns.iter().position(same) {
                Some(n) => format!("k.o{n}"),
                None => fallback(self.table, column),
            });
        }
        let place = if renumber {
            format!("NOT {}", self.free(-1))
        } else {
            format!(
                "{} AND NOT EXISTS (SELECT 1 FROM main.{} AS t WHERE {})",
                self.free(-1),
                quoted(&self.table.name),
                self.kept.finds(Side::Before, "t", "k"),
            )
        };
        let parents = if with_parents { self.parents(&values)? } else { String::new() };
        let sql = format!(
            "INSERT OR IGNORE INTO main.{table}({names}) SELECT {values} FROM main.{store} AS k
             WHERE k.state = 'd' AND {place}{parents}",
            table = quoted(&self.table.name),
            names = names.join(", "),
            values = values.join(", "),
            store = quoted(&self.kept.store),
        );
        Ok(self.connection.execute(&sql, [])? as u64)
    }

    /// The condition that every row referred to is there.
    fn parents(&self, values: &[String]) -> Result<String> {
        let offset = usize::from(self.kept.by_rowid);
        let stored: Vec<&str> = self.table.stored().map(|column| column.name.as_str()).collect();
        let value = |name: &str| {
            let at = stored.iter().position(|stored| stored.eq_ignore_ascii_case(name));
            at.map_or("NULL".to_owned(), |at| values[at + offset].clone())
        };
        let mut conditions = Vec::new();
        for reference in crate::sqlite::integrity::references(self.connection, self.now)? {
            if !reference.child.eq_ignore_ascii_case(&self.table.name) {
                continue;
            }
            let absent =
                reference.columns.iter().map(|(child, _)| format!("{} IS NULL", value(child)));
            let equal = reference
                .columns
                .iter()
                .map(|(child, parent)| format!("p.{} = {}", quoted(parent), value(child)));
            conditions.push(format!(
                " AND ({} OR EXISTS (SELECT 1 FROM main.{} AS p WHERE {}))",
                absent.collect::<Vec<_>>().join(" OR "),
                quoted(&reference.parent),
                equal.collect::<Vec<_>>().join(" AND ")
            ));
        }
        Ok(conditions.concat())
    }

    fn report(&self, inserted: u64, blocked: u64, merged: &mut Merged) -> Result<()> {
        let what = self.table.name.clone();
        let rows = |count| Counted { what: what.clone(), unit: Unit::Rows, count };
        let taken = if self.kept.by_rowid { 0 } else { self.conflicts("-1", 'd')? };
        add_counts(&mut merged.restored, [rows(inserted)]);
        add_counts(&mut merged.users, [rows(taken + self.conflicts("-1", 'i')?)]);
        let held = self.kept.deleted.saturating_sub(inserted + taken);
        add_counts(&mut merged.held_back, [rows(held)]);
        if held == 0 && taken == 0 && blocked == 0 && !self.kept.only_missing {
            merged.consumed.push(self.kept.store.clone());
        }
        Ok(())
    }

    fn note_without_value(
        &self,
        column: &ripcord_core::schema::Column,
        merged: &mut Merged,
    ) -> Result<()> {
        let sql = format!(
            "SELECT (SELECT count(*) FROM main.{table}) -
             (SELECT count(*) FROM main.{store} AS k JOIN main.{table} AS t ON {finds})",
            table = quoted(&self.table.name),
            store = quoted(&self.kept.store),
            finds = self.kept.finds(Side::Before, "t", "k"),
        );
        let count: i64 = self.connection.query_row(&sql, [], |row| row.get(0))?;
        if count > 0 {
            let rows = if count == 1 { "1 row" } else { &format!("{count} rows") };
            merged.without_value.push(format!(
                "{rows} of {table} written since: {table}.{name} has no kept value for them and \
                 becomes {value}, unless the script sets it",
                table = self.table.name,
                name = column.name,
                value = fallback(self.table, column),
            ));
        }
        Ok(())
    }

    fn conflicts(&self, column: &str, state: char) -> Result<u64> {
        let sql = format!(
            "SELECT count(*) FROM temp.ripcord_conflict_{} AS x JOIN main.{} AS k ON {}
             WHERE x.c = {column} AND k.state = '{state}'",
            self.at,
            quoted(&self.kept.store),
            equal_keys(self.kept, "k", "x"),
        );
        Ok(self.connection.query_row(&sql, [], |row| row.get(0))?)
    }

    /// The condition that no user wrote here since.
    fn free(&self, column: i64) -> String {
        format!(
            "NOT EXISTS (SELECT 1 FROM temp.ripcord_conflict_{} AS x WHERE {} AND x.c = {column})",
            self.at,
            equal_keys(self.kept, "x", "k"),
        )
    }
}
