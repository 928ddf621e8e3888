//! What running migrations would set aside and destroy, counted beforehand without changing or
//! locking anything: a role that may only read suffices, and so does a replica. The run itself
//! counts again and does not rely on this.

use crate::formats::Migration;
use crate::postgres::connection::Connection;
use crate::postgres::hide::is_made_again;
use crate::postgres::keep::{Table, doomed};
use crate::postgres::outcome::merge;
use crate::postgres::scope::{emptied, resolve, targets};
use crate::postgres::script::{Division, Script, Step, Way};
use crate::postgres::terms::Terms;
use crate::postgres::trouble::PostgresError;
use crate::sql::quoted;
use crate::statement::{Name, Statement, TableDefinition};
use jiff::Timestamp;
use ripcord_core::schema::{Counted, SchemaForecast, Unit};
use std::collections::BTreeSet;

/// What migrations would do if they ran now, in their order. Statements on what earlier ones of
/// them make are passed over, since it is not there yet.
///
/// # Errors
///
/// A script cannot be run faithfully, or the database cannot be asked.
pub fn preview_up(
    connection: &mut Connection,
    migrations: &[Migration],
    terms: &Terms,
) -> Result<SchemaForecast, PostgresError> {
    connection.run(ABOUT, "BEGIN READ ONLY; SET LOCAL search_path TO DEFAULT")?;
    let looked = look(connection, migrations, terms);
    connection.run(ABOUT, "ROLLBACK")?;
    looked
}

const ABOUT: &str = "forecast";

/// Tables up to this size are counted row by row; of larger ones the server's own estimate is
/// taken.
const COUNTED_BYTES_MAX: u64 = 256 << 20;

/// How fast rows are copied and tables are written anew, as measured on one small machine.
const COPIED_BYTES_PER_MS: u64 = 100_000;

/// What a statement takes that changes definitions only, with all that is done around it.
const STATEMENT_MS: u64 = 5;

struct Look {
    forecast: SchemaForecast,
    bytes: u64,
    /// Tables that are not any more, or not yet, what the database has under these names.
    changed: BTreeSet<Name>,
}

fn look(
    connection: &mut Connection,
    migrations: &[Migration],
    terms: &Terms,
) -> Result<SchemaForecast, PostgresError> {
    let forecast = SchemaForecast {
        kept: Vec::new(),
        hidden: Vec::new(),
        gone: Vec::new(),
        caveats: Vec::new(),
        takes_ms: 0,
        counted_at: now(connection)?,
    };
    let mut look = Look { forecast, bytes: 0, changed: BTreeSet::new() };
    for migration in migrations {
        let name = migration.up.path.display().to_string();
        let run = migration.up.transaction;
        let script = Script::read(&name, &migration.up.text, run, Division::default());
        let script = script.map_err(|why| PostgresError::Refused {
            place: connection.place().to_owned(),
            what: name,
            why,
        })?;
        let script = script.under(terms);
        if !script.is_whole() {
            look.forecast.caveats.push(format!(
                "{} does not run in one transaction: when it is cut off, what was done stays, \
                 and running it again goes on there",
                script.name
            ));
        }
        for (at, step) in script.steps.iter().enumerate() {
            let again = is_made_again(step, script.steps.iter().skip(at + 1));
            let way = if again { &Way::Copy } else { &step.way };
            look.step(connection, &script.name, step, way)?;
        }
    }
    look.forecast.takes_ms += look.bytes / COPIED_BYTES_PER_MS;
    if look.bytes > terms.copy_bytes_max {
        look.forecast.caveats.push(format!(
            "{} bytes would be copied aside and {} are allowed: it would be refused; with --mode \
             hide or auto what is dropped is not copied",
            look.bytes, terms.copy_bytes_max
        ));
    }
    Ok(look.forecast)
}

impl Look {
    fn step(
        &mut self,
        connection: &mut Connection,
        script: &str,
        step: &Step,
        way: &Way,
    ) -> Result<(), PostgresError> {
        self.forecast.takes_ms += STATEMENT_MS;
        if step.way == Way::Defer {
            let (line, text) = (step.parsed.line, step.shown());
            let waits = format!("{script}, line {line}: waits for `ripcord db finish`: {text}");
            self.forecast.caveats.push(waits);
            return Ok(());
        }
        let keeps = step.reason().is_none();
        if step.is_opaque() {
            self.forecast.caveats.push(format!(
                "{script}, line {}: what this writes is seen only when it runs; it is kept then",
                step.parsed.line
            ));
        }
        for does in &step.parsed.does {
            if does.table().is_some_and(|table| self.changed.contains(&table.key())) {
                continue;
            }
            if let Statement::CreateTable(TableDefinition { table, .. })
            | Statement::DropTable { table, .. } = does
            {
                self.changed.insert(table.key());
            }
            if self.hides(connection, does, way)? {
                continue;
            }
            for counted in self.lost(connection, does, step)? {
                let list = if keeps { &mut self.forecast.kept } else { &mut self.forecast.gone };
                merge(list, Some(counted).filter(|counted| counted.count > 0));
            }
        }
        Ok(())
    }

    /// Whether what one thing drops is hidden; then that is in the forecast.
    fn hides(
        &mut self,
        connection: &mut Connection,
        does: &Statement,
        way: &Way,
    ) -> Result<bool, PostgresError> {
        let bytes_max = match way {
            Way::Hide { .. } => None,
            Way::Auto { bytes_max } => Some(*bytes_max),
            _ => return Ok(false),
        };
        if !matches!(does, Statement::DropTable { .. } | Statement::DropColumn { .. }) {
            return Ok(false);
        }
        let (mut hidden, mut notes, mut bytes) = (Vec::new(), Vec::new(), 0_u64);
        for (oid, columns) in doomed(connection, does)? {
            let Some(table) = Table::read(connection, oid)? else { continue };
            bytes = bytes.saturating_add(table.bytes);
            let mut hide = |what| hidden.push(Counted { what, unit: Unit::Objects, count: 1 });
            if columns.is_empty() {
                hide(format!("table {}", table.short()));
            }
            for column in table.only(&columns) {
                let what = format!("{}.{}", table.short(), column.name);
                notes.push(format!(
                    "the column {what} stays in its table under another name: SELECT *, INSERT \
                     without a list of columns and COPY see it"
                ));
                hide(format!("column {what}"));
            }
        }
        if hidden.is_empty() || bytes_max.is_some_and(|max| bytes <= max) {
            return Ok(false);
        }
        merge(&mut self.forecast.hidden, hidden);
        self.forecast.caveats.extend(notes);
        Ok(true)
    }

    /// What one thing that a statement does takes away.
    fn lost(
        &mut self,
        connection: &mut Connection,
        does: &Statement,
        step: &Step,
    ) -> Result<Vec<Counted>, PostgresError> {
        match does {
            Statement::AlterType { table, column, to, using } => {
                let Some(oid) = resolve(connection, table)? else { return Ok(Vec::new()) };
                self.retyped(connection, oid, column, (to, *using))
            }
            Statement::Truncate { table, cascade, .. } => {
                let Some(oid) = resolve(connection, table)? else { return Ok(Vec::new()) };
                let mut found = Vec::new();
                for oid in emptied(connection, &[oid], *cascade, false)? {
                    found.extend(self.rows(connection, oid)?);
                }
                Ok(found)
            }
            Statement::Insert { .. }
            | Statement::Update { .. }
            | Statement::Delete { .. }
            | Statement::Merge { .. } => {
                let adds = matches!(does, Statement::Insert { .. });
                self.written(connection, step, adds)
            }
            _ => {
                let mut found = Vec::new();
                for (oid, columns) in doomed(connection, does)? {
                    found.extend(if columns.is_empty() {
                        self.rows(connection, oid)?
                    } else {
                        self.values(connection, oid, &columns)?
                    });
                }
                Ok(found)
            }
        }
    }

    fn rows(
        &mut self,
        connection: &mut Connection,
        oid: u32,
    ) -> Result<Vec<Counted>, PostgresError> {
        let Some(table) = Table::read(connection, oid)? else { return Ok(Vec::new()) };
        self.bytes = self.bytes.saturating_add(table.bytes);
        let count = count(connection, &table, "*", "true")?;
        Ok(vec![Counted { what: table.short().to_owned(), unit: Unit::Rows, count }])
    }

    fn values(
        &mut self,
        connection: &mut Connection,
        oid: u32,
        numbers: &[i32],
    ) -> Result<Vec<Counted>, PostgresError> {
        let Some(table) = Table::read(connection, oid)? else { return Ok(Vec::new()) };
        self.bytes = self.bytes.saturating_add(table.bytes);
        let mut found = Vec::new();
        for column in table.only(numbers) {
            let count = count(connection, &table, &column.name, "true")?;
            let what = format!("{}.{}", table.short(), column.name);
            found.push(Counted { what, unit: Unit::Values, count });
        }
        Ok(found)
    }

    /// The values that do not survive a change of type; all of them where that cannot be told.
    fn retyped(
        &mut self,
        connection: &mut Connection,
        oid: u32,
        column: &str,
        (to, using): (&str, bool),
    ) -> Result<Vec<Counted>, PostgresError> {
        let Some(table) = Table::read(connection, oid)? else { return Ok(Vec::new()) };
        let wanted = quoted(column);
        let found = table.stored().into_iter().find(|one| one.name == column || one.name == wanted);
        let Some(column) = found.filter(|column| using || !column.fits(to)) else {
            return Ok(Vec::new());
        };
        let what = format!("{}.{}", table.short(), column.name);
        self.forecast.takes_ms += table.bytes / COPIED_BYTES_PER_MS;
        let lossy = (!using).then(|| column.lossy(to));
        if let Some(condition) = lossy {
            connection.run(ABOUT, "SAVEPOINT ripcord_count")?;
            let counted = count(connection, &table, "*", &condition);
            connection.run(
                ABOUT,
                "ROLLBACK TO SAVEPOINT ripcord_count; RELEASE SAVEPOINT ripcord_count",
            )?;
            if let Ok(count) = counted {
                return Ok(vec![Counted { what, unit: Unit::Values, count }]);
            }
        }
        self.bytes = self.bytes.saturating_add(table.bytes);
        let count = count(connection, &table, &column.name, "true")?;
        self.forecast.caveats.push(format!(
            "{what}: which values are lost by the change of type is seen only when it runs; at \
             most all of them"
        ));
        Ok(vec![Counted { what, unit: Unit::Values, count }])
    }

    /// How many rows a statement writes, by the server's own estimate.
    fn written(
        &mut self,
        connection: &mut Connection,
        step: &Step,
        adds: bool,
    ) -> Result<Vec<Counted>, PostgresError> {
        let mut found = Vec::new();
        for name in targets(step) {
            let Some(oid) = resolve(connection, name)? else { continue };
            let Some(table) = Table::read(connection, oid)? else { continue };
            let what = table.short().to_owned();
            if let Some(rows) = &step.rows {
                let count = u64::try_from(rows.lines().count()).unwrap_or(u64::MAX);
                found.push(Counted { what, unit: Unit::Rows, count });
                continue;
            }
            connection.run(ABOUT, "SAVEPOINT ripcord_count")?;
            let explained =
                connection.value(ABOUT, &format!("EXPLAIN (FORMAT JSON) {}", step.parsed.text));
            connection.run(
                ABOUT,
                "ROLLBACK TO SAVEPOINT ripcord_count; RELEASE SAVEPOINT ripcord_count",
            )?;
            let planned = explained.ok().flatten().and_then(|json| planned(&json));
            if planned.is_none() {
                self.forecast.caveats.push(format!(
                    "line {}: how many rows of {what} this writes cannot be told by this role; of \
                     those that are there, at most all",
                    step.parsed.line
                ));
            }
            let count = match planned {
                Some(rows) => rows,
                None if adds => 0,
                None => count(connection, &table, "*", "true")?,
            };
            found.push(Counted { what, unit: Unit::Rows, count });
        }
        Ok(found)
    }
}

/// How many rows the uppermost part of a plan that is not the writing itself expects.
fn planned(json: &str) -> Option<u64> {
    let plan: serde_json::Value = serde_json::from_str(json).ok()?;
    let top = plan.get(0)?.get("Plan")?;
    let below = top.get("Plans").and_then(|plans| plans.get(0)).unwrap_or(top);
    below.get("Plan Rows")?.as_u64()
}

fn count(
    connection: &mut Connection,
    table: &Table,
    of: &str,
    condition: &str,
) -> Result<u64, PostgresError> {
    let sql = if table.bytes <= COUNTED_BYTES_MAX || condition != "true" {
        format!("SELECT pg_catalog.count({of}) FROM {} AS t WHERE {condition}", table.rows())
    } else {
        format!(
            "SELECT pg_catalog.sum(greatest(c.reltuples, 0))::pg_catalog.int8 FROM pg_catalog.pg_class c \
             WHERE c.oid IN (SELECT {0} UNION SELECT relid FROM pg_catalog.pg_partition_tree({0}))",
            table.oid
        )
    };
    Ok(u64::try_from(connection.number(ABOUT, &sql)?).unwrap_or(0))
}

fn now(connection: &mut Connection) -> Result<Timestamp, PostgresError> {
    let sql = "SELECT (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000)::pg_catalog.int8";
    let ms = connection.number(ABOUT, sql)?;
    Timestamp::from_millisecond(ms).map_err(|error| PostgresError::Answer {
        place: connection.place().to_owned(),
        about: ABOUT,
        what: error.to_string(),
    })
}
