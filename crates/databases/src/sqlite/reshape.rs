//! Bringing a schema to an exact form from a record, whatever it is now, without losing a row.
//!
//! `SQLite` can change little of a table in place, so a table that differs is made anew from its own
//! old definition and its rows are copied over, with the kept values of columns that return.

use crate::sql::quoted;
use crate::sqlite::catalogue::{Catalogue, Table};
use crate::sqlite::kept::Kept;
use crate::sqlite::mapping::Pair;
use crate::sqlite::trouble::{Result, Trouble};
use ripcord_core::schema::{Column, ObjectKind, ObjectName, diff};
use rusqlite::Connection;

/// The form to reach.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Goal<'a> {
    pub(crate) target: &'a Catalogue,
    /// Names as they are now, and in the target.
    pub(crate) pairs: &'a [Pair],
    pub(crate) overlay: &'a [Kept],
}

/// Makes the schema exactly that of the goal.
pub(crate) fn reshape(connection: &Connection, goal: &Goal<'_>) -> Result<()> {
    let now = Catalogue::read(connection)?;
    if now.snapshot == goal.target.snapshot {
        return Ok(());
    }
    rename_back(connection, goal)?;
    let now = Catalogue::read(connection)?;
    // Without this, renaming a table would rewrite what refers to it.
    connection.execute_batch("PRAGMA legacy_alter_table = ON")?;
    let reshaped = Reshape { connection, goal, now: &now }.run();
    connection.execute_batch("PRAGMA legacy_alter_table = OFF")?;
    reshaped?;
    let reached = Catalogue::read(connection)?;
    if reached.snapshot != goal.target.snapshot {
        let differences = diff(&goal.target.snapshot, &reached.snapshot);
        let differences: Vec<String> = differences.iter().map(ToString::to_string).collect();
        return Err(Trouble::refuse(format!(
            "the schema cannot be brought back exactly: {}",
            differences.join(", ")
        )));
    }
    Ok(())
}

/// What a row gets that has no value for a column.
pub(crate) fn fallback(table: &Table, column: &Column) -> String {
    match &column.default {
        // A text in double quotes is a text here, but would be a name in a query.
        Some(text) if text.starts_with('"') => {
            crate::sql::literal(&text.trim_matches('"').replace("\"\"", "\""))
        }
        Some(text) => format!("({text})"),
        None if !column.not_null => "NULL".to_owned(),
        None => match table.affinity(column) {
            "INT" | "NUMERIC" => "0",
            "REAL" => "0.0",
            "BLOB" => "x''",
            _ => "''",
        }
        .to_owned(),
    }
}

/// Undoes renames in place, which costs nothing. What does not work is left to copying.
fn rename_back(connection: &Connection, goal: &Goal<'_>) -> Result<()> {
    for pair in goal.pairs {
        let free = |name: &str| goal.pairs.iter().all(|other| other.before != name);
        if pair.before != pair.after && free(&pair.after) {
            let (from, to) = (quoted(&pair.before), quoted(&pair.after));
            attempt(connection, &format!("ALTER TABLE main.{from} RENAME TO {to}"))?;
        }
        let table = if Catalogue::read(connection)?.table(&pair.after).is_some() {
            quoted(&pair.after)
        } else {
            quoted(&pair.before)
        };
        for (from, to) in pair.columns.iter().filter(|(from, to)| from != to) {
            let (from, to) = (quoted(from), quoted(to));
            attempt(connection, &format!("ALTER TABLE main.{table} RENAME COLUMN {from} TO {to}"))?;
        }
    }
    Ok(())
}

/// Runs statements that may fail, and then did nothing.
pub(crate) fn attempt(connection: &Connection, sql: &str) -> Result<()> {
    connection.execute_batch("SAVEPOINT ripcord_attempt")?;
    if connection.execute_batch(sql).is_err() {
        connection.execute_batch("ROLLBACK TO ripcord_attempt")?;
    }
    connection.execute_batch("RELEASE ripcord_attempt")?;
    Ok(())
}

struct Reshape<'a> {
    connection: &'a Connection,
    goal: &'a Goal<'a>,
    now: &'a Catalogue,
}

/// A table to make anew, and where its rows are meanwhile.
struct Rebuild<'a> {
    table: &'a Table,
    sql: &'a str,
    source: Option<(&'a Table, String)>,
}

impl Reshape<'_> {
    fn run(&self) -> Result<()> {
        for kind in [ObjectKind::Trigger, ObjectKind::View, ObjectKind::Index] {
            self.drop_others(kind)?;
        }
        let rebuilds = self.set_aside()?;
        for rebuild in &rebuilds {
            self.connection.execute_batch(rebuild.sql)?;
            if let Some((source, aside)) = &rebuild.source {
                self.copy(rebuild.table, source, aside)?;
                let aside = quoted(aside);
                self.connection.execute_batch(&format!("DROP TABLE main.{aside}"))?;
            }
        }
        let now = Catalogue::read(self.connection)?;
        for kind in [ObjectKind::Index, ObjectKind::View, ObjectKind::Trigger] {
            for (name, sql) in self.goal.target.sql.iter().filter(|(name, _)| name.kind == kind) {
                if !now.snapshot.objects.contains_key(name) {
                    self.connection.execute_batch(sql)?;
                }
            }
        }
        Ok(())
    }

    /// Drops what the target does not have, or has otherwise.
    fn drop_others(&self, kind: ObjectKind) -> Result<()> {
        let word = match kind {
            ObjectKind::Trigger => "TRIGGER",
            ObjectKind::View => "VIEW",
            ObjectKind::Index => "INDEX",
            ObjectKind::Table => "TABLE",
        };
        for (name, object) in &self.now.snapshot.objects {
            let wanted = self.goal.target.snapshot.objects.get(name);
            // Columns of views follow from tables; only the definition tells.
            let alike = wanted.is_some_and(|wanted| wanted.definition == object.definition);
            if name.kind == kind && !alike {
                let name = quoted(&name.name);
                self.connection.execute_batch(&format!("DROP {word} IF EXISTS main.{name}"))?;
            }
        }
        Ok(())
    }

    /// Moves tables that differ out of the way, drops those that the target lacks, and says what
    /// has to be made.
    fn set_aside(&self) -> Result<Vec<Rebuild<'_>>> {
        let mut rebuilds = Vec::new();
        let mut used: Vec<&str> = Vec::new();
        for table in &self.goal.target.tables {
            let name = ObjectName { kind: ObjectKind::Table, name: table.name.clone() };
            let source = self.source(table);
            let wanted = self.goal.target.snapshot.objects.get(&name);
            if source.is_some() && self.now.snapshot.objects.get(&name) == wanted {
                used.push(&table.name);
                continue;
            }
            if table.is_virtual {
                let why = format!("virtual table {} differs and cannot be made again", table.name);
                return Err(Trouble::refuse(why));
            }
            let sql = self.goal.target.sql.iter().find(|(have, _)| *have == name);
            let sql = sql.map(|(_, sql)| sql.as_str()).unwrap_or_default();
            let source = source.map(|source| {
                used.push(&source.name);
                (source, format!("ripcord_old_{}", rebuilds.len()))
            });
            rebuilds.push(Rebuild { table, sql, source });
        }
        for rebuild in &rebuilds {
            if let Some((source, aside)) = &rebuild.source {
                let (from, to) = (quoted(&source.name), quoted(aside));
                let rename = format!("ALTER TABLE main.{from} RENAME TO {to}");
                self.connection.execute_batch(&rename)?;
            }
        }
        for table in self.now.tables.iter().filter(|table| !used.contains(&table.name.as_str())) {
            let drop = format!("DROP TABLE main.{}", quoted(&table.name));
            self.connection.execute_batch(&drop)?;
        }
        Ok(rebuilds)
    }

    /// The table whose rows a table of the target has.
    fn source(&self, table: &Table) -> Option<&Table> {
        let by_name = || self.now.table(&table.name);
        let pair = self.goal.pairs.iter().find(|pair| pair.after == table.name)?;
        // A rename in place may already have happened.
        let renamed = self.now.table(&pair.before).is_none() || pair.before == pair.after;
        if renamed { by_name() } else { self.now.table(&pair.before) }
    }

    fn copy(&self, table: &Table, source: &Table, aside: &str) -> Result<()> {
        let pair = self.goal.pairs.iter().find(|pair| pair.after == table.name);
        // A rename in place may already have happened.
        let here = |name: &str| {
            let before = pair?.before_of(name)?;
            source.column(before).or_else(|| source.column(name))
        };
        let kept = self.goal.overlay.iter().find(|kept| kept.table == table.name);
        let join = kept.and_then(|kept| Self::join(kept, source));
        let (mut names, mut values) = (Vec::new(), Vec::new());
        if let (Some(to), Some(from), true) =
            (table.rowid(), source.rowid(), !table.key_is_number())
        {
            names.push(quoted(to));
            values.push(format!("t.{}", quoted(from)));
        }
        for column in table.stored() {
            names.push(quoted(&column.name));
            let kept_at = kept.filter(|_| join.is_some()).and_then(|kept| {
                kept.columns.iter().position(|k| k.name == column.name && k.after.is_none())
            });
            let spare = fallback(table, column);
            let value = match here(&column.name) {
                Some(found) if column.not_null && !found.not_null => {
                    format!("coalesce(t.{}, {spare})", quoted(&found.name))
                }
                Some(found) => format!("t.{}", quoted(&found.name)),
                None => spare,
            };
            values.push(match kept_at {
                Some(at) => format!("CASE WHEN k.k0 IS NULL THEN {value} ELSE k.o{at} END"),
                None => value,
            });
        }
        let aside_name = quoted(aside);
        self.connection.execute_batch(&format!(
            "INSERT INTO main.{}({}) SELECT {} FROM main.{aside_name} AS t {}",
            quoted(&table.name),
            names.join(", "),
            values.join(", "),
            join.unwrap_or_default(),
        ))?;
        self.carry_sequence(&table.name, aside)
    }

    /// How the kept values of a row are found.
    fn join(kept: &Kept, source: &Table) -> Option<String> {
        let mut equal = Vec::new();
        for (at, part) in kept.key.iter().enumerate() {
            let name = if kept.by_rowid {
                source.rowid()?
            } else {
                let column = source.column(&part.before).or_else(|| source.column(&part.after))?;
                &column.name
            };
            equal.push(format!("k.k{at} = t.{}", quoted(name)));
        }
        let store = quoted(&kept.store);
        Some(format!("LEFT JOIN main.{store} AS k ON {} AND k.state = 'u'", equal.join(" AND ")))
    }

    /// Numbers given out once are not given out again.
    fn carry_sequence(&self, table: &str, aside: &str) -> Result<()> {
        let exists: bool = self.connection.query_row(
            "SELECT EXISTS(SELECT 1 FROM main.sqlite_schema WHERE name = 'sqlite_sequence')",
            [],
            |row| row.get(0),
        )?;
        if exists {
            self.connection.execute(
                "INSERT INTO main.sqlite_sequence(name, seq)
                 SELECT ?1, 0 WHERE NOT EXISTS (SELECT 1 FROM main.sqlite_sequence WHERE name = ?1)
                 AND EXISTS (SELECT 1 FROM main.sqlite_sequence WHERE name = ?2)",
                [table, aside],
            )?;
            self.connection.execute(
                "UPDATE main.sqlite_sequence SET seq = max(seq, coalesce(
                 (SELECT seq FROM main.sqlite_sequence WHERE name = ?2), 0)) WHERE name = ?1",
                [table, aside],
            )?;
        }
        Ok(())
    }
}
