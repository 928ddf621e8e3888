//! What Ripcord remembers in the target database itself: the fence, the markers of changes, and
//! for each migration its scripts and how to take it back. All names begin with `ripcord_`.

use crate::sql::quoted;
use crate::sqlite::catalogue::Catalogue;
use crate::sqlite::kept::Kept;
use crate::sqlite::mapping::Pair;
use crate::sqlite::trouble::{Result, Trouble};
use jiff::Timestamp;
use ripcord_core::model::{
    AppliedMigration, ChangeId, Digest, Fence, MigrationRef, MigrationVersion,
};
use ripcord_core::schema::{MigrationScript, Wanted};
use ripcord_engine::Failure;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS main.ripcord_meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS main.ripcord_fence(
    one INTEGER PRIMARY KEY CHECK (one = 1), fence INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS main.ripcord_marker(
    change_id TEXT PRIMARY KEY, state TEXT NOT NULL CHECK (state IN ('made', 'unmade')),
    fence INTEGER NOT NULL, at TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS main.ripcord_migrations(
    version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL,
    up TEXT NOT NULL, down TEXT, state TEXT NOT NULL CHECK (state IN ('applied', 'taken_back')),
    place INTEGER NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL, pairs TEXT NOT NULL,
    kept TEXT NOT NULL, applied_at TEXT NOT NULL);
";

const NOW: &str = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')";

/// One migration as recorded.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) script: MigrationScript,
    pub(crate) applied: bool,
    /// The schema before the migration and after it.
    pub(crate) before: Catalogue,
    pub(crate) after: Catalogue,
    pub(crate) pairs: Vec<Pair>,
    /// What the last passage, up or back, set aside.
    pub(crate) kept: Vec<Kept>,
    pub(crate) at: Timestamp,
}

/// Makes the tables where they are missing, and takes note of whose database this is.
pub(crate) fn prepare(connection: &Connection, environment: &str) -> Result<()> {
    connection.execute_batch(TABLES)?;
    let set = "INSERT INTO main.ripcord_meta(key, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    connection.execute(set, params!["format", 1])?;
    connection.execute(set, params!["environment", environment])?;
    connection.execute(
        "INSERT INTO main.ripcord_meta(key, value) VALUES ('incarnation', lower(hex(randomblob(16))))
         ON CONFLICT DO NOTHING",
        [],
    )?;
    let owner: String = meta(connection, "environment")?.unwrap_or_default();
    if owner != environment {
        return Err(Trouble::refuse(format!(
            "this database belongs to environment {owner}, not {environment}; if it is a copy, \
             run `ripcord db detach` on it first"
        )));
    }
    Ok(())
}

/// Whether the tables are there.
pub(crate) fn exist(connection: &Connection) -> Result<bool> {
    let sql = "SELECT EXISTS(SELECT 1 FROM main.sqlite_schema WHERE name = 'ripcord_migrations')";
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}

/// A fact about this database.
pub(crate) fn meta<T: rusqlite::types::FromSql>(
    connection: &Connection,
    key: &str,
) -> Result<Option<T>> {
    let sql = "SELECT value FROM main.ripcord_meta WHERE key = ?1";
    Ok(connection.query_row(sql, [key], |row| row.get(0)).optional()?)
}

/// Gives this copy of the database an identity of its own.
pub(crate) fn renew_incarnation(connection: &Connection) -> Result<()> {
    connection.execute(
        "UPDATE main.ripcord_meta SET value = lower(hex(randomblob(16))) WHERE key = 'incarnation'",
        [],
    )?;
    Ok(())
}

/// The name of the next table for what is kept.
pub(crate) fn next_store(connection: &Connection) -> Result<String> {
    let next: i64 = connection.query_row(
        "INSERT INTO main.ripcord_meta(key, value) VALUES ('stores', 1)
         ON CONFLICT (key) DO UPDATE SET value = value + 1 RETURNING value",
        [],
        |row| row.get(0),
    )?;
    Ok(format!("ripcord_kept_{next}"))
}

/// Refuses a controller that was replaced, and remembers the highest fence.
pub(crate) fn pass_fence(connection: &Connection, fence: Fence) -> Result<()> {
    let seen: Option<u64> = connection
        .query_row("SELECT fence FROM main.ripcord_fence", [], |row| row.get(0))
        .optional()?;
    match seen {
        Some(seen) if seen > fence.0 => Err(Failure::Fenced { seen, ours: fence.0 }.into()),
        Some(seen) if seen == fence.0 => Ok(()),
        _ => {
            connection.execute(
                "INSERT INTO main.ripcord_fence(one, fence) VALUES (1, ?1)
                 ON CONFLICT (one) DO UPDATE SET fence = excluded.fence",
                [fence.0],
            )?;
            Ok(())
        }
    }
}

/// What became of a change so far.
pub(crate) fn marker(connection: &Connection, change: &ChangeId) -> Result<Option<Wanted>> {
    let sql = "SELECT state = 'made' FROM main.ripcord_marker WHERE change_id = ?1";
    let made = connection.query_row(sql, [change.as_str()], |row| row.get(0)).optional()?;
    Ok(made.map(|made| if made { Wanted::Made } else { Wanted::Unmade }))
}

/// Notes what became of a change; must stand in the same transaction as the change itself.
pub(crate) fn mark(
    connection: &Connection,
    change: &ChangeId,
    state: Wanted,
    fence: Fence,
) -> Result<()> {
    let state = match state {
        Wanted::Made => "made",
        Wanted::Unmade => "unmade",
    };
    connection.execute(
        &format!(
            "INSERT INTO main.ripcord_marker(change_id, state, fence, at) VALUES (?1, ?2, ?3, {NOW})
             ON CONFLICT (change_id) DO UPDATE
             SET state = excluded.state, fence = excluded.fence, at = excluded.at"
        ),
        params![change.as_str(), state, fence.0],
    )?;
    Ok(())
}

/// The migrations that are in force, oldest first.
pub(crate) fn applied(connection: &Connection) -> Result<Vec<AppliedMigration>> {
    if !exist(connection)? {
        return Ok(Vec::new());
    }
    let mut rows = connection.prepare(
        "SELECT version, name, checksum, applied_at FROM main.ripcord_migrations
         WHERE state = 'applied' ORDER BY place",
    )?;
    let rows = rows.query_map([], |row| {
        let at: String = row.get(3)?;
        Ok((reference(row)?, at))
    })?;
    let mut applied = Vec::new();
    for row in rows {
        let (migration, at) = row?;
        applied.push(AppliedMigration { migration, at: time(&at)? });
    }
    Ok(applied)
}

/// The record of one migration.
pub(crate) fn find(connection: &Connection, version: MigrationVersion) -> Result<Option<Record>> {
    if !exist(connection)? {
        return Ok(None);
    }
    let mut query = connection.prepare(
        "SELECT version, name, checksum, up, down, state = 'applied', before, after, pairs, kept,
         applied_at FROM main.ripcord_migrations WHERE version = ?1",
    )?;
    let mut rows = query.query([version.0])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let text = |at: usize| row.get::<_, String>(at);
    Ok(Some(Record {
        script: MigrationScript {
            migration: reference(row)?,
            up: text(3)?,
            down: row.get(4)?,
            origin: None,
        },
        applied: row.get(5)?,
        before: serde_json::from_str(&text(6)?)?,
        after: serde_json::from_str(&text(7)?)?,
        pairs: serde_json::from_str(&text(8)?)?,
        kept: serde_json::from_str(&text(9)?)?,
        at: time(&text(10)?)?,
    }))
}

/// Writes a record; what is applied anew takes the last place in the order.
pub(crate) fn save(connection: &Connection, record: &Record) -> Result<()> {
    let script = &record.script;
    connection.execute(
        &format!(
            "INSERT INTO main.ripcord_migrations(version, name, checksum, up, down, state, place,
             before, after, pairs, kept, applied_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6,
             (SELECT coalesce(max(place), 0) + 1 FROM main.ripcord_migrations),
             ?7, ?8, ?9, ?10, {NOW})
             ON CONFLICT (version) DO UPDATE SET name = excluded.name, checksum = excluded.checksum,
             up = excluded.up, down = excluded.down, state = excluded.state,
             place = iif(excluded.state = 'applied', excluded.place, place),
             before = excluded.before, after = excluded.after, pairs = excluded.pairs,
             kept = excluded.kept,
             applied_at = iif(excluded.state = 'applied', excluded.applied_at, applied_at)"
        ),
        params![
            script.migration.version.0,
            script.migration.name,
            script.migration.checksum.as_str(),
            script.up,
            script.down,
            if record.applied { "applied" } else { "taken_back" },
            serde_json::to_string(&record.before)?,
            serde_json::to_string(&record.after)?,
            serde_json::to_string(&record.pairs)?,
            serde_json::to_string(&record.kept)?,
        ],
    )?;
    Ok(())
}

/// Removes everything that is Ripcord's.
pub(crate) fn remove_all(connection: &Connection) -> Result<()> {
    let mut names = connection.prepare(
        "SELECT name FROM main.sqlite_schema
         WHERE type = 'table' AND lower(substr(name, 1, 8)) = 'ripcord_'",
    )?;
    let names =
        names.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
    for name in names {
        connection.execute_batch(&format!("DROP TABLE main.{}", quoted(&name)))?;
    }
    Ok(())
}

/// The database's clock.
pub(crate) fn now(connection: &Connection) -> Result<Timestamp> {
    let text: String = connection.query_row(&format!("SELECT {NOW}"), [], |row| row.get(0))?;
    time(&text)
}

fn reference(row: &Row<'_>) -> rusqlite::Result<MigrationRef> {
    Ok(MigrationRef {
        version: MigrationVersion(row.get(0)?),
        name: row.get(1)?,
        checksum: Digest(row.get(2)?),
    })
}

fn time(text: &str) -> Result<Timestamp> {
    text.parse().map_err(|why| Trouble::refuse(format!("«{text}» is no time: {why}")))
}
