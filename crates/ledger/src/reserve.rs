//! The reserve: space set aside on the disk of the ledger, so that a full disk does not stop an
//! emergency rollback. It is written, not only promised by the file system.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The name of the reserve within the state directory.
const NAME: &str = "ledger.reserve";

/// Written at once.
const BLOCK_BYTES: usize = 64 * 1024;

/// The reserve of one state directory.
#[derive(Debug)]
pub(crate) struct Reserve {
    directory: PathBuf,
    bytes: u64,
}

impl Reserve {
    /// The reserve of this directory, there or not.
    pub(crate) fn new(directory: &Path, bytes: u64) -> Reserve {
        Reserve { directory: directory.to_owned(), bytes }
    }

    /// Whether it is there, whole.
    pub(crate) fn exists(&self) -> bool {
        self.held_bytes() >= self.bytes
    }

    /// How much it occupies.
    pub(crate) fn held_bytes(&self) -> u64 {
        fs::metadata(self.path()).map_or(0, |file| file.len())
    }

    /// Gives the space free. Giving it free twice is the same as once.
    pub(crate) fn release(&self) -> io::Result<()> {
        match fs::remove_file(self.path()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => File::open(&self.directory)?.sync_all(),
        }
    }

    /// Sets the space aside if it is not yet, and if at least as much stays free besides. That
    /// there is not enough is no error: then there is no reserve, and `exists` says so.
    pub(crate) fn ensure(&self) -> io::Result<()> {
        let scratch = self.directory.join(format!("{NAME}.new"));
        if scratch.exists() {
            fs::remove_file(&scratch)?;
        }
        if self.exists() || self.free_bytes()? < self.bytes.saturating_mul(2) {
            return Ok(());
        }
        match self.fill(&scratch) {
            Ok(()) => {
                fs::rename(&scratch, self.path())?;
                File::open(&self.directory)?.sync_all()
            }
            Err(error) => {
                fs::remove_file(&scratch)?;
                if error.kind() == io::ErrorKind::StorageFull { Ok(()) } else { Err(error) }
            }
        }
    }

    /// The bytes that the file system would still give to this process.
    pub(crate) fn free_bytes(&self) -> io::Result<u64> {
        let disk = rustix::fs::statvfs(&self.directory)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Noise instead of zeros, which some file systems do not store.
    fn fill(&self, path: &Path) -> io::Result<()> {
        let mut file = File::create(path)?;
        let mut noise = 0x9E37_79B9_7F4A_7C15_u64;
        let mut block = vec![0; BLOCK_BYTES];
        let mut left = self.bytes;
        while left > 0 {
            for word in block.chunks_exact_mut(8) {
                noise ^= noise << 13;
                noise ^= noise >> 7;
                noise ^= noise << 17;
                word.copy_from_slice(&noise.to_le_bytes());
            }
            let size = left.min(BLOCK_BYTES as u64);
            file.write_all(&block[..usize::try_from(size).unwrap_or(BLOCK_BYTES)])?;
            left -= size;
        }
        file.sync_all()
    }

    fn path(&self) -> PathBuf {
        self.directory.join(NAME)
    }
}
