//! All rows of the shop's tables at one moment, read through SQL and nothing of the shop's code.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Place, ShopError};

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
    pub fn take(database: impl Into<Place>) -> Result<Self, ShopError> {
        let place = database.into();
        let read = match &place {
            Place::File(path) => read(path).map_err(|error| error.to_string()),
            Place::Server(address) => server::read(address).map_err(|error| error.to_string()),
        };
        read.map_err(|why| ShopError::Database { doing: "read all rows of", place, why })
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

/// The same at a server.
mod server {
    use super::{BTreeMap, Baseline, Row, TABLES, Value};
    use postgres::{Client, NoTls, SimpleQueryMessage};

    pub(super) fn read(address: &str) -> Result<Baseline, Box<dyn std::error::Error>> {
        let mut client = Client::connect(address, NoTls)?;
        client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
        let mut baseline = Baseline::default();
        for table in TABLES {
            let there = format!("SELECT to_regclass('{table}')::text");
            if first(&mut client, &there)?.is_empty() {
                continue;
            }
            // The server itself says what each row is, as JSON.
            let mut rows: BTreeMap<i64, Row> = BTreeMap::new();
            for text in first(&mut client, &format!("SELECT row_to_json(t)::text FROM {table} t"))?
            {
                let row: Row = serde_json::from_str(&text)?;
                let id = row.get("id").and_then(Value::as_i64).ok_or("a row without an id")?;
                rows.insert(id, row);
            }
            baseline.tables.insert(table.to_owned(), rows);
        }
        Ok(baseline)
    }

    /// The first field of each row, where it is not NULL.
    fn first(client: &mut Client, sql: &str) -> Result<Vec<String>, postgres::Error> {
        let messages = client.simple_query(sql)?;
        let field = |message: &SimpleQueryMessage| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        };
        Ok(messages.iter().filter_map(field).collect())
    }
}
