//! Which tool a folder is for, from the names and marks of its files and from what lies around
//! it. Two answers are none: then people are asked.

use crate::error::MigrationError;
use crate::formats::folder::Folder;
use crate::formats::sections::Mark;
use crate::formats::{Format, dbmate, goose, marks, sql_migrate};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// How far into a file a mark is looked for, in bytes.
const MARKED_WITHIN: u64 = 1 << 16;

/// How many files are opened to look for marks.
const OPENED_MAX: usize = 50;

/// Tells the format of a folder.
///
/// # Errors
///
/// [`MigrationError::NoFormat`] when it holds nothing that any tool runs, and
/// [`MigrationError::Ambiguous`] when more than one tool might.
pub fn detect(root: &Path) -> Result<Format, MigrationError> {
    let folder = Folder::open(root)?;
    let families = families(root, &folder);
    let all: BTreeSet<Format> = families.iter().flat_map(|f| f.formats.iter().copied()).collect();
    if families.is_empty() {
        return Err(MigrationError::NoFormat { path: root.to_owned() });
    }
    let named = marks::named(root, &all);
    let one = match (families.as_slice(), named.len()) {
        (_, 1) => named.iter().next().copied(),
        ([family], 0) => family.otherwise,
        _ => None,
    };
    one.ok_or_else(|| {
        let candidates = if named.is_empty() { all } else { named };
        let candidates = candidates.into_iter().map(Format::name).collect::<Vec<_>>().join(", ");
        MigrationError::Ambiguous { path: root.to_owned(), candidates }
    })
}

/// Tools that lay out their files alike.
#[derive(Debug, PartialEq, Eq)]
struct Family {
    formats: BTreeSet<Format>,
    /// Which is meant when nothing around the folder names one: that of which nothing is assumed
    /// that the others contradict. None where they would read the folder differently.
    otherwise: Option<Format>,
}

impl Family {
    fn new(formats: &[Format], otherwise: Option<Format>) -> Family {
        Family { formats: formats.iter().copied().collect(), otherwise }
    }
}

/// The formats that might be meant, a family for each layout that is found.
fn families(root: &Path, folder: &Folder) -> Vec<Family> {
    let mut families: Vec<Family> = Vec::new();
    let mut found = |family: Family| {
        if !families.contains(&family) {
            families.push(family);
        }
    };
    let prefixed_files: Vec<Prefixed> =
        folder.sql_files().iter().filter_map(|path| prefixed(path)).collect();
    if !prefixed_files.is_empty() {
        found(prefixes(&prefixed_files));
    }
    let is_up = |path: &PathBuf| path.ends_with("up.sql") && path.components().count() == 2;
    if folder.sql_files().iter().any(is_up) {
        found(Family::new(&[Format::Diesel], Some(Format::Diesel)));
    }
    let mut single = false;
    let mut opened = 0;
    for path in folder.top_sql_files() {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if prefixed(&path).is_some() {
            continue;
        }
        let numbered = stem.starts_with(|c: char| c.is_ascii_digit()) && stem.contains('_');
        let half = Path::new(stem).extension().and_then(|half| half.to_str());
        if numbered && half.is_some_and(|half| half == "up" || half == "down") {
            let formats = [Format::Plain, Format::GolangMigrate, Format::Sqlx];
            found(Family::new(&formats, Some(Format::Plain)));
            continue;
        }
        opened += 1;
        let marked = if opened <= OPENED_MAX { marked(&root.join(&path)) } else { Vec::new() };
        if let [only] = marked.as_slice() {
            found(Family::new(&[*only], Some(*only)));
        } else if !marked.is_empty() {
            found(Family::new(&marked, None));
        }
        single |= numbered && marked.is_empty();
    }
    // A file without marks among marked ones, or alone among pairs, is a mistake in that format.
    if single && families.is_empty() {
        let formats = [Format::Plain, Format::Sqlx, Format::Dbmate, Format::Goose];
        families.push(Family::new(&formats, Some(Format::Plain)));
    }
    families
}

/// A name such as `V1__x.sql`: its letter and its version.
type Prefixed = (char, String);

fn prefixed(path: &Path) -> Option<Prefixed> {
    let stem = path.file_stem()?.to_str()?;
    let (version, _) = stem.split_once("__")?;
    let mut chars = version.chars();
    let letter = chars.next().filter(|letter| "VURB".contains(*letter))?;
    let version = chars.as_str();
    let numeric = version.chars().all(|c| c.is_ascii_digit() || c == '.' || c == '_');
    let fits = numeric && (version.is_empty() == (letter == 'R'));
    fits.then(|| (letter, version.to_owned()))
}

/// Flyway and refinery share names but not their meaning: `U1` undoes `V1`, or is a migration.
fn prefixes(files: &[Prefixed]) -> Family {
    let versioned = |version: &str| files.iter().any(|(l, v)| *l == 'V' && v == version);
    let undo: Vec<&Prefixed> = files.iter().filter(|(letter, _)| *letter == 'U').collect();
    let alone = undo.iter().any(|(_, version)| !versioned(version));
    let only_flyway = files.iter().any(|(letter, _)| "RB".contains(*letter));
    let both = [Format::Flyway, Format::Refinery];
    match (only_flyway, alone) {
        // refinery knows no R and no B.
        (true, _) => Family::new(&[Format::Flyway], Some(Format::Flyway)),
        (false, true) => Family::new(&both, None),
        (false, false) => Family::new(&both, Some(Format::Flyway)),
    }
}

/// The tools whose marks a file has.
fn marked(path: &Path) -> Vec<Format> {
    // A file that cannot be read has no marks; reading the folder will say why.
    if !path.is_file() {
        return Vec::new();
    }
    let mut text = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MARKED_WITHIN).read_to_end(&mut text));
    if read.is_err() {
        return Vec::new();
    }
    let text = String::from_utf8_lossy(&text);
    let has = |mark: fn(&str) -> Mark| text.lines().any(|line| mark(line) != Mark::Text);
    let mut found = Vec::new();
    found.extend(has(dbmate::mark).then_some(Format::Dbmate));
    found.extend(has(goose::mark).then_some(Format::Goose));
    found.extend(has(sql_migrate::mark).then_some(Format::SqlMigrate));
    found
}
