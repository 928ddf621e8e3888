//! Two files for each migration, `NNN_name.up.sql` and `NNN_name.down.sql`, or one without a way
//! back: what Ripcord, golang-migrate and sqlx share.

use crate::formats::folder::Folder;
use crate::formats::order::{bad_name, claim, note_missing, numbered};
use crate::formats::{Migration, MigrationKind, ProblemKind, Script, Transaction};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How a tool differs from the others of this layout.
pub(super) struct Pairs {
    /// Whether `NNN_name.sql` is a migration too.
    pub(super) single: bool,
    /// How it runs a script.
    pub(super) transaction: fn(&str) -> Transaction,
    /// The checksum that it computes.
    pub(super) checksum: fn(&str) -> Option<String>,
    /// How it writes a version and a name.
    pub(super) name: fn(&str) -> String,
}

/// The halves of a pair.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    Up,
    Down,
}

/// Reads a folder of this layout.
pub(super) fn read(folder: &mut Folder, how: &Pairs) -> Vec<Migration> {
    let mut ups: BTreeMap<u64, (PathBuf, String)> = BTreeMap::new();
    let mut downs: BTreeMap<u64, (PathBuf, String)> = BTreeMap::new();
    for path in folder.top_sql_files() {
        let Some((version, name, half)) = parse(&path, how.single) else {
            let single = if how.single { " or NNN_name.sql" } else { "" };
            bad_name(folder, &path, &format!("NNN_name.up.sql or NNN_name.down.sql{single}"));
            continue;
        };
        let half = if half == Half::Up { &mut ups } else { &mut downs };
        claim(folder, half, version, path, name);
    }
    for (version, (path, _)) in &downs {
        if !ups.contains_key(version) {
            let message = "no up script has its number; add it or remove this one";
            folder.problem(ProblemKind::DownWithoutUp, path, 1, message);
        }
    }
    let mut migrations = Vec::with_capacity(ups.len());
    for (version, (path, name)) in ups {
        let Some(text) = folder.script(&path) else { continue };
        let checksum = (how.checksum)(&text);
        let script = |path, text: String| {
            let transaction = (how.transaction)(&text);
            Script { path, text, transaction }
        };
        let up = script(path, text);
        let down = downs.remove(&version).and_then(|(path, _)| {
            let text = folder.script(&path)?;
            Some(script(path, text))
        });
        let (kind, version) = (MigrationKind::Versioned, version.to_string());
        migrations.push(Migration { version, name: (how.name)(&name), kind, up, down, checksum });
    }
    note_missing(folder, &migrations);
    migrations
}

fn parse(path: &Path, single: bool) -> Option<(u64, String, Half)> {
    let stem = path.file_stem()?.to_str()?;
    let (stem, half) = if let Some(stem) = stem.strip_suffix(".up") {
        (stem, Half::Up)
    } else if let Some(stem) = stem.strip_suffix(".down") {
        (stem, Half::Down)
    } else if single {
        (stem, Half::Up)
    } else {
        return None;
    };
    let (version, name) = numbered(stem)?;
    Some((version, name.to_owned(), half))
}
