//! One connection to a database of either kind, as far as the shop needs it: statements with
//! numbered parameters, rows of plain cells, transactions. Which kind it is shows nowhere else.

use std::path::Path;
use std::time::Duration;

use postgres::types::{ToSql, Type};
use rusqlite::types::ValueRef;
use rusqlite::{ErrorCode, OpenFlags};

use super::StoreError;
use crate::Place;

const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection.
pub(crate) enum Connection {
    Sqlite(rusqlite::Connection),
    Postgres(Box<postgres::Client>),
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Null,
    Integer(i64),
    Text(String),
}

impl Cell {
    pub(crate) fn integer(&self) -> i64 {
        match self {
            Cell::Integer(integer) => *integer,
            Cell::Null | Cell::Text(_) => 0,
        }
    }

    pub(crate) fn text(&self) -> Option<String> {
        match self {
            Cell::Text(text) => Some(text.clone()),
            Cell::Integer(integer) => Some(integer.to_string()),
            Cell::Null => None,
        }
    }

    pub(crate) fn flag(&self) -> Option<bool> {
        match self {
            Cell::Null => None,
            Cell::Integer(_) | Cell::Text(_) => Some(self.integer() != 0),
        }
    }
}

impl From<i64> for Cell {
    fn from(integer: i64) -> Cell {
        Cell::Integer(integer)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }
}

impl From<Option<&str>> for Cell {
    fn from(text: Option<&str>) -> Cell {
        text.map_or(Cell::Null, Cell::from)
    }
}

impl Connection {
    /// Connects. A file must exist.
    pub(crate) fn open(place: &Place) -> Result<Connection, StoreError> {
        match place {
            Place::File(path) => Ok(Connection::Sqlite(file(path)?)),
            Place::Server(address) => {
                let client = postgres::Client::connect(address, postgres::NoTls)?;
                Ok(Connection::Postgres(Box::new(client)))
            }
        }
    }

    /// Runs one statement; parameters are `$1`, `$2` and so on, in the order of their appearance.
    pub(crate) fn rows(
        &mut self,
        sql: &str,
        parameters: &[Cell],
    ) -> Result<Vec<Vec<Cell>>, StoreError> {
        match self {
            Connection::Sqlite(connection) => sqlite_rows(connection, sql, parameters),
            Connection::Postgres(client) => {
                let values: Vec<Box<dyn ToSql + Sync>> = parameters.iter().map(value).collect();
                let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(AsRef::as_ref).collect();
                let rows = client.query(sql, &values)?;
                rows.iter().map(postgres_row).collect()
            }
        }
    }

    /// The first row, if there is any.
    pub(crate) fn row(
        &mut self,
        sql: &str,
        parameters: &[Cell],
    ) -> Result<Option<Vec<Cell>>, StoreError> {
        Ok(self.rows(sql, parameters)?.into_iter().next())
    }

    /// Does something that becomes true as a whole, or not at all.
    pub(crate) fn transaction<T>(
        &mut self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let begin = match self {
            // A writer that begins as a reader may find that another was faster.
            Connection::Sqlite(_) => "BEGIN IMMEDIATE",
            Connection::Postgres(_) => "BEGIN",
        };
        self.run(begin)?;
        match work(self).and_then(|done| self.run("COMMIT").map(|()| done)) {
            Ok(done) => Ok(done),
            Err(error) => {
                // Should even this fail, closing the connection does the same.
                drop(self.run("ROLLBACK"));
                Err(error)
            }
        }
    }

    /// Whether the database answers. Nothing is asked that a migration could take away.
    pub(crate) fn answers(&mut self) -> Result<(), StoreError> {
        let sql = match self {
            Connection::Sqlite(_) => "SELECT count(*) FROM sqlite_schema",
            Connection::Postgres(_) => "SELECT 1::bigint",
        };
        self.rows(sql, &[]).map(|_| ())
    }

    fn run(&mut self, sql: &str) -> Result<(), StoreError> {
        match self {
            Connection::Sqlite(connection) => Ok(connection.execute_batch(sql)?),
            Connection::Postgres(client) => Ok(client.batch_execute(sql)?),
        }
    }
}

fn sqlite_rows(
    connection: &rusqlite::Connection,
    sql: &str,
    parameters: &[Cell],
) -> Result<Vec<Vec<Cell>>, StoreError> {
    let mut statement = connection.prepare(sql)?;
    let width = statement.column_count();
    let mut found = statement.query(rusqlite::params_from_iter(parameters))?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let mut cells = Vec::with_capacity(width);
        for at in 0..width {
            cells.push(match row.get_ref(at)? {
                ValueRef::Null => Cell::Null,
                ValueRef::Integer(integer) => Cell::Integer(integer),
                ValueRef::Real(real) => Cell::Text(real.to_string()),
                ValueRef::Text(text) => Cell::Text(String::from_utf8_lossy(text).into_owned()),
                ValueRef::Blob(bytes) => Cell::Text(format!("blob {bytes:02x?}")),
            });
        }
        rows.push(cells);
    }
    Ok(rows)
}

/// A parameter; of those that may be absent, all are text.
fn value(cell: &Cell) -> Box<dyn ToSql + Sync> {
    match cell {
        Cell::Null => Box::new(None::<String>),
        Cell::Integer(integer) => Box::new(*integer),
        Cell::Text(text) => Box::new(text.clone()),
    }
}

fn postgres_row(row: &postgres::Row) -> Result<Vec<Cell>, StoreError> {
    let cell = |at: usize| -> Result<Cell, StoreError> {
        let kind = row.columns()[at].type_();
        Ok(if *kind == Type::INT8 {
            row.try_get::<_, Option<i64>>(at)?.map_or(Cell::Null, Cell::Integer)
        } else {
            row.try_get::<_, Option<String>>(at)?.map_or(Cell::Null, Cell::Text)
        })
    };
    (0..row.len()).map(cell).collect()
}

fn file(path: &Path) -> rusqlite::Result<rusqlite::Connection> {
    // Never CREATE: an empty file in place of the database would look like a healthy shop.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = rusqlite::Connection::open_with_flags(path, flags)?;
    // Only a database that nobody writes to can change its mode; while somebody does, this
    // connection works in the old one, and a later connection tries again.
    connection.busy_timeout(Duration::ZERO)?;
    match connection.pragma_update(None, "journal_mode", "wal") {
        Err(error) if is_busy(&error) => {}
        other => other?,
    }
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "foreign_keys", "on")?;
    Ok(connection)
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        if is_busy(&error) { StoreError::Busy } else { StoreError::Database(error.to_string()) }
    }
}

impl From<postgres::Error> for StoreError {
    fn from(error: postgres::Error) -> StoreError {
        let said = error.as_db_error().map(ToString::to_string);
        StoreError::Database(said.unwrap_or_else(|| error.to_string()))
    }
}

impl rusqlite::ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        match self {
            Cell::Null => rusqlite::ToSql::to_sql(&rusqlite::types::Null),
            Cell::Integer(integer) => rusqlite::ToSql::to_sql(integer),
            Cell::Text(text) => rusqlite::ToSql::to_sql(text),
        }
    }
}
