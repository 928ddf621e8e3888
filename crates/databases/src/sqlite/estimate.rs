//! Counts for databases too large to rehearse with their rows: what statements would touch, asked
//! of the live tables. Upper bounds where only running the script could tell.

use crate::migrations::up_file;
use crate::sql::{Kind, Piece, quoted, tokens};
use crate::sqlite::history;
use crate::sqlite::kept::add_counts;
use crate::sqlite::mapping::Pair;
use crate::sqlite::statement::{Script, Statement};
use crate::sqlite::trouble::Result;
use ripcord_core::schema::{Counted, MigrationScript, SchemaForecast, Unit};
use rusqlite::Connection;

/// How many rows are copied or rewritten in a millisecond, at least.
const ROWS_PER_MS: u64 = 200;

/// Fills in what applying scripts would set aside and destroy.
pub(crate) fn up(
    live: Option<&Connection>,
    scripts: &[MigrationScript],
    forecast: &mut SchemaForecast,
) -> Result<()> {
    let Some(live) = live else { return Ok(()) };
    forecast.caveats.push(
        "the database is too large to rehearse with its rows: counts are estimates, and what \
         depends on data shows only when it runs"
            .to_owned(),
    );
    forecast.kept.clear();
    forecast.gone.clear();
    for script in scripts {
        let parsed = Script::parse(&up_file(&script.migration), &script.up)?;
        for step in &parsed.steps {
            let Some(counted) = count(live, &step.statement, &step.piece) else { continue };
            forecast.takes_ms += counted.count / ROWS_PER_MS;
            let list =
                if step.piece.destroy.is_some() { &mut forecast.gone } else { &mut forecast.kept };
            add_counts(list, [counted]);
        }
    }
    Ok(())
}

/// Fills in what taking migrations back would put out of sight.
pub(crate) fn down(
    live: Option<&Connection>,
    scripts: &[MigrationScript],
    forecast: &mut SchemaForecast,
) -> Result<()> {
    let Some(live) = live else { return Ok(()) };
    forecast.caveats.push("the database is too large to rehearse with its rows".to_owned());
    for script in scripts {
        let record = history::recorded(live, &script.migration)?;
        for table in record.after.tables.iter().filter(|table| !table.is_virtual) {
            let pair: Option<&Pair> = record.pairs.iter().find(|pair| pair.after == table.name);
            let Some(pair) = pair else {
                let rows = ask(live, "count(*)", &table.name, "");
                add(forecast, table.name.clone(), Unit::Rows, rows);
                continue;
            };
            for column in table.stored().filter(|c| pair.before_of(&c.name).is_none()) {
                let values =
                    ask(live, &format!("count({})", quoted(&column.name)), &table.name, "");
                add(forecast, format!("{}.{}", table.name, column.name), Unit::Values, values);
            }
        }
    }
    Ok(())
}

fn add(forecast: &mut SchemaForecast, what: String, unit: Unit, count: Option<u64>) {
    let counted = Counted { what, unit, count: count.unwrap_or(0) };
    forecast.takes_ms += counted.count / ROWS_PER_MS;
    add_counts(&mut forecast.hidden, [counted]);
}

fn count(live: &Connection, statement: &Statement, piece: &Piece) -> Option<Counted> {
    let (what, unit, count) = match statement {
        Statement::DropTable { table } => {
            (table.clone(), Unit::Rows, ask(live, "count(*)", table, "")?)
        }
        Statement::DropColumn { table, column } => {
            let values = ask(live, &format!("count({})", quoted(column)), table, "")?;
            (format!("{table}.{column}"), Unit::Values, values)
        }
        Statement::Delete { table } | Statement::Update { table } => {
            let some = ask(live, "count(*)", table, condition(&piece.text));
            (table.clone(), Unit::Rows, some.or_else(|| ask(live, "count(*)", table, ""))?)
        }
        _ => return None,
    };
    Some(Counted { what, unit, count })
}

/// None when the table is not there yet, or the condition cannot stand alone.
fn ask(live: &Connection, what: &str, table: &str, condition: &str) -> Option<u64> {
    let sql = format!("SELECT {what} FROM main.{} {condition}", quoted(table));
    live.query_row(&sql, [], |row| row.get(0)).ok()
}

/// The outermost WHERE and what follows it.
fn condition(text: &str) -> &str {
    let mut depth = 0_usize;
    for token in tokens(text).iter().filter(|token| token.kind != Kind::Comment) {
        if token.is("(") {
            depth += 1;
        } else if token.is(")") {
            depth = depth.saturating_sub(1);
        } else if depth == 0 && token.is("where") {
            return &text[token.offset..];
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_conditions() {
        let check = |text: &str, expected: &str| assert_eq!(condition(text), expected, "{text}");
        check("DELETE FROM a WHERE b = 1", "WHERE b = 1");
        check("UPDATE a SET b = (SELECT 1 WHERE 1) WHERE c", "WHERE c");
        check("DELETE FROM a", "");
    }
}
