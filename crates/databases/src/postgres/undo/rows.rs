//! Whole rows go back into their table.

use super::ABOUT;
use super::place::{Side, value};
use crate::postgres::connection::Connection;
use crate::postgres::own::KeptColumn;
use crate::postgres::trouble::PostgresError;

/// What becomes of rows whose place is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// What is there stays: users wrote it.
    Yield,
    /// What is kept takes the place: what is there was made by a script a moment ago.
    Replace,
}

/// Rows that were kept and the table that they were kept from.
pub(crate) struct Rows<'a> {
    pub(crate) relation: &'a str,
    pub(crate) store: &'a str,
    pub(crate) columns: &'a [KeptColumn],
}

/// Puts rows back. Says how many came back, or nothing when the table is not there.
pub(crate) fn rows(
    connection: &mut Connection,
    side: Side<'_>,
    kept: &Rows<'_>,
    manner: Manner,
) -> Result<Option<u64>, PostgresError> {
    let Some(place) = side.place(kept.relation, kept.columns) else { return Ok(None) };
    let (mut names, mut values, mut again) = (Vec::new(), Vec::new(), Vec::new());
    for column in kept.columns {
        let Some(spot) = place.spot(column) else { continue };
        names.push(spot.name);
        values.push(value(&format!("k.{}", column.store), column, spot));
        if !spot.always {
            again.push(format!("{0} = excluded.{0}", spot.name));
        }
    }
    let (table, store) = (&place.table, kept.store);
    let key = if manner == Manner::Replace { key(connection, table)? } else { Vec::new() };
    let insert = format!("INSERT INTO {table} ({}) OVERRIDING SYSTEM VALUE", names.join(", "));
    let select = format!("SELECT {} FROM {store} k", values.join(", "));
    let sql = match manner {
        Manner::Yield => format!("{insert} {select} ON CONFLICT DO NOTHING"),
        Manner::Replace if !key.is_empty() && !again.is_empty() => {
            let (key, again) = (key.join(", "), again.join(", "));
            format!("{insert} {select} ON CONFLICT ({key}) DO UPDATE SET {again}")
        }
        Manner::Replace => {
            let own: Vec<String> = names.iter().map(|name| format!("t.{name}")).collect();
            let (ours, theirs) = (numbered("k", &values), numbered("t", &own));
            format!(
                "WITH k AS (SELECT k.*, {ours} FROM {store} k), t AS (SELECT {theirs} FROM {table} t) \
                 {insert} SELECT {} FROM k WHERE NOT EXISTS \
                 (SELECT FROM t WHERE t.image = k.image AND t.nth = k.nth)",
                values.join(", ")
            )
        }
    };
    connection.count(ABOUT, &sql).map(Some)
}

/// How many rows would find their place taken, by rows that do not go themselves.
pub(crate) fn foresee_rows(
    connection: &mut Connection,
    side: Side<'_>,
    kept: &Rows<'_>,
    goes: &str,
) -> Result<u64, PostgresError> {
    let Some(place) = side.place(kept.relation, kept.columns) else { return Ok(0) };
    let names = key(connection, &place.table)?;
    let equal = names.iter().map(|name| {
        let column = kept
            .columns
            .iter()
            .find(|column| place.spot(column).is_some_and(|spot| spot.name == name))?;
        let spot = place.spot(column)?;
        Some(format!("t.{name} = {}", value(&format!("k.{}", column.store), column, spot)))
    });
    let equal: Option<Vec<String>> = equal.collect();
    let Some(equal) = equal.filter(|equal| !equal.is_empty()) else { return Ok(0) };
    let sql = format!(
        "SELECT pg_catalog.count(*) FROM {} k JOIN {} t ON {} WHERE NOT ({goes})",
        kept.store,
        place.table,
        equal.join(" AND ")
    );
    Ok(u64::try_from(connection.number(ABOUT, &sql)?).unwrap_or(0))
}

/// All values of a row as one text, and the how-manieth it is with this text: how rows without a
/// key are told apart.
pub(super) fn numbered(alias: &str, values: &[String]) -> String {
    let image = format!("ROW({})::text", values.join(", "));
    format!(
        "{image} AS image, pg_catalog.row_number() OVER (PARTITION BY {image} ORDER BY \
         {alias}.ctid) AS nth"
    )
}

/// The columns of a table's primary key, or of a unique index over columns that are never empty.
fn key(connection: &mut Connection, table: &str) -> Result<Vec<String>, PostgresError> {
    let sql = format!(
        "SELECT pg_catalog.quote_ident(a.attname) FROM (SELECT i.indrelid, i.indkey FROM \
         pg_catalog.pg_index i WHERE i.indrelid = {}::pg_catalog.regclass AND i.indisunique AND \
         i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indimmediate AND NOT EXISTS \
         (SELECT FROM pg_catalog.pg_attribute n WHERE n.attrelid = i.indrelid AND n.attnum = ANY \
         (i.indkey) AND NOT n.attnotnull) ORDER BY i.indisprimary DESC, i.indexrelid LIMIT 1) i \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)",
        crate::sql::literal(table)
    );
    let rows = connection.rows(ABOUT, &sql)?;
    Ok(rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect())
}
