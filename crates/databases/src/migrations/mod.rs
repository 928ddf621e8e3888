//! Migration formats: from files of some tool's layout to scripts in order.
//!
//! The only format for now is a folder of `NNN_name.up.sql` and `NNN_name.down.sql`. Nothing here
//! looks into the SQL beyond whether there is any.

mod name;

use crate::error::MigrationError;
use crate::sql::token;
use name::{FileName, Half};
use ripcord_core::model::{Digest, MigrationRef, MigrationVersion};
use ripcord_core::schema::MigrationScript;
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The largest script, in bytes.
pub const SCRIPT_BYTES_MAX: u64 = 8 << 20;

/// Numbers above this are taken for timestamps, which have gaps by nature.
const CONSECUTIVE_MAX: u64 = 99_999;

/// What a folder of migrations holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationFolder {
    /// The migrations in ascending order of version.
    pub scripts: Vec<MigrationScript>,
    /// What is legal but worth a word.
    pub warnings: Vec<MigrationWarning>,
}

/// Something about a folder that is legal and often a mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MigrationWarning {
    /// A number is missing between two migrations.
    Gap {
        /// The migration before the gap.
        before: MigrationVersion,
        /// The one after it.
        after: MigrationVersion,
    },
    /// A migration has no down script; its inverse will be derived.
    MissingDown {
        /// Which.
        migration: MigrationRef,
    },
}

impl fmt::Display for MigrationWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MigrationWarning::Gap { before, after } => {
                write!(f, "no migration between {before} and {after}; is a file missing?")
            }
            MigrationWarning::MissingDown { migration } => {
                write!(f, "{migration} has no down script; its inverse is derived")
            }
        }
    }
}

/// Reads all migrations of a folder. Files that do not end in `.sql` are left alone.
///
/// # Errors
///
/// [`MigrationError`] with the path and what to do about it.
pub fn read(dir: &Path) -> Result<MigrationFolder, MigrationError> {
    let mut ups: BTreeMap<u64, (FileName, PathBuf)> = BTreeMap::new();
    let mut downs: BTreeMap<u64, (FileName, PathBuf)> = BTreeMap::new();
    for path in sql_files(dir)? {
        let name = FileName::parse(&path)?;
        let half = match name.half {
            Half::Up => &mut ups,
            Half::Down => &mut downs,
        };
        let version = name.version;
        if let Some((_, first)) = half.insert(version, (name, path.clone())) {
            return Err(MigrationError::Duplicate { version, first, second: path });
        }
    }
    for (version, (name, path)) in &downs {
        if ups.get(version).is_none_or(|(up, _)| up.name != name.name) {
            return Err(MigrationError::DownWithoutUp { path: path.clone() });
        }
    }
    let mut scripts = Vec::with_capacity(ups.len());
    for (version, (name, path)) in ups {
        let up = text(&path)?;
        let down = downs.get(&version).map(|(_, path)| text(path)).transpose()?;
        let checksum = Digest::of_bytes(up.as_bytes());
        let version = MigrationVersion(version);
        let migration = MigrationRef { version, name: name.name, checksum };
        scripts.push(MigrationScript { migration, up, down, origin: None });
    }
    let warnings = warnings(&scripts);
    Ok(MigrationFolder { scripts, warnings })
}

/// The name under which people know a migration's up script.
pub(crate) fn up_file(migration: &MigrationRef) -> String {
    format!("{:03}_{}.up.sql", migration.version.0, migration.name)
}

/// The name under which people know a migration's down script.
pub(crate) fn down_file(migration: &MigrationRef) -> String {
    format!("{:03}_{}.down.sql", migration.version.0, migration.name)
}

fn sql_files(dir: &Path) -> Result<Vec<PathBuf>, MigrationError> {
    let unreadable = |source| MigrationError::Unreadable { path: dir.to_owned(), source };
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("sql")) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn text(path: &Path) -> Result<String, MigrationError> {
    let unreadable = |source| MigrationError::Unreadable { path: path.to_owned(), source };
    let file = fs::File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    let mut bytes = Vec::new();
    file.take(SCRIPT_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    let size = size.max(bytes.len() as u64);
    if size > SCRIPT_BYTES_MAX {
        let path = path.to_owned();
        return Err(MigrationError::TooLarge { path, size, max: SCRIPT_BYTES_MAX });
    }
    let text = String::from_utf8(bytes).map_err(|error| MigrationError::NotUtf8 {
        path: path.to_owned(),
        offset: error.utf8_error().valid_up_to(),
    })?;
    if text.trim_start_matches('\u{feff}').trim().is_empty() || !token::says_anything(&text) {
        return Err(MigrationError::Empty { path: path.to_owned() });
    }
    Ok(text)
}

fn warnings(scripts: &[MigrationScript]) -> Vec<MigrationWarning> {
    let mut warnings = Vec::new();
    for pair in scripts.windows(2) {
        let (before, after) = (pair[0].migration.version, pair[1].migration.version);
        if after.0 <= CONSECUTIVE_MAX && after.0 - before.0 > 1 {
            warnings.push(MigrationWarning::Gap { before, after });
        }
    }
    for script in scripts.iter().filter(|script| script.down.is_none()) {
        let migration = script.migration.clone();
        warnings.push(MigrationWarning::MissingDown { migration });
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(files: &[(&str, &[u8])], expected: &Expect) {
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in files {
            fs::write(dir.path().join(name), content).unwrap();
        }
        let shown = match read(dir.path()) {
            Ok(folder) => {
                let scripts = folder.scripts.iter().map(|script| {
                    let down = script.down.as_deref().map_or("", |_| " with down");
                    format!("{}{down}", script.migration)
                });
                let warnings = folder.warnings.iter().map(ToString::to_string);
                scripts.chain(warnings).collect::<Vec<_>>().join("\n")
            }
            Err(error) => error.to_string().replace(&format!("{}/", dir.path().display()), ""),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn reads_in_order() {
        check(
            &[
                ("010_c.up.sql", b"SELECT 1"),
                ("9_b_b.up.sql", b"SELECT 1"),
                ("9_b_b.down.sql", b"SELECT 1"),
                ("20261121101010_t.up.sql", b"SELECT 1"),
                ("20261121101010_t.down.sql", b"SELECT 1"),
                ("README.md", b"no migration"),
            ],
            &expect![[r"
                9 b_b with down
                10 c
                20261121101010 t with down
                10 c has no down script; its inverse is derived"]],
        );
    }

    #[test]
    fn warns_of_gaps() {
        check(
            &[
                ("1_a.up.sql", b"x"),
                ("1_a.down.sql", b"x"),
                ("3_c.up.sql", b"x"),
                ("3_c.down.sql", b"x"),
            ],
            &expect![[r"
                1 a with down
                3 c with down
                no migration between 1 and 3; is a file missing?"]],
        );
    }

    #[test]
    fn refuses_with_path_and_cure() {
        check(
            &[("1_a.up.sql", b"x"), ("001_b.up.sql", b"x")],
            &expect![
                "001_b.up.sql and 1_a.up.sql are both version 1; give one of them another number"
            ],
        );
        check(
            &[("1_a.up.sql", b"x"), ("1_b.down.sql", b"x")],
            &expect![
                "1_b.down.sql has no up script of the same number and name beside it; add it or remove this one"
            ],
        );
        check(
            &[("1_a.up.sql", b"x\xff")],
            &expect!["1_a.up.sql is not UTF-8 (byte 1); save it as UTF-8"],
        );
        check(
            &[("1_a.up.sql", b" -- only a comment\n;\n")],
            &expect!["1_a.up.sql holds no statement; write one or remove the file"],
        );
        check(
            &[("1_a.up.sql", &vec![b' '; 8 * 1024 * 1024 + 1])],
            &expect![
                "1_a.up.sql has 8388609 bytes, more than 8388608; load data apart from migrations"
            ],
        );
        check(
            &[("a.sql", b"x")],
            &expect![[
                r#""a.sql" is not the name of a migration; name it NNN_name.up.sql or NNN_name.down.sql"#
            ]],
        );
        check(
            &[("1_a\u{1b}.up.sql", b"x")],
            &expect![[
                r#""1_a\u{1b}.up.sql" has a control character in its name; name it NNN_name.up.sql or NNN_name.down.sql"#
            ]],
        );
        check(
            &[("99999999999999999999_a.up.sql", b"x")],
            &expect![[
                r#""99999999999999999999_a.up.sql" has a number too large; name it NNN_name.up.sql or NNN_name.down.sql"#
            ]],
        );
    }

    #[test]
    fn a_loop_of_links_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("1_a.up.sql");
        std::os::unix::fs::symlink(&path, &path).unwrap();
        assert!(matches!(read(dir.path()), Err(MigrationError::Unreadable { .. })));
    }
}
