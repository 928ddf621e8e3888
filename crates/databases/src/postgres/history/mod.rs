//! The table in which a folder's own tool remembers what it ran, as that tool makes and reads it:
//! whatever Ripcord runs or takes back is written there, so that the tool goes on working.
//!
//! Nothing here runs migrations. What is read is what the tool would believe; whether that is so
//! is for [`standing`] to say.

mod attach;
mod choose;
mod dbmate;
mod diesel;
mod flyway;
mod golang_migrate;
mod goose;
mod place;
mod refinery;
mod sql_migrate;
mod sqlx;
mod standing;

pub use attach::{Attached, attach, settle};
pub use choose::{Back, Hindrance, Passing, Ran, to_run, to_take_back};
pub use standing::{Remark, Stand, Standing};

use crate::formats::{Format, Migration, MigrationKind, MigrationSet};
use crate::postgres::connection::{Connection, Row as Fields};
use crate::postgres::own::{self, Applied, Run, State};
use crate::postgres::trouble::PostgresError;
use place::{Place, Search};

/// What questions and changes here are about, in messages.
const ABOUT: &str = "history of migrations";

/// Where and how a tool remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    tool: Format,
    /// The table; none where no tool but Ripcord has to remember.
    place: Option<Place>,
    key: String,
    /// Versions that may be in force: those of the folder, and those that Ripcord remembers. A
    /// tool that stores only where it stands has to be told where it stands afterwards.
    versions: Vec<String>,
}

/// What a tool remembers of one migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The version as the tool writes it; of a repeatable one, its name.
    pub version: String,
    /// What its author called it, where the tool stores that.
    pub name: Option<String>,
    /// How often it runs.
    pub kind: MigrationKind,
    /// The tool's checksum, where it stores one.
    pub checksum: Option<String>,
    /// Whether the tool says that it did not get through.
    pub failed: bool,
    /// When, by the tool's word.
    pub at: Option<String>,
}

/// What a tool remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Memory {
    /// A row for each migration, oldest first.
    Each(Vec<Row>),
    /// Only how far it is.
    Reached {
        /// The last version; none when it is before the first.
        version: Option<String>,
        /// Whether it says that it did not get through to it.
        dirty: bool,
    },
    /// Nothing: only Ripcord remembers.
    Nothing,
}

impl History {
    /// Finds the table of a folder's tool: where its configuration says, where the database's own
    /// search path leads, or in the only other schema that has it. `named` overrides all. Not to
    /// be called within a transaction.
    ///
    /// # Errors
    ///
    /// There are several tables of this name and none on the search path, or what is there is not
    /// a table of this tool.
    pub fn of(
        set: &MigrationSet,
        connection: &mut Connection,
        named: Option<&str>,
    ) -> Result<History, PostgresError> {
        let mut versions: Vec<String> = set.migrations.iter().map(|m| m.version.clone()).collect();
        let place = match (set.history.as_deref(), named) {
            (None, _) => None,
            (Some(_), Some(named)) => Some(Search::named(named)?),
            (Some(table), None) => Some(Search::usual(table)),
        };
        let place = place
            .map(|search| search.find(connection, set.format, columns(set.format)))
            .transpose()?;
        let key = match (&place, named) {
            (Some(place), _) => place.words(),
            (None, None) => PLAIN.to_owned(),
            (None, Some(named)) => format!("{PLAIN}:{named}"),
        };
        if own::is_there(connection)? {
            let stored = Applied::of(connection, &key)?;
            let still = stored.into_iter().filter(|one| one.state == State::Applied);
            versions.extend(still.map(|one| one.run.version));
        }
        Ok(History { tool: set.format, place, key, versions })
    }

    /// What tells this folder's runs from those of others in the same database.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The tool.
    pub fn tool(&self) -> Format {
        self.tool
    }

    /// Whether the tool's table is there, or none is needed.
    pub fn is_there(&self) -> bool {
        self.place.as_ref().is_none_or(|place| place.exists)
    }

    /// What the tool remembers.
    ///
    /// # Errors
    ///
    /// The database cannot be asked.
    pub fn read(&self, connection: &mut Connection) -> Result<Memory, PostgresError> {
        let Some(place) = &self.place else { return Ok(Memory::Nothing) };
        if !place.exists {
            let none = Memory::Reached { version: None, dirty: false };
            let reached = self.tool == Format::GolangMigrate;
            return Ok(if reached { none } else { Memory::Each(Vec::new()) });
        }
        let table = place.sql();
        match self.tool {
            Format::Plain => Ok(Memory::Nothing),
            Format::GolangMigrate => golang_migrate::read(connection, &table),
            Format::Sqlx => sqlx::read(connection, &table),
            Format::Diesel => diesel::read(connection, &table),
            Format::Flyway => flyway::read(connection, &table),
            Format::Refinery => refinery::read(connection, &table),
            Format::Dbmate => dbmate::read(connection, &table),
            Format::Goose => goose::read(connection, &table),
            Format::SqlMigrate => sql_migrate::read(connection, &table),
        }
    }

    /// Makes the table as the tool makes it, where it is missing.
    ///
    /// # Errors
    ///
    /// The user may not, or the database cannot be asked.
    pub fn ensure(&mut self, connection: &mut Connection) -> Result<(), PostgresError> {
        let tool = self.tool;
        let Some(place) = self.place.as_mut().filter(|place| !place.exists) else { return Ok(()) };
        connection.run(ABOUT, &made(tool, place))?;
        place.exists = true;
        Ok(())
    }

    /// Writes down that a migration ran, as part of the open transaction.
    ///
    /// # Errors
    ///
    /// It is written down already, the table is missing, or the database cannot be asked.
    pub fn record(
        &self,
        connection: &mut Connection,
        migration: &Migration,
        took_ms: u64,
    ) -> Result<(), PostgresError> {
        let Some(place) = &self.place else { return Ok(()) };
        let table = place.sql();
        let sql = match self.tool {
            Format::Plain => return Ok(()),
            Format::GolangMigrate => golang_migrate::record(&table, migration),
            Format::Sqlx => sqlx::record(&table, migration, took_ms),
            Format::Diesel => diesel::record(&table, migration),
            Format::Flyway => flyway::record(&table, migration, took_ms),
            Format::Refinery => refinery::record(&table, migration),
            Format::Dbmate => dbmate::record(&table, migration),
            Format::Goose => goose::record(&table, migration),
            Format::SqlMigrate => sql_migrate::record(&table, migration),
        };
        connection.run(ABOUT, &sql)
    }

    /// Writes down that a migration was taken back, as part of the open transaction. It is no
    /// error when the tool does not remember it.
    ///
    /// # Errors
    ///
    /// The database cannot be asked.
    pub(crate) fn strike(
        &self,
        connection: &mut Connection,
        run: &Run,
    ) -> Result<(), PostgresError> {
        let Some(place) = self.place.as_ref().filter(|place| place.exists) else { return Ok(()) };
        let table = place.sql();
        let sql = match self.tool {
            Format::Plain => return Ok(()),
            Format::GolangMigrate => {
                golang_migrate::strike(&table, &run.version, self.before(&run.version))
            }
            Format::Sqlx => sqlx::strike(&table, &run.version),
            Format::Diesel => diesel::strike(&table, &run.version),
            Format::Flyway => return flyway::strike(connection, &table, run),
            Format::Refinery => refinery::strike(&table, &run.version),
            Format::Dbmate => dbmate::strike(&table, &run.version),
            Format::Goose => goose::strike(&table, &run.version),
            Format::SqlMigrate => sql_migrate::strike(&table, &run.version),
        };
        connection.run(ABOUT, &sql)
    }

    /// How each migration of a folder stands, and each that is remembered beside.
    ///
    /// # Errors
    ///
    /// The database cannot be asked.
    pub fn standing(
        &self,
        set: &MigrationSet,
        connection: &mut Connection,
    ) -> Result<Vec<Standing>, PostgresError> {
        let memory = self.read(connection)?;
        let applied = self.applied(connection)?;
        Ok(standing::standing(set, &memory, &applied))
    }

    /// What Ripcord ran of this folder and is not taken back, oldest first.
    ///
    /// # Errors
    ///
    /// The database cannot be asked.
    pub fn runs(&self, connection: &mut Connection) -> Result<Vec<Ran>, PostgresError> {
        let all = self.applied(connection)?.into_iter();
        let in_force = all.filter(|one| matches!(one.state, State::Applied | State::Undoing));
        let ran = |one: Applied| Ran {
            id: one.id,
            kind: one.run.kind(),
            undoing: one.state == State::Undoing,
            has_down: one.run.down.is_some(),
            version: one.run.version,
            name: one.run.name,
        };
        Ok(in_force.map(ran).collect())
    }

    /// What Ripcord ran of this folder, oldest first.
    pub(crate) fn applied(
        &self,
        connection: &mut Connection,
    ) -> Result<Vec<Applied>, PostgresError> {
        if own::is_there(connection)? { Applied::of(connection, &self.key) } else { Ok(Vec::new()) }
    }

    /// The version before this one, by number.
    fn before(&self, version: &str) -> Option<u64> {
        let version: u64 = version.parse().ok()?;
        let numbers = self.versions.iter().filter_map(|other| other.parse::<u64>().ok());
        numbers.filter(|other| *other < version).max()
    }
}

/// The key of folders that no tool but Ripcord runs.
const PLAIN: &str = "ripcord";

/// The columns by which a tool's table is known from others of the same name.
fn columns(tool: Format) -> &'static [&'static str] {
    match tool {
        Format::Plain => &[],
        Format::GolangMigrate => golang_migrate::COLUMNS,
        Format::Sqlx => sqlx::COLUMNS,
        Format::Diesel => diesel::COLUMNS,
        Format::Flyway => flyway::COLUMNS,
        Format::Refinery => refinery::COLUMNS,
        Format::Dbmate => dbmate::COLUMNS,
        Format::Goose => goose::COLUMNS,
        Format::SqlMigrate => sql_migrate::COLUMNS,
    }
}

/// The statements that make a tool's table.
fn made(tool: Format, place: &Place) -> String {
    let table = place.sql();
    match tool {
        Format::Plain => String::new(),
        Format::GolangMigrate => golang_migrate::made(&table),
        Format::Sqlx => sqlx::made(&table),
        Format::Diesel => diesel::made(&table),
        Format::Flyway => flyway::made(place),
        Format::Refinery => refinery::made(&table),
        Format::Dbmate => dbmate::made(&table),
        Format::Goose => goose::made(&table),
        Format::SqlMigrate => sql_migrate::made(&table),
    }
}

/// A field of an answer.
fn field(fields: &Fields, at: usize) -> Option<String> {
    fields.get(at).cloned().flatten()
}

/// The rows of a tool that stores one for each migration, each read by `row`.
fn each(
    connection: &mut Connection,
    sql: &str,
    row: impl Fn(&Fields) -> Option<Row>,
) -> Result<Memory, PostgresError> {
    let found = connection.rows(ABOUT, sql)?;
    let rows: Option<Vec<Row>> = found.iter().map(row).collect();
    rows.map(Memory::Each).ok_or_else(|| PostgresError::Answer {
        place: connection.place().to_owned(),
        about: ABOUT,
        what: "a row without a version".to_owned(),
    })
}

/// A row of which only version and time are known.
fn versioned(version: String, at: Option<String>) -> Row {
    let kind = MigrationKind::Versioned;
    Row { version, name: None, kind, checksum: None, failed: false, at }
}
