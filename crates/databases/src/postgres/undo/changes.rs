//! Rows that a run inserted, updated or deleted become as they were, unless users wrote to them
//! since. However often the run changed a row, only its first and its last form count.

use super::place::{Place, Side, Spot, finds, value};
use super::rows::numbered;
use super::{ABOUT, same};
use crate::postgres::connection::Connection;
use crate::postgres::outcome::Conflict;
use crate::postgres::own::KeptColumn;
use crate::postgres::trouble::PostgresError;
use crate::sql::literal;

/// What became of the rows of one table, all in all.
#[derive(Debug)]
pub(crate) struct Net {
    /// The table that says so: the key, whether the row was there before and after, the first old
    /// values and the last new ones. Without a key: how many rows of one form are too many.
    table: String,
    relation: String,
    key: Vec<KeptColumn>,
    columns: Vec<KeptColumn>,
    /// The table that says which of it users left alone.
    free: Option<String>,
}

/// Sums up what some stores of one table hold.
pub(crate) fn net(
    connection: &mut Connection,
    relation: &str,
    stores: &[&str],
    key: &[KeptColumn],
    columns: &[KeptColumn],
    number: i64,
) -> Result<Net, PostgresError> {
    let table = format!("ripcord.net_{number}");
    let list = |letter: char, many: usize| -> Vec<String> {
        (0..many).map(|at| format!("{letter}{at}")).collect()
    };
    let (keys, old, new) =
        (list('k', key.len()), list('o', columns.len()), list('n', columns.len()));
    let all: Vec<String> = stores.iter().map(|store| format!("SELECT * FROM {store}")).collect();
    let all = all.join(" UNION ALL ");
    let sql = if key.is_empty() {
        let value = |at: usize| format!("CASE what WHEN 'i' THEN n{at} ELSE o{at} END AS v{at}");
        let values: Vec<String> = (0..columns.len()).map(value).collect();
        let names = list('v', columns.len()).join(", ");
        format!(
            "CREATE TABLE {table} AS WITH a AS ({all}), b AS (SELECT what, {} FROM a), c AS (SELECT b.*, \
             ROW({names})::text AS image FROM b) SELECT DISTINCT ON (image) c.*, pg_catalog.sum(CASE what \
             WHEN 'i' THEN 1 ELSE -1 END) OVER (PARTITION BY image) AS surplus FROM c",
            values.join(", ")
        )
    } else {
        let keys = keys.join(", ");
        let from = |alias: &str, list: &[String]| {
            list.iter().map(|name| format!("{alias}.{name}")).collect::<Vec<_>>().join(", ")
        };
        format!(
            "CREATE TABLE {table} AS WITH a AS ({all}), f AS (SELECT DISTINCT ON ({keys}) * FROM a \
             ORDER BY {keys}, at, what), l AS (SELECT DISTINCT ON ({keys}) * FROM a \
             ORDER BY {keys}, at DESC, what DESC) SELECT {keys}, f.what <> 'i' AS before, \
             l.what <> 'd' AS after, {}, {} FROM f JOIN l USING ({keys}) \
             WHERE f.what <> 'i' OR l.what <> 'd'",
            from("f", &old),
            from("l", &new)
        )
    };
    connection.run(ABOUT, &sql)?;
    let (key, columns) = (key.to_vec(), columns.to_vec());
    Ok(Net { table, relation: relation.to_owned(), key, columns, free: None })
}

impl Net {
    /// The table whose rows it is about.
    pub(crate) fn relation(&self) -> &str {
        &self.relation
    }

    /// Looks what users left alone. `emptied` when the run emptied or dropped the table after it
    /// had changed it, so that rows are missing that come back by themselves.
    pub(crate) fn mark(
        &mut self,
        connection: &mut Connection,
        side: Side<'_>,
        emptied: bool,
    ) -> Result<(), PostgresError> {
        if self.key.is_empty() {
            return Ok(());
        }
        let free = self.table.replacen("net_", "free_", 1);
        let place = side.place(&self.relation);
        let place = place.as_ref();
        let found = place.and_then(|place| Some((place, finds(place, &self.key)?)));
        let columns = self.columns.iter().enumerate().map(|(at, column)| {
            let spot = found.as_ref().and_then(|(place, _)| place.spot(column));
            let Some(spot) = spot else { return format!("true AS h{at}") };
            let left = value(&format!("k.n{at}"), column, spot);
            let same = same(&format!("t.{}", spot.name), &left);
            format!("CASE WHEN t.tableoid IS NULL THEN {emptied} ELSE {same} END AS h{at}")
        });
        let columns: Vec<String> = columns.collect();
        let (there, join) = match &found {
            Some((place, finds)) => {
                ("t.tableoid IS NOT NULL", format!(" LEFT JOIN {} t ON {finds}", place.table))
            }
            None => ("false", String::new()),
        };
        let sql = format!(
            "CREATE TABLE {free} AS SELECT k.ctid AS at, {there} AS there, {} FROM {} k{join}",
            columns.join(", "),
            self.table
        );
        connection.run(ABOUT, &sql)?;
        self.free = Some(free);
        Ok(())
    }

    /// Values that the run changed become as they were. Says in how many rows.
    pub(crate) fn update(
        &self,
        connection: &mut Connection,
        side: Side<'_>,
    ) -> Result<u64, PostgresError> {
        let (Some(place), Some(free)) = (side.place(&self.relation), &self.free) else {
            return Ok(0);
        };
        let Some(finds) = finds(&place, &self.key) else { return Ok(0) };
        let mut sets = Vec::new();
        for (at, column, spot) in self.changed(connection, &place)? {
            let back = value(&format!("k.o{at}"), column, spot);
            let changed =
                format!("f.h{at} AND NOT {}", same(&format!("k.o{at}"), &format!("k.n{at}")));
            let name = spot.name;
            sets.push(format!("{name} = CASE WHEN {changed} THEN {back} ELSE t.{name} END"));
        }
        if sets.is_empty() {
            return Ok(0);
        }
        let sql = format!(
            "UPDATE {} t SET {} FROM {} k JOIN {free} f ON f.at = k.ctid \
             WHERE k.before AND k.after AND {finds}",
            place.table,
            sets.join(", "),
            self.table
        );
        connection.count(ABOUT, &sql)
    }

    /// The columns that any row differs in.
    fn changed<'a, 's>(
        &'a self,
        connection: &mut Connection,
        place: &Place<'s>,
    ) -> Result<Vec<(usize, &'a KeptColumn, Spot<'s>)>, PostgresError> {
        let differs = |at: usize| {
            let same = same(&format!("k.o{at}"), &format!("k.n{at}"));
            format!("coalesce(pg_catalog.bool_or(NOT {same}), false)::text")
        };
        let list: Vec<String> = (0..self.columns.len()).map(differs).collect();
        let sql =
            format!("SELECT {} FROM {} k WHERE k.before AND k.after", list.join(", "), self.table);
        let rows = connection.rows(ABOUT, &sql)?;
        let row = rows.into_iter().next().unwrap_or_default();
        let changed =
            self.columns.iter().enumerate().zip(row).filter_map(|((at, column), differs)| {
                (differs.as_deref() == Some("true")).then_some(())?;
                Some((at, column, place.spot(column)?))
            });
        Ok(changed.collect())
    }

    /// Rows that the run inserted go, unless users changed them or refer to them. Those that were
    /// missing when it was looked, and came back since, go in a second turn.
    pub(crate) fn delete(
        &self,
        connection: &mut Connection,
        side: Side<'_>,
        missing: bool,
    ) -> Result<u64, PostgresError> {
        let Some(place) = side.place(&self.relation) else { return Ok(0) };
        let unreferred = unreferred(connection, &place.table)?;
        if self.key.is_empty() {
            return if missing { Ok(0) } else { self.delete_surplus(connection, &place) };
        }
        let (Some(finds), Some(free)) = (finds(&place, &self.key), &self.free) else {
            return Ok(0);
        };
        let all: Vec<String> = (0..self.columns.len()).map(|at| format!("f.h{at}")).collect();
        let there = if missing { "NOT f.there" } else { "f.there" };
        let sql = format!(
            "DELETE FROM {} t USING {} k JOIN {free} f ON f.at = k.ctid WHERE NOT k.before AND \
             k.after AND {there} AND {finds} AND {}{unreferred}",
            place.table,
            self.table,
            all.join(" AND ")
        );
        let mut done = 0;
        // A row may be referred to by another of these.
        for _ in 0..PASSES_MAX {
            match connection.count(ABOUT, &sql)? {
                0 => break,
                more => done += more,
            }
        }
        Ok(done)
    }

    fn delete_surplus(
        &self,
        connection: &mut Connection,
        place: &Place<'_>,
    ) -> Result<u64, PostgresError> {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for (at, column) in self.columns.iter().enumerate() {
            let Some(spot) = place.spot(column) else { continue };
            ours.push(value(&format!("k.v{at}"), column, spot));
            theirs.push(format!("t.{}", spot.name));
        }
        let sql = format!(
            "WITH ours AS (SELECT ROW({})::text AS image, k.surplus FROM {} k WHERE k.surplus > 0), \
             theirs AS (SELECT t.ctid AS place, t.tableoid AS leaf, {} FROM {} t) DELETE FROM {} t \
             USING ours k JOIN theirs f ON f.image = k.image AND f.nth <= k.surplus \
             WHERE t.ctid = f.place AND t.tableoid = f.leaf",
            ours.join(", "),
            self.table,
            numbered("t", &theirs),
            place.table,
            place.table
        );
        connection.count(ABOUT, &sql)
    }

    /// Rows that the run deleted return, unless users took their place.
    pub(crate) fn insert(
        &self,
        connection: &mut Connection,
        side: Side<'_>,
    ) -> Result<u64, PostgresError> {
        let Some(place) = side.place(&self.relation) else { return Ok(0) };
        let letter = if self.key.is_empty() { 'v' } else { 'o' };
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for (at, column) in self.columns.iter().enumerate() {
            let Some(spot) = place.spot(column) else { continue };
            names.push(spot.name);
            values.push(value(&format!("k.{letter}{at}"), column, spot));
        }
        let from = match (&self.free, self.key.is_empty()) {
            (Some(free), false) => format!(
                "{} k JOIN {free} f ON f.at = k.ctid WHERE k.before AND NOT k.after AND NOT f.there",
                self.table
            ),
            _ => format!(
                "{} k CROSS JOIN pg_catalog.generate_series(1, -k.surplus::int) WHERE k.surplus < 0",
                self.table
            ),
        };
        let sql = format!(
            "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {from} ON CONFLICT DO NOTHING",
            place.table,
            names.join(", "),
            values.join(", ")
        );
        connection.count(ABOUT, &sql)
    }

    /// What users wrote where the run had written, which stays.
    pub(crate) fn conflicts(
        &self,
        connection: &mut Connection,
    ) -> Result<Vec<Conflict>, PostgresError> {
        let Some(free) = &self.free else { return Ok(Vec::new()) };
        let mut list = Vec::new();
        let joined = format!("FROM {} k JOIN {free} f ON f.at = k.ctid WHERE", self.table);
        let mut add = |connection: &mut Connection, what: String, why: &str, of: &str| {
            let sql = format!("SELECT pg_catalog.count(*) {joined} {of}");
            let count = u64::try_from(connection.number(ABOUT, &sql)?).unwrap_or(0);
            if count > 0 {
                list.push(Conflict { what, why: why.to_owned(), count });
            }
            Ok::<(), PostgresError>(())
        };
        for (at, column) in self.columns.iter().enumerate() {
            let changed = same(&format!("k.o{at}"), &format!("k.n{at}"));
            let of = format!("k.before AND k.after AND f.there AND NOT {changed} AND NOT f.h{at}");
            let what = format!("{}.{}", self.relation, column.name);
            add(connection, what, "users wrote another value since, which stays", &of)?;
        }
        let all: Vec<String> = (0..self.columns.len()).map(|at| format!("f.h{at}")).collect();
        let edited =
            format!("NOT k.before AND k.after AND f.there AND NOT ({})", all.join(" AND "));
        let why = "users changed rows that the script had inserted; they stay";
        add(connection, self.relation.clone(), why, &edited)?;
        let why = "users wrote rows in the place of deleted ones; theirs stay";
        add(connection, self.relation.clone(), why, "k.before AND NOT k.after AND f.there")?;
        Ok(list)
    }

    /// Removes what was only for the moment.
    pub(crate) fn finish(self, connection: &mut Connection) -> Result<(), PostgresError> {
        if let Some(free) = &self.free {
            connection.run(ABOUT, &format!("DROP TABLE {free}"))?;
        }
        connection.run(ABOUT, &format!("DROP TABLE {}", self.table))
    }
}

/// How long a chain of rows may be that refer to each other.
const PASSES_MAX: u32 = 32;

/// The condition that no other row refers to the row of `t`.
fn unreferred(connection: &mut Connection, table: &str) -> Result<String, PostgresError> {
    let sql = format!(
        "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), (SELECT pg_catalog.string_agg(\
         pg_catalog.format('r.%I = t.%I', a.attname, b.attname), ' AND ') FROM \
         ROWS FROM (pg_catalog.unnest(k.conkey), pg_catalog.unnest(k.confkey)) AS pair(own, their) \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = pair.own \
         JOIN pg_catalog.pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = pair.their) \
         FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE k.contype = 'f' AND k.conparentid = 0 AND k.confrelid = {}::pg_catalog.regclass",
        literal(table)
    );
    let mut conditions = String::new();
    for row in connection.rows(ABOUT, &sql)? {
        if let [Some(child), Some(equal)] = &row[..] {
            // A row that refers to itself does not stand in its own way.
            let other = if child == table { " AND r.ctid <> t.ctid" } else { "" };
            conditions
                .push_str(&format!(" AND NOT EXISTS (SELECT FROM {child} r WHERE {equal}{other})"));
        }
    }
    Ok(conditions)
}
