//! Folders of migrations as the tools lay them out, read as they are: which files, in which
//! order, what goes up and what comes down, and how the tool runs it.
//!
//! Nothing is changed and no tool is asked. What a tool would stumble over is a [`Problem`] with
//! its file and line; only a folder that cannot be read at all, or not without guessing, is an
//! error.

mod checksum;
mod dbmate;
mod detect;
mod diesel;
mod flyway;
mod flyway_config;
mod folder;
mod golang_migrate;
mod goose;
mod marks;
mod order;
mod pairs;
mod plain;
mod refinery;
mod sections;
mod sql_migrate;
mod sqlx;

pub use detect::detect;
pub(crate) use flyway::normal_version;
pub use folder::{FILES_MAX, SCRIPT_BYTES_MAX};

use crate::error::MigrationError;
use folder::Folder;
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};

/// The tool that a folder of migrations is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// `NNN_name.up.sql` and `NNN_name.down.sql`, for Ripcord itself or a tool that left no mark.
    Plain,
    /// golang-migrate.
    GolangMigrate,
    /// sqlx.
    Sqlx,
    /// Diesel: a folder for each migration.
    Diesel,
    /// Flyway.
    Flyway,
    /// refinery.
    Refinery,
    /// dbmate.
    Dbmate,
    /// goose.
    Goose,
    /// sql-migrate.
    SqlMigrate,
}

impl Format {
    /// All of them, in the order in which they are listed for people.
    pub const ALL: [Format; 9] = [
        Format::Plain,
        Format::GolangMigrate,
        Format::Sqlx,
        Format::Diesel,
        Format::Flyway,
        Format::Refinery,
        Format::Dbmate,
        Format::Goose,
        Format::SqlMigrate,
    ];

    /// Its name, as `--format` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Format::Plain => "plain",
            Format::GolangMigrate => "golang-migrate",
            Format::Sqlx => "sqlx",
            Format::Diesel => "diesel",
            Format::Flyway => "flyway",
            Format::Refinery => "refinery",
            Format::Dbmate => "dbmate",
            Format::Goose => "goose",
            Format::SqlMigrate => "sql-migrate",
        }
    }

    /// The format of this name.
    pub fn named(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.name() == name)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A folder of migrations, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationSet {
    /// The tool it is for.
    pub format: Format,
    /// Where it is.
    pub root: PathBuf,
    /// The table in which the tool remembers what it ran, if the tool is known.
    pub history: Option<String>,
    /// The migrations in the order in which the tool runs them.
    pub migrations: Vec<Migration>,
    /// What the tool would stumble over, or a person should know.
    pub problems: Vec<Problem>,
}

/// One migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// The version as the tool writes it; empty where it has none.
    pub version: String,
    /// What its author called it.
    pub name: String,
    /// How often it runs.
    pub kind: MigrationKind,
    /// What it does.
    pub up: Script,
    /// What takes it back, if its author wrote that.
    pub down: Option<Script>,
    /// The checksum that the tool computes of it, if it does.
    pub checksum: Option<String>,
}

/// How often a migration runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MigrationKind {
    /// Once, in the order of versions.
    Versioned,
    /// Whenever it has changed, after all others.
    Repeatable,
    /// Once, instead of all versions up to its own.
    Baseline,
}

/// One direction of a migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// The file, relative to the folder.
    pub path: PathBuf,
    /// The SQL. Lines of the file that do not belong to it are empty, so that lines count.
    pub text: String,
    /// How the tool runs it.
    pub transaction: Transaction,
}

/// How a tool runs a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Transaction {
    /// In one transaction of the tool's.
    Whole,
    /// As one message to the server, which makes one transaction of several statements.
    OneMessage,
    /// In a transaction, unless the statements are none for it; both in one script is refused.
    Automatic,
    /// Each statement by itself.
    Separate,
}

/// Something about a folder that a tool stumbles over or a person should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What sort of thing.
    pub kind: ProblemKind,
    /// The file, relative to the folder.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: u32,
    /// What is the matter and what to do.
    pub message: String,
}

/// The sorts of problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProblemKind {
    /// The file does not have the name of a migration, so the tool passes it over.
    BadName,
    /// Two files are the same version.
    DuplicateVersion,
    /// A number is missing.
    Gap,
    /// Nothing takes the migration back.
    MissingDown,
    /// A down script without an up script.
    DownWithoutUp,
    /// The file says nothing.
    EmptyScript,
    /// The file is not text.
    NotText,
    /// The file is too large to be read.
    TooLarge,
    /// The file cannot be read.
    Unreadable,
    /// The tool's configuration is wrong.
    BadConfiguration,
    /// A placeholder has no value.
    Placeholder,
    /// Marks of the format are missing or out of place.
    BadMark,
}

/// Reads the migrations of a folder in a format.
///
/// # Errors
///
/// [`MigrationError`] when the folder cannot be read or holds far too much.
pub fn read(root: &Path, format: Format) -> Result<MigrationSet, MigrationError> {
    let mut folder = Folder::open(root)?;
    let read = match format {
        Format::Plain => plain::read(&mut folder),
        Format::GolangMigrate => golang_migrate::read(&mut folder),
        Format::Sqlx => sqlx::read(&mut folder),
        Format::Diesel => diesel::read(&mut folder),
        Format::Flyway => flyway::read(&mut folder)?,
        Format::Refinery => refinery::read(&mut folder),
        Format::Dbmate => dbmate::read(&mut folder),
        Format::Goose => goose::read(&mut folder),
        Format::SqlMigrate => sql_migrate::read(&mut folder),
    };
    let mut problems = folder.into_problems();
    problems.sort_by(|a, b| (&a.path, a.line, a.kind).cmp(&(&b.path, b.line, b.kind)));
    let Read { history, migrations } = read;
    Ok(MigrationSet { format, root: root.to_owned(), history, migrations, problems })
}

/// Reads one file that belongs to no folder of migrations, as a migration by itself.
pub fn single(root: &Path, file: &Path) -> MigrationSet {
    let mut folder = Folder::alone(root);
    let migrations = folder.script(file).map(|text| Migration {
        version: String::new(),
        name: file.display().to_string(),
        kind: MigrationKind::Versioned,
        up: Script { path: file.to_owned(), text, transaction: Transaction::Whole },
        down: None,
        checksum: None,
    });
    MigrationSet {
        format: Format::Plain,
        root: root.to_owned(),
        history: None,
        migrations: migrations.into_iter().collect(),
        problems: folder.into_problems(),
    }
}

/// What the reader of a format finds.
struct Read {
    history: Option<String>,
    migrations: Vec<Migration>,
}
