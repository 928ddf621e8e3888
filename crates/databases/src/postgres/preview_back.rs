//! What taking runs back would bring: what returns, what goes out of sight, and which rows of users
//! stand in the way, counted beforehand without changing or locking anything. A role that may only
//! read suffices. The way back itself counts again and does not rely on this.

use crate::postgres::back::{groups, is_emptied, number};
use crate::postgres::catalogue::{Catalogue, Name};
use crate::postgres::connection::Connection;
use crate::postgres::inverse::{WayBack, way_back};
use crate::postgres::keep::Table;
use crate::postgres::kind::Kind;
use crate::postgres::outcome::{Conflict, merge};
use crate::postgres::own::{Applied, Delta, Kept, KeptItem, anchor};
use crate::postgres::snapshot::{Identities, Scope, snapshot_here};
use crate::postgres::terms::Terms;
use crate::postgres::trouble::PostgresError;
use crate::postgres::undo::{
    EDITED, Rows, Side, TAKEN, Values, count_conflicts, foresee_rows, foresee_values, unfilled,
    wanted_rebuilds,
};
use crate::sql::literal;
use jiff::Timestamp;
use ripcord_core::schema::{Counted, Direction, SchemaForecast, Unit};
use serde::Serialize;
use std::collections::BTreeSet;

const ABOUT: &str = "forecast";

/// What a statement takes that changes definitions only, with all that is done around it.
const STATEMENT_MS: u64 = 5;

/// How fast rows are copied and tables are written anew, as measured on the same machine.
const COPIED_BYTES_PER_MS: u64 = 100_000;

/// How many rows are put back in a millisecond, as measured on one small machine.
const ROWS_PER_MS: u64 = 80;

/// What taking runs back would bring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ahead {
    /// What returns, what goes out of sight, what is gone, and how long it takes.
    pub forecast: SchemaForecast,
    /// What users wrote since where something would return: theirs stays.
    pub conflicts: Vec<Conflict>,
    /// Rows of users that stand against a constraint which is to come back: it would be refused.
    pub against: Vec<Conflict>,
    /// Which tables would be locked, and against whom.
    pub locks: Vec<Locked>,
    /// The size of what would be copied aside or written anew.
    pub bytes: u64,
}

/// A table that would be locked until the end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Locked {
    /// The table.
    pub table: String,
    /// Whether readers wait as well, or only who writes.
    pub readers_wait: bool,
    /// Its size on disk.
    pub bytes: u64,
}

/// A run to be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taking {
    /// Its number in `ripcord.applied`.
    pub run: i64,
    /// Whether a script would do it; then what it does by itself shows only when it runs.
    pub script: bool,
}

/// What taking runs back would bring now, the one to go first in front.
///
/// # Errors
///
/// There is no such run, or the database cannot be asked.
pub fn preview_down(
    connection: &mut Connection,
    history: &str,
    runs: &[Taking],
    terms: &Terms,
) -> Result<Ahead, PostgresError> {
    connection.run(ABOUT, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
    let looked = snapshot_here(connection, &Scope::default())
        .and_then(|now| look(connection, history, runs, (&now.0, now.1), terms));
    connection.run(ABOUT, "ROLLBACK")?;
    looked
}

/// Nothing seen yet.
fn nothing(counted_at: Timestamp) -> Ahead {
    let forecast = SchemaForecast {
        kept: Vec::new(),
        hidden: Vec::new(),
        gone: Vec::new(),
        caveats: Vec::new(),
        takes_ms: 0,
        counted_at,
    };
    let (conflicts, against, locks) = (Vec::new(), Vec::new(), Vec::new());
    Ahead { forecast, conflicts, against, locks, bytes: 0 }
}

fn look(
    connection: &mut Connection,
    history: &str,
    runs: &[Taking],
    (now, mut numbers): (&Catalogue, Identities),
    terms: &Terms,
) -> Result<Ahead, PostgresError> {
    let mut ahead = nothing(counted_at(connection)?);
    let known = Applied::of(connection, history)?;
    let (mut target, mut all) = (now.clone(), Delta::default());
    let mut leaving: Vec<(String, String)> = Vec::new();
    for taking in runs {
        let Some(applied) = known.iter().find(|one| one.id == taking.run) else {
            return Err(PostgresError::Refused {
                place: connection.place().to_owned(),
                what: "the way back".to_owned(),
                why: format!("there is no run {} here", taking.run),
            });
        };
        let version = &applied.run.version;
        let Some(delta) = &applied.delta else {
            let caveat = format!("{version}: another tool ran it, so only its script is known");
            ahead.forecast.caveats.push(caveat);
            continue;
        };
        if taking.script {
            ahead.forecast.caveats.push(format!(
                "{version} is taken back with its script: what that does by itself shows only when \
                 it runs"
            ));
        }
        let (without, drifts) = delta.taken_from(&target);
        for drift in drifts {
            ahead.forecast.caveats.push(format!("{} {}", drift.name, drift.words));
        }
        let pieces = Kept::of(connection, taking.run, Direction::Up)?;
        if delta.anchor != Some(anchor(connection)?) {
            numbers.objects.clear();
        }
        let side = Side { catalogue: now, delta, before: false, numbers: &numbers };
        returning(connection, side, &pieces, &mut ahead)?;
        locked(connection, side, &pieces, &mut ahead)?;
        empty(connection, side, &pieces, &without, &mut ahead)?;
        if !taking.script {
            for (piece, group) in groups(&pieces) {
                let goes = group.goes(connection, side)?.zip(side.table(piece));
                leaving.extend(goes.map(|(condition, table)| (table, condition)));
            }
        }
        all.renamed.extend(delta.renamed.iter().cloned());
        all.fresh.extend(delta.fresh.iter().cloned());
        target = without;
    }
    let way = way_back(&target, now, &BTreeSet::new());
    out_of_sight(connection, now, &all, &way, &leaving, &mut ahead)?;
    narrowed(connection, now, &target, &way, &mut ahead)?;
    in_the_way(connection, now, &target, &way, &mut ahead)?;
    let rebuilt = wanted_rebuilds(connection, &way, &target, now, terms.rebuild_bytes_max)?;
    for table in way.reordered.difference(&rebuilt) {
        let caveat = format!("the columns of {} will stand in another order", table.short());
        ahead.forecast.caveats.push(caveat);
    }
    for table in &rebuilt {
        ahead.bytes = ahead.bytes.saturating_add(size(connection, &table.name)?);
    }
    if ahead.bytes > terms.copy_bytes_max.max(terms.rebuild_bytes_max) {
        let caveat =
            format!("{} bytes would have to be copied aside: it would be refused", ahead.bytes);
        ahead.forecast.caveats.push(caveat);
    }
    let statements = u64::try_from(way.inverse.statements.len()).unwrap_or(u64::MAX);
    let forecast = &mut ahead.forecast;
    let rows: u64 = forecast.kept.iter().chain(&forecast.hidden).map(|one| one.count).sum();
    forecast.takes_ms = statements.saturating_mul(STATEMENT_MS)
        + rows / ROWS_PER_MS
        + ahead.bytes / COPIED_BYTES_PER_MS;
    Ok(ahead)
}

/// What was kept and returns, and what users wrote in its place.
fn returning(
    connection: &mut Connection,
    side: Side<'_>,
    pieces: &[Kept],
    ahead: &mut Ahead,
) -> Result<(), PostgresError> {
    for piece in pieces {
        let counted = counted(connection, piece)?.into_iter().filter(|one| one.count > 0);
        if piece.purged_at.is_some() {
            merge(&mut ahead.forecast.gone, counted);
            continue;
        }
        merge(&mut ahead.forecast.kept, counted);
    }
    let there: Vec<Kept> =
        pieces.iter().filter(|piece| piece.purged_at.is_none()).cloned().collect();
    let mut goes: Vec<(&Kept, String)> = Vec::new();
    for (piece, group) in groups(&there) {
        if !is_emptied(&there, piece) {
            ahead.conflicts.extend(group.foresee(connection, side)?);
            goes.extend(group.goes(connection, side)?.map(|condition| (piece, condition)));
        }
    }
    for piece in &there {
        let (what, why, count) = match &piece.item {
            KeptItem::Rows { store, columns, .. } => {
                let own = goes.iter().filter(|(other, _)| other.relation == piece.relation);
                let own: Vec<&str> = own.map(|(_, condition)| condition.as_str()).collect();
                let own = if own.is_empty() { "false".to_owned() } else { own.join(" OR ") };
                let kept = Rows { relation: &piece.relation, store, columns };
                (piece.relation.clone(), TAKEN, foresee_rows(connection, side, &kept, &own)?)
            }
            KeptItem::Values { store, key, columns, lossy: true } => {
                let kept = Values { relation: &piece.relation, store, key, columns };
                let column = columns.first().map_or("", |column| column.name.as_str());
                let what = format!("{}.{column}", piece.relation);
                (what, EDITED, foresee_values(connection, side, kept)?)
            }
            _ => continue,
        };
        if count > 0 {
            ahead.conflicts.push(Conflict { what, why: why.to_owned(), count });
        }
    }
    Ok(())
}

/// Rows that users wrote without a column that comes back and must not be empty.
fn empty(
    connection: &mut Connection,
    side: Side<'_>,
    pieces: &[Kept],
    target: &Catalogue,
    ahead: &mut Ahead,
) -> Result<(), PostgresError> {
    for piece in pieces.iter().filter(|piece| piece.purged_at.is_none()) {
        if let KeptItem::Hidden { place, column: Some((before, meanwhile)), .. } = &piece.item {
            let name = format!("{}.{before}", piece.relation);
            let name = Name { kind: Kind::Column, name };
            if target.objects.get(&name).is_some_and(|object| object.flag("not_null")) {
                let sql =
                    format!("SELECT pg_catalog.count(*) FROM {place} WHERE {meanwhile} IS NULL");
                let count = u64::try_from(connection.number(ABOUT, &sql)?).unwrap_or(0);
                if count > 0 {
                    let why = format!(
                        "rows were written without it; it comes back and must not be empty: give \
                         them values, it is called {meanwhile} meanwhile"
                    );
                    ahead.against.push(Conflict { what: name.to_string(), why, count });
                }
            }
        }
        let KeptItem::Values { store, key, columns, lossy: false } = &piece.item else { continue };
        let Some(table) = side.table(piece) else { continue };
        let demanded = columns.iter().filter_map(|column| {
            let name = format!("{}.{}", piece.relation, column.name);
            let name = Name { kind: Kind::Column, name };
            let object = target.objects.get(&name).filter(|object| object.flag("not_null"))?;
            let default = Name { kind: Kind::Default, name: name.name.clone() };
            let filled = object.facts.contains_key("identity")
                || object.facts.contains_key("generated")
                || target.objects.contains_key(&default);
            (!filled).then_some(name)
        });
        let mut goes = vec!["false".to_owned()];
        for (other, group) in groups(pieces) {
            if side.table(other).as_ref() == Some(&table) {
                goes.extend(group.goes(connection, side)?);
            }
        }
        let kept = Values { relation: &piece.relation, store, key, columns };
        for name in demanded {
            let count = unfilled(connection, side, kept, &goes.join(" OR "))?;
            if count > 0 {
                let why = "rows were written without it; it comes back and must not be empty: give \
                           these rows up, or write what is to be as a new migration";
                let what = name.to_string();
                ahead.against.push(Conflict { what, why: why.to_owned(), count });
            }
        }
    }
    Ok(())
}

/// What a piece holds, in numbers.
fn counted(connection: &mut Connection, piece: &Kept) -> Result<Vec<Counted>, PostgresError> {
    let short = piece.relation.strip_prefix("public.").unwrap_or(&piece.relation);
    let mut list = Vec::new();
    match &piece.item {
        KeptItem::Rows { .. } | KeptItem::Changes { .. } => {
            list.push(Counted { what: short.to_owned(), unit: Unit::Rows, count: piece.rows });
        }
        KeptItem::Values { store, columns, .. } => {
            for column in columns {
                let what = format!("{short}.{}", column.name);
                let mut count = piece.rows;
                // An empty place is no value.
                if piece.purged_at.is_none() {
                    let sql = format!("SELECT pg_catalog.count(k.{}) FROM {store} k", column.store);
                    count = u64::try_from(connection.number(ABOUT, &sql)?).unwrap_or(0);
                }
                list.push(Counted { what, unit: Unit::Values, count });
            }
        }
        KeptItem::Position { .. } | KeptItem::Hidden { .. } | KeptItem::Deferred { .. } => {}
    }
    Ok(list)
}

/// The tables that are locked: those to which something returns, and those that change.
fn locked(
    connection: &mut Connection,
    side: Side<'_>,
    pieces: &[Kept],
    ahead: &mut Ahead,
) -> Result<(), PostgresError> {
    let own: BTreeSet<String> = pieces.iter().filter_map(|piece| side.table(piece)).collect();
    let changed = side.delta.objects.iter().filter_map(|one| {
        let of = one.after.as_ref().and_then(|object| object.of.clone());
        let table = (one.name.kind == Kind::Table).then(|| one.name.name.clone());
        of.or(table)
    });
    let is = |name: &String| side.catalogue.get(Kind::Table, name).is_some();
    let shaped: BTreeSet<String> = changed.filter(is).collect();
    for table in own.union(&shaped) {
        let bytes = size(connection, table)?;
        let short = table.strip_prefix("public.").unwrap_or(table).to_owned();
        let lock = Locked { table: short, readers_wait: shaped.contains(table), bytes };
        match ahead.locks.iter_mut().find(|known| known.table == lock.table) {
            Some(known) => known.readers_wait |= lock.readers_wait,
            None => ahead.locks.push(lock),
        }
    }
    Ok(())
}

fn size(connection: &mut Connection, table: &str) -> Result<u64, PostgresError> {
    let sql = format!(
        "SELECT coalesce(pg_catalog.pg_total_relation_size(pg_catalog.to_regclass({})), 0)",
        literal(table)
    );
    Ok(u64::try_from(connection.number(ABOUT, &sql)?).unwrap_or(0))
}

/// What users wrote into what the runs had added, and values that the old types cannot hold.
fn out_of_sight(
    connection: &mut Connection,
    now: &Catalogue,
    all: &Delta,
    way: &WayBack,
    leaving: &[(String, String)],
    ahead: &mut Ahead,
) -> Result<(), PostgresError> {
    let columns = all.fresh.iter().filter(|name| now.objects.contains_key(*name));
    let gone: BTreeSet<&Name> = way.drops.difference(&way.creates).chain(columns).collect();
    for name in gone {
        let Some(object) = now.objects.get(name) else { continue };
        if all.renamed.iter().any(|one| one.to == *name) && !all.fresh.contains(name) {
            continue;
        }
        let of = object.of.as_deref().unwrap_or_default();
        let table = Name { kind: Kind::Table, name: of.to_owned() };
        // Rows that go themselves are no loss of users'.
        let stay = |table: &str| -> String {
            let own = leaving.iter().filter(|(of, _)| of == table);
            own.map(|(_, goes)| format!(" AND NOT {goes}")).collect::<Vec<_>>().concat()
        };
        let (unit, sql) = match name.kind {
            Kind::Table if !object.facts.contains_key("partition_key") => {
                let rest = stay(&name.name);
                let sql = format!(
                    "SELECT pg_catalog.count(*) FROM ONLY {} t WHERE true{rest}",
                    name.name
                );
                (Unit::Rows, sql)
            }
            Kind::Column
                if now.objects.contains_key(&table)
                    && (!way.drops.contains(&table) || way.creates.contains(&table))
                    && !object.flag("inherited")
                    && !object.facts.contains_key("generated") =>
            {
                let (local, rest) = (&object.local, stay(of));
                let sql =
                    format!("SELECT pg_catalog.count(t.{local}) FROM {of} t WHERE true{rest}");
                (Unit::Values, sql)
            }
            _ => continue,
        };
        let count = u64::try_from(connection.number(ABOUT, &sql)?).unwrap_or(0);
        if name.kind == Kind::Table || name.kind == Kind::Column {
            let copied = if name.kind == Kind::Table { &name.name } else { of };
            ahead.bytes = ahead.bytes.saturating_add(size(connection, copied)?);
        }
        if count > 0 {
            let what = name.short().to_owned();
            merge(&mut ahead.forecast.hidden, [Counted { what, unit, count }]);
        }
    }
    Ok(())
}

/// Values that the type to come back cannot hold, at most.
fn narrowed(
    connection: &mut Connection,
    now: &Catalogue,
    target: &Catalogue,
    way: &WayBack,
    ahead: &mut Ahead,
) -> Result<(), PostgresError> {
    for name in way.alters.iter().filter(|name| name.kind == Kind::Column) {
        let (Some(old), Some(new)) = (target.objects.get(name), now.objects.get(name)) else {
            continue;
        };
        let (of, to) = (old.of.as_deref().unwrap_or_default(), old.word("type"));
        if to == new.word("type") || old.flag("inherited") {
            continue;
        }
        let Some(oid) = number(connection, of)? else { continue };
        let Some(table) = Table::read(connection, oid)? else { continue };
        let mut stored = table.stored().into_iter();
        let Some(column) = stored.find(|one| one.name == old.local && !one.fits(to)) else {
            continue;
        };
        let sql = format!(
            "SELECT pg_catalog.count(*) FROM {} AS t WHERE {}",
            table.rows(),
            column.lossy(to)
        );
        connection.run(ABOUT, "SAVEPOINT ripcord_count")?;
        match connection.number(ABOUT, &sql) {
            Ok(0) => {}
            Ok(count) => {
                let (what, unit) = (name.short().to_owned(), Unit::Values);
                let count = u64::try_from(count).unwrap_or(0);
                merge(&mut ahead.forecast.hidden, [Counted { what, unit, count }]);
            }
            Err(error) if error.is_lost() => return Err(error),
            Err(_) => {
                connection.run(ABOUT, "ROLLBACK TO SAVEPOINT ripcord_count")?;
                ahead.forecast.caveats.push(format!(
                    "{}: how many values {to} cannot hold is seen only when it runs; they are kept",
                    name.short()
                ));
            }
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
    ahead: &mut Ahead,
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
                let what = name.to_string();
                let why = "rows stand against it; change, move or delete them first".to_owned();
                ahead.against.push(Conflict { what, why, count });
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
