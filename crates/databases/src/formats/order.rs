//! What all numbered formats share: gaps between numbers, and two of the same.

use crate::formats::folder::Folder;
use crate::formats::{Migration, MigrationKind, ProblemKind};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Numbers above this are taken for timestamps, which have gaps by nature.
const CONSECUTIVE_MAX: u64 = 99_999;

/// A file name that begins with a number: the number, and what follows the underscore.
pub(super) fn numbered(stem: &str) -> Option<(u64, &str)> {
    let (digits, name) = stem.split_once('_')?;
    let number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    Some((number.then(|| digits.parse().ok()).flatten()?, name))
}

/// Keeps a file for its version, or notes that another has it.
pub(super) fn claim<T>(
    folder: &mut Folder,
    claimed: &mut BTreeMap<u64, (PathBuf, T)>,
    version: u64,
    path: PathBuf,
    value: T,
) {
    if let Some((first, _)) = claimed.get(&version) {
        let message =
            format!("{} is version {version} too; give one another number", first.display());
        folder.problem(ProblemKind::DuplicateVersion, &path, 1, message);
        return;
    }
    claimed.insert(version, (path, value));
}

/// Notes gaps and missing down scripts.
pub(super) fn note_missing(folder: &mut Folder, migrations: &[Migration]) {
    let once: Vec<&Migration> =
        migrations.iter().filter(|m| m.kind == MigrationKind::Versioned).collect();
    let numbers: Option<Vec<u64>> = once.iter().map(|m| m.version.parse().ok()).collect();
    let numbers = numbers.unwrap_or_default();
    for (pair, migration) in numbers.windows(2).zip(once.iter().skip(1)) {
        let (before, after) = (pair[0], pair[1]);
        if after <= CONSECUTIVE_MAX && after.saturating_sub(before) > 1 {
            let message = format!("nothing between {before} and {after}; is a file missing?");
            folder.problem(ProblemKind::Gap, &migration.up.path, 1, message);
        }
    }
    // Where nobody writes down scripts, saying so once is enough.
    let none = once.iter().all(|migration| migration.down.is_none());
    let missing = once.iter().filter(|migration| migration.down.is_none());
    for migration in missing.take(if none { 1 } else { usize::MAX }) {
        let message = if none {
            "no migration here has a script that takes it back"
        } else {
            "no script takes it back"
        };
        folder.problem(ProblemKind::MissingDown, &migration.up.path, 1, message);
    }
}

/// A file that the tool does not take for a migration.
pub(super) fn bad_name(folder: &mut Folder, path: &std::path::Path, wanted: &str) {
    let message = format!("the tool passes it over: a migration is named {wanted}");
    folder.problem(ProblemKind::BadName, path, 1, message);
}
