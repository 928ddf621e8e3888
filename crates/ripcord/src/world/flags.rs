//! The flags document in force: one file in flagd's format, replaced in one step. Services and
//! an unmodified flagd read it where it lies.

use crate::world::FenceFile;
use crate::world::files::{replace_file, sync_directory};
use crate::world::layout::EnvironmentLayout;
use ripcord_core::model::Digest;
use ripcord_core::run::Receipt;
use ripcord_engine::{Failure, Flags, Result, Ticket};
use std::fs;
use std::io::ErrorKind;

/// How a document is looked up by its digest.
pub(crate) type Documents = dyn Fn(&Digest) -> std::result::Result<Vec<u8>, String> + Send + Sync;

/// The document of one environment.
pub(crate) struct FlagsInForce {
    pub(crate) environment: EnvironmentLayout,
    pub(crate) fence: FenceFile,
    pub(crate) documents: Box<Documents>,
}

impl Flags for FlagsInForce {
    fn observe(&self) -> Result<Option<Digest>> {
        match fs::read(self.environment.flags()) {
            Ok(bytes) => Ok(Some(Digest::of_bytes(&bytes))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::transient(error)),
        }
    }

    fn ensure(&self, document: Option<&Digest>, ticket: &Ticket<'_>) -> Result<Receipt> {
        self.fence.pass(ticket.fence)?;
        let path = self.environment.flags();
        let Some(digest) = document else {
            return match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(Failure::transient(error)),
                _ => {
                    sync_directory(self.environment.root()).map_err(Failure::transient)?;
                    Ok(Receipt::of("no flags in force"))
                }
            };
        };
        let bytes = (self.documents)(digest).map_err(Failure::Definite)?;
        replace_file(&path, &bytes).map_err(Failure::transient)?;
        Ok(Receipt::of(format!("flags {} in force", digest.short())))
    }
}
