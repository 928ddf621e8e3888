//! Values of columns go back into the rows that they were kept from.

use super::ABOUT;
use super::place::{Place, Side, Spot, finds, value};
use super::rows::numbered;
use crate::postgres::connection::Connection;
use crate::postgres::own::KeptColumn;
use crate::postgres::trouble::PostgresError;

/// Values that were kept, with the keys of their rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Values<'a> {
    pub(crate) relation: &'a str,
    pub(crate) store: &'a str,
    pub(crate) key: &'a [KeptColumn],
    pub(crate) columns: &'a [KeptColumn],
}

/// In which of the rows, of values that a change of type lost, users have written nothing since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Marked {
    /// The table that says so: `at` is the place in the store, `h0`… whether the value is free.
    table: String,
}

/// Looks which values are still as the change of type left them. `number` is the piece's.
pub(crate) fn mark_values(
    connection: &mut Connection,
    side: Side<'_>,
    kept: Values<'_>,
    number: i64,
) -> Result<Option<Marked>, PostgresError> {
    let Some(place) = side.place(kept.relation, kept.columns) else { return Ok(None) };
    let Some(finds) = finds(&place, kept.key) else { return Ok(None) };
    let free = |(at, column): (usize, &KeptColumn)| match place.spot(column) {
        // A row that the run deleted afterwards returns as it was then.
        Some(spot) => format!(
            "t.tableoid IS NULL OR t.{}::text IS NOT DISTINCT FROM k.l{at} AS h{at}",
            spot.name
        ),
        None => format!("true AS h{at}"),
    };
    let list: Vec<String> = kept.columns.iter().enumerate().map(free).collect();
    let table = format!("ripcord.marked_{number}");
    let sql = format!(
        "CREATE TABLE {table} AS SELECT k.ctid AS at, {} FROM {} k LEFT JOIN {} t ON {finds}",
        list.join(", "),
        kept.store,
        place.table,
    );
    connection.run(ABOUT, &sql)?;
    Ok(Some(Marked { table }))
}

/// In how many rows users wrote another value since, without changing anything.
pub(crate) fn foresee_values(
    connection: &mut Connection,
    side: Side<'_>,
    kept: Values<'_>,
) -> Result<u64, PostgresError> {
    let Some(place) = side.place(kept.relation, kept.columns) else { return Ok(0) };
    let Some(finds) = finds(&place, kept.key) else { return Ok(0) };
    let held = kept.columns.iter().enumerate().filter_map(|(at, column)| {
        let spot = place.spot(column)?;
        Some(format!("t.{}::text IS DISTINCT FROM k.l{at}", spot.name))
    });
    let held: Vec<String> = held.collect();
    if held.is_empty() {
        return Ok(0);
    }
    let sql = format!(
        "SELECT pg_catalog.count(*) FROM {} k JOIN {} t ON {finds} WHERE {}",
        kept.store,
        place.table,
        held.join(" OR ")
    );
    Ok(u64::try_from(connection.number(ABOUT, &sql)?).unwrap_or(0))
}

/// How many rows have no kept value to be filled with, among those that stay.
pub(crate) fn unfilled(
    connection: &mut Connection,
    side: Side<'_>,
    kept: Values<'_>,
    goes: &str,
) -> Result<u64, PostgresError> {
    let Some(place) = side.place(kept.relation, kept.columns) else { return Ok(0) };
    let Some(finds) = finds(&place, kept.key) else { return Ok(0) };
    let sql = format!(
        "SELECT pg_catalog.count(*) FROM {} t WHERE NOT ({goes}) AND NOT EXISTS \
         (SELECT FROM {} k WHERE {finds})",
        place.table, kept.store
    );
    Ok(u64::try_from(connection.number(ABOUT, &sql)?).unwrap_or(0))
}

/// Puts values back; where they were marked, only into rows that users left as they were. Says
/// into how many rows, and into how many not.
pub(crate) fn values(
    connection: &mut Connection,
    side: Side<'_>,
    kept: Values<'_>,
    marked: Option<&Marked>,
) -> Result<Option<(u64, u64)>, PostgresError> {
    let Some(place) = side.place(kept.relation, kept.columns) else { return Ok(None) };
    let spots: Vec<(usize, &KeptColumn, Spot<'_>)> = kept
        .columns
        .iter()
        .enumerate()
        .filter_map(|(at, column)| Some((at, column, place.spot(column)?)))
        .collect();
    let done = if kept.key.is_empty() {
        by_image(connection, &place, kept, &spots)?
    } else {
        by_key(connection, &place, kept, &spots, marked)?
    };
    let mut held = 0;
    if let Some(Marked { table }) = marked {
        let any = spots.iter().map(|(at, ..)| format!("NOT h{at}")).collect::<Vec<_>>();
        let any = if any.is_empty() { "false".to_owned() } else { any.join(" OR ") };
        let sql = format!("SELECT pg_catalog.count(*) FROM {table} WHERE {any}");
        held = u64::try_from(connection.number(ABOUT, &sql)?).unwrap_or(0);
        connection.run(ABOUT, &format!("DROP TABLE {table}"))?;
    }
    Ok(Some((done, held)))
}

fn by_key(
    connection: &mut Connection,
    place: &Place<'_>,
    kept: Values<'_>,
    spots: &[(usize, &KeptColumn, Spot<'_>)],
    marked: Option<&Marked>,
) -> Result<u64, PostgresError> {
    let Some(finds) = finds(place, kept.key) else { return Ok(0) };
    if spots.is_empty() {
        return Ok(0);
    }
    let (mut sets, mut differ, mut always) = (Vec::new(), Vec::new(), Vec::new());
    for (at, column, spot) in spots {
        let back = value(&format!("k.{}", column.store), column, *spot);
        let name = spot.name;
        if marked.is_some() {
            sets.push(format!("{name} = CASE WHEN m.h{at} THEN {back} ELSE t.{name} END"));
            differ.push(format!("m.h{at} AND NOT {}", super::same(&format!("t.{name}"), &back)));
        } else {
            sets.push(format!("{name} = {back}"));
            differ.push(format!("NOT {}", super::same(&format!("t.{name}"), &back)));
        }
        if spot.always {
            always.push(name);
        }
    }
    let join = marked
        .map_or_else(String::new, |Marked { table }| format!(" JOIN {table} m ON m.at = k.ctid"));
    let update = format!(
        "UPDATE {} t SET {} FROM {} k{join} WHERE {finds} AND ({})",
        place.table,
        sets.join(", "),
        kept.store,
        differ.join(" OR ")
    );
    // Identities that are always the server's are never written, unless they are loosened.
    let loosen = |how: &str| -> String {
        let one = |name: &&str| {
            format!("ALTER TABLE {} ALTER COLUMN {name} SET GENERATED {how}; ", place.table)
        };
        always.iter().map(one).collect()
    };
    if !always.is_empty() {
        connection.run(ABOUT, &loosen("BY DEFAULT"))?;
    }
    let done = connection.count(ABOUT, &update)?;
    if !always.is_empty() {
        connection.run(ABOUT, &loosen("ALWAYS"))?;
    }
    Ok(done)
}

/// Rows without a key are found by all values that are still there; of equal ones any will do.
fn by_image(
    connection: &mut Connection,
    place: &Place<'_>,
    kept: Values<'_>,
    spots: &[(usize, &KeptColumn, Spot<'_>)],
) -> Result<u64, PostgresError> {
    // What is to be filled is empty in all rows by now, or was converted, and so it tells none
    // apart.
    let mut fresh = fresh(connection, place, spots)?;
    for (at, (_, column, _)) in spots.iter().enumerate() {
        fresh[at] |= place.changed_type(column) || place.came_back(column);
    }
    let fresh = &fresh;
    let told = |fresh_ones: bool| {
        spots.iter().enumerate().filter(move |(n, _)| fresh[*n] == fresh_ones).map(|(_, it)| it)
    };
    let (mut ours, mut theirs, mut sets) = (Vec::new(), Vec::new(), Vec::new());
    for (_, column, spot) in told(false) {
        ours.push(value(&format!("k.{}", column.store), column, *spot));
        theirs.push(format!("t.{}", spot.name));
    }
    for (_, column, spot) in told(true) {
        let back = value(&format!("k.{}", column.store), column, *spot);
        sets.push(format!("{} = {back}", spot.name));
    }
    if sets.is_empty() {
        return Ok(0);
    }
    let sql = format!(
        "WITH ours AS (SELECT k.*, {} FROM {} k), theirs AS (SELECT t.ctid AS place, t.tableoid AS \
         leaf, {} FROM {} t) UPDATE {} t SET {} FROM ours k JOIN theirs f ON f.image = k.image AND \
         f.nth = k.nth WHERE t.ctid = f.place AND t.tableoid = f.leaf",
        numbered("k", &ours),
        kept.store,
        numbered("t", &theirs),
        place.table,
        place.table,
        sets.join(", "),
    );
    connection.count(ABOUT, &sql)
}

/// Which of the columns hold nothing in any row.
fn fresh(
    connection: &mut Connection,
    place: &Place<'_>,
    spots: &[(usize, &KeptColumn, Spot<'_>)],
) -> Result<Vec<bool>, PostgresError> {
    let one = |(_, _, spot): &(usize, &KeptColumn, Spot<'_>)| {
        format!("(pg_catalog.count(t.{}) = 0)::text", spot.name)
    };
    let list: Vec<String> = spots.iter().map(one).collect();
    let sql = format!("SELECT {} FROM {} t", list.join(", "), place.table);
    let rows = connection.rows(ABOUT, &sql)?;
    let row = rows.into_iter().next().unwrap_or_default();
    Ok(row.into_iter().map(|field| field.as_deref() == Some("true")).collect())
}
