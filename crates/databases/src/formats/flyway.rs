//! Flyway: `V1__name.sql`, `U1__name.sql` to undo it, `R__name.sql` whenever it changes, and
//! `B1__name.sql` instead of all before it. Folders are read with what is below them.

use crate::error::MigrationError;
use crate::formats::flyway_config::{FlywayConfig, Sidecar, sidecar};
use crate::formats::folder::Folder;
use crate::formats::order::{bad_name, note_missing};
use crate::formats::{Migration, MigrationKind, ProblemKind, Read, Script, Transaction, checksum};
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// Names of files that Flyway runs around migrations, up to `__` or the suffix.
const CALLBACKS: [&str; 4] = ["before", "after", "createSchema", "undo"];

pub(super) fn read(folder: &mut Folder) -> Result<Read, MigrationError> {
    let config = FlywayConfig::of(folder);
    let files = located(folder, &config)?;
    let mut named: BTreeMap<(Kind, Version, String), (PathBuf, String)> = BTreeMap::new();
    for path in files {
        let Some((kind, version, name)) = parse(&path, &config) else {
            if !is_callback(&path) {
                bad_name(folder, &path, "V1__name.sql, U1__name.sql, R__name.sql or B1__name.sql");
            }
            continue;
        };
        let described = if kind == Kind::Repeatable { name.clone() } else { String::new() };
        let key = (kind, Version::read(&version), described);
        if let Some((first, _)) = named.get(&key) {
            let message = format!("{} is the same; Flyway refuses both", first.display());
            folder.problem(ProblemKind::DuplicateVersion, &path, 1, message);
            continue;
        }
        named.insert(key, (path, name));
    }
    let mut migrations = Vec::new();
    // Of each kind in order: what B and V do comes before R.
    for kind in [Kind::Baseline, Kind::Versioned, Kind::Repeatable] {
        let mine: Vec<_> = named.keys().filter(|key| key.0 == kind).cloned().collect();
        for key in mine {
            let Some((path, name)) = named.remove(&key) else { continue };
            let undo = (kind == Kind::Versioned)
                .then(|| named.remove(&(Kind::Undo, key.1.clone(), String::new())))
                .flatten();
            let undo = undo.and_then(|(path, _)| script(folder, &config, path));
            let Some((up, checksum)) = script(folder, &config, path) else { continue };
            migrations.push(Migration {
                version: key.1.to_string(),
                name: name.replace('_', " "),
                kind: kind.migration(),
                up,
                down: undo.map(|(script, _)| script),
                checksum: Some(checksum),
            });
        }
    }
    for (path, _) in named.into_values() {
        let message = "no V script has its version; add it or remove this one";
        folder.problem(ProblemKind::DownWithoutUp, &path, 1, message);
    }
    note_missing(folder, &migrations);
    Ok(Read { history: Some(config.table), migrations })
}

/// The scripts of the folder, or of the folders that its configuration names.
fn located(folder: &mut Folder, config: &FlywayConfig) -> Result<Vec<PathBuf>, MigrationError> {
    let all: Vec<PathBuf> =
        folder.files().iter().filter(|path| suffix(path, config).is_some()).cloned().collect();
    if config.locations.is_empty() {
        return Ok(all);
    }
    let mut places = Vec::new();
    for place in &config.locations {
        // What follows a wildcard is found by looking below what precedes it.
        let plain = |part: &Component<'_>| !part.as_os_str().to_string_lossy().contains('*');
        let place: PathBuf = place.components().take_while(plain).collect();
        let place = place.strip_prefix(".").map(Path::to_owned).unwrap_or(place);
        let path = folder.root.join(&place);
        if !path.is_dir() {
            let source = std::io::Error::from(std::io::ErrorKind::NotFound);
            return Err(MigrationError::Unreadable { path, source });
        }
        if place.is_absolute() || place.starts_with("..") {
            let message = format!("{} lies elsewhere; review it by its own name", place.display());
            let shown = Path::new("flyway configuration");
            folder.problem(ProblemKind::BadConfiguration, shown, 1, message);
        }
        places.push(place);
    }
    let inside = |path: &PathBuf| places.iter().any(|place| path.starts_with(place));
    Ok(all.into_iter().filter(inside).collect())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Baseline,
    Versioned,
    Undo,
    Repeatable,
}

impl Kind {
    fn migration(self) -> MigrationKind {
        match self {
            Kind::Baseline => MigrationKind::Baseline,
            Kind::Versioned | Kind::Undo => MigrationKind::Versioned,
            Kind::Repeatable => MigrationKind::Repeatable,
        }
    }
}

/// A version as Flyway compares it, written one way: `001_0` is `1`.
pub(crate) fn normal_version(text: &str) -> String {
    Version::read(text).to_string()
}

/// A version as Flyway compares it: number by number, and `1` is `1.0`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Version(Vec<u64>);

impl Version {
    fn read(text: &str) -> Version {
        let parts = text.split(['.', '_']).map(|part| part.parse().unwrap_or(u64::MAX));
        let mut parts: Vec<u64> = parts.collect();
        while parts.len() > 1 && parts.last() == Some(&0) {
            parts.pop();
        }
        if text.is_empty() { Version(Vec::new()) } else { Version(parts) }
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts: Vec<String> = self.0.iter().map(u64::to_string).collect();
        f.write_str(&parts.join("."))
    }
}

fn suffix<'a>(path: &'a Path, config: &FlywayConfig) -> Option<&'a str> {
    let name = path.file_name()?.to_str()?;
    let suffix = config.suffixes.iter().find(|suffix| {
        let at = name.len().checked_sub(suffix.len());
        at.and_then(|at| name.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case(suffix))
    })?;
    name.get(..name.len() - suffix.len())
}

fn parse(path: &Path, config: &FlywayConfig) -> Option<(Kind, String, String)> {
    let stem = suffix(path, config)?;
    let mut prefixes = [
        (Kind::Versioned, &config.versioned),
        (Kind::Undo, &config.undo),
        (Kind::Repeatable, &config.repeatable),
        (Kind::Baseline, &config.baseline),
    ];
    // One prefix may begin with another: the longest is meant.
    prefixes.sort_by_key(|(_, prefix)| std::cmp::Reverse(prefix.len()));
    let (kind, rest) = prefixes
        .into_iter()
        .find_map(|(kind, prefix)| Some((kind, stem.strip_prefix(prefix.as_str())?)))?;
    let (version, name) = rest.split_once(config.separator.as_str()).unwrap_or((rest, ""));
    let numbers = !version.is_empty()
        && version.split(['.', '_']).all(|part| {
            !part.is_empty() && part.len() < 19 && part.bytes().all(|b| b.is_ascii_digit())
        });
    let fits = if kind == Kind::Repeatable { version.is_empty() } else { numbers };
    fits.then(|| (kind, version.to_owned(), name.to_owned()))
}

fn is_callback(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    CALLBACKS.iter().any(|callback| name.starts_with(callback))
}

fn script(folder: &mut Folder, config: &FlywayConfig, path: PathBuf) -> Option<(Script, String)> {
    let beside = sidecar(folder, &path);
    if beside.skipped {
        return None;
    }
    let text = folder.script(&path)?;
    let checksum = checksum::flyway(&text);
    let transaction = transaction(config, &beside);
    let text = if beside.replaces.unwrap_or(config.replaces) {
        replaced(folder, config, &path, &text)
    } else {
        text
    };
    Some((Script { path, text, transaction }, checksum))
}

fn transaction(config: &FlywayConfig, beside: &Sidecar) -> Transaction {
    if !beside.in_transaction.unwrap_or(config.in_transaction) || config.mixed {
        Transaction::Separate
    } else {
        Transaction::Automatic
    }
}

/// The text with placeholders filled in, one line for each line.
fn replaced(folder: &mut Folder, config: &FlywayConfig, path: &Path, text: &str) -> String {
    let (opening, closing) = (config.opening.as_str(), config.closing.as_str());
    if opening.is_empty() || closing.is_empty() {
        return text.to_owned();
    }
    let mut found = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(opening) {
        found.push_str(before);
        let Some((name, next)) = after.split_once(closing).filter(|(name, _)| !name.contains('\n'))
        else {
            found.push_str(opening);
            rest = after;
            continue;
        };
        let lower = name.to_ascii_lowercase();
        if let Some(value) = config.placeholders.get(&lower) {
            found.push_str(&value.replace('\n', " "));
        } else {
            if !lower.starts_with("flyway:") {
                let line = found.matches('\n').count() + 1;
                let line = u32::try_from(line).unwrap_or(u32::MAX);
                let message = format!(
                    "no configuration here has a value for {opening}{name}{closing}; Flyway \
                     refuses the script unless it is given elsewhere"
                );
                folder.problem(ProblemKind::Placeholder, path, line, message);
            }
            let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
            found.extend(lower.chars().map(plain));
        }
        rest = next;
    }
    found.push_str(rest);
    found
}
