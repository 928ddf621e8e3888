//! Rows that a run inserted, updated or deleted become as they were, unless users wrote to them
//! since. However often the run changed a row, only its first and its last form count.

use super::group::{EDITED, Group, INSERTED, TAKEN, unreferred};
use super::place::{Place, Side, Spot, finds, value};
use super::rows::numbered;
use super::{ABOUT, same};
use crate::postgres::connection::Connection;
use crate::postgres::outcome::Conflict;
use crate::postgres::own::KeptColumn;
use crate::postgres::trouble::PostgresError;
use std::cell::Cell;

/// What became of the rows of one table, all in all.
#[derive(Debug)]
pub(crate) struct Net {
    /// The table that says so: the key, whether the row was there before and after, the first old
    /// values and the last new ones. Without a key: how many rows of one form are too many.
    table: String,
    relation: String,
    key: Vec<KeptColumn>,
    columns: Vec<KeptColumn>,
    /// The table that says which of it users left alone. None where that shows only when rows are
    /// back that the run removed afterwards.
    free: Option<String>,
    /// Whether rows without a key that the run inserted are gone already.
    forestalled: Cell<bool>,
    /// Its place among the pieces of the run.
    pub(crate) ordinal: i32,
}

/// Sums up what some stores of one table hold.
pub(crate) fn net(
    connection: &mut Connection,
    group: &Group<'_>,
    (number, ordinal): (i64, i32),
) -> Result<Net, PostgresError> {
    let table = format!("ripcord.net_{number}");
    connection
        .run(ABOUT, &format!("CREATE TABLE {table} AS SELECT * FROM {} s", group.summed()))?;
    let (relation, key, columns) =
        (group.relation.to_owned(), group.key.to_vec(), group.columns.to_vec());
    let forestalled = Cell::new(false);
    Ok(Net { table, relation, key, columns, free: None, forestalled, ordinal })
}

impl Net {
    /// The table whose rows it is about.
    pub(crate) fn relation(&self) -> &str {
        &self.relation
    }

    /// Whether it can be taken back only when the schema is as it was and rows are back that the
    /// run removed afterwards.
    pub(crate) fn waits(&self) -> bool {
        self.free.is_none()
    }

    /// What the run inserted is gone already, from the schema of now.
    pub(crate) fn forestalled(&self) {
        self.forestalled.set(true);
    }

    /// Looks what users left alone.
    pub(crate) fn mark(
        &mut self,
        connection: &mut Connection,
        side: Side<'_>,
    ) -> Result<(), PostgresError> {
        if self.key.is_empty() {
            return Ok(());
        }
        let free = self.table.replacen("net_", "free_", 1);
        let place = side.place(&self.relation, &self.columns);
        let place = place.as_ref();
        let found = place.and_then(|place| Some((place, finds(place, &self.key)?)));
        let columns = self.columns.iter().enumerate().map(|(at, column)| {
            let spot = found.as_ref().and_then(|(place, _)| place.spot(column));
            let Some(spot) = spot else { return format!("true AS h{at}") };
            let left = value(&format!("k.n{at}"), column, spot);
            let same = same(&format!("t.{}", spot.name), &left);
            format!("CASE WHEN t.tableoid IS NULL THEN false ELSE {same} END AS h{at}")
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
        self.values_back(connection, side, false)
    }

    /// Values become as they were; on demand only those of columns that were there all the time.
    fn values_back(
        &self,
        connection: &mut Connection,
        side: Side<'_>,
        lasting: bool,
    ) -> Result<u64, PostgresError> {
        let Some(place) = side.place(&self.relation, &self.columns) else { return Ok(0) };
        let Some(finds) = finds(&place, &self.key) else { return Ok(0) };
        let mut sets = Vec::new();
        for (at, column, spot) in self.changed(connection, &place)? {
            // What the run added goes as it is, and what does not convert is put back by itself.
            if !place.stays(column)
                || place.is_strange(column, spot)
                || lasting && !place.was_there(column)
            {
                continue;
            }
            let back = value(&format!("k.o{at}"), column, spot);
            let differs = format!("NOT {}", same(&format!("k.o{at}"), &format!("k.n{at}")));
            let (name, free) = (spot.name, self.is_free(at, column, spot));
            sets.push(format!(
                "{name} = CASE WHEN {free} AND {differs} THEN {back} ELSE t.{name} END"
            ));
        }
        if sets.is_empty() {
            return Ok(0);
        }
        let sql = format!(
            "UPDATE {} t SET {} FROM {} WHERE k.before AND k.after AND {finds}",
            place.table,
            sets.join(", "),
            self.from()
        );
        connection.count(ABOUT, &sql)
    }

    /// Rows that the run gave another key get their old one back, with what else it changed of them
    /// and users left alone. Rows that refer to them follow, where that was agreed.
    pub(crate) fn move_back(
        &self,
        connection: &mut Connection,
        side: Side<'_>,
    ) -> Result<u64, PostgresError> {
        let Some(place) = side.place(&self.relation, &self.columns) else { return Ok(0) };
        let Some(finds) = finds(&place, &self.key) else { return Ok(0) };
        let (mut sets, mut taken, mut moved) = (Vec::new(), Vec::new(), Vec::new());
        for (at, column) in self.columns.iter().enumerate() {
            let is_key = self.key.iter().any(|key| key.name == column.name);
            let Some(spot) = place.spot(column).filter(|_| place.stays(column)) else {
                if is_key {
                    return Ok(0);
                }
                continue;
            };
            let strange = place.is_strange(column, spot);
            if is_key && (strange || spot.always) {
                return Ok(0);
            }
            if strange || spot.always {
                continue;
            }
            let (name, back) = (spot.name, value(&format!("k.o{at}"), column, spot));
            if is_key {
                sets.push(format!("{name} = {back}"));
                taken.push(format!("x.{name} = {back}"));
                moved.push(format!("k.o{at} IS NOT NULL"));
            } else {
                let differs = format!("NOT {}", same(&format!("k.o{at}"), &format!("k.n{at}")));
                let free = self.is_free(at, column, spot);
                sets.push(format!(
                    "{name} = CASE WHEN {free} AND {differs} THEN {back} ELSE t.{name} END"
                ));
            }
        }
        if taken.is_empty() {
            return Ok(0);
        }
        let sql = format!(
            "UPDATE {table} t SET {} FROM {} WHERE NOT k.before AND k.after AND {} AND {finds} \
             AND NOT EXISTS (SELECT FROM {table} x WHERE {})",
            sets.join(", "),
            self.from(),
            moved.join(" AND "),
            taken.join(" AND "),
            table = place.table,
        );
        connection.count(ABOUT, &sql)
    }

    /// Rows that the run deleted, that users did not write anew, and that a script put back in some
    /// form, become as they were.
    pub(crate) fn overwrite(
        &self,
        connection: &mut Connection,
        side: Side<'_>,
    ) -> Result<u64, PostgresError> {
        let Some(place) = side.place(&self.relation, &self.columns) else { return Ok(0) };
        let Some(finds) = finds(&place, &self.key).filter(|_| self.free.is_some()) else {
            return Ok(0);
        };
        let mut sets = Vec::new();
        for (at, column) in self.columns.iter().enumerate() {
            let Some(spot) = place.spot(column) else { continue };
            if !spot.always && !place.is_strange(column, spot) {
                sets.push(format!("{} = {}", spot.name, value(&format!("k.o{at}"), column, spot)));
            }
        }
        if sets.is_empty() {
            return Ok(0);
        }
        let sql = format!(
            "UPDATE {} t SET {} FROM {} WHERE k.before AND NOT k.after AND NOT f.there AND {finds}",
            place.table,
            sets.join(", "),
            self.from()
        );
        connection.count(ABOUT, &sql)
    }

    /// What a script that was to take the run back did to rows that stay is no way back: rows that
    /// it deleted return, and values that it overwrote. Columns that it made anew are its own.
    pub(crate) fn revert(
        &self,
        connection: &mut Connection,
        side: Side<'_>,
        run: Option<&Net>,
    ) -> Result<u64, PostgresError> {
        if self.key.is_empty() {
            return self.deleted_back(connection, side, run);
        }
        let back = self.insert(connection, side)?;
        Ok(back + self.values_back(connection, side, true)?)
    }

    /// Rows without a key return that a script only deleted: what it changed cannot be told from
    /// what it deleted and inserted. Rows that it put back by itself, of those that the run had
    /// deleted, go, since they return anyway.
    fn deleted_back(
        &self,
        connection: &mut Connection,
        side: Side<'_>,
        run: Option<&Net>,
    ) -> Result<u64, PostgresError> {
        let Some(place) = side.place(&self.relation, &self.columns) else { return Ok(0) };
        if let Some(run) = run.filter(|run| run.key.is_empty()) {
            let theirs =
                self.columns.iter().map(|column| Some(format!("t.{}", place.spot(column)?.name)));
            if let Some(theirs) = theirs.collect::<Option<Vec<String>>>() {
                let sql = format!(
                    "WITH ours AS (SELECT k.image, least(k.surplus, -r.surplus) AS surplus FROM {} k JOIN {} r \
                     ON r.image = k.image WHERE k.surplus > 0 AND r.surplus < 0), theirs AS (SELECT t.ctid AS \
                     place, t.tableoid AS leaf, {} FROM {table} t) DELETE FROM {table} t USING ours k JOIN theirs f \
                     ON f.image = k.image AND f.nth <= k.surplus WHERE t.ctid = f.place AND t.tableoid = f.leaf",
                    self.table,
                    run.table,
                    numbered("t", &theirs),
                    table = place.table,
                );
                connection.count(ABOUT, &sql)?;
            }
        }
        let (mut names, mut values, mut own) = (Vec::new(), Vec::new(), Vec::new());
        for (at, column) in self.columns.iter().enumerate() {
            let spot = place.spot(column).filter(|_| place.was_there(column));
            let Some(spot) = spot.filter(|spot| !place.is_strange(column, *spot)) else { continue };
            names.push(spot.name);
            own.push(format!("k.v{at}"));
            values.push(value(&format!("k.v{at}"), column, spot));
        }
        if names.is_empty() {
            return Ok(0);
        }
        let image = format!("ROW({})::text", own.join(", "));
        let alike = format!(
            "(SELECT DISTINCT ON ({image}) k.*, pg_catalog.sum(k.surplus) OVER (PARTITION BY {image}) AS \
             all_in_all FROM {} k)",
            self.table
        );
        let more = format!("SELECT pg_catalog.count(*) FROM {alike} k WHERE k.all_in_all > 0");
        if connection.number(ABOUT, &more)? > 0 {
            return Ok(0);
        }
        let sql = format!(
            "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {alike} k CROSS JOIN \
             pg_catalog.generate_series(1, -k.all_in_all::int) WHERE k.all_in_all < 0",
            place.table,
            names.join(", "),
            values.join(", ")
        );
        connection.count(ABOUT, &sql)
    }

    /// Where the changes and what users left alone stand.
    fn from(&self) -> String {
        let table = &self.table;
        match &self.free {
            Some(free) => format!("{table} k JOIN {free} f ON f.at = k.ctid"),
            None => format!("{table} k"),
        }
    }

    /// The condition that users left a value alone.
    fn is_free(&self, at: usize, column: &KeptColumn, spot: Spot<'_>) -> String {
        if self.free.is_some() {
            return format!("f.h{at}");
        }
        same(&format!("t.{}", spot.name), &value(&format!("k.n{at}"), column, spot))
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

    /// Rows that the run inserted go, unless users changed them or refer to them.
    pub(crate) fn delete(
        &self,
        connection: &mut Connection,
        side: Side<'_>,
    ) -> Result<u64, PostgresError> {
        let Some(place) = side.place(&self.relation, &self.columns) else { return Ok(0) };
        if self.key.is_empty() && self.forestalled.get() {
            return Ok(0);
        }
        if self.key.is_empty() {
            return self.delete_surplus(connection, &place);
        }
        let Some(finds) = finds(&place, &self.key) else { return Ok(0) };
        let unreferred = unreferred(connection, &place.table)?;
        let free = self.columns.iter().enumerate();
        let free =
            free.filter_map(|(at, column)| Some(self.is_free(at, column, place.spot(column)?)));
        let mut all: Vec<String> = free.collect();
        all.extend(self.free.as_ref().map(|_| "f.there".to_owned()));
        let sql = format!(
            "DELETE FROM {} t USING {} WHERE NOT k.before AND k.after AND {finds} AND {}{unreferred}",
            place.table,
            self.from(),
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
        let Some(place) = side.place(&self.relation, &self.columns) else { return Ok(0) };
        let letter = if self.key.is_empty() { 'v' } else { 'o' };
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for (at, column) in self.columns.iter().enumerate() {
            let Some(spot) = place.spot(column) else { continue };
            // What does not convert is put back by itself.
            if place.is_strange(column, spot) {
                continue;
            }
            names.push(spot.name);
            values.push(value(&format!("k.{letter}{at}"), column, spot));
        }
        if names.is_empty() {
            return Ok(0);
        }
        let from = match (&self.free, self.key.is_empty()) {
            (Some(_), false) => {
                format!("{} WHERE k.before AND NOT k.after AND NOT f.there", self.from())
            }
            (None, false) => format!("{} WHERE k.before AND NOT k.after", self.from()),
            (_, true) => format!(
                "{} k CROSS JOIN pg_catalog.generate_series(1, -k.surplus::int) WHERE k.surplus < 0",
                self.table
            ),
        };
        // The key itself may come back only later, and would let them in twice.
        let missing = finds(&place, &self.key).map_or_else(String::new, |finds| {
            format!(" AND NOT EXISTS (SELECT FROM {} t WHERE {finds})", place.table)
        });
        let sql = format!(
            "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {from}{missing} \
             ON CONFLICT DO NOTHING",
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
        side: Side<'_>,
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
            add(connection, what, EDITED, &of)?;
        }
        let all: Vec<String> = (0..self.columns.len()).map(|at| format!("f.h{at}")).collect();
        let edited =
            format!("NOT k.before AND k.after AND f.there AND NOT ({})", all.join(" AND "));
        add(connection, self.relation.clone(), INSERTED, &edited)?;
        add(connection, self.relation.clone(), TAKEN, "k.before AND NOT k.after AND f.there")?;
        let place = side.place(&self.relation, &self.columns);
        let found = place.as_ref().and_then(|place| Some((place, finds(place, &self.key)?)));
        if let Some((place, finds)) = found {
            let missing = format!(
                "k.before AND NOT k.after AND NOT f.there AND NOT EXISTS (SELECT FROM {} t WHERE {finds})",
                place.table
            );
            let why = "users took values that may be there only once; the deleted rows stay kept";
            add(connection, self.relation.clone(), why, &missing)?;
        }
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
