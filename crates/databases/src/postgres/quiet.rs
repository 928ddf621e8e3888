//! Ripcord's own statements between those of a script: under settings and a role of its own, which
//! are put back as the script had them.

use crate::postgres::connection::Connection;
use crate::postgres::terms::Terms;
use crate::postgres::trouble::PostgresError;
use crate::sql::literal;

const ABOUT: &str = "settings";

/// What has to be so that a statement means what it says, and that no row stays unseen: with row
/// security off, a row that a policy would hide is an error.
const SETTINGS: [(&str, &str); 11] = [
    ("role", "none"),
    ("search_path", ""),
    ("row_security", "off"),
    ("DateStyle", "ISO, YMD"),
    ("IntervalStyle", "postgres"),
    ("extra_float_digits", "1"),
    ("bytea_output", "hex"),
    ("TimeZone", "UTC"),
    ("quote_all_identifiers", "off"),
    ("standard_conforming_strings", "on"),
    ("transform_null_equals", "off"),
];

/// Runs something of Ripcord's own within the open transaction of a script.
pub(crate) fn quietly<T>(
    connection: &mut Connection,
    body: impl FnOnce(&mut Connection) -> Result<T, PostgresError>,
) -> Result<T, PostgresError> {
    let had: Vec<String> =
        SETTINGS.iter().map(|(name, _)| format!("pg_catalog.current_setting('{name}')")).collect();
    let set = SETTINGS
        .iter()
        .map(|(name, value)| format!("pg_catalog.set_config('{name}', '{value}', true)"))
        .collect::<Vec<_>>();
    let rows = connection.rows(ABOUT, &format!("SELECT {}", had.join(", ")))?;
    connection.rows(ABOUT, &format!("SELECT {}", set.join(", ")))?;
    let done = body(connection)?;
    let had = rows.into_iter().next().unwrap_or_default();
    let back: Vec<String> = SETTINGS
        .iter()
        .zip(had)
        .filter_map(|((name, _), value)| {
            Some(format!("pg_catalog.set_config('{name}', {}, true)", literal(&value?)))
        })
        .rev()
        .collect();
    connection.rows(ABOUT, &format!("SELECT {}", back.join(", ")))?;
    Ok(done)
}

/// Holds a script to the terms, whatever it set itself: a shorter time stays.
pub(crate) fn bound(connection: &mut Connection, terms: &Terms) -> Result<(), PostgresError> {
    let mut limits = vec![("lock_timeout", terms.lock_timeout_ms)];
    limits.push(("statement_timeout", terms.statement_budget_ms));
    for (name, ms) in limits.into_iter().filter(|(_, ms)| *ms > 0) {
        let sql = format!(
            "SELECT pg_catalog.set_config('{name}', '{ms}', true) FROM pg_catalog.pg_settings \
             WHERE name = '{name}' AND (setting::pg_catalog.int8 = 0 \
             OR setting::pg_catalog.int8 > {ms})"
        );
        connection.rows(ABOUT, &sql)?;
    }
    Ok(())
}
