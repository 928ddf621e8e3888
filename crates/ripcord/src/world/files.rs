//! Replacing a file so that after a power cut there is the old one or the new one, whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes a file anew: temporary file, fsync, rename, fsync of the directory.
pub(crate) fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().ok_or_else(|| io::Error::other("a file needs a directory"))?;
    fs::create_dir_all(directory)?;
    let temporary = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    sync_directory(directory)
}

/// A file that is written beside the one that it is going to replace.
pub(crate) struct Staged {
    path: PathBuf,
    /// None: there is going to be no file.
    temporary: Option<PathBuf>,
}

/// Writes the new content of a file beside it, durably; none: the file is to go. Whatever can fail
/// for want of space fails here.
pub(crate) fn stage_file(path: &Path, bytes: Option<&[u8]>) -> io::Result<Staged> {
    let directory = path.parent().ok_or_else(|| io::Error::other("a file needs a directory"))?;
    fs::create_dir_all(directory)?;
    let temporary = path.with_extension("new");
    if let Some(bytes) = bytes {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
    }
    Ok(Staged { path: path.to_owned(), temporary: bytes.map(|_| temporary) })
}

impl Staged {
    /// Puts it in the place of the old one, in one step.
    pub(crate) fn put_in_force(self) -> io::Result<()> {
        match &self.temporary {
            Some(temporary) => fs::rename(temporary, &self.path)?,
            None => match fs::remove_file(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            },
        }
        sync_directory(self.path.parent().unwrap_or(Path::new("/")))
    }
}

/// Makes the names in a directory durable.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
