//! Recreating a release's directory from the store: `artifact/`, `config/` and `release.json`.
//! It appears whole or not at all, and is rebuilt when a file in it is not as it was frozen.

use crate::failure::{Code, Failure};
use crate::store::listing::{Content, Listed, Listing, is_inner, stays_inside};
use crate::store::manifest::manifest;
use crate::store::object::{Store, copy, unusable};
use ripcord_core::model::{Digest, Release};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::PoisonError;
use tempfile::TempDir;

/// The mode of a configuration file: its owner alone, since people do write secrets into them.
const CONFIG_MODE: u32 = 0o600;

impl Store {
    /// Ensures that `directory` holds the release as it was frozen. Files that a service added
    /// beside the frozen ones are left alone while these are sound.
    ///
    /// A release that was cleared away is refused, which is another matter than damage.
    pub(crate) fn materialise(&self, release: &Release, directory: &Path) -> Result<(), Failure> {
        self.materialise_or_fail(release, directory).map_err(|failure| {
            if failure.code != Code::StoreDamaged || !self.was_cleared(&release.id) {
                return failure;
            }
            let id = &release.id;
            let what = format!("{id} was cleared away, because no rollback window needed it");
            Failure::new(Code::ReleasePruned, what)
                .hint("freeze the same content again, or choose a newer release")
        })
    }

    fn materialise_or_fail(&self, release: &Release, directory: &Path) -> Result<(), Failure> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let listing = self.listing(release)?;
        if is_sound(release, &listing, directory) {
            return Ok(());
        }
        let built = self.build(release, &listing, directory);
        built.map_err(|failure| in_release(release, failure))
    }

    /// The listing of a release's artifact.
    pub(super) fn listing(&self, release: &Release) -> Result<Listing, Failure> {
        let damaged = |what: String| Failure::new(Code::StoreDamaged, what);
        let bytes = self.read(&release.artifact).map_err(|failure| in_release(release, failure))?;
        let listing: Listing = serde_json::from_slice(&bytes)
            .map_err(|error| damaged(format!("the artifact of {}: {error}", release.id)))?;
        let stray = listing.entries.iter().find(|entry| !is_contained(entry));
        match stray {
            Some(entry) => Err(damaged(format!(
                "the artifact of {} leads outside of it: {}",
                release.id, entry.path
            ))),
            None => Ok(listing),
        }
    }

    fn build(&self, release: &Release, listing: &Listing, directory: &Path) -> Result<(), Failure> {
        let parent = directory.parent().unwrap_or(directory);
        let wrong = |error: io::Error| unusable(directory, &error);
        fs::create_dir_all(parent).map_err(wrong)?;
        let building =
            tempfile::Builder::new().prefix(".building-").tempdir_in(parent).map_err(wrong)?;
        let root = building.path();
        fs::set_permissions(root, Permissions::from_mode(0o755)).map_err(wrong)?;
        let artifact = root.join("artifact");
        fs::create_dir(&artifact).map_err(wrong)?;
        for entry in &listing.entries {
            self.build_entry(entry, &artifact)?;
        }
        let config = root.join("config");
        fs::create_dir(&config).map_err(wrong)?;
        for (name, digest) in &release.config {
            if !is_inner(name) {
                let what =
                    format!("the configuration file {name:?} of {} leads outside", release.id);
                return Err(Failure::new(Code::StoreDamaged, what));
            }
            self.build_file(&config.join(name), digest, CONFIG_MODE)?;
        }
        fs::write(root.join("release.json"), manifest(release)?).map_err(wrong)?;
        sync(root).map_err(wrong)?;
        exchange(building, directory, parent).map_err(wrong)
    }

    fn build_entry(&self, entry: &Listed, artifact: &Path) -> Result<(), Failure> {
        let path = artifact.join(&entry.path);
        match &entry.content {
            Content::Directory => {
                fs::create_dir_all(&path).map_err(|error| unusable(&path, &error))
            }
            Content::Link { target } => {
                symlink(target, &path).map_err(|error| unusable(&path, &error))
            }
            Content::File { mode, digest, .. } => self.build_file(&path, digest, *mode),
        }
    }

    fn build_file(&self, path: &Path, digest: &Digest, mode: u32) -> Result<(), Failure> {
        let wrong = |error: io::Error| unusable(path, &error);
        fs::create_dir_all(path.parent().unwrap_or(path)).map_err(wrong)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(wrong)?;
        self.copy_to(digest, &mut file)?;
        // Set at the end: the file may be read-only, and the umask is not asked.
        file.set_permissions(Permissions::from_mode(mode)).map_err(wrong)?;
        file.sync_all().map_err(wrong)
    }
}

fn in_release(release: &Release, mut failure: Failure) -> Failure {
    failure.error = format!("release {}: {}", release.id, failure.error);
    failure
}

fn is_contained(entry: &Listed) -> bool {
    let inner = is_inner(&entry.path);
    match &entry.content {
        Content::Link { target } => {
            inner && stays_inside(Path::new(&entry.path), Path::new(target))
        }
        Content::Directory | Content::File { .. } => inner,
    }
}

/// Whether everything that was frozen is there, to the byte and the mode.
fn is_sound(release: &Release, listing: &Listing, directory: &Path) -> bool {
    let artifact = directory.join("artifact");
    let entries = listing.entries.iter().all(|entry| {
        let path = artifact.join(&entry.path);
        match &entry.content {
            Content::Directory => fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir()),
            Content::Link { target } => {
                fs::read_link(&path).is_ok_and(|found| found == Path::new(target))
            }
            Content::File { mode, digest, .. } => has_file(&path, digest, *mode),
        }
    });
    let config = directory.join("config");
    entries
        && config.is_dir()
        && release.config.iter().all(|(name, digest)| {
            is_inner(name) && has_file(&config.join(name), digest, CONFIG_MODE)
        })
}

fn has_file(path: &Path, digest: &Digest, mode: u32) -> bool {
    let Ok(metadata) = fs::symlink_metadata(path) else { return false };
    if !metadata.is_file() || metadata.permissions().mode() & 0o777 != mode {
        return false;
    }
    let found = File::open(path).and_then(|mut file| copy(&mut file, &mut io::sink()));
    found.is_ok_and(|(found, _)| &found == digest)
}

/// Puts the built directory in its place. Between the two renames there is none, which the next
/// call mends; there is never a half one.
fn exchange(building: TempDir, directory: &Path, parent: &Path) -> io::Result<()> {
    let old = tempfile::Builder::new().prefix(".replaced-").tempdir_in(parent)?;
    match fs::rename(directory, old.path().join("release")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::rename(building.path(), directory)?;
    // It has another name now, and there is nothing left to clear away.
    drop(building.keep());
    File::open(parent)?.sync_all()
}

/// Makes the names in all directories below durable.
fn sync(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync(&entry.path())?;
        }
    }
    File::open(directory)?.sync_all()
}
