//! The files of a project, read within bounds. Links are not followed, so that nothing outside the
//! project is read.

use crate::failure::{Code, Failure};
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The largest file that is looked into.
const FILE_BYTES_MAX: u64 = 512 << 10;

/// The most entries of a folder that are looked at.
const ENTRIES_MAX: usize = 2_000;

/// How many files below the project are looked at in a search, and how deep.
const FILES_MAX: usize = 3_000;
const DEPTH_MAX: usize = 8;

/// Folders that hold what was built or belongs to others.
const FOREIGN: [&str; 10] = [
    "node_modules",
    "target",
    "vendor",
    "dist",
    "build",
    "out",
    "venv",
    "__pycache__",
    "coverage",
    "tmp",
];

/// The folder of a project.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
}

impl Folder {
    /// A folder that can be read.
    pub(super) fn open(root: &Path) -> Result<Folder, Failure> {
        fs::read_dir(root).map(drop).map_err(|error| {
            let what = format!("the project {} cannot be read: {error}", root.display());
            Failure::new(Code::ConfigUnreadable, what).hint("go to the directory of the service")
        })?;
        let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
        Ok(Folder { root })
    }

    /// Its own name.
    pub(super) fn name(&self) -> String {
        self.root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    pub(super) fn path(&self, inner: &str) -> PathBuf {
        self.root.join(inner)
    }

    pub(super) fn has_file(&self, inner: &str) -> bool {
        fs::symlink_metadata(self.path(inner)).is_ok_and(|found| found.is_file())
    }

    pub(super) fn has_folder(&self, inner: &str) -> bool {
        fs::symlink_metadata(self.path(inner)).is_ok_and(|found| found.is_dir())
    }

    /// The text of a file; none when there is none, or it is no text, or too long.
    pub(super) fn text(&self, inner: &str) -> Option<String> {
        if !self.has_file(inner) {
            return None;
        }
        let mut bytes = Vec::new();
        let file = File::open(self.path(inner)).ok()?;
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).ok()?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return None;
        }
        let text = String::from_utf8(bytes).ok()?;
        Some(text.trim_start_matches('\u{feff}').to_owned())
    }

    /// The names in a folder, in order.
    pub(super) fn names(&self, inner: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(inner)).into_iter().flatten().flatten();
        let names =
            entries.take(ENTRIES_MAX).filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    /// The source files with one of these endings, the shallow ones first.
    pub(super) fn sources(&self, endings: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        let mut level = vec![String::new()];
        for _ in 0..DEPTH_MAX {
            let mut next = Vec::new();
            for folder in &level {
                for name in self.names(folder) {
                    let inner =
                        if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
                    if self.has_folder(&inner) {
                        if !name.starts_with('.') && !FOREIGN.contains(&name.as_str()) {
                            next.push(inner);
                        }
                        continue;
                    }
                    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
                    if endings.contains(&ending) {
                        found.push(inner);
                    }
                    if found.len() >= FILES_MAX {
                        return found;
                    }
                }
            }
            next.truncate(ENTRIES_MAX);
            level = next;
        }
        found
    }
}
