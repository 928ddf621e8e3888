//! Diesel: a folder for each migration, with `up.sql`, `down.sql` and perhaps `metadata.toml`.

use crate::formats::folder::Folder;
use crate::formats::order::bad_name;
use crate::formats::{Migration, MigrationKind, ProblemKind, Read, Script, Transaction};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(super) fn read(folder: &mut Folder) -> Read {
    // In the order of versions, which is not that of names: the hyphens do not count.
    let mut found: BTreeMap<String, (PathBuf, String)> = BTreeMap::new();
    for up in folder.sql_files().into_iter().filter(|path| path.components().count() == 2) {
        let dir = up.parent().unwrap_or(Path::new("")).to_owned();
        if !up.ends_with("up.sql") {
            if !up.ends_with("down.sql") {
                bad_name(folder, &up, "up.sql or down.sql");
            } else if !folder.has(&dir.join("up.sql")) {
                let message = "no up.sql lies beside it; add it or remove this one";
                folder.problem(ProblemKind::DownWithoutUp, &up, 1, message);
            }
            continue;
        }
        let name = dir.to_string_lossy().into_owned();
        let Some((version, name)) = name.split_once('_') else {
            bad_name(folder, &up, "<version>_<name>/up.sql");
            continue;
        };
        let version = version.replace('-', "");
        if let Some((first, _)) = found.get(&version) {
            let message = format!("{} is version {version} too", first.display());
            folder.problem(ProblemKind::DuplicateVersion, &up, 1, message);
            continue;
        }
        found.insert(version, (dir, name.to_owned()));
    }
    let mut migrations = Vec::with_capacity(found.len());
    for (version, (dir, name)) in found {
        migrations.extend(migration(folder, version, &dir, name));
    }
    Read { history: Some("__diesel_schema_migrations".to_owned()), migrations }
}

fn migration(folder: &mut Folder, version: String, dir: &Path, name: String) -> Option<Migration> {
    let transaction = transaction(folder, dir);
    let (up, down) = (dir.join("up.sql"), dir.join("down.sql"));
    let text = folder.script(&up)?;
    let up = Script { path: up, text, transaction };
    let down = if folder.has(&down) {
        folder.script(&down).map(|text| Script { path: down, text, transaction })
    } else {
        folder.problem(ProblemKind::MissingDown, &up.path, 1, "no script takes it back");
        None
    };
    Some(Migration { version, name, kind: MigrationKind::Versioned, up, down, checksum: None })
}

fn transaction(folder: &mut Folder, dir: &Path) -> Transaction {
    let path = dir.join("metadata.toml");
    if !folder.has(&path) {
        return Transaction::Whole;
    }
    let text = folder.text(&path).unwrap_or_default();
    match text.parse::<toml::Table>() {
        Ok(table) if table.get("run_in_transaction") == Some(&toml::Value::Boolean(false)) => {
            Transaction::OneMessage
        }
        Ok(_) => Transaction::Whole,
        Err(error) => {
            let message = format!("it is not TOML: {}", error.message());
            folder.problem(ProblemKind::BadConfiguration, &path, 1, message);
            Transaction::Whole
        }
    }
}
