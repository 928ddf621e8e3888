//! One file with marks in comments for what goes up and what comes down: what dbmate, goose and
//! sql-migrate share.

use crate::formats::folder::Folder;
use crate::formats::order::{bad_name, claim, note_missing, numbered};
use crate::formats::{Migration, MigrationKind, ProblemKind, Script, Transaction};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// How a tool marks its files.
pub(super) struct Sections {
    /// What a line of the file means.
    pub(super) mark: fn(&str) -> Mark,
    /// How a marked section without a transaction is run.
    pub(super) without: Transaction,
    /// The mark that every file must have, for people.
    pub(super) wanted: &'static str,
    /// Whether names have a number; otherwise the file's name is the version.
    pub(super) numbered: bool,
    /// Whether the number is remembered as it is written, with leading zeros.
    pub(super) verbatim: bool,
}

/// What a line means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// Nothing: it is SQL, or a comment.
    Text,
    /// What goes up follows.
    Up {
        /// Whether in a transaction.
        transaction: bool,
    },
    /// What comes down follows.
    Down {
        /// Whether in a transaction.
        transaction: bool,
    },
    /// Neither direction runs in a transaction.
    NoTransaction,
}

/// Reads a folder of this layout.
pub(super) fn read(folder: &mut Folder, how: &Sections) -> Vec<Migration> {
    let mut claimed: BTreeMap<u64, (PathBuf, String)> = BTreeMap::new();
    let mut ordered: Vec<(String, String, PathBuf)> = Vec::new();
    for path in folder.top_sql_files() {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        match numbered(stem) {
            Some((version, name)) if how.numbered => {
                let name = name.to_owned();
                claim(folder, &mut claimed, version, path, name);
            }
            _ if how.numbered => bad_name(folder, &path, "NNN_name.sql"),
            _ => ordered.push((path.display().to_string(), stem.to_owned(), path)),
        }
    }
    let claimed = claimed
        .into_iter()
        .map(|(version, (path, name))| (written(how, version, &path), name, path));
    ordered.extend(claimed);
    let mut migrations = Vec::with_capacity(ordered.len());
    for (version, name, path) in ordered {
        migrations.extend(migration(folder, how, version, name, path));
    }
    note_missing(folder, &migrations);
    migrations
}

/// The version as the tool remembers it.
fn written(how: &Sections, version: u64, path: &std::path::Path) -> String {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    match stem.split_once('_') {
        Some((digits, _)) if how.verbatim => digits.to_owned(),
        _ => version.to_string(),
    }
}

fn migration(
    folder: &mut Folder,
    how: &Sections,
    version: String,
    name: String,
    path: PathBuf,
) -> Option<Migration> {
    let text = folder.text(&path)?;
    let cut = cut(&text, how);
    if !cut.marked {
        let message = format!("it has no «{}», so the tool refuses it", how.wanted);
        folder.problem(ProblemKind::BadMark, &path, 1, message);
    }
    if let Some(line) = cut.stray {
        let message =
            format!("this stands before «{}», so the tool refuses or drops it", how.wanted);
        folder.problem(ProblemKind::BadMark, &path, line, message);
    }
    let up = Script { path: path.clone(), text: cut.up, transaction: cut.up_runs };
    if !crate::sql::token::says_anything(&up.text) {
        folder.problem(ProblemKind::EmptyScript, &path, 1, "nothing goes up");
    }
    let down = crate::sql::token::says_anything(&cut.down).then_some(Script {
        path,
        text: cut.down,
        transaction: cut.down_runs,
    });
    Some(Migration { version, name, kind: MigrationKind::Versioned, up, down, checksum: None })
}

struct Cut {
    up: String,
    down: String,
    up_runs: Transaction,
    down_runs: Transaction,
    marked: bool,
    /// A line with SQL that belongs to neither.
    stray: Option<u32>,
}

/// Cuts a file; lines of the other direction are left empty in each, so that lines count.
fn cut(text: &str, how: &Sections) -> Cut {
    let whole = Transaction::Whole;
    let mut cut = Cut {
        up: String::with_capacity(text.len()),
        down: String::new(),
        up_runs: whole,
        down_runs: whole,
        marked: false,
        stray: None,
    };
    let mut at = None;
    let mut never = false;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (line, number) in text.split('\n').zip(1_u32..) {
        let runs = |transaction: bool| if transaction { whole } else { how.without };
        let mut said = "";
        match (how.mark)(line) {
            Mark::Up { transaction } => {
                cut.marked = true;
                cut.up_runs = runs(transaction);
                at = Some(true);
            }
            Mark::Down { transaction } => {
                cut.down_runs = runs(transaction);
                at = Some(false);
            }
            Mark::NoTransaction => never = true,
            Mark::Text => said = line,
        }
        if at.is_none() && cut.stray.is_none() && crate::sql::token::says_anything(said) {
            cut.stray = Some(number);
        }
        for (text, mine) in [(&mut cut.up, Some(true)), (&mut cut.down, Some(false))] {
            if at == mine {
                text.push_str(said);
            }
            text.push('\n');
        }
    }
    if never {
        (cut.up_runs, cut.down_runs) = (how.without, how.without);
    }
    cut
}

/// What follows a mark's prefix, in words, if the line is a mark.
pub(super) fn after<'a>(line: &'a str, prefix: &str) -> Option<Vec<&'a str>> {
    let rest = line.trim_end().strip_prefix("--")?.trim_start();
    let head = rest.get(..prefix.len())?;
    if !head.eq_ignore_ascii_case(prefix) {
        return None;
    }
    Some(rest[prefix.len()..].split_whitespace().collect())
}
