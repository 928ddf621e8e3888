//! From what was named on the command line to sets of migrations, and which of their files are
//! meant.

use crate::failure::{Code, Failure};
use ripcord_databases::MigrationError;
use ripcord_databases::formats::{self, Format, MigrationSet};
use ripcord_databases::review::Choice;
use std::collections::{BTreeMap, BTreeSet};
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

/// A set of migrations, and which of them to review.
pub(super) struct Target {
    pub(super) set: MigrationSet,
    pub(super) choice: Choice,
}

/// Reads what was named.
pub(super) fn targets(paths: &[PathBuf], format: Option<Format>) -> Result<Vec<Target>, Failure> {
    if paths.is_empty() {
        return Ok(vec![folder(&usual()?, format)?]);
    }
    let mut targets = Vec::new();
    let mut files: BTreeMap<PathBuf, BTreeSet<PathBuf>> = BTreeMap::new();
    for path in paths {
        let meta = std::fs::metadata(path).map_err(|error| {
            Failure::new(Code::Usage, format!("cannot read {}: {error}", path.display()))
        })?;
        if meta.is_dir() {
            targets.push(folder(path, format)?);
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

fn folder(root: &Path, format: Option<Format>) -> Result<Target, Failure> {
    let format = match format {
        Some(format) => format,
        None => formats::detect(root).map_err(|error| failure(&error))?,
    };
    let set = formats::read(root, format).map_err(|error| failure(&error))?;
    if set.migrations.is_empty() && set.problems.is_empty() {
        return Err(failure(&MigrationError::NoFormat { path: root.to_owned() }));
    }
    Ok(Target { set, choice: Choice::default() })
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
            Err(error) => return Err(failure(&error)),
        },
    };
    let set = format
        .map(|format| formats::read(root, format))
        .transpose()
        .map_err(|error| failure(&error))?;
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

/// The one usual folder that is there.
fn usual() -> Result<PathBuf, Failure> {
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

fn failure(error: &MigrationError) -> Failure {
    Failure::new(Code::MigrationsInvalid, error.to_string())
}
