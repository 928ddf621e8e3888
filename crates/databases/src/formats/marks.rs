//! What around a folder tells which tool it is for: manifests and configuration files that name
//! a tool.

use crate::formats::Format;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// How far above the folder marks are looked for.
const PARENTS_MAX: usize = 5;

/// A manifest larger than this is not read.
const MANIFEST_BYTES_MAX: u64 = 1 << 20;

/// Files that only one tool has.
const OWN_FILES: [(&str, Format); 7] = [
    ("diesel.toml", Format::Diesel),
    (".sqlx", Format::Sqlx),
    ("flyway.conf", Format::Flyway),
    ("flyway.toml", Format::Flyway),
    ("conf/flyway.conf", Format::Flyway),
    ("dbconfig.yml", Format::SqlMigrate),
    ("ripcord.toml", Format::Plain),
];

/// Words in manifests that name a tool.
const NAMED: [(&str, &str, Format); 13] = [
    ("Cargo.toml", "sqlx", Format::Sqlx),
    ("Cargo.toml", "diesel", Format::Diesel),
    ("Cargo.toml", "refinery", Format::Refinery),
    ("go.mod", "/golang-migrate/migrate", Format::GolangMigrate),
    ("go.mod", "/pressly/goose", Format::Goose),
    ("go.mod", "/rubenv/sql-migrate", Format::SqlMigrate),
    ("go.mod", "/amacneil/dbmate", Format::Dbmate),
    ("package.json", "\"dbmate\"", Format::Dbmate),
    ("pom.xml", "flyway", Format::Flyway),
    ("build.gradle", "flyway", Format::Flyway),
    ("build.gradle.kts", "flyway", Format::Flyway),
    ("Makefile", "golang-migrate", Format::GolangMigrate),
    ("Makefile", "goose ", Format::Goose),
];

/// The tools named in the folder or above it, up to the top of the repository. The nearest folder
/// that names any of `candidates` decides.
pub(super) fn named(dir: &Path, candidates: &BTreeSet<Format>) -> BTreeSet<Format> {
    let dir = fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    for place in dir.ancestors().take(PARENTS_MAX + 1) {
        let found: BTreeSet<Format> = in_folder(place).intersection(candidates).copied().collect();
        if !found.is_empty() {
            return found;
        }
        if place.join(".git").exists() {
            break;
        }
    }
    BTreeSet::new()
}

fn in_folder(place: &Path) -> BTreeSet<Format> {
    let own = OWN_FILES.iter().filter(|(name, _)| place.join(name).exists());
    let mut found: BTreeSet<Format> = own.map(|(_, format)| *format).collect();
    for (file, word, format) in NAMED {
        let path = place.join(file);
        let small = fs::metadata(&path)
            .is_ok_and(|meta| meta.is_file() && meta.len() <= MANIFEST_BYTES_MAX);
        if !small {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
        let named = if file == "Cargo.toml" { depends(&text, word) } else { text.contains(word) };
        if named {
            found.insert(format);
        }
    }
    found
}

/// Whether a manifest of Cargo has a dependency whose name begins so.
fn depends(manifest: &str, name: &str) -> bool {
    manifest.lines().any(|line| {
        let line = line.trim_start();
        let entry = line.strip_prefix(name).is_some_and(|rest| {
            rest.starts_with([' ', '=', '.', '-', '_']) && rest.contains(['=', '.'])
        });
        entry || line.contains(&format!("dependencies.{name}]"))
    })
}
