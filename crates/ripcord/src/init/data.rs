//! What of a project's data goes along with releases: the database with its migrations, and the
//! flags. What Ripcord cannot take over is named, with the reason.

use super::folder::Folder;
use super::variables::{self, Found};
use super::{Note, Told, counted};
use ripcord_databases::{formats, migrations};
use ripcord_flags::Document;
use std::path::Path;

/// Where migrations usually are.
const MIGRATIONS: [&str; 10] = [
    "migrations",
    "db/migrations",
    "database/migrations",
    "sql/migrations",
    "src/migrations",
    "internal/migrations",
    "db/migrate",
    "prisma/migrations",
    "alembic/versions",
    "db/sql",
];

/// Where flags usually are, beside every file that ends in `.flagd.json`.
const FLAGS: [&str; 6] = [
    "flags.json",
    "flagd.json",
    "config/flags.json",
    "config/flagd.json",
    "feature-flags.json",
    "flags/flags.json",
];

/// What of the project's data goes along with releases.
#[derive(Debug)]
pub(super) struct Data {
    pub(super) database: Option<Told<Database>>,
    pub(super) flags: Option<Told<String>>,
}

/// A database and its migrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Database {
    pub(super) place: Place,
    pub(super) migrations: String,
}

/// Where a database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// A file of `SQLite`.
    File(String),
    /// A `PostgreSQL` server, whose address is in this variable of the controller.
    Server(&'static str),
}

pub(super) fn look(
    folder: &Folder,
    variables: &[Found],
    service: &str,
    missing: &mut Vec<Note>,
) -> Data {
    Data { database: database(folder, variables, service, missing), flags: flags(folder, missing) }
}

fn database(
    folder: &Folder,
    variables: &[Found],
    service: &str,
    missing: &mut Vec<Note>,
) -> Option<Told<Database>> {
    let place = MIGRATIONS
        .into_iter()
        .find(|place| folder.has_folder(place) && !folder.names(place).is_empty())?;
    let address = ["DATABASE_URL", "DB_URL"]
        .into_iter()
        .find_map(|name| Some((name, variables::raw(variables, name)?)));
    let foreign = address.and_then(|(name, address)| Some((name, address.split_once("://")?.0)));
    let foreign = foreign.filter(|(_, scheme)| !scheme.starts_with("sqlite") && *scheme != "file");
    if let Some((name, "postgres" | "postgresql")) = foreign {
        return server(folder, name, place, missing);
    }
    let scripts = match migrations::read(&folder.path(place)) {
        Ok(found) => found.scripts.len(),
        Err(_) => 0,
    };
    if scripts == 0 {
        let what = format!(
            "{place} holds {}; Ripcord reads NNN_name.up.sql and NNN_name.down.sql",
            format_of(&folder.names(place))
        );
        missing.push(Note::missing("database", what));
        return None;
    }
    if let Some((_, engine)) = foreign {
        let what = format!("the database is {engine}, of which Ripcord does not take care yet");
        missing.push(Note::missing("database", what));
        return None;
    }
    let named = ["DATABASE_URL", "DATABASE_PATH", "DATABASE_FILE", "DB_PATH", "DB_FILE", "DB_URL"];
    let path = named.iter().find_map(|name| path_of(variables::raw(variables, name)?));
    let found = |path: String, what: String| {
        Told::guessed(Database { place: Place::File(path), migrations: place.to_owned() }, what)
    };
    let counted = format!("{} in {place}", counted(scripts, "migration"));
    Some(match path.or_else(|| file_of(folder)) {
        Some(path) => found(path, counted),
        None => found(format!("{service}.db"), format!("{counted}; no database file was found")),
    })
}

/// A database at a server, whose migrations may be of any tool that is known.
fn server(
    folder: &Folder,
    variable: &'static str,
    place: &str,
    missing: &mut Vec<Note>,
) -> Option<Told<Database>> {
    let path = folder.path(place);
    let read = formats::detect(&path).and_then(|format| formats::read(&path, format));
    match read {
        Ok(set) => {
            let count = counted(set.migrations.len(), "migration");
            let what = format!(
                "{count} in {place}, as {} has them; the address is that of {variable}",
                set.format
            );
            let migrations = place.to_owned();
            Some(Told::guessed(Database { place: Place::Server(variable), migrations }, what))
        }
        Err(error) => {
            missing.push(Note::missing("database", format!("{place} is not taken over: {error}")));
            None
        }
    }
}

/// The path of an address like `sqlite://data/shop.db?mode=rwc`.
fn path_of(raw: &str) -> Option<String> {
    let schemes = ["sqlite://", "sqlite3://", "sqlite:", "file:"];
    let path = schemes.iter().find_map(|scheme| raw.strip_prefix(scheme)).unwrap_or(raw);
    let path = path.split('?').next().unwrap_or_default();
    let sound = path.chars().all(|c| c.is_ascii_graphic()) && !path.contains(['{', '$', ':']);
    (!path.is_empty() && sound).then(|| path.to_owned())
}

/// A database file in the usual places.
fn file_of(folder: &Folder) -> Option<String> {
    let is_one =
        |name: &str| [".db", ".sqlite", ".sqlite3"].iter().any(|ending| name.ends_with(ending));
    ["", "db", "data", "storage"].into_iter().find_map(|inner| {
        let name = folder.names(inner).into_iter().find(|name| is_one(name))?;
        Some(if inner.is_empty() { name } else { format!("{inner}/{name}") })
    })
}

/// Which tool's migrations these are, for people.
fn format_of(names: &[String]) -> &'static str {
    let ending = |ending: &str| {
        let ends = |name: &String| Path::new(name).extension().is_some_and(|found| found == ending);
        names.iter().any(ends)
    };
    let flyway = |name: &String| name.starts_with('V') && name.contains("__");
    match () {
        () if ending("rb") => "migrations of Rails",
        () if names.iter().any(|name| name == "migration_lock.toml") => "migrations of Prisma",
        () if ending("py") => "migrations in Python",
        () if names.iter().any(flyway) => "migrations of Flyway",
        () if ending("js") || ending("ts") => "migrations in JavaScript",
        () if ending("sql") => "SQL under other names",
        () => "no SQL",
    }
}

fn flags(folder: &Folder, missing: &mut Vec<Note>) -> Option<Told<String>> {
    let named = folder.names("").into_iter().filter(|name| name.ends_with(".flagd.json"));
    let places = FLAGS.into_iter().map(str::to_owned).chain(named);
    for place in places {
        let Some(text) = folder.text(&place) else { continue };
        match Document::parse(text.as_bytes()) {
            Ok(document) => {
                let count = counted(document.keys().count(), "flag");
                let what = format!("{count} in flagd's format");
                return Some(Told::found(place, what));
            }
            Err(error) => {
                let what = format!("{place} is not taken over: {error}");
                missing.push(Note::missing("flags", what));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_addresses() {
        let check = |raw: &str, expected: Option<&str>| {
            assert_eq!(path_of(raw).as_deref(), expected, "{raw}");
        };
        check("sqlite://data/shop.db?mode=rwc", Some("data/shop.db"));
        check("sqlite:shop.db", Some("shop.db"));
        check("shop.db", Some("shop.db"));
        check("/var/shop.db", Some("/var/shop.db"));
        check("sqlite::memory:", None);
        check("${HOME}/x", None);
        check("", None);
    }

    #[test]
    fn formats() {
        let check = |names: &[&str], expected: &str| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(format_of(&names), expected);
        };
        check(&["20240101_a.rb"], "migrations of Rails");
        check(&["V1__a.sql"], "migrations of Flyway");
        check(&["20240101_a.sql"], "SQL under other names");
        check(&["0001_initial.py"], "migrations in Python");
        check(&["README.md"], "no SQL");
    }
}
