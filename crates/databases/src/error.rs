//! What can be wrong with migrations as files and as scripts.

use std::path::PathBuf;
use thiserror::Error;

/// Why a folder of migrations, or a script in it, cannot be used.
#[derive(Debug, Error)]
pub enum MigrationError {
    /// The folder or a file in it cannot be read.
    #[error("cannot read {}: {source}; check that it exists and that no link is a loop", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The name is not that of a migration.
    #[error("{path:?} {why}; name it NNN_name.up.sql or NNN_name.down.sql")]
    Name {
        /// Which file, shown with escapes because its name may hold anything.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Two files claim the same version and direction.
    #[error("{} and {} are both version {version}; give one of them another number", first.display(), second.display())]
    Duplicate {
        /// The version.
        version: u64,
        /// One of them.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// A down script stands alone.
    #[error("{} has no up script of the same number and name beside it; add it or remove this one", path.display())]
    DownWithoutUp {
        /// The down script.
        path: PathBuf,
    },
    /// The file is not text.
    #[error("{} is not UTF-8 (byte {offset}); save it as UTF-8", path.display())]
    NotUtf8 {
        /// Which.
        path: PathBuf,
        /// Where the first wrong byte is.
        offset: usize,
    },
    /// The file says nothing.
    #[error("{} holds no statement; write one or remove the file", path.display())]
    Empty {
        /// Which.
        path: PathBuf,
    },
    /// The file is too large for a plan to carry.
    #[error("{} has {size} bytes, more than {max}; load data apart from migrations", path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
        /// Its size.
        size: u64,
        /// The most it may have.
        max: u64,
    },
    /// A folder holds far more than migrations.
    #[error("{} holds more than {max} files; name the folder of the migrations", path.display())]
    TooMany {
        /// Which.
        path: PathBuf,
        /// The most it may hold.
        max: usize,
    },
    /// Nothing in a folder is a migration of any known format.
    #[error("{} holds no migrations of any format that is known; name the folder in which they are", path.display())]
    NoFormat {
        /// Which.
        path: PathBuf,
    },
    /// A folder could be for several tools, which would read it differently.
    #[error("{} could be for {candidates}; say which with --format", path.display())]
    Ambiguous {
        /// Which.
        path: PathBuf,
        /// The tools, by name.
        candidates: String,
    },
    /// A script holds something that cannot be run as part of a change.
    #[error("{file}:{line}: {why}")]
    Script {
        /// The file's name.
        file: String,
        /// The line in it, from 1.
        line: u32,
        /// What, and what to do.
        why: String,
    },
}
