//! The environment of a service, by the names in its `.env` files. Values are only taken from
//! examples; whatever may be a secret becomes a reference, and a real `.env` may be one throughout.

use super::Told;
use super::data::{Data, Place};
use super::folder::Folder;
use crate::config::Variable;

/// The most variables that are taken over.
const VARIABLES_MAX: usize = 60;

/// The longest value that is taken over.
const VALUE_LENGTH_MAX: usize = 200;

/// Examples, whose values are no secrets, and the file itself.
const FILES: [&str; 5] = [".env.example", ".env.sample", ".env.template", ".env.dist", ".env"];

/// Parts of names of secrets.
const SECRET: [&str; 11] = [
    "SECRET",
    "TOKEN",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "PRIVATE",
    "CREDENTIAL",
    "APIKEY",
    "_KEY",
    "SALT",
    "DSN",
];

/// A variable of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) name: String,
    pub(super) value: Told<Variable>,
    /// What stands in the file; never shown.
    raw: String,
}

pub(super) fn read(folder: &Folder) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    for file in FILES {
        let text = folder.text(file).unwrap_or_default();
        for (name, raw) in text.lines().filter_map(assignment) {
            let known = found.iter().any(|variable| variable.name == name);
            if known
                || found.len() >= VARIABLES_MAX
                || name == "PORT"
                || name.starts_with("RIPCORD_")
            {
                continue;
            }
            let value = if file != ".env" && is_harmless(name, raw) {
                Told::found(Variable::Plain(raw.to_owned()), format!("the example in {file}"))
            } else {
                let what = format!("named in {file}; read from the environment of `ripcord serve`");
                Told::guessed(Variable::Secret(format!("env:{name}")), what)
            };
            found.push(Found { name: name.to_owned(), value, raw: raw.to_owned() });
        }
    }
    found
}

/// The port that examples name.
pub(super) fn port(folder: &Folder) -> Option<Told<u16>> {
    FILES.into_iter().find_map(|file| {
        let text = folder.text(file)?;
        let (_, raw) = text.lines().filter_map(assignment).find(|(name, _)| *name == "PORT")?;
        let port = raw.parse().ok().filter(|port: &u16| *port > 1_023 && *port < u16::MAX)?;
        Some(Told::found(port, format!("PORT in {file}; instances get ports of their own")))
    })
}

/// What stands in the `.env` files for this name.
pub(super) fn raw<'a>(variables: &'a [Found], name: &str) -> Option<&'a str> {
    variables.iter().find(|variable| variable.name == name).map(|variable| variable.raw.as_str())
}

/// The variables, with those that name the database and the flags leading to Ripcord's.
pub(super) fn with_places(mut variables: Vec<Found>, data: &Data) -> Vec<Found> {
    for variable in &mut variables {
        let place = match variable.name.as_str() {
            name if data.flags.is_some() && is_of_flags(name) => "{flags}".to_owned(),
            name if on_server(data) && matches!(name, "DATABASE_URL" | "DB_URL") => {
                "{database}".to_owned()
            }
            name if data.database.is_some() && !on_server(data) && is_of_database(name) => {
                format!("{}{{database}}", scheme(&variable.raw))
            }
            _ => continue,
        };
        let what = "Ripcord says where it is; named in the .env file";
        variable.value = Told::guessed(Variable::Plain(place), what);
    }
    let named = |what: fn(&str) -> bool| variables.iter().any(|variable| what(&variable.name));
    let (flags, database) = (named(is_of_flags), named(is_of_database));
    let mut add = |name: &str, place: &str| {
        let what = "how the service learns where it is; name the variable that it reads";
        let value = Told::guessed(Variable::Plain(place.to_owned()), what);
        variables.push(Found { name: name.to_owned(), value, raw: String::new() });
    };
    if data.database.is_some() && !database {
        add("DATABASE_PATH", "{database}");
    }
    if data.flags.is_some() && !flags {
        add("FLAGS_FILE", "{flags}");
    }
    variables
}

/// Whether the database is at a server.
fn on_server(data: &Data) -> bool {
    let place = data.database.as_ref().map(|database| &database.value.place);
    matches!(place, Some(Place::Server(_)))
}

fn is_of_database(name: &str) -> bool {
    matches!(
        name,
        "DATABASE_URL" | "DATABASE_PATH" | "DATABASE_FILE" | "DB_PATH" | "DB_FILE" | "DB_URL"
    )
}

fn is_of_flags(name: &str) -> bool {
    matches!(name, "FLAGS_FILE" | "FLAGS_PATH" | "FLAG_FILE" | "FEATURE_FLAGS_FILE" | "FLAGD_FILE")
}

/// What stands before the path in the address of a database file.
fn scheme(raw: &str) -> &'static str {
    ["sqlite://", "sqlite3://", "sqlite:", "file:"]
        .into_iter()
        .find(|scheme| raw.starts_with(scheme))
        .unwrap_or_default()
}

/// Name and value of a line; none for a comment or a name that is none.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line.split_once('=')?;
    let name = name.trim();
    let named = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let value = value.trim();
    let quoted = ["\"", "'"].into_iter().find_map(|quote| {
        let after = value.strip_prefix(quote)?;
        after.split_once(quote).map(|(inner, _)| inner)
    });
    let value = quoted.unwrap_or_else(|| value.split(" #").next().unwrap_or_default().trim());
    named.then_some((name, value))
}

/// Whether an example can stand in a configuration: it is no secret, and means itself.
fn is_harmless(name: &str, value: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let secret =
        SECRET.iter().any(|part| upper.contains(part)) || upper == "KEY" || upper.ends_with("PASS");
    let address_with_password = value.contains("://") && value.contains('@');
    let plain = value.chars().all(|c| c.is_ascii_graphic() || c == ' ')
        && !value.contains(['{', '}', '$', '`'])
        && !value.starts_with("secret:");
    !secret && !address_with_password && plain && value.len() <= VALUE_LENGTH_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let check =
            |line: &str, expected: Option<(&str, &str)>| assert_eq!(assignment(line), expected);
        check("A=b", Some(("A", "b")));
        check("export A = \"b c\" # d", Some(("A", "b c")));
        check("A='b#c'", Some(("A", "b#c")));
        check("A=b # c", Some(("A", "b")));
        check("A=", Some(("A", "")));
        check("# A=b", None);
        check("1A=b", None);
        check("A-B=c", None);
        check("A", None);
    }

    #[test]
    fn what_may_be_a_secret() {
        for (name, value) in [
            ("API_KEY", "x"),
            ("STRIPE_SECRET", "x"),
            ("DB_PASS", "x"),
            ("DATABASE_URL", "postgres://a:b@host/c"),
            ("A", "${B}"),
            ("A", "{b}"),
            ("A", "secret:env:B"),
        ] {
            assert!(!is_harmless(name, value), "{name}={value}");
        }
        for (name, value) in [("LOG_LEVEL", "debug"), ("URL", "http://a/b"), ("KEYBOARD", "de")] {
            assert!(is_harmless(name, value), "{name}={value}");
        }
    }
}
