//! A folder of migrations as releases carry it, and back: what the folder's own tool needs to know
//! goes along with each script.

use crate::formats::{Format, Migration, MigrationKind, MigrationSet, Script, Transaction};
use ripcord_core::model::{Digest, MigrationRef, MigrationVersion, Origin, OriginScript};
use ripcord_core::schema::MigrationScript;
use std::path::PathBuf;

/// The migrations of a folder for a release.
///
/// # Errors
///
/// Releases are ordered by whole numbers, and what runs again whenever it changed belongs to no
/// one of them.
pub fn scripts(set: &MigrationSet) -> Result<Vec<MigrationScript>, String> {
    let mut scripts = Vec::with_capacity(set.migrations.len());
    for migration in &set.migrations {
        let file = migration.up.path.display();
        if migration.kind != MigrationKind::Versioned {
            return Err(format!(
                "{file} is a repeatable script or a baseline, which releases do not carry; run it \
                 with `ripcord db up`, and keep it in another folder"
            ));
        }
        let version: u64 = migration.version.parse().map_err(|_| {
            format!(
                "{file} has the version {:?}; the migrations of releases are numbered by whole \
                 numbers",
                migration.version
            )
        })?;
        scripts.push(script(set, migration, MigrationVersion(version)));
    }
    scripts.sort_by_key(|script| script.migration.version);
    if let Some(pair) =
        scripts.windows(2).find(|pair| pair[0].migration.version == pair[1].migration.version)
    {
        let (one, other) = (&pair[0].migration, &pair[1].migration);
        return Err(format!("{one} and {other} have the same number; give one of them another"));
    }
    Ok(scripts)
}

fn script(set: &MigrationSet, migration: &Migration, version: MigrationVersion) -> MigrationScript {
    let origin = |script: &Script| OriginScript {
        file: script.path.display().to_string(),
        runs: word(script.transaction).to_owned(),
    };
    MigrationScript {
        migration: MigrationRef {
            version,
            name: migration.name.clone(),
            checksum: Digest::of_bytes(migration.up.text.as_bytes()),
        },
        up: migration.up.text.clone(),
        down: migration.down.as_ref().map(|down| down.text.clone()),
        origin: Some(Origin {
            tool: set.format.name().to_owned(),
            history: set.history.clone(),
            version: migration.version.clone(),
            checksum: migration.checksum.clone(),
            up: origin(&migration.up),
            down: migration.down.as_ref().map(origin),
        }),
    }
}

/// A folder again: these migrations, and those of `known` that are not among them.
pub(super) fn set(
    known: &[MigrationScript],
    scripts: &[MigrationScript],
) -> Result<MigrationSet, String> {
    let mut all: Vec<&MigrationScript> = scripts.iter().collect();
    let has = |script: &MigrationScript| {
        scripts.iter().any(|one| one.migration.version == script.migration.version)
    };
    all.extend(known.iter().filter(|script| !has(script)));
    all.sort_by_key(|script| script.migration.version);
    let origin = all.iter().find_map(|script| script.origin.as_ref());
    let tool = origin.map_or("plain", |origin| origin.tool.as_str());
    let format = Format::named(tool)
        .ok_or_else(|| format!("this version of Ripcord does not know the tool {tool}"))?;
    if let Some(other) = all.iter().find(|script| tool_of(script).is_some_and(|t| t != tool)) {
        return Err(format!(
            "{} is for another tool than {tool}: releases cannot change the tool between them",
            other.migration
        ));
    }
    Ok(MigrationSet {
        format,
        root: PathBuf::new(),
        history: origin.and_then(|origin| origin.history.clone()),
        migrations: all.into_iter().map(migration).collect::<Result<_, _>>()?,
        problems: Vec::new(),
    })
}

fn tool_of(script: &MigrationScript) -> Option<&str> {
    script.origin.as_ref().map(|origin| origin.tool.as_str())
}

fn migration(script: &MigrationScript) -> Result<Migration, String> {
    let Some(origin) = &script.origin else {
        return Err(format!(
            "{} was frozen for SQLite; freeze the release again",
            script.migration
        ));
    };
    let of = |text: &str, origin: &OriginScript| -> Result<Script, String> {
        Ok(Script {
            path: PathBuf::from(&origin.file),
            text: text.to_owned(),
            transaction: transaction(&origin.runs)
                .ok_or_else(|| format!("{} runs in a way that is not known", origin.file))?,
        })
    };
    let down = script.down.as_deref().zip(origin.down.as_ref());
    Ok(Migration {
        version: origin.version.clone(),
        name: script.migration.name.clone(),
        kind: MigrationKind::Versioned,
        up: of(&script.up, &origin.up)?,
        down: down.map(|(text, origin)| of(text, origin)).transpose()?,
        checksum: origin.checksum.clone(),
    })
}

fn word(transaction: Transaction) -> &'static str {
    match transaction {
        Transaction::Whole => "whole",
        Transaction::OneMessage => "one_message",
        Transaction::Automatic => "automatic",
        Transaction::Separate => "separate",
    }
}

fn transaction(text: &str) -> Option<Transaction> {
    let all = [
        Transaction::Whole,
        Transaction::OneMessage,
        Transaction::Automatic,
        Transaction::Separate,
    ];
    all.into_iter().find(|one| word(*one) == text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats;
    use std::fs;

    fn folder(files: &[(&str, &str)], format: Format) -> MigrationSet {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        formats::read(folder.path(), format).unwrap()
    }

    /// What a release carries says the same as the folder.
    fn there_and_back(files: &[(&str, &str)], format: Format) {
        let read = folder(files, format);
        let back = set(&scripts(&read).unwrap(), &[]).unwrap();
        assert_eq!(back.migrations, read.migrations);
        assert_eq!((back.format, &back.history), (read.format, &read.history));
    }

    #[test]
    fn folders_survive_a_release() {
        there_and_back(
            &[("001_a.up.sql", "SELECT 1"), ("001_a.down.sql", "SELECT 2")],
            Format::Plain,
        );
        there_and_back(
            &[(
                "20260101000000_a.sql",
                "-- migrate:up transaction:false\nSELECT 1\n-- migrate:down\nSELECT 2",
            )],
            Format::Dbmate,
        );
        there_and_back(&[("20260101000000_a.sql", "-- no-transaction\nSELECT 1")], Format::Sqlx);
        there_and_back(&[("V1__a.sql", "SELECT 1"), ("U1__a.sql", "SELECT 2")], Format::Flyway);
    }

    #[test]
    fn what_has_no_place_in_a_release_is_refused() {
        let check = |files: &[(&str, &str)], expected: &str| {
            let why = scripts(&folder(files, Format::Flyway)).unwrap_err();
            assert!(why.contains(expected), "{why}");
        };
        check(&[("R__views.sql", "SELECT 1")], "R__views.sql is a repeatable script");
        check(&[("V1.2__a.sql", "SELECT 1")], "V1.2__a.sql has the version \"1.2\"");
    }
}
