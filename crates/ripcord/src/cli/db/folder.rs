//! The folder of migrations: found where tools usually keep it, and read in its tool's format.

use crate::cli::db::trouble::folder_failure;
use crate::failure::{Code, Failure};
use ripcord_databases::MigrationError;
use ripcord_databases::formats::{self, Format, MigrationSet};
use std::path::{Path, PathBuf};

/// Where tools keep migrations when nobody says otherwise.
const USUAL: [&str; 6] = [
    "migrations",
    "db/migrations",
    "db/migration",
    "sql/migrations",
    "database/migrations",
    "src/main/resources/db/migration",
];

/// Reads a folder, in a format that is told from it where none is given.
pub(super) fn read(root: &Path, format: Option<Format>) -> Result<MigrationSet, Failure> {
    let format = match format {
        Some(format) => format,
        None => formats::detect(root).map_err(|error| folder_failure(&error))?,
    };
    let set = formats::read(root, format).map_err(|error| folder_failure(&error))?;
    if set.migrations.is_empty() && set.problems.is_empty() {
        return Err(folder_failure(&MigrationError::NoFormat { path: root.to_owned() }));
    }
    Ok(set)
}

/// A format as it is written on the command line.
pub(super) fn format(name: &str) -> Result<Format, String> {
    Format::named(name).ok_or_else(|| {
        let known: Vec<&str> = Format::ALL.into_iter().map(Format::name).collect();
        format!("known are {}", known.join(", "))
    })
}

/// The one usual folder that is there.
pub(super) fn usual() -> Result<PathBuf, Failure> {
    let configured = ["flyway.toml", "flyway.conf"].iter().any(|file| Path::new(file).exists());
    let mut found: Vec<PathBuf> = USUAL.iter().map(PathBuf::from).filter(|p| p.is_dir()).collect();
    if configured {
        found = vec![PathBuf::from(".")];
    }
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) => Err(Failure::new(Code::Usage, "no folder of migrations was named")
            .hint(format!("name one; without a name these are tried: {}", USUAL.join(", ")))),
        (Some(last), false) => {
            found.push(last);
            let names: Vec<String> = found.iter().map(|p| p.display().to_string()).collect();
            Err(Failure::new(Code::Usage, "there are several folders of migrations")
                .hint(format!("name one of {}", names.join(", "))))
        }
    }
}
