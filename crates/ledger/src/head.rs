//! The head of the ledger, noted beside it: the sequence and digest of the last entry that was
//! acknowledged. A hash chain does not show that its end is missing, as when damage makes the
//! database drop the end of its log; this does.
//!
//! It is written after the entry is durable and is not synced itself, so it may be behind the
//! ledger and is never ahead of it. One line of fixed length, written in place.

use crate::verify::Anchor;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// The length of a line: twenty digits, a space, the digest, a line end.
const LENGTH: usize = 20 + 1 + 71 + 1;

/// The open file.
#[derive(Debug)]
pub(crate) struct HeadFile(File);

impl HeadFile {
    pub(crate) fn open(directory: &Path) -> io::Result<HeadFile> {
        let path = directory.join("ledger.head");
        OpenOptions::new().write(true).create(true).truncate(false).open(path).map(HeadFile)
    }

    /// Notes the head. That it cannot be noted harms nothing but later certainty.
    pub(crate) fn note(&self, head: &Anchor) {
        let line = format!("{:020} {}\n", head.sequence, head.digest);
        if line.len() == LENGTH {
            drop(self.0.write_all_at(line.as_bytes(), 0));
        }
    }
}

/// The head that was noted last; none when there is none, or a power cut tore it.
pub(crate) fn noted(directory: &Path) -> Option<Anchor> {
    let line = std::fs::read_to_string(directory.join("ledger.head")).ok()?;
    let (sequence, digest) = line.strip_suffix('\n')?.split_once(' ')?;
    let whole = line.len() == LENGTH && digest.starts_with("sha256:");
    whole.then_some(())?;
    Some(Anchor { sequence: sequence.parse().ok()?, digest: digest.into() })
}
