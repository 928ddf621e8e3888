//! A database file with what a test needs around it.

use ripcord_core::model::{ChangeId, Digest, Fence, MigrationRef, MigrationVersion, PlanId};
use ripcord_core::run::Receipt;
use ripcord_core::schema::{Direction, MigrationScript, SchemaChange, SchemaPreview, Wanted};
use ripcord_databases::sqlite::{SqliteDatabase, SqliteOptions};
use ripcord_engine::{Database, Failure, Ticket};
use rusqlite::Connection;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use tempfile::TempDir;

/// The database under test, and the application's own connection to it.
pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) database: SqliteDatabase,
    pub(crate) app: Connection,
    next: Cell<u32>,
}

impl World {
    /// A database in WAL mode with this content.
    pub(crate) fn new(sql: &str) -> World {
        let dir = tempfile::tempdir().unwrap();
        let app = Connection::open(dir.path().join("app.db")).unwrap();
        app.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;").unwrap();
        app.execute_batch(sql).unwrap();
        let database = SqliteDatabase::new(SqliteOptions {
            path: dir.path().join("app.db"),
            backups: dir.path().join("backups"),
            environment: "test".into(),
        });
        World { dir, database, app, next: Cell::new(1) }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("app.db")
    }

    pub(crate) fn write(&self, sql: &str) {
        // Whoever has a statement in hand from before a change must first notice the change.
        self.app.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).unwrap();
        self.app.execute_batch(sql).unwrap();
    }

    /// The rows of a query, one per line.
    pub(crate) fn rows(&self, sql: &str) -> String {
        rows(&self.app, sql)
    }

    pub(crate) fn digest(&self) -> Digest {
        self.database.observe().unwrap().digest
    }

    pub(crate) fn prints(&self) -> BTreeMap<String, Digest> {
        self.database.fingerprints().unwrap()
    }

    pub(crate) fn preview(
        &self,
        direction: Direction,
        scripts: &[MigrationScript],
    ) -> SchemaPreview {
        self.database.preview(direction, scripts).unwrap()
    }

    /// Plans a change under an id never used before.
    pub(crate) fn plan(&self, direction: Direction, scripts: &[MigrationScript]) -> SchemaChange {
        let preview = self.preview(direction, scripts);
        let id = self.next.get();
        self.next.set(id + 1);
        SchemaChange {
            id: ChangeId(format!("test/{id}/1")),
            direction,
            gone_max: preview.forecast.gone.iter().map(|gone| gone.count).sum(),
            scripts: preview.scripts,
            from: preview.from,
            to: preview.to,
        }
    }

    pub(crate) fn ensure(&self, change: &SchemaChange, wanted: Wanted) -> Result<Receipt, Failure> {
        self.ensure_as(change, wanted, 1)
    }

    pub(crate) fn ensure_as(
        &self,
        change: &SchemaChange,
        wanted: Wanted,
        fence: u64,
    ) -> Result<Receipt, Failure> {
        with_ticket(fence, 10_000, |ticket| self.database.ensure(change, wanted, ticket))
    }

    /// Plans and makes.
    pub(crate) fn make(&self, direction: Direction, scripts: &[MigrationScript]) -> SchemaChange {
        let change = self.plan(direction, scripts);
        self.ensure(&change, Wanted::Made).unwrap();
        change
    }
}

pub(crate) fn with_ticket<T>(
    fence: u64,
    deadline_ms: u64,
    act: impl FnOnce(&Ticket<'_>) -> T,
) -> T {
    let plan = PlanId::from("plan");
    act(&Ticket { plan: &plan, step: 1, fence: Fence(fence), deadline_ms, stop: &|| false })
}

pub(crate) fn rows(connection: &Connection, sql: &str) -> String {
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).unwrap();
    let mut query = connection.prepare(sql).unwrap();
    let width = query.column_count();
    let mut rows = query.query([]).unwrap();
    let mut lines = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        let values = (0..width).map(|at| match row.get_ref(at).unwrap() {
            rusqlite::types::ValueRef::Null => "NULL".to_owned(),
            rusqlite::types::ValueRef::Integer(number) => number.to_string(),
            rusqlite::types::ValueRef::Real(number) => format!("{number:?}"),
            rusqlite::types::ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
            rusqlite::types::ValueRef::Blob(blob) => format!("x{blob:?}"),
        });
        lines.push(values.collect::<Vec<_>>().join("|"));
    }
    lines.join("\n")
}

pub(crate) fn script(version: u64, up: &str, down: Option<&str>) -> MigrationScript {
    MigrationScript {
        migration: MigrationRef {
            version: MigrationVersion(version),
            name: "test".into(),
            checksum: Digest::of_bytes(up.as_bytes()),
        },
        up: up.into(),
        down: down.map(Into::into),
        origin: None,
    }
}
