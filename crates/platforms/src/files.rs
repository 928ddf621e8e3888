//! Files that are either whole or not there. Contents are plain data as JSON.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// How long a written file must last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lasting {
    /// As long as the machine runs: it describes processes, which end with the machine.
    UntilBoot,
    /// Beyond a power cut.
    Always,
}

/// Replaces a file in one step.
pub(crate) fn replace<T: Serialize>(path: &Path, value: &T, lasting: Lasting) -> io::Result<()> {
    let scratch = write_beside(path, value, lasting)?;
    fs::rename(&scratch, path)?;
    sync_directory(path, lasting)
}

/// Creates a file in one step, unless there is one. Of several that try at once, one succeeds.
pub(crate) fn create<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    let scratch = write_beside(path, value, Lasting::Always)?;
    let linked = fs::hard_link(&scratch, path);
    fs::remove_file(&scratch)?;
    linked?;
    sync_directory(path, Lasting::Always)
}

/// Reads a file; none when there is none.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn write_beside<T: Serialize>(path: &Path, value: &T, lasting: Lasting) -> io::Result<PathBuf> {
    // Unlike any other writer's, in this process or another.
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let unique = NEXT.fetch_add(1, Ordering::Relaxed);
    let scratch = path.with_extension(format!("{}-{unique}.new", std::process::id()));
    let mut file = File::create(&scratch)?;
    file.write_all(&serde_json::to_vec_pretty(value)?)?;
    if lasting == Lasting::Always {
        file.sync_all()?;
    }
    Ok(scratch)
}

fn sync_directory(path: &Path, lasting: Lasting) -> io::Result<()> {
    match (lasting, path.parent()) {
        (Lasting::Always, Some(directory)) => File::open(directory)?.sync_all(),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_replaced_created_once_and_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.json");
        assert_eq!(read::<u32>(&path).unwrap(), None);
        create(&path, &1).unwrap();
        let second = create(&path, &2).unwrap_err();
        assert_eq!(second.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(read::<u32>(&path).unwrap(), Some(1));
        replace(&path, &3, Lasting::UntilBoot).unwrap();
        assert_eq!(read::<u32>(&path).unwrap(), Some(3));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "no scratch file remains");
        fs::write(&path, "no json").unwrap();
        assert!(read::<u32>(&path).is_err());
    }
}
