//! A copy in memory on which a change is rehearsed: of everything while the database is small,
//! else of the schema and Ripcord's records alone.

use crate::sql::quoted;
use crate::sqlite::connection::Session;
use crate::sqlite::records;
use crate::sqlite::trouble::Result;
use rusqlite::Connection;
use rusqlite::backup::Backup;
use rusqlite::types::Value;

/// The largest database that is copied whole, in bytes.
pub(crate) const WHOLE_BYTES_MAX: i64 = 64 << 20;

/// The copy.
#[derive(Debug)]
pub(crate) struct Scratch {
    pub(crate) session: Session,
    /// Whether it has the rows too, so that counts are exact and what depends on data shows.
    pub(crate) has_rows: bool,
}

impl Scratch {
    pub(crate) fn of(
        live: Option<&Connection>,
        environment: &str,
        whole_bytes_max: i64,
    ) -> Result<Scratch> {
        let mut memory = Connection::open_in_memory()?;
        let has_rows = match live {
            None => true,
            Some(live) => {
                let bytes: i64 = live.query_row(
                    "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
                    [],
                    |row| row.get(0),
                )?;
                let whole = bytes < whole_bytes_max;
                if whole {
                    let pause = std::time::Duration::from_millis(5);
                    Backup::new(live, &mut memory)?.run_to_completion(4_096, pause, None)?;
                } else {
                    copy_schema(live, &memory)?;
                }
                whole
            }
        };
        let session = Session::over(memory)?;
        records::prepare(&session.connection, environment)?;
        Ok(Scratch { session, has_rows })
    }
}

fn copy_schema(live: &Connection, memory: &Connection) -> Result<()> {
    memory.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON")?;
    let mut objects = live.prepare(
        "SELECT s.sql FROM sqlite_schema AS s LEFT JOIN pragma_table_list AS l
         ON l.schema = 'main' AND l.name = s.name AND s.type = 'table'
         WHERE s.sql IS NOT NULL AND substr(s.name, 1, 7) <> 'sqlite_'
         AND coalesce(l.type, '') <> 'shadow'
         ORDER BY s.type <> 'table', s.type <> 'index', s.type <> 'view', s.rowid",
    )?;
    let mut rows = objects.query([])?;
    while let Some(row) = rows.next()? {
        memory.execute_batch(&row.get::<_, String>(0)?)?;
    }
    memory.execute_batch("PRAGMA legacy_alter_table = OFF")?;
    for table in ["ripcord_meta", "ripcord_migrations"] {
        if records::exist(live)? {
            copy_rows(live, memory, table)?;
        }
    }
    Ok(())
}

fn copy_rows(live: &Connection, memory: &Connection, table: &str) -> Result<()> {
    let mut read = live.prepare(&format!("SELECT * FROM {}", quoted(table)))?;
    let width = read.column_count();
    let marks = vec!["?"; width].join(", ");
    let mut write = memory.prepare(&format!("INSERT INTO {} VALUES ({marks})", quoted(table)))?;
    let mut rows = read.query([])?;
    while let Some(row) = rows.next()? {
        let values = (0..width).map(|at| row.get(at)).collect::<rusqlite::Result<Vec<Value>>>()?;
        write.execute(rusqlite::params_from_iter(values))?;
    }
    Ok(())
}
