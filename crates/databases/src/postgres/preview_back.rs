//! What taking runs back would bring: what returns, what goes out of sight, and which rows of users
//! stand in the way, counted beforehand without changing or locking anything. A role that may only
//! read suffices. The way back itself counts again and does not rely on this.

use crate::postgres::catalogue::{Catalogue, Name};
use crate::postgres::connection::Connection;
use crate::postgres::inverse::{WayBack, way_back};
use crate::postgres::kind::Kind;
use crate::postgres::outcome::{Conflict, merge};
use crate::postgres::own::{Applied, Delta, Kept, KeptItem};
use crate::postgres::snapshot::{Scope, snapshot};
use crate::postgres::terms::Terms;
use crate::postgres::trouble::PostgresError;
use crate::postgres::undo::{Side, count_conflicts, foresee, wanted_rebuilds};
use crate::sql::literal;
use jiff::Timestamp;
use ripcord_core::schema::{Counted, Direction, SchemaForecast, Unit};
use std::collections::BTreeSet;

const ABOUT: &str = "forecast";

/// What a statement takes that changes definitions only, with all that is done around it.
const STATEMENT_MS: u64 = 5;

/// How many rows are put back in a millisecond, as measured on one small machine.
const ROWS_PER_MS: u64 = 80;

/// What taking runs back would bring now. They are named by their numbers in `ripcord.applied`,
/// the one to go first in front.
///
/// # Errors
///
/// There is no such run, or the database cannot be asked.
pub fn preview_down(
    connection: &mut Connection,
    history: &str,
    runs: &[i64],
    terms: &Terms,
) -> Result<SchemaForecast, PostgresError> {
    let now = snapshot(connection, &Scope::default())?;
    connection.run(ABOUT, "BEGIN READ ONLY")?;
    let looked = look(connection, history, runs, &now, terms);
    connection.run(ABOUT, "ROLLBACK")?;
    looked
}

fn look(
    connection: &mut Connection,
    history: &str,
    runs: &[i64],
    now: &Catalogue,
    terms: &Terms,
) -> Result<SchemaForecast, PostgresError> {
    let mut forecast = SchemaForecast {
        kept: Vec::new(),
        hidden: Vec::new(),
        gone: Vec::new(),
        caveats: Vec::new(),
        takes_ms: 0,
        counted_at: counted_at(connection)?,
    };
    let known = Applied::of(connection, history)?;
    let (mut target, mut all) = (now.clone(), Delta::default());
    for run in runs {
        let Some(applied) = known.iter().find(|one| one.id == *run) else {
            return Err(PostgresError::Refused {
                place: connection.place().to_owned(),
                what: "the way back".to_owned(),
                why: format!("there is no run {run} here"),
            });
        };
        let Some(delta) = &applied.delta else {
            let version = &applied.run.version;
            let caveat = format!("{version}: another tool ran it, so only its script is known");
            forecast.caveats.push(caveat);
            continue;
        };
        let (without, drifts) = delta.taken_from(&target);
        for drift in drifts {
            forecast.caveats.push(format!("{} {}", drift.name, drift.words));
        }
        let pieces = Kept::of(connection, *run, Direction::Up)?;
        returning(connection, now, delta, &pieces, &mut forecast)?;
        all.renamed.extend(delta.renamed.iter().cloned());
        target = without;
    }
    let way = way_back(&target, now, &BTreeSet::new());
    out_of_sight(connection, now, &all, &way, &mut forecast)?;
    in_the_way(connection, now, &target, &way, &mut forecast)?;
    let rebuilt = wanted_rebuilds(connection, &way, &target, now, terms.rebuild_bytes_max)?;
    for table in way.reordered.difference(&rebuilt) {
        let caveat = format!("the columns of {} will stand in another order", table.short());
        forecast.caveats.push(caveat);
    }
    let statements = u64::try_from(way.inverse.statements.len()).unwrap_or(u64::MAX);
    let rows: u64 = forecast.kept.iter().chain(&forecast.hidden).map(|one| one.count).sum();
    forecast.takes_ms = statements.saturating_mul(STATEMENT_MS) + rows / ROWS_PER_MS;
    Ok(forecast)
}

/// What was kept and returns, and what users wrote in its place.
fn returning(
    connection: &mut Connection,
    now: &Catalogue,
    delta: &Delta,
    pieces: &[Kept],
    forecast: &mut SchemaForecast,
) -> Result<(), PostgresError> {
    let side = Side { catalogue: now, delta, before: false };
    for piece in pieces {
        let short = piece.relation.strip_prefix("public.").unwrap_or(&piece.relation);
        let counted = match &piece.item {
            KeptItem::Rows { .. } | KeptItem::Changes { .. } => {
                vec![Counted { what: short.to_owned(), unit: Unit::Rows, count: piece.rows }]
            }
            KeptItem::Values { columns, .. } => {
                let one = |name: &String| Counted {
                    what: format!("{short}.{name}"),
                    unit: Unit::Values,
                    count: piece.rows,
                };
                columns.iter().map(|column| one(&column.name)).collect()
            }
            KeptItem::Position { .. } | KeptItem::Hidden { .. } => Vec::new(),
        };
        let counted = counted.into_iter().filter(|one| one.count > 0);
        if piece.purged_at.is_some() {
            merge(&mut forecast.gone, counted);
            continue;
        }
        merge(&mut forecast.kept, counted);
        if let KeptItem::Changes { store, key, columns } = &piece.item {
            let ahead = foresee(connection, side, &piece.relation, store, key, columns)?;
            forecast.caveats.extend(ahead.iter().map(in_words));
        }
    }
    Ok(())
}

fn in_words(conflict: &Conflict) -> String {
    format!("{} ({}): {}", conflict.what, conflict.count, conflict.why)
}

/// What users wrote into what the runs had added.
fn out_of_sight(
    connection: &mut Connection,
    now: &Catalogue,
    all: &Delta,
    way: &WayBack,
    forecast: &mut SchemaForecast,
) -> Result<(), PostgresError> {
    for name in way.drops.difference(&way.creates) {
        let Some(object) = now.objects.get(name) else { continue };
        if all.renamed.iter().any(|one| one.to == *name) {
            continue;
        }
        let of = object.of.as_deref().unwrap_or_default();
        let table = Name { kind: Kind::Table, name: of.to_owned() };
        let (unit, sql) = match name.kind {
            Kind::Table if !object.facts.contains_key("partition_key") => {
                (Unit::Rows, format!("SELECT pg_catalog.count(*) FROM ONLY {}", name.name))
            }
            Kind::Column
                if now.objects.contains_key(&table)
                    && !way.drops.contains(&table)
                    && !object.flag("inherited")
                    && !object.facts.contains_key("generated") =>
            {
                (Unit::Values, format!("SELECT pg_catalog.count({}) FROM {of}", object.local))
            }
            _ => continue,
        };
        let count = u64::try_from(connection.number(ABOUT, &sql)?).unwrap_or(0);
        if count > 0 {
            let what = name.short().to_owned();
            merge(&mut forecast.hidden, [Counted { what, unit, count }]);
        }
    }
    Ok(())
}

/// Which rows stand against constraints that come back, as far as they show already.
fn in_the_way(
    connection: &mut Connection,
    now: &Catalogue,
    target: &Catalogue,
    way: &WayBack,
    forecast: &mut SchemaForecast,
) -> Result<(), PostgresError> {
    let coming = way.creates.iter().chain(&way.alters);
    let demands = coming
        .filter(|name| matches!(name.kind, Kind::Constraint | Kind::Index | Kind::Column))
        .filter(|name| !now.objects.contains_key(*name) || name.kind == Kind::Column);
    for name in demands {
        let Some(object) = target.objects.get(name) else { continue };
        connection.run(ABOUT, "SAVEPOINT ripcord_count")?;
        // What it is about may not be there before it returns.
        match count_conflicts(connection, name, object) {
            Ok(Some(count)) if count > 0 => {
                forecast.caveats.push(format!("{count} rows of users stand against {name}"));
            }
            Ok(_) => {}
            Err(error) if error.is_lost() => return Err(error),
            Err(_) => connection.run(ABOUT, "ROLLBACK TO SAVEPOINT ripcord_count")?,
        }
    }
    Ok(())
}

fn counted_at(connection: &mut Connection) -> Result<Timestamp, PostgresError> {
    let format = literal("YYYY-MM-DD\"T\"HH24:MI:SS.USZ");
    let sql = format!("SELECT pg_catalog.to_char(now() AT TIME ZONE 'UTC', {format})");
    let text = connection.value(ABOUT, &sql)?.unwrap_or_default();
    text.parse().map_err(|_| PostgresError::Answer {
        place: connection.place().to_owned(),
        about: ABOUT,
        what: format!("{text} is not a time"),
    })
}
