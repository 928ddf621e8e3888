//! The fence of an environment's processes: the highest controller that was seen, on disk.

use crate::files::{self, Lasting};
use ripcord_engine::Failure;
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long another controller may take to write its fence.
const LOCK_MAX: Duration = Duration::from_secs(2);

/// Lets a controller pass and remembers it, unless a higher one was seen.
pub(crate) fn admit(path: &Path, ours: u64) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::transient(format!("the fence {} cannot be used: {error}", path.display()))
    };
    if seen(path).map_err(failed)? == ours {
        return Ok(());
    }
    let lock = lock(path).map_err(failed)?;
    let seen = seen(path).map_err(failed)?;
    if seen > ours {
        return Err(Failure::Fenced { seen, ours });
    }
    if seen < ours {
        files::replace(path, &ours, Lasting::Always).map_err(failed)?;
    }
    drop(lock);
    Ok(())
}

/// The highest fence seen; 0 before the first. An unreadable one is an error, never a 0.
pub(crate) fn seen(path: &Path) -> std::io::Result<u64> {
    Ok(files::read(path)?.unwrap_or(0))
}

/// Keeps two that read the same old value from writing in the wrong order.
fn lock(path: &Path) -> std::io::Result<File> {
    let path = path.with_extension("lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
    let began = Instant::now();
    while let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
        if error != rustix::io::Errno::WOULDBLOCK || began.elapsed() > LOCK_MAX {
            return Err(error.into());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_highest_passes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fence");
        assert_eq!(admit(&path, 3), Ok(()));
        assert_eq!(admit(&path, 3), Ok(()));
        assert_eq!(admit(&path, 5), Ok(()));
        assert_eq!(admit(&path, 4), Err(Failure::Fenced { seen: 5, ours: 4 }));
        std::fs::write(&path, "").unwrap();
        assert!(matches!(admit(&path, 9), Err(Failure::Transient(_))));
    }
}
