//! All rows of the shop's tables at one moment, read through SQL and nothing of the shop's code.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ShopError;

const TABLES: [&str; 5] = ["audit_log", "customers", "orders", "products", "reviews"];

/// Values by column name.
pub type Row = BTreeMap<String, Value>;

/// The tables that exist, each with its rows by id.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// Rows by table and id.
    pub tables: BTreeMap<String, BTreeMap<i64, Row>>,
}

impl Baseline {
    /// Reads all rows in one transaction; others may write meanwhile.
    ///
    /// # Errors
    /// When the database cannot be opened or read.
    pub fn take(database: &Path) -> Result<Self, ShopError> {
        read(database).map_err(|source| ShopError::Database {
            doing: "read all rows of",
            path: database.to_owned(),
            source,
        })
    }

    /// Whether a table of this generation has such a column.
    pub(super) fn has_column(&self, table: &str, column: &str) -> bool {
        let rows = self.tables.get(table);
        rows.and_then(|rows| rows.values().next()).is_some_and(|row| row.contains_key(column))
    }
}

fn read(database: &Path) -> rusqlite::Result<Baseline> {
    let mut connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    let transaction = connection.transaction()?;
    let mut baseline = Baseline::default();
    for table in TABLES {
        if transaction.table_exists(None, table)? {
            baseline.tables.insert(table.to_owned(), read_table(&transaction, table)?);
        }
    }
    Ok(baseline)
}

fn read_table(connection: &Connection, table: &str) -> rusqlite::Result<BTreeMap<i64, Row>> {
    let mut statement = connection.prepare(&format!("SELECT * FROM {table}"))?;
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut found = statement.query([])?;
    let mut rows = BTreeMap::new();
    while let Some(row) = found.next()? {
        let mut cells = Row::new();
        for (index, name) in names.iter().enumerate() {
            cells.insert(name.clone(), cell(row.get_ref(index)?));
        }
        rows.insert(row.get("id")?, cells);
    }
    Ok(rows)
}

fn cell(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(integer) => integer.into(),
        ValueRef::Real(real) => real.into(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
        ValueRef::Blob(bytes) => format!("blob {bytes:02x?}").into(),
    }
}
