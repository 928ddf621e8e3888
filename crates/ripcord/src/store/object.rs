//! The objects: files named by the digest of their content. A write is complete or absent, and
//! what is read is what was written, or an error.

use crate::failure::{Code, Failure};
use ripcord_core::model::{Digest, ReleaseId};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};
use std::time::SystemTime;
use tempfile::NamedTempFile;

/// The largest object that is read into memory: configuration, migration, flags or listing.
const READ_BYTES_MAX: u64 = 64 << 20;

/// A content-addressed store in a state directory. Clones are the same store.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    objects: PathBuf,
    /// Held while a release's directory is recreated, so that two threads do not do it at once.
    pub(super) turn: Arc<Mutex<()>>,
    /// The releases that were cleared away, so that what they lack is not taken for damage.
    pub(super) cleared: Arc<RwLock<BTreeSet<ReleaseId>>>,
}

impl Store {
    /// The store of a state directory; made if there is none.
    pub(crate) fn open(state: &Path) -> Result<Store, Failure> {
        let objects = state.join("store").join("sha256");
        fs::create_dir_all(&objects).map_err(|error| unusable(&objects, &error))?;
        Ok(Store { objects, turn: Arc::default(), cleared: Arc::default() })
    }

    /// Puts bytes in and returns their name.
    pub(crate) fn put(&self, bytes: &[u8]) -> Result<Digest, Failure> {
        self.put_from(&mut &bytes[..]).map(|(digest, _)| digest).map_err(|error| self.wrong(&error))
    }

    /// Puts in what can be read, and returns its name and size.
    pub(super) fn put_from(&self, source: &mut dyn Read) -> io::Result<(Digest, u64)> {
        let mut file = NamedTempFile::new_in(&self.objects)?;
        let (digest, size) = copy(source, file.as_file_mut())?;
        let path = self.path(&digest);
        if let Ok(known) = File::open(&path) {
            // What is there may be damaged, and then this is the moment to mend it.
            if copy(&mut &known, &mut io::sink())?.0 == digest {
                // Young objects are not cleared away, and this one is wanted again.
                known.set_modified(SystemTime::now())?;
                return Ok((digest, size));
            }
        }
        file.as_file().sync_all()?;
        let directory = path.parent().unwrap_or(&self.objects);
        fs::create_dir_all(directory)?;
        file.persist(&path).map_err(|error| error.error)?;
        File::open(directory)?.sync_all()?;
        File::open(&self.objects)?.sync_all()?;
        Ok((digest, size))
    }

    /// Reads an object whole, and only as it was written.
    pub(crate) fn read(&self, digest: &Digest) -> Result<Vec<u8>, Failure> {
        let file = self.open_object(digest)?;
        let mut bytes = Vec::new();
        let read = file.take(READ_BYTES_MAX + 1).read_to_end(&mut bytes);
        read.map_err(|error| self.wrong(&error))?;
        if &Digest::of_bytes(&bytes) == digest {
            return Ok(bytes);
        }
        Err(self.damaged(digest, "is not what was written"))
    }

    /// Copies an object into a file, and fails unless it is as it was written.
    pub(super) fn copy_to(&self, digest: &Digest, target: &mut File) -> Result<(), Failure> {
        let mut object = self.open_object(digest)?;
        let (found, _) = copy(&mut object, target).map_err(|error| self.wrong(&error))?;
        if &found == digest { Ok(()) } else { Err(self.damaged(digest, "is not what was written")) }
    }

    /// Every object with its path.
    pub(super) fn all(&self) -> io::Result<Vec<(Digest, PathBuf)>> {
        let mut found = Vec::new();
        for folder in fs::read_dir(&self.objects)? {
            let folder = folder?.path();
            let Some(head) = folder.file_name().and_then(|name| name.to_str()) else { continue };
            if head.len() != 2 || !folder.is_dir() {
                continue;
            }
            for object in fs::read_dir(&folder)? {
                let path = object?.path();
                if let Some(rest) = path.file_name().and_then(|name| name.to_str()) {
                    found.push((Digest(format!("sha256:{head}{rest}")), path));
                }
            }
        }
        Ok(found)
    }

    fn open_object(&self, digest: &Digest) -> Result<File, Failure> {
        File::open(self.path(digest)).map_err(|error| match error.kind() {
            ErrorKind::NotFound => self.damaged(digest, "is missing"),
            _ => self.wrong(&error),
        })
    }

    /// Where an object lies. A text that is no digest leads to a name that cannot exist, so that
    /// no manifest can point out of the store.
    fn path(&self, digest: &Digest) -> PathBuf {
        let digits = digest.as_str().strip_prefix("sha256:").unwrap_or_default();
        let sound = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let digits = if sound { digits } else { "not-a-digest" };
        self.objects.join(&digits[..2]).join(&digits[2..])
    }

    fn damaged(&self, digest: &Digest, what: &str) -> Failure {
        let path = self.path(digest);
        Failure::new(Code::StoreDamaged, format!("the object {digest} {what} ({})", path.display()))
            .hint("bring the file back from a backup of the state directory")
            .hint("or freeze the same content again: its objects are put back")
    }

    fn wrong(&self, error: &io::Error) -> Failure {
        unusable(&self.objects, error)
    }
}

/// The store, or the directory of a release, cannot be read or written.
pub(super) fn unusable(path: &Path, error: &io::Error) -> Failure {
    let failure = Failure::new(Code::StoreUnusable, format!("{}: {error}", path.display()));
    match error.kind() {
        ErrorKind::StorageFull => failure.hint("free some space on this disk"),
        ErrorKind::PermissionDenied => failure.hint("look at the owner and the rights of it"),
        _ => failure,
    }
}

/// Copies and says what it was.
pub(super) fn copy(source: &mut dyn Read, target: &mut dyn Write) -> io::Result<(Digest, u64)> {
    let mut hash = Sha256::new();
    let mut size = 0;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let length = match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hash.update(&buffer[..length]);
        target.write_all(&buffer[..length])?;
        size += length as u64;
    }
    let digits = hash.finalize().iter().fold("sha256:".to_owned(), |mut text, byte| {
        text.extend([byte >> 4, byte & 15].map(|d| char::from_digit(d.into(), 16).unwrap_or('0')));
        text
    });
    Ok((Digest(digits), size))
}
