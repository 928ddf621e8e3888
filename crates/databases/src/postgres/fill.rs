//! Rows for tables that have none, so that going there and back has something to lose; and what
//! all tables hold, to be compared. Only for scratch databases.

use crate::postgres::connection::Connection;
use crate::postgres::trouble::PostgresError;
use std::collections::BTreeMap;

const ABOUT: &str = "scratch rows";

/// How many rows a table gets.
const ROWS: u32 = 3;

/// Tables that are users', qualified and quoted.
const TABLES: &str = "SELECT c.oid, pg_catalog.quote_ident(n.nspname) || '.' || \
     pg_catalog.quote_ident(c.relname) FROM pg_catalog.pg_class c \
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     WHERE c.relkind = 'r' AND c.relpersistence <> 't' \
     AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'ripcord') \
     AND n.nspname !~ '^pg_toast' AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d \
         WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid \
         AND d.deptype = 'e') \
     ORDER BY c.oid";

/// The names of tools' own tables, which are left alone.
const TOOLS: [&str; 7] = [
    "schema_migrations",
    "_sqlx_migrations",
    "__diesel_schema_migrations",
    "flyway_schema_history",
    "refinery_schema_history",
    "goose_db_version",
    "gorp_migrations",
];

/// Puts some rows into each empty table, as far as its constraints let values of no meaning in.
pub(crate) fn fill(connection: &mut Connection) -> Result<(), PostgresError> {
    for (oid, table) in tables(connection)? {
        let any = format!("SELECT pg_catalog.count(*) FROM (SELECT 1 FROM {table} LIMIT 1) one");
        if connection.count(ABOUT, &any)? > 0 {
            continue;
        }
        let Some(columns) = columns(connection, &oid)? else { continue };
        let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        for row in 1..=ROWS {
            let values: Vec<String> =
                columns.iter().map(|(_, value)| value.replace('#', &row.to_string())).collect();
            let sql = format!(
                "INSERT INTO {table} ({}) OVERRIDING SYSTEM VALUE VALUES ({})",
                names.join(", "),
                values.join(", ")
            );
            // What a constraint or a trigger does not let in stays out.
            if connection.run(ABOUT, &sql).is_err() {
                break;
            }
        }
    }
    Ok(())
}

/// What each table holds, as a digest.
pub(crate) fn rows(connection: &mut Connection) -> Result<BTreeMap<String, String>, PostgresError> {
    let mut found = BTreeMap::new();
    for (_, table) in tables(connection)? {
        let sql = format!(
            "SELECT pg_catalog.count(*) || ' ' || coalesce(pg_catalog.md5(\
             pg_catalog.string_agg(t::text, '|' ORDER BY t::text COLLATE \"C\")), '') \
             FROM {table} t"
        );
        let digest = connection.value(ABOUT, &sql)?;
        found.insert(table, digest.unwrap_or_default());
    }
    Ok(found)
}

pub(crate) fn tables(connection: &mut Connection) -> Result<Vec<(String, String)>, PostgresError> {
    let rows = connection.rows(ABOUT, TABLES)?;
    let pair = |row: &Vec<Option<String>>| Some((row.first()?.clone()?, row.get(1)?.clone()?));
    let found = rows.iter().filter_map(pair);
    let is_tool = |table: &str| TOOLS.iter().any(|tool| table.ends_with(&format!(".{tool}")));
    Ok(found.filter(|(_, table)| !is_tool(table)).collect())
}

/// The columns to fill, each with a value in which `#` is the number of the row. None for a table
/// whose columns are all generated.
fn columns(
    connection: &mut Connection,
    oid: &str,
) -> Result<Option<Vec<(String, String)>>, PostgresError> {
    let sql = format!(
        "SELECT pg_catalog.quote_ident(a.attname), pg_catalog.format_type(a.atttypid, a.atttypmod), \
         b.typcategory, \
         (SELECT pg_catalog.quote_literal(e.enumlabel) FROM pg_catalog.pg_enum e \
          WHERE e.enumtypid = b.oid ORDER BY e.enumsortorder LIMIT 1) \
         FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
         JOIN pg_catalog.pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype \
         ELSE t.oid END WHERE a.attrelid = {oid} AND a.attnum > 0 AND NOT a.attisdropped \
         AND a.attgenerated = '' ORDER BY a.attnum"
    );
    let rows = connection.rows(ABOUT, &sql)?;
    let column = |row: &Vec<Option<String>>| {
        let text = |at: usize| row.get(at).cloned().flatten().unwrap_or_default();
        (text(0), value(&text(1), &text(2), &text(3)))
    };
    let found: Vec<(String, String)> = rows.iter().map(column).collect();
    Ok((!found.is_empty()).then_some(found))
}

/// A value of a type, by its category in the catalogue.
fn value(type_name: &str, category: &str, label: &str) -> String {
    let plain = match (category, type_name) {
        ("N", _) => "#".to_owned(),
        ("B", _) => "true".to_owned(),
        ("D", _) => "'2024-01-0#'".to_owned(),
        ("T", _) => "'# hours'".to_owned(),
        ("I", _) => "'10.0.0.#'".to_owned(),
        ("E", _) => label.to_owned(),
        ("A", _) => "'{}'".to_owned(),
        (_, "json" | "jsonb") => "'{\"n\": #}'".to_owned(),
        (_, "uuid") => "'00000000-0000-0000-0000-00000000000#'".to_owned(),
        (_, "bytea") => "'\\x0#'".to_owned(),
        ("S", _) => "'v#'".to_owned(),
        _ => return "NULL".to_owned(),
    };
    format!("{plain}::{type_name}")
}

#[cfg(test)]
mod tests {
    use super::value;

    #[test]
    fn values_of_types() {
        let check = |name: &str, category: &str, expected: &str| {
            assert_eq!(value(name, category, "'low'"), expected);
        };
        check("integer", "N", "#::integer");
        check("character varying(20)", "S", "'v#'::character varying(20)");
        check("public.level", "E", "'low'::public.level");
        check("integer[]", "A", "'{}'::integer[]");
        check("uuid", "U", "'00000000-0000-0000-0000-00000000000#'::uuid");
        check("point", "G", "NULL");
    }
}
