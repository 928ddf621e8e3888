//! The saved state: written before it is put in force, read back when the proxy starts.
//!
//! The file is replaced as a whole (temporary file, fsync, rename, fsync of the directory), so
//! that a crash at any instant leaves the old state or the new one. A file that cannot be read or
//! whose checksum does not fit stops the start: a proxy that comes up empty is an outage.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::error::ProxyError;
use crate::state::State;

const FILE: &str = "proxy.state";
const TEMPORARY: &str = "proxy.state.new";
const LOCK: &str = "proxy.lock";
const RESERVE: &str = "proxy.reserve";
/// More than the largest state takes, written with all its targets and its page.
const RESERVE_BYTES: usize = 1024 * 1024;

/// The state directory, owned by this process for as long as this value lives.
pub(crate) struct Store {
    directory: PathBuf,
    _lock: File,
}

impl Store {
    /// Takes the directory and reads the last saved state, if there ever was one.
    pub(crate) fn open(directory: &Path) -> Result<(Self, Option<State>), ProxyError> {
        let storage = |verb, path: &Path| {
            let path = path.to_owned();
            move |source| ProxyError::Storage { verb, path, source }
        };
        fs::create_dir_all(directory).map_err(storage("make the directory of", directory))?;
        let path = directory.join(LOCK);
        let lock = File::options().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(storage("lock", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(ProxyError::InUse { path: directory.to_owned() });
            }
            Err(TryLockError::Error(source)) => return Err(storage("lock", &path)(source)),
        }
        let path = directory.join(FILE);
        let saved = match fs::read(&path) {
            Ok(bytes) => {
                let corrupt = |why| ProxyError::Corrupt { path: path.clone(), why };
                Some(decode(&bytes).map_err(corrupt)?)
            }
            Err(missing) if missing.kind() == ErrorKind::NotFound => None,
            Err(source) => return Err(storage("read", &path)(source)),
        };
        let store = Self { directory: directory.to_owned(), _lock: lock };
        // Without a reserve the proxy serves as well; only a full disk would tell.
        let _ = store.fill_reserve();
        Ok((store, saved))
    }

    /// Makes the state durable. When this returns, a restart finds it.
    ///
    /// A full disk must not keep users on a bad release: there is a reserve for that moment.
    pub(crate) fn save(&self, state: &State) -> io::Result<()> {
        let bytes = encode(state)?;
        let saved = self.replace(&bytes);
        let is_full = |error: &io::Error| {
            matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
        };
        if !saved.as_ref().is_err_and(is_full) {
            return saved;
        }
        for in_the_way in [TEMPORARY, RESERVE] {
            // If there is nothing to remove, the next attempt tells.
            let _ = fs::remove_file(self.directory.join(in_the_way));
        }
        self.replace(&bytes)?;
        // Saved; the reserve comes back when there is room for it.
        let _ = self.fill_reserve();
        Ok(())
    }

    fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        let temporary = self.directory.join(TEMPORARY);
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, self.directory.join(FILE))?;
        File::open(&self.directory)?.sync_all()
    }

    /// Written out, because a file with a hole reserves nothing.
    fn fill_reserve(&self) -> io::Result<()> {
        let path = self.directory.join(RESERVE);
        if fs::metadata(&path).is_ok_and(|found| found.len() == RESERVE_BYTES as u64) {
            return Ok(());
        }
        let mut file = File::create(path)?;
        file.write_all(&vec![0; RESERVE_BYTES])?;
        file.sync_all()
    }
}

/// One line with the checksum of the rest, then the document.
fn encode(state: &State) -> io::Result<Vec<u8>> {
    let document = serde_json::to_vec_pretty(state)?;
    let mut bytes = format!("ripcord-proxy-state crc32 {:08x}\n", crc32(&document)).into_bytes();
    bytes.extend_from_slice(&document);
    Ok(bytes)
}

fn decode(bytes: &[u8]) -> Result<State, String> {
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or("it has no first line")?;
    let (head, document) = (&bytes[..end], &bytes[end + 1..]);
    let expected = format!("ripcord-proxy-state crc32 {:08x}", crc32(document));
    if head != expected.as_bytes() {
        return Err(format!("its checksum does not fit; it should begin with {expected:?}"));
    }
    let state: State = serde_json::from_slice(document).map_err(|error| error.to_string())?;
    state.validate().map_err(|refusal| refusal.to_string())?;
    Ok(state)
}

/// CRC-32 as in zip and PNG: finds every short burst of damage; no protection against malice.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0xEDB8_8320 & 0_u32.wrapping_sub(sum & 1))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(generation: u64) -> State {
        State { fence: 1, generation, ..State::default() }
    }

    #[test]
    fn checksum_is_the_common_one() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn saved_is_found_again() {
        let directory = tempfile::tempdir().unwrap();
        let (store, saved) = Store::open(directory.path()).unwrap();
        assert_eq!(saved, None);
        store.save(&state(7)).unwrap();
        drop(store);
        assert_eq!(Store::open(directory.path()).unwrap().1, Some(state(7)));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_does_not_stop_a_save() {
        let directory = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(directory.path()).unwrap();
        let at = |name| directory.path().join(name);
        assert_eq!(fs::metadata(at(RESERVE)).unwrap().len(), RESERVE_BYTES as u64);
        // Whatever is written there, the device is full.
        std::os::unix::fs::symlink("/dev/full", at(TEMPORARY)).unwrap();
        store.save(&state(7)).unwrap();
        drop(store);
        assert_eq!(Store::open(directory.path()).unwrap().1, Some(state(7)));
        assert_eq!(fs::metadata(at(RESERVE)).unwrap().len(), RESERVE_BYTES as u64);
    }

    #[test]
    fn every_flipped_byte_and_every_cut_is_noticed() {
        let bytes = encode(&state(7)).unwrap();
        assert_eq!(decode(&bytes), Ok(state(7)));
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            assert!(decode(&damaged).is_err(), "byte {place}");
            assert!(decode(&bytes[..place]).is_err(), "cut at {place}");
        }
    }

    #[test]
    fn the_directory_has_one_owner() {
        let directory = tempfile::tempdir().unwrap();
        let _store = Store::open(directory.path()).unwrap();
        assert!(matches!(Store::open(directory.path()), Err(ProxyError::InUse { .. })));
    }
}
