//! Seeing what a transition does to rows, whatever does it: the images of rows from before, taken
//! as a whole where a statement reaches all of them, else by triggers as each row is first touched.
//!
//! Only *old* rows are taken here. What became of them is read off the tables at the end, so the
//! order in which triggers fire, cascades, and the user's own triggers cannot deceive it.

use crate::sql::quoted;
use crate::sqlite::catalogue::{Catalogue, Table};
use crate::sqlite::finish;
use crate::sqlite::kept::{Kept, KeptColumn, KeyPart, Side};
use crate::sqlite::mapping::{Pair, Tracker};
use crate::sqlite::statement::{Script, Statement};
use crate::sqlite::trouble::{Result, Trouble};
use ripcord_core::schema::Counted;
use rusqlite::Connection;
use std::collections::BTreeSet;

/// The rows of a catalogue's tables under watch.
#[derive(Debug)]
pub(crate) struct Capture {
    watched: Vec<Watched>,
    armed: Option<bool>,
}

/// One table under watch.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) table: Table,
    pub(crate) extent: Extent,
    /// The key and the columns to take, as a description not yet of any store.
    pub(crate) shape: Kept,
}

/// How much of a table is taken beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All rows.
    Whole,
    /// Of all rows the key and the columns that go.
    Columns,
    /// Rows as they are touched.
    Touched,
}

/// What is known beforehand about where a transition leads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Course<'a> {
    pub(crate) before: &'a Catalogue,
    pub(crate) script: Option<&'a Script>,
    /// The tables that survive, where the end is known from a record.
    pub(crate) known: Option<&'a [Pair]>,
    /// What will be written back at the end.
    pub(crate) overlay: &'a [Kept],
}

impl Capture {
    /// Takes the images that must be taken beforehand.
    pub(crate) fn start(connection: &Connection, course: &Course<'_>) -> Result<Capture> {
        let fates = Fates::of(course);
        let mut watched = Vec::new();
        for table in course.before.tables.iter().filter(|table| !table.is_virtual) {
            if let Some((extent, columns)) = fates.extent(table, course) {
                let shape = shape(connection, table, &columns)?;
                watched.push(Watched { table: table.clone(), extent, shape });
            }
        }
        for (at, watched) in watched.iter().enumerate() {
            watched.take(connection, at, course.overlay)?;
        }
        Ok(Capture { watched, armed: None })
    }

    /// Sees to it that rows are seen as they are touched; `destroy` notes only their keys, as rows
    /// that shall not be kept.
    pub(crate) fn arm(
        &mut self,
        connection: &Connection,
        tracker: &Tracker,
        destroy: bool,
    ) -> Result<()> {
        if self.armed == Some(destroy) {
            return Ok(());
        }
        self.disarm(connection)?;
        for (at, watched) in self.watched.iter().enumerate() {
            let seen = destroy || watched.extent != Extent::Whole;
            let fate = tracker.tables.iter().find(|t| t.before == watched.table.name);
            let now = fate.filter(|_| seen).and_then(|fate| Some((fate, fate.now.as_ref()?)));
            if let Some((fate, now)) = now {
                let eye = Eye { watched, at, columns: &fate.columns };
                connection.execute_batch(&eye.triggers(now, destroy))?;
            }
        }
        self.armed = Some(destroy);
        Ok(())
    }

    /// Removes the triggers, which would be in the way of changes of schema.
    pub(crate) fn disarm(&mut self, connection: &Connection) -> Result<()> {
        if self.armed.take().is_some() {
            for at in 0..self.watched.len() {
                for event in ["update", "delete", "insert"] {
                    let drop = format!("DROP TRIGGER IF EXISTS temp.ripcord_see_{event}_{at}");
                    connection.execute_batch(&drop)?;
                }
            }
        }
        Ok(())
    }

    /// Compares the images with what is there now, keeps the difference in tables that last, and
    /// says which rows were destroyed as asked.
    pub(crate) fn finish(
        mut self,
        connection: &Connection,
        after: &Catalogue,
        pairs: &[Pair],
    ) -> Result<(Vec<Kept>, Vec<Counted>)> {
        self.disarm(connection)?;
        let (mut kept, mut gone) = (Vec::new(), Vec::new());
        for (at, watched) in self.watched.iter().enumerate() {
            let pair = pairs.iter().find(|pair| pair.before == watched.table.name);
            kept.extend(finish::keep(connection, watched, at, pair, after)?);
            gone.extend(finish::destroyed(connection, watched, at)?);
            connection.execute_batch(&format!(
                "DROP TABLE temp.ripcord_image_{at}; DROP TABLE temp.ripcord_gone_{at};"
            ))?;
        }
        Ok((kept, gone))
    }
}

/// What a script and a known end do to tables, read off beforehand.
struct Fates {
    tracker: Tracker,
    has_data: bool,
    whole: bool,
    /// Lower-case names of tables and columns that shall not be kept.
    destroyed: BTreeSet<(String, Option<String>)>,
    /// Columns that are dropped and made again, by table.
    remade: BTreeSet<String>,
}

impl Fates {
    fn of(course: &Course<'_>) -> Fates {
        let mut fates = Fates {
            tracker: Tracker::new(course.before),
            has_data: false,
            whole: false,
            destroyed: BTreeSet::new(),
            remade: BTreeSet::new(),
        };
        let Some(script) = course.script else { return fates };
        fates.has_data = script.any(Statement::is_data);
        let replaces = script.steps.iter().any(|s| s.replaces) || course.before.replaces();
        fates.whole = script.any(|s| *s == Statement::Opaque) || (fates.has_data && replaces);
        for step in &script.steps {
            fates.take(&step.statement, step.piece.destroy.is_some());
        }
        fates
    }

    fn take(&mut self, statement: &Statement, destroy: bool) {
        match statement {
            Statement::DropTable { table } if destroy => {
                let tracked = self.tracker.now(table).map(|t| t.before.to_ascii_lowercase());
                self.destroyed.extend(tracked.map(|table| (table, None)));
            }
            Statement::DropColumn { table, column } if destroy => {
                if let Some(tracked) = self.tracker.now(table) {
                    let is = |now: &Option<String>| {
                        now.as_ref().is_some_and(|now| now.eq_ignore_ascii_case(column))
                    };
                    let before = tracked.columns.iter().find(|(_, now)| is(now));
                    let table = tracked.before.to_ascii_lowercase();
                    let gone = before.map(|(name, _)| (table, Some(name.to_ascii_lowercase())));
                    self.destroyed.extend(gone);
                }
            }
            Statement::AddColumn { table, column, .. } => {
                let remade = self.tracker.now(table).filter(|tracked| {
                    let same = |(name, now): &(String, Option<String>)| {
                        now.is_none() && name.eq_ignore_ascii_case(column)
                    };
                    tracked.columns.iter().any(same)
                });
                self.remade.extend(remade.map(|tracked| tracked.before.clone()));
            }
            _ => {}
        }
        self.tracker.apply(statement);
    }

    /// How much of a table to take, and which columns; none when nothing can happen to it.
    fn extent(&self, table: &Table, course: &Course<'_>) -> Option<(Extent, Vec<String>)> {
        let name = table.name.to_ascii_lowercase();
        if self.destroyed.contains(&(name.clone(), None)) {
            return None;
        }
        let spared = |column: &str| {
            self.destroyed.contains(&(name.clone(), Some(column.to_ascii_lowercase())))
        };
        let all: Vec<String> =
            table.stored().map(|c| c.name.clone()).filter(|column| !spared(column)).collect();
        let tracked = self.tracker.tables.iter().find(|t| t.before == table.name);
        let leaves = tracked.is_none_or(|tracked| tracked.now.is_none());
        let known = course.known.map(|pairs| pairs.iter().find(|pair| pair.before == table.name));
        if self.whole || leaves || known == Some(None) || self.remade.contains(&table.name) {
            return Some((Extent::Whole, all));
        }
        let goes = |column: &String| {
            let dropped = tracked.is_some_and(|tracked| {
                tracked.columns.iter().any(|(name, now)| name == column && now.is_none())
            });
            dropped || known.flatten().is_some_and(|pair| pair.after_of(column).is_none())
        };
        let going: Vec<String> = all.iter().filter(|column| goes(column)).cloned().collect();
        let overlaid = course
            .overlay
            .iter()
            .any(|kept| kept.after.as_deref() == Some(&table.name) && !kept.is_only_columns());
        let touched = self.has_data || overlaid;
        match (going.is_empty(), touched) {
            (false, false) => Some((Extent::Columns, going)),
            (false, true) => Some((Extent::Whole, all)),
            (true, true) => Some((Extent::Touched, all)),
            (true, false) => None,
        }
    }
}

/// The key of a table and the columns to take of it.
fn shape(connection: &Connection, table: &Table, columns: &[String]) -> Result<Kept> {
    let primary = table.primary_key();
    let is_number = table.key_is_number();
    let has_null = || -> Result<bool> {
        let nulls = primary.iter().map(|column| format!("{} IS NULL", quoted(&column.name)));
        let nulls = nulls.collect::<Vec<_>>().join(" OR ");
        let sql =
            format!("SELECT EXISTS(SELECT 1 FROM main.{} WHERE {nulls})", quoted(&table.name));
        Ok(connection.query_row(&sql, [], |row| row.get(0))?)
    };
    let by_key = !primary.is_empty()
        && (is_number
            || table.without_rowid
            || primary.iter().all(|column| column.not_null)
            || !has_null()?);
    let key = if by_key {
        let part = |column: &&ripcord_core::schema::Column| KeyPart {
            before: column.name.clone(),
            after: column.name.clone(),
            affinity: if is_number { "INTEGER" } else { table.affinity(column) }.to_owned(),
        };
        primary.iter().map(part).collect()
    } else {
        let name = table.rowid().ok_or_else(|| {
            Trouble::refuse(format!("rows of table {} have no key to find them by", table.name))
        })?;
        let affinity = "INTEGER".to_owned();
        vec![KeyPart { before: name.into(), after: name.into(), affinity }]
    };
    let column =
        |name: &String| KeptColumn { name: name.clone(), after: None, values: 0, written: 0 };
    Ok(Kept {
        store: String::new(),
        table: table.name.clone(),
        after: None,
        key,
        by_rowid: !by_key,
        columns: columns.iter().map(column).collect(),
        added: Vec::new(),
        deleted: 0,
        updated: 0,
        inserted: 0,
        only_missing: false,
    })
}

impl Watched {
    fn take(&self, connection: &Connection, at: usize, overlay: &[Kept]) -> Result<()> {
        let mut further = vec!["present INT".to_owned()];
        further.extend((0..self.shape.columns.len()).map(|at| format!("o{at}")));
        let image = self.shape.table_like(&format!("temp.ripcord_image_{at}"), &further);
        let gone = self.shape.table_like(&format!("temp.ripcord_gone_{at}"), &["x".to_owned()]);
        connection.execute_batch(&format!("{image}; {gone}"))?;
        let insert = format!("INSERT INTO temp.ripcord_image_{at} SELECT {}, 1", self.key("t"));
        let columns = self.shape.columns.iter().map(|c| format!(", t.{}", quoted(&c.name)));
        let columns = columns.collect::<Vec<_>>().concat();
        let table = quoted(&self.table.name);
        if self.extent != Extent::Touched {
            connection.execute_batch(&format!("{insert}{columns} FROM main.{table} AS t"))?;
            return Ok(());
        }
        // Rows that are about to be written back are touched too, without any trigger.
        let mine = |kept: &&Kept| {
            kept.after.as_deref() == Some(&self.table.name) && !kept.is_only_columns()
        };
        for kept in overlay.iter().filter(mine) {
            let finds = kept.finds(Side::After, "t", "k");
            let new = self.shape.key.iter().enumerate();
            let new = new.map(|(at, part)| format!("i.k{at} = t.{}", quoted(&part.before)));
            let new = new.collect::<Vec<_>>().join(" AND ");
            connection.execute_batch(&format!(
                "{insert}{columns} FROM main.{store} AS k JOIN main.{table} AS t ON {finds}
                 WHERE NOT EXISTS (SELECT 1 FROM temp.ripcord_image_{at} AS i WHERE {new})",
                store = quoted(&kept.store),
            ))?;
            let same_key = kept.key.len() == self.shape.key.len();
            if same_key {
                connection.execute_batch(&format!(
                    "INSERT INTO temp.ripcord_image_{at}({keys}, present) SELECT {from}, 0
                     FROM main.{store} AS k WHERE NOT EXISTS
                     (SELECT 1 FROM temp.ripcord_image_{at} AS i WHERE {equal})",
                    keys = bare_key(&self.shape),
                    from = kept.key_of("k"),
                    store = quoted(&kept.store),
                    equal = equal_keys(&self.shape, "i", "k"),
                ))?;
            }
        }
        Ok(())
    }

    fn key(&self, alias: &str) -> String {
        let part = |part: &KeyPart| format!("{alias}.{}", quoted(&part.before));
        self.shape.key.iter().map(part).collect::<Vec<_>>().join(", ")
    }
}

/// The triggers that see the rows of one table, by its names of now.
struct Eye<'a> {
    watched: &'a Watched,
    at: usize,
    columns: &'a [(String, Option<String>)],
}

impl Eye<'_> {
    fn triggers(&self, table: &str, destroy: bool) -> String {
        let (at, shape) = (self.at, &self.watched.shape);
        let (old, new) = (self.key("OLD").join(", "), self.key("NEW").join(", "));
        let note_old = if destroy {
            format!(
                "INSERT INTO ripcord_gone_{at} SELECT {old}, 1 WHERE {};",
                self.unseen("OLD", "gone")
            )
        } else {
            format!(
                "INSERT INTO ripcord_image_{at} SELECT {old}, 1{} WHERE {};",
                self.old_values(),
                self.unseen("OLD", "image")
            )
        };
        let note_new = if destroy {
            String::new()
        } else {
            format!(
                "INSERT INTO ripcord_image_{at}({keys}, present) SELECT {new}, 0 WHERE {unseen};",
                keys = bare_key(shape),
                unseen = self.unseen("NEW", "image")
            )
        };
        let table = quoted(table);
        let on = |event: &str, time: &str, of: &str, body: &str| {
            let verb = event.to_uppercase();
            format!(
                "CREATE TEMP TRIGGER ripcord_see_{event}_{at} {time} {verb} {of} ON main.{table}
                 BEGIN {body} END;"
            )
        };
        let mut all = on("update", "BEFORE", &self.of(), &format!("{note_old} {note_new}"));
        all.push_str(&on("delete", "BEFORE", "", &note_old));
        if !destroy {
            all.push_str(&on("insert", "AFTER", "", &note_new));
        }
        all
    }

    /// A statement that sets only added columns changes nothing that was there before.
    fn of(&self) -> String {
        let shape = &self.watched.shape;
        if shape.by_rowid {
            return String::new();
        }
        let key = shape.key.iter().map(|part| &part.before);
        let names = key.chain(shape.columns.iter().map(|column| &column.name));
        let names: Vec<String> =
            names.filter_map(|name| self.now(name)).map(|name| quoted(&name)).collect();
        format!("OF {}", names.join(", "))
    }

    fn old_values(&self) -> String {
        let value = |name: &str| {
            self.now(name).map_or(", NULL".into(), |name| format!(", OLD.{}", quoted(&name)))
        };
        let columns = self.watched.shape.columns.iter();
        columns.map(|column| value(&column.name)).collect::<Vec<_>>().concat()
    }

    /// The condition that the row has not been noted before.
    fn unseen(&self, alias: &str, into: &str) -> String {
        let key = self.key(alias);
        let equal: Vec<String> =
            key.iter().enumerate().map(|(n, value)| format!("k{n} = {value}")).collect();
        let equal = equal.join(" AND ");
        format!("NOT EXISTS (SELECT 1 FROM ripcord_{into}_{} WHERE {equal})", self.at)
    }

    fn key(&self, alias: &str) -> Vec<String> {
        let part = |part: &KeyPart| {
            let name = self.now(&part.before);
            name.map_or("NULL".into(), |name| format!("{alias}.{}", quoted(&name)))
        };
        self.watched.shape.key.iter().map(part).collect()
    }

    fn now(&self, before: &str) -> Option<String> {
        match self.columns.iter().find(|(name, _)| name.eq_ignore_ascii_case(before)) {
            Some((_, now)) => now.clone(),
            // The row's number has the same name all along.
            None => Some(before.to_owned()),
        }
    }
}

/// `k0, k1, …`
pub(crate) fn bare_key(shape: &Kept) -> String {
    (0..shape.key.len()).map(|at| format!("k{at}")).collect::<Vec<_>>().join(", ")
}

/// `i.k0 = k.k0 AND …`
pub(crate) fn equal_keys(shape: &Kept, left: &str, right: &str) -> String {
    let equal = |at| format!("{left}.k{at} = {right}.k{at}");
    (0..shape.key.len()).map(equal).collect::<Vec<_>>().join(" AND ")
}
