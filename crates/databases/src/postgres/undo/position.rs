//! Where sequences stood: they are set on, never back, so that no number is given out twice.

use super::ABOUT;
use crate::postgres::connection::Connection;
use crate::postgres::trouble::PostgresError;
use crate::sql::literal;

/// Where a sequence stands, and whether that number was given out.
pub(crate) fn stands(
    connection: &mut Connection,
    sequence: &str,
) -> Result<Option<(i64, bool)>, PostgresError> {
    let rows =
        connection.rows(ABOUT, &format!("SELECT last_value, is_called::text FROM {sequence}"))?;
    let read = |row: &Vec<Option<String>>| {
        Some((row.first()?.as_deref()?.parse().ok()?, row.get(1)?.as_deref()? == "true"))
    };
    Ok(rows.first().and_then(read))
}

/// Sets a sequence to where it stood, unless it is further by now.
pub(crate) fn set_position(
    connection: &mut Connection,
    sequence: &str,
    last_value: i64,
    is_called: bool,
) -> Result<(), PostgresError> {
    let name = literal(sequence);
    let there = format!("SELECT pg_catalog.to_regclass({name})::text");
    if connection.value(ABOUT, &there)?.is_none() {
        return Ok(());
    }
    let sql = format!(
        "SELECT pg_catalog.setval({name}::pg_catalog.regclass, {last_value}, {is_called}) \
         FROM {sequence} s JOIN pg_catalog.pg_sequence d ON d.seqrelid = {name}::pg_catalog.regclass \
         WHERE {last_value} BETWEEN d.seqmin AND d.seqmax AND CASE \
         WHEN s.last_value = {last_value} THEN {is_called} AND NOT s.is_called \
         WHEN d.seqincrement > 0 THEN {last_value} > s.last_value \
         ELSE {last_value} < s.last_value END"
    );
    connection.rows(ABOUT, &sql).map(|_| ())
}
