//! What the server keeps beside the flags document: a copy of the last good one, which a restart
//! with a broken or missing file serves on, and the secret that signs tokens of change streams.

use crate::error::OfrepError;
use ripcord_core::model::Digest;
use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Writes the copy of a document: its digest in the first line, so that damage is noticed.
pub(crate) fn save(file: &Path, text: &str) -> io::Result<()> {
    let head = format!("{}\n", Digest::of_bytes(text.as_bytes()));
    replace(&beside(file, "last-good"), &[head.as_bytes(), text.as_bytes()])
}

/// The copied document, if there is one that is whole.
pub(crate) fn load(file: &Path) -> Result<Option<String>, String> {
    let path = beside(file, "last-good");
    let copy = match fs::read_to_string(&path) {
        Ok(copy) => copy,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("{}: {error}", path.display())),
    };
    match copy.split_once('\n') {
        Some((digest, text)) if digest == Digest::of_bytes(text.as_bytes()).as_str() => {
            Ok(Some(text.to_owned()))
        }
        _ => Err(format!("{}: damaged", path.display())),
    }
}

/// Writes what was counted.
pub(crate) fn save_counts(file: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(&beside(file, "counts"), &[bytes])
}

/// What was counted, if anything was.
pub(crate) fn counts(file: &Path) -> Result<Option<String>, String> {
    let path = beside(file, "counts");
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

/// The secret for tokens. It is kept, so that open pages can come back after a restart without
/// asking for everything anew. Where it cannot be kept, a new one does.
pub(crate) fn stream_secret(file: &Path, say: fn(&str)) -> Result<[u8; 32], OfrepError> {
    let path = beside(file, "stream-secret");
    if let Ok(bytes) = fs::read(&path)
        && let Ok(secret) = <[u8; 32]>::try_from(bytes)
    {
        return Ok(secret);
    }
    let secret = random()?;
    if let Err(error) = replace(&path, &[&secret]) {
        say(&format!("{}: {error}; after a restart clients fetch once more", path.display()));
    }
    Ok(secret)
}

/// 256 random bits of the system.
pub(crate) fn random() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn beside(file: &Path, what: &str) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(what);
    file.with_file_name(name)
}

/// Replaces a file as a whole; a crash at any instant leaves the old one or the new one. Only its
/// owner may read it.
fn replace(path: &Path, pieces: &[&[u8]]) -> io::Result<()> {
    let temporary = beside(path, "new");
    let mut file = File::create(&temporary)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    for piece in pieces {
        file.write_all(piece)?;
    }
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_found_again_and_damage_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("flags.json");
        assert_eq!(load(&file), Ok(None));
        save(&file, "{\n}").unwrap();
        assert_eq!(load(&file), Ok(Some("{\n}".to_owned())));
        let copy = folder.path().join("flags.json.last-good");
        let whole = fs::read(&copy).unwrap();
        for place in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[place] ^= 1;
            fs::write(&copy, &damaged).unwrap();
            assert!(load(&file).is_err(), "byte {place}");
            fs::write(&copy, &whole[..place]).unwrap();
            assert!(load(&file).is_err(), "cut at {place}");
        }
    }

    #[test]
    fn the_secret_lasts_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("flags.json");
        let say = |_: &str| {};
        let secret = stream_secret(&file, say).unwrap();
        assert_eq!(stream_secret(&file, say).unwrap(), secret);
        let kept = fs::metadata(folder.path().join("flags.json.stream-secret")).unwrap();
        assert_eq!(kept.permissions().mode() & 0o077, 0);
        assert_ne!(stream_secret(&folder.path().join("other.json"), say).unwrap(), secret);
    }
}
