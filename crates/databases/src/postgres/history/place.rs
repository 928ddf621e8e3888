//! Where a tool's table is: its schema and name, as the tool would look for it.

use crate::formats::Format;
use crate::postgres::connection::Connection;
use crate::postgres::history::{ABOUT, field};
use crate::postgres::trouble::PostgresError;
use crate::sql::{literal, quoted};
use std::collections::BTreeMap;

/// A table, there or not yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) schema: String,
    pub(super) table: String,
    pub(super) exists: bool,
}

impl Place {
    /// As SQL that means the same on every search path.
    pub(super) fn sql(&self) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(&self.table))
    }

    /// As people write it; it is the key of everything that is remembered of the folder.
    pub(super) fn words(&self) -> String {
        format!("{}.{}", self.schema, self.table)
    }
}

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Search {
    schema: Option<String>,
    table: String,
}

impl Search {
    /// A table in whatever schema.
    pub(super) fn usual(table: &str) -> Search {
        Search { schema: None, table: table.to_owned() }
    }

    /// A table as a person named it: `table` or `schema.table`, unquoted.
    pub(super) fn named(text: &str) -> Result<Search, PostgresError> {
        let (schema, table) = match text.split_once('.') {
            Some((schema, table)) => (Some(schema), table),
            None => (None, text),
        };
        let odd = |name: &str| name.is_empty() || name.contains(['.', '"', '\0']);
        if odd(table) || schema.is_some_and(odd) {
            return Err(PostgresError::HistoryName { name: text.escape_debug().to_string() });
        }
        Ok(Search { schema: schema.map(str::to_owned), table: table.to_owned() })
    }

    /// Finds it, or where the tool would make it.
    pub(super) fn find(
        self,
        connection: &mut Connection,
        tool: Format,
        columns: &[&str],
    ) -> Result<Place, PostgresError> {
        let path = search_path(connection)?;
        let mut found = tables(connection, &self.table)?;
        let place = connection.place().to_owned();
        if let Some(schema) = &self.schema {
            found.retain(|name, _| name == schema);
        }
        let on_path = path.iter().find(|schema| found.contains_key(*schema)).cloned();
        let fits = |names: &Vec<String>| columns.iter().all(|one| names.iter().any(|n| n == one));
        let fitting: Vec<String> = found
            .iter()
            .filter(|(_, names)| fits(names))
            .map(|(schema, _)| schema.clone())
            .collect();
        let schema = match (&on_path, fitting.as_slice()) {
            (Some(schema), _) => Some(schema.clone()),
            (None, []) => found.keys().next().cloned(),
            (None, [only]) => Some(only.clone()),
            (None, several) => {
                let table = self.table;
                let schemas = several.join(", ");
                return Err(PostgresError::HistoryAmbiguous { place, table, schemas });
            }
        };
        if let Some(schema) = schema {
            if !found.get(&schema).is_some_and(fits) {
                let table = format!("{schema}.{}", self.table);
                let columns = columns.join(", ");
                let tool = tool.name();
                return Err(PostgresError::HistoryForeign { place, table, tool, columns });
            }
            return Ok(Place { schema, table: self.table, exists: true });
        }
        let schema = self.schema.or_else(|| path.into_iter().next());
        let schema = schema.ok_or(PostgresError::NoHome { place, table: self.table.clone() })?;
        Ok(Place { schema, table: self.table, exists: false })
    }
}

/// The schemas in which this role and database look for names by default, as far as they exist.
fn search_path(connection: &mut Connection) -> Result<Vec<String>, PostgresError> {
    // The connection has an empty path of its own, so the default one is looked at for a moment.
    let sql = "BEGIN; SET LOCAL search_path TO DEFAULT; \
               SELECT pg_catalog.unnest(pg_catalog.current_schemas(false)); ROLLBACK";
    let rows = connection.rows(ABOUT, sql)?;
    Ok(rows.iter().filter_map(|row| field(row, 0)).collect())
}

/// All tables of this name: by schema, their columns.
fn tables(
    connection: &mut Connection,
    table: &str,
) -> Result<BTreeMap<String, Vec<String>>, PostgresError> {
    let sql = format!(
        "SELECT n.nspname, a.attname FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid \
         WHERE c.relname = {} AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't' \
         AND a.attnum > 0 AND NOT a.attisdropped",
        literal(table)
    );
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in connection.rows(ABOUT, &sql)? {
        if let (Some(schema), Some(column)) = (field(&row, 0), field(&row, 1)) {
            found.entry(schema).or_default().push(column);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::Search;

    fn check(text: &str, expected: Option<(Option<&str>, &str)>) {
        let found = Search::named(text).ok();
        let found = found.as_ref().map(|search| (search.schema.as_deref(), search.table.as_str()));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn names_that_people_write() {
        check("versions", Some((None, "versions")));
        check("app.versions", Some((Some("app"), "versions")));
        check("My App.Versions", Some((Some("My App"), "Versions")));
        check("", None);
        check(".versions", None);
        check("app.", None);
        check("a.b.c", None);
        check("\"app\".versions", None);
    }
}
