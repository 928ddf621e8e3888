//! Flyway: a row for each run, by rank. What is taken back is deleted from it, as if it had never
//! run: the rows with which Flyway itself tells of an undo are for its paid editions.

use crate::formats::{Migration, MigrationKind, normal_version};
use crate::postgres::connection::{Connection, Row as Fields};
use crate::postgres::history::place::Place;
use crate::postgres::history::{ABOUT, Memory, Row, field};
use crate::postgres::own::Run;
use crate::postgres::trouble::PostgresError;
use crate::sql::{literal, quoted};

pub(super) const COLUMNS: &[&str] = &[
    "installed_rank",
    "version",
    "description",
    "type",
    "script",
    "checksum",
    "installed_by",
    "installed_on",
    "execution_time",
    "success",
];

pub(super) fn made(place: &Place) -> String {
    let table = place.sql();
    let (key, index) = (format!("{}_pk", place.table), format!("{}_s_idx", place.table));
    format!(
        "CREATE TABLE {table} (\"installed_rank\" INT NOT NULL, \"version\" VARCHAR(50), \
         \"description\" VARCHAR(200) NOT NULL, \"type\" VARCHAR(20) NOT NULL, \
         \"script\" VARCHAR(1000) NOT NULL, \"checksum\" INTEGER, \
         \"installed_by\" VARCHAR(100) NOT NULL, \
         \"installed_on\" TIMESTAMP NOT NULL DEFAULT now(), \
         \"execution_time\" INTEGER NOT NULL, \"success\" BOOLEAN NOT NULL); \
         ALTER TABLE {table} ADD CONSTRAINT {} PRIMARY KEY (\"installed_rank\"); \
         CREATE INDEX {} ON {table} (\"success\")",
        quoted(&key),
        quoted(&index)
    )
}

/// What is in force: without what Flyway itself took back, and of what was repeated only the last.
pub(super) fn read(connection: &mut Connection, table: &str) -> Result<Memory, PostgresError> {
    let mut rows: Vec<Row> = Vec::new();
    for ran in ran(connection, table)? {
        let same = |row: &Row| row.version == ran.row.version && row.kind == ran.row.kind;
        match ran.what {
            What::Schema => {}
            What::Gone => rows.retain(|row| row.version != ran.row.version),
            What::Ran => {
                rows.retain(|row| !same(row));
                rows.push(ran.row);
            }
        }
    }
    Ok(Memory::Each(rows))
}

/// One row of the table.
struct Ran {
    rank: String,
    what: What,
    row: Row,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    /// A schema that Flyway made.
    Schema,
    /// A migration.
    Ran,
    /// The undo or the deletion of one.
    Gone,
}

fn ran(connection: &mut Connection, table: &str) -> Result<Vec<Ran>, PostgresError> {
    let sql = format!(
        "SELECT installed_rank, version, description, type, checksum, success, installed_on \
         FROM {table} ORDER BY installed_rank"
    );
    let read = |fields: &Fields| -> Option<Ran> {
        let name = field(fields, 2)?;
        let version = field(fields, 1).map(|version| normal_version(&version));
        let word = field(fields, 3)?;
        let what = match word.as_str() {
            "SCHEMA" => What::Schema,
            "DELETE" => What::Gone,
            word if word.starts_with("UNDO") => What::Gone,
            _ => What::Ran,
        };
        let kind = match &version {
            Some(_) if word.contains("BASELINE") => MigrationKind::Baseline,
            Some(_) => MigrationKind::Versioned,
            None => MigrationKind::Repeatable,
        };
        let row = Row {
            version: version.unwrap_or_else(|| name.clone()),
            name: Some(name),
            kind,
            checksum: field(fields, 4),
            failed: field(fields, 5).as_deref() != Some("t"),
            at: field(fields, 6),
        };
        Some(Ran { rank: field(fields, 0)?, what, row })
    };
    let rows = connection.rows(ABOUT, &sql)?;
    let rows: Option<Vec<Ran>> = rows.iter().map(read).collect();
    rows.ok_or_else(|| PostgresError::Answer {
        place: connection.place().to_owned(),
        about: ABOUT,
        what: "a row of Flyway's without description or type".to_owned(),
    })
}

pub(super) fn record(table: &str, migration: &Migration, took_ms: u64) -> String {
    let (version, kind) = match migration.kind {
        MigrationKind::Repeatable => ("NULL".to_owned(), "SQL"),
        MigrationKind::Versioned => (literal(&written(migration)), "SQL"),
        MigrationKind::Baseline => (literal(&written(migration)), "SQL_BASELINE"),
    };
    // A script's name has slashes on every system.
    let script = migration.up.path.components().map(|part| part.as_os_str().to_string_lossy());
    let script = script.collect::<Vec<_>>().join("/");
    format!(
        "INSERT INTO {table} (installed_rank, version, description, type, script, checksum, \
         installed_by, execution_time, success) SELECT COALESCE(pg_catalog.max(installed_rank), 0) \
         + 1, {version}, {}, '{kind}', {}, {}, current_user, {}, true FROM {table}",
        literal(&migration.name),
        literal(&script),
        migration.checksum.as_deref().map_or_else(|| "NULL".to_owned(), literal),
        took_ms.min(u64::from(i32::MAX.unsigned_abs())),
    )
}

/// The newest row goes; of a repeatable one, the row before counts again.
pub(super) fn strike(
    connection: &mut Connection,
    table: &str,
    run: &Run,
) -> Result<(), PostgresError> {
    let rows = ran(connection, table)?;
    let mine = |ran: &&Ran| {
        ran.what == What::Ran && ran.row.kind == run.kind() && ran.row.version == run.version
    };
    let Some(newest) = rows.iter().rev().find(mine) else { return Ok(()) };
    connection.run(ABOUT, &format!("DELETE FROM {table} WHERE installed_rank = {}", newest.rank))
}

/// The version as the file's name has it, which is how Flyway stores it: `001` is not made `1`.
fn written(migration: &Migration) -> String {
    let stem = migration.up.path.file_name().map(|name| name.to_string_lossy().into_owned());
    let stem = stem.unwrap_or_default();
    let rest = stem.trim_start_matches(|c: char| !c.is_ascii_digit());
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_');
    let version = rest[..end.unwrap_or(rest.len())].trim_end_matches(['.', '_']);
    let version = version.split("__").next().unwrap_or_default().replace('_', ".");
    // A separator of one's own may leave more or less than the version.
    if normal_version(&version) == migration.version { version } else { migration.version.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::{Script, Transaction};

    fn check(path: &str, version: &str, expected: &str) {
        let up = Script { path: path.into(), text: String::new(), transaction: Transaction::Whole };
        let kind = MigrationKind::Versioned;
        let (version, name) = (version.to_owned(), String::new());
        let migration = Migration { version, name, kind, up, down: None, checksum: None };
        assert_eq!(written(&migration), expected, "{path}");
    }

    #[test]
    fn versions_as_the_file_has_them() {
        check("V001__a.sql", "1", "001");
        check("sub/V1_2__a_3.sql", "1.2", "1.2");
        check("V1.0__a.sql", "1", "1.0");
        check("V20240101120000__1_a.sql", "20240101120000", "20240101120000");
        check("V7-a.sql", "7", "7");
        check("release7_1_8.sql", "7.1", "7.1");
    }
}
