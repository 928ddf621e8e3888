//! The files of a folder, within bounds: how many, how deep, how large, and what is text.

use crate::error::MigrationError;
use crate::formats::{Problem, ProblemKind};
use crate::sql::token;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The largest script, in bytes.
pub const SCRIPT_BYTES_MAX: u64 = 8 << 20;

/// The most files that a folder may hold.
pub const FILES_MAX: usize = 50_000;

/// The most text that is held at once.
const TOTAL_BYTES_MAX: u64 = 512 << 20;

/// How deep folders may be nested.
const DEPTH_MAX: usize = 12;

/// Folders that hold other things than migrations, and many of them.
const OTHERS: [&str; 3] = [".git", "node_modules", "target"];

/// A folder whose files are being read.
pub(super) struct Folder {
    pub(super) root: PathBuf,
    /// All files below, relative to the root, in order of their paths.
    files: Vec<PathBuf>,
    bytes: u64,
    problems: Vec<Problem>,
}

impl Folder {
    /// A folder of which only the files that are asked for are looked at.
    pub(super) fn alone(root: &Path) -> Folder {
        Folder { root: root.to_owned(), files: Vec::new(), bytes: 0, problems: Vec::new() }
    }

    /// Lists a folder.
    pub(super) fn open(root: &Path) -> Result<Folder, MigrationError> {
        let mut folder = Folder::alone(root);
        let mut pending = vec![(PathBuf::new(), 0_usize)];
        while let Some((below, depth)) = pending.pop() {
            let path = root.join(&below);
            let unreadable = |source| MigrationError::Unreadable { path: path.clone(), source };
            for entry in fs::read_dir(&path).map_err(unreadable)? {
                let entry = entry.map_err(unreadable)?;
                let name = below.join(entry.file_name());
                // A link to a folder is not followed, so that none can lead in circles.
                let kind = entry.file_type().map_err(unreadable)?;
                if kind.is_dir() {
                    let other = OTHERS.iter().any(|other| entry.file_name() == *other);
                    if depth < DEPTH_MAX && !other {
                        pending.push((name, depth + 1));
                    }
                } else {
                    folder.files.push(name);
                }
                if folder.files.len() + pending.len() > FILES_MAX {
                    return Err(MigrationError::TooMany { path: root.to_owned(), max: FILES_MAX });
                }
            }
        }
        folder.files.sort();
        Ok(folder)
    }

    /// All files with SQL, relative to the root.
    pub(super) fn sql_files(&self) -> Vec<PathBuf> {
        let is_sql = |path: &&PathBuf| {
            path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("sql"))
        };
        self.files.iter().filter(is_sql).cloned().collect()
    }

    /// The files with SQL that lie in the folder itself.
    pub(super) fn top_sql_files(&self) -> Vec<PathBuf> {
        self.sql_files().into_iter().filter(|path| path.components().count() == 1).collect()
    }

    /// All files, relative to the root.
    pub(super) fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Whether there is such a file.
    pub(super) fn has(&self, path: &Path) -> bool {
        self.files.binary_search_by(|file| file.as_path().cmp(path)).is_ok()
    }

    /// A script's text. None, with a problem noted, when there is none that could be run.
    pub(super) fn script(&mut self, path: &Path) -> Option<String> {
        let text = self.text(path)?;
        if !token::says_anything(&text) && !text.contains('\\') {
            self.problem(ProblemKind::EmptyScript, path, 1, "it holds no statement");
        }
        Some(text)
    }

    /// A file's text. None, with a problem noted, when it has none.
    pub(super) fn text(&mut self, path: &Path) -> Option<String> {
        let bytes = match bytes(&self.root.join(path)) {
            Ok(bytes) => bytes,
            Err(source) => {
                let message = format!("it cannot be read: {source}; is it a link in circles?");
                self.problem(ProblemKind::Unreadable, path, 1, message);
                return None;
            }
        };
        self.bytes += bytes.len() as u64;
        if bytes.len() as u64 > SCRIPT_BYTES_MAX || self.bytes > TOTAL_BYTES_MAX {
            let message = format!(
                "it is larger than {} MiB and was not read; load data apart from migrations",
                SCRIPT_BYTES_MAX >> 20
            );
            self.problem(ProblemKind::TooLarge, path, 1, message);
            return None;
        }
        let zero = bytes.iter().position(|byte| *byte == 0);
        let wrong = zero.or_else(|| std::str::from_utf8(&bytes).err().map(|e| e.valid_up_to()));
        if let Some(at) = wrong {
            let line = bytes[..at].split(|byte| *byte == b'\n').count();
            let line = u32::try_from(line).unwrap_or(u32::MAX);
            let message = format!("byte {at} is not UTF-8 text; save the file as UTF-8");
            self.problem(ProblemKind::NotText, path, line, message);
            return None;
        }
        String::from_utf8(bytes).ok()
    }

    /// Notes a problem.
    pub(super) fn problem(
        &mut self,
        kind: ProblemKind,
        path: &Path,
        line: u32,
        message: impl Into<String>,
    ) {
        self.problems.push(Problem { kind, path: path.to_owned(), line, message: message.into() });
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }
}

/// A file's bytes, at most one more than may be.
fn bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    // Opening a pipe would wait for whoever writes into it, and a device would never end.
    if !fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is not a file"));
    }
    let file = fs::File::open(path)?;
    let mut bytes = Vec::new();
    file.take(SCRIPT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
