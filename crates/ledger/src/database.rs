//! The `SQLite` file: how it is made, opened and recognised. It knows tables, not entries.

use crate::error::{OpenError, meaning};
use ripcord_engine::LedgerError;
use rusqlite::{Connection, OpenFlags};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// The format that this code writes, kept in `user_version`.
pub(crate) const FORMAT: u32 = 1;

/// Versions of `SQLite` whose write-ahead log can be corrupted when it is reset.
const UNSAFE_SQLITE: std::ops::RangeInclusive<i32> = 3_007_000..=3_051_002;

/// Every object of the schema: kind, name, and the exact text that makes it. The dense trigger
/// also keeps `INSERT OR REPLACE` from changing what stands.
const OBJECTS: [(&str, &str, &str); 5] = [
    (
        "table",
        "entry",
        "CREATE TABLE entry (sequence INTEGER PRIMARY KEY, environment TEXT, \
         body TEXT NOT NULL, digest TEXT NOT NULL) STRICT",
    ),
    (
        "index",
        "entry_environment",
        "CREATE INDEX entry_environment ON entry (environment, sequence)",
    ),
    (
        "trigger",
        "entry_only_next",
        "CREATE TRIGGER entry_only_next BEFORE INSERT ON entry \
         WHEN NEW.sequence IS NOT (SELECT coalesce(max(sequence), 0) + 1 FROM entry) \
         BEGIN SELECT RAISE(ABORT, 'the ledger only grows, by one entry at a time'); END",
    ),
    (
        "trigger",
        "entry_no_update",
        "CREATE TRIGGER entry_no_update BEFORE UPDATE ON entry \
         BEGIN SELECT RAISE(ABORT, 'entries of the ledger are never changed'); END",
    ),
    (
        "trigger",
        "entry_no_delete",
        "CREATE TRIGGER entry_no_delete BEFORE DELETE ON entry \
         BEGIN SELECT RAISE(ABORT, 'entries of the ledger are never removed'); END",
    ),
];

/// File systems that do not keep the promises of flock and fsync: NFS, SMB, CIFS, SMB2, AFS,
/// Ceph, 9P.
const NETWORK: [u32; 7] =
    [0x6969, 0x517B, 0xFF53_4D42, 0xFE53_4D42, 0x5346_414F, 0x00C3_6400, 0x0102_1997];

/// Where the database of a state directory is.
pub(crate) fn path(directory: &Path) -> PathBuf {
    directory.join("ledger.db")
}

/// Makes the state directory and refuses where a ledger could not be trusted. Writes nothing into
/// a directory whose ledger it must not touch.
pub(crate) fn prepare(directory: &Path) -> Result<(), OpenError> {
    if UNSAFE_SQLITE.contains(&rusqlite::version_number()) {
        return Err(OpenError::UnsafeSqlite(rusqlite::version().to_owned()));
    }
    let failed = |what: &str| OpenError::io(format!("{what} {}", directory.display()));
    fs::create_dir_all(directory).map_err(failed("create"))?;
    let disk = rustix::fs::statfs(directory).map_err(|e| failed("examine")(e.into()))?;
    // The kernel's magic numbers have 32 bits, whatever the width of the field.
    if NETWORK.iter().any(|&magic| i128::from(disk.f_type) & 0xFFFF_FFFF == i128::from(magic)) {
        return Err(OpenError::NetworkFileSystem(directory.to_owned()));
    }
    let path = path(directory);
    if path.exists() {
        let connection = open_to_read(&path)?;
        recognise(&connection, &path)?;
    }
    Ok(())
}

/// Opens the database to write, and makes it when it is new.
pub(crate) fn open_to_write(directory: &Path) -> Result<Connection, OpenError> {
    let path = path(directory);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(&path, flags).map_err(unusable)?;
    configure(&connection).map_err(unusable)?;
    let format = recognise(&connection, &path)?;
    let mode: String = connection
        .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
        .map_err(unusable)?;
    if mode != "wal" {
        let why = format!("{} does not take a write-ahead log", path.display());
        return Err(LedgerError::Unusable(why).into());
    }
    if format == 0 {
        create(&mut connection).map_err(unusable)?;
        let what = format!("sync {}", directory.display());
        let synced = File::open(directory).and_then(|directory| directory.sync_all());
        synced.map_err(OpenError::io(what))?;
    }
    Ok(connection)
}

/// Opens the database to read it, whether somebody writes it or not.
pub(crate) fn open_to_read(path: &Path) -> Result<Connection, OpenError> {
    if !path.exists() {
        return Err(OpenError::Missing(path.to_owned()));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(unusable)?;
    configure(&connection).map_err(unusable)?;
    Ok(connection)
}

/// Moves everything from the write-ahead log into the database and syncs both. What a failed sync
/// left may be readable and yet not on the disk, where a second sync of the log would not bring it.
/// False when somebody who reads was in the way.
pub(crate) fn settle_log(connection: &Connection) -> rusqlite::Result<bool> {
    let busy: u32 =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    Ok(busy == 0)
}

/// The format found; 0 for a database in which nothing stands yet.
pub(crate) fn recognise(connection: &Connection, path: &Path) -> Result<u32, OpenError> {
    let found: u32 =
        connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(unusable)?;
    if found > FORMAT {
        return Err(OpenError::NewerFormat { found, known: FORMAT });
    }
    let objects: u32 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(unusable)?;
    if found == 0 && objects > 0 {
        return Err(OpenError::NotALedger(path.to_owned()));
    }
    Ok(found)
}

/// What differs from the schema that this code makes; none when it is the same.
pub(crate) fn foreign_schema(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let mut statement =
        connection.prepare("SELECT type, name, sql FROM sqlite_schema ORDER BY rowid")?;
    let found = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<Vec<(String, String, Option<String>)>>>()?;
    let same = |(kind, name, text): &(String, String, Option<String>)| {
        let known = OBJECTS.iter().find(|object| object.1 == name);
        known.is_some_and(|known| known.0 == kind && Some(known.2) == text.as_deref())
    };
    if let Some((kind, name, _)) = found.iter().find(|object| !same(object)) {
        return Ok(Some(format!("the {kind} «{name}» is not as it was made")));
    }
    let missing = OBJECTS.iter().find(|known| !found.iter().any(|(_, name, _)| name == known.1));
    Ok(missing.map(|(kind, name, _)| format!("the {kind} «{name}» is missing")))
}

/// One transaction, so that a kill leaves either nothing or a whole ledger.
fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for (_, _, text) in OBJECTS {
        transaction.execute_batch(text)?;
    }
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "PRAGMA busy_timeout = 5000;
         PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;
         PRAGMA trusted_schema = OFF;
         PRAGMA cell_size_check = ON;
         PRAGMA mmap_size = 0;",
    )
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn unusable(error: rusqlite::Error) -> OpenError {
    OpenError::Ledger(meaning(&error, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_connection_is_careful() {
        let directory = tempfile::tempdir().unwrap();
        let writer = open_to_write(directory.path()).unwrap();
        let reader = open_to_read(&path(directory.path())).unwrap();
        for connection in [&writer, &reader] {
            let check = |name: &str, expected: &str| {
                let query = format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}");
                let found: String = connection.query_row(&query, [], |row| row.get(0)).unwrap();
                assert_eq!(found, expected, "{name}");
            };
            check("journal_mode", "wal");
            // 2 is FULL: with less, a power cut loses what was acknowledged.
            check("synchronous", "2");
            check("foreign_keys", "1");
            check("trusted_schema", "0");
            check("cell_size_check", "1");
            let wait = connection.query_row("SELECT timeout FROM pragma_busy_timeout", [], |row| {
                row.get::<_, u32>(0)
            });
            assert_eq!(wait.unwrap(), 5000);
        }
        let refused = reader.execute("CREATE TABLE x (y)", []);
        assert!(refused.is_err(), "a reader cannot write");
    }

    #[test]
    fn versions_that_corrupt_their_log_are_refused() {
        let check = |version: i32, expected: bool| {
            assert_eq!(UNSAFE_SQLITE.contains(&version), expected, "{version}");
        };
        check(3_006_023, false);
        check(3_007_000, true);
        check(3_051_002, true);
        check(3_051_003, false);
        check(rusqlite::version_number(), false);
    }
}
