//! Socket paths that are too long. The system takes about 108 bytes; a project directory nested
//! deeply enough has more. `/proc/self/fd` gives any directory a short name.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

const LONGEST: usize = 100;

/// A name for a socket that fits, valid while this lives.
pub(crate) struct ShortPath {
    path: PathBuf,
    _directory: Option<File>,
}

impl ShortPath {
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        if path.as_os_str().len() <= LONGEST {
            return Ok(Self { path: path.to_owned(), _directory: None });
        }
        let parts = path.parent().zip(path.file_name());
        let (directory, name) = parts.ok_or_else(|| io::Error::other("not a path to a file"))?;
        let directory = File::open(directory)?;
        let short = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name);
        Ok(Self { path: short, _directory: Some(directory) })
    }

    pub(crate) fn as_path(&self) -> &Path {
        &self.path
    }
}
