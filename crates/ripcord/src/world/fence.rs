//! The fence of the files in force: the highest that was seen, remembered before acting.

use crate::world::files::replace_file;
use ripcord_core::model::Fence;
use ripcord_engine::{Failure, Result};
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Shared by everything that guards the same directory.
#[derive(Debug, Clone)]
pub(crate) struct FenceFile {
    path: PathBuf,
    turn: Arc<Mutex<()>>,
}

impl FenceFile {
    pub(crate) fn new(path: PathBuf) -> FenceFile {
        FenceFile { path, turn: Arc::new(Mutex::new(())) }
    }

    /// Refuses a fence below the highest seen, and remembers a higher one durably.
    pub(crate) fn pass(&self, fence: Fence) -> Result<()> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = match fs::read_to_string(&self.path) {
            Ok(text) => text
                .trim()
                .parse::<u64>()
                .map_err(|error| Failure::Definite(format!("{}: {error}", self.path.display())))?,
            Err(error) if error.kind() == ErrorKind::NotFound => 0,
            Err(error) => {
                return Err(Failure::Transient(format!("{}: {error}", self.path.display())));
            }
        };
        if fence.0 < seen {
            return Err(Failure::Fenced { seen, ours: fence.0 });
        }
        if fence.0 > seen {
            replace_file(&self.path, fence.0.to_string().as_bytes())
                .map_err(|error| Failure::Transient(format!("{}: {error}", self.path.display())))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_older() {
        let directory = tempfile::tempdir().unwrap();
        let fence = FenceFile::new(directory.path().join("fence"));
        assert!(fence.pass(Fence(2)).is_ok());
        assert!(fence.pass(Fence(2)).is_ok());
        assert_eq!(fence.pass(Fence(1)), Err(Failure::Fenced { seen: 2, ours: 1 }));
        let reopened = FenceFile::new(directory.path().join("fence"));
        assert_eq!(reopened.pass(Fence(1)), Err(Failure::Fenced { seen: 2, ours: 1 }));
    }
}
