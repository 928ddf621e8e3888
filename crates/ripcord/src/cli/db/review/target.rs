//! From what was named on the command line to sets of migrations, and which of their files are
//! meant.

use crate::cli::db::folder;
use crate::cli::db::trouble::folder_failure;
use crate::failure::{Code, Failure};
use ripcord_databases::MigrationError;
use ripcord_databases::formats::{self, Format, MigrationSet};
use ripcord_databases::review::Choice;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A set of migrations, and which of them to review.
pub(super) struct Target {
    pub(super) set: MigrationSet,
    pub(super) choice: Choice,
}

/// Reads what was named.
pub(super) fn targets(paths: &[PathBuf], format: Option<Format>) -> Result<Vec<Target>, Failure> {
    if paths.is_empty() {
        return Ok(vec![whole(&folder::usual()?, format)?]);
    }
    let mut targets = Vec::new();
    let mut files: BTreeMap<PathBuf, BTreeSet<PathBuf>> = BTreeMap::new();
    for path in paths {
        let meta = std::fs::metadata(path).map_err(|error| {
            Failure::new(Code::Usage, format!("cannot read {}: {error}", path.display()))
        })?;
        if meta.is_dir() {
            targets.push(whole(path, format)?);
        } else {
            let (root, file) = rooted(path);
            files.entry(root).or_default().insert(file);
        }
    }
    for (root, files) in files {
        targets.extend(chosen(&root, files, format)?);
    }
    Ok(targets)
}

fn whole(root: &Path, format: Option<Format>) -> Result<Target, Failure> {
    Ok(Target { set: folder::read(root, format)?, choice: Choice::default() })
}

/// Files of one folder: within their set, or by themselves when they are in none.
fn chosen(
    root: &Path,
    files: BTreeSet<PathBuf>,
    format: Option<Format>,
) -> Result<Vec<Target>, Failure> {
    let format = match format {
        Some(format) => Some(format),
        None => match formats::detect(root) {
            Ok(format) => Some(format),
            Err(MigrationError::NoFormat { .. }) => None,
            Err(error) => return Err(folder_failure(&error)),
        },
    };
    let set = format
        .map(|format| formats::read(root, format))
        .transpose()
        .map_err(|error| folder_failure(&error))?;
    let known = |file: &PathBuf| {
        set.as_ref().is_some_and(|set| {
            let scripts = set.migrations.iter().flat_map(|m| std::iter::once(&m.up).chain(&m.down));
            let mut scripts = scripts.map(|script| &script.path);
            let passed_over = formats::ProblemKind::BadName;
            let mut problems = set.problems.iter().filter(|p| p.kind != passed_over);
            scripts.any(|path| path == file) || problems.any(|problem| problem.path == *file)
        })
    };
    let (inside, alone): (BTreeSet<PathBuf>, BTreeSet<PathBuf>) =
        files.into_iter().partition(known);
    let mut targets = Vec::new();
    for file in alone {
        let set = formats::single(root, &file);
        targets.push(Target { set, choice: Choice::default() });
    }
    if let Some(set) = set.filter(|_| !inside.is_empty()) {
        targets.push(Target { set, choice: Choice { only: Some(inside) } });
    }
    Ok(targets)
}

/// The folder of migrations that a file belongs to, and the file in it. Diesel has a folder for
/// each migration.
fn rooted(path: &Path) -> (PathBuf, PathBuf) {
    let here = |path: &Path| match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let file = PathBuf::from(path.file_name().unwrap_or_default());
    let parent = here(path);
    let diesel = path.ends_with("up.sql") || path.ends_with("down.sql");
    match parent.file_name().filter(|_| diesel) {
        Some(name) => (here(&parent), Path::new(name).join(file)),
        None => (parent, file),
    }
}
