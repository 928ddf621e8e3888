//! Clearing away the directories of releases that nobody needs, and the objects that no kept
//! release names. Migrations are never cleared away: any later release may need their scripts to
//! take a schema back, and they are small.

use crate::failure::Failure;
use crate::store::listing::Content;
use crate::store::object::{Store, unusable};
use ripcord_core::model::{Digest, Release, ReleaseId};
use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::PoisonError;
use std::time::{Duration, SystemTime};

/// Objects younger than this stay: they may belong to a release that is being frozen.
const YOUNG: Duration = Duration::from_hours(1);

/// What was cleared away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Pruned {
    /// How many objects.
    pub(crate) objects: u64,
    /// How many bytes.
    pub(crate) bytes: u64,
}

impl Store {
    /// Removes every object that none of the kept releases names. If one of them cannot be read,
    /// nothing is removed, because what it needs is not known. Ends early when `halt` says so.
    pub(crate) fn prune(
        &self,
        releases: &[Release],
        keep: &BTreeSet<ReleaseId>,
        flags: &BTreeSet<Digest>,
        now: SystemTime,
        halt: &dyn Fn() -> bool,
    ) -> Result<Pruned, Failure> {
        // Every revision of the flags stays: history and the way back need them, and they are small.
        let mut named = flags.clone();
        for release in releases.iter().filter(|release| keep.contains(&release.id)) {
            named.extend(self.named_by(release)?);
        }
        for migration in releases.iter().flat_map(|release| &release.migrations) {
            named.insert(migration.migration.checksum.clone());
            named.extend(migration.down.clone());
        }
        let mut pruned = Pruned::default();
        for (digest, path) in self.all().map_err(|error| unusable("store".as_ref(), &error))? {
            if halt() {
                break;
            }
            let Ok(metadata) = fs::metadata(&path) else { continue };
            let age = metadata.modified().ok().and_then(|then| now.duration_since(then).ok());
            let is_old = age.is_some_and(|age| age >= YOUNG);
            if named.contains(&digest) || !is_old {
                continue;
            }
            fs::remove_file(&path).map_err(|error| unusable(&path, &error))?;
            pruned.objects += 1;
            pruned.bytes += metadata.len();
        }
        Ok(pruned)
    }

    fn named_by(&self, release: &Release) -> Result<BTreeSet<Digest>, Failure> {
        let mut named = BTreeSet::from([release.artifact.clone()]);
        for entry in self.listing(release)?.entries {
            if let Content::File { digest, .. } = entry.content {
                named.insert(digest);
            }
        }
        named.extend(release.config.values().cloned());
        named.extend(release.flags.document.clone());
        Ok(named)
    }

    /// Removes the directory of a release. What is left after a crash is no whole release, and is
    /// built anew when it is wanted.
    pub(crate) fn discard(&self, directory: &Path) -> Result<(), Failure> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        match fs::remove_dir_all(directory) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(unusable(directory, &error)),
            _ => Ok(()),
        }
    }

    /// Notes that these releases may lack files from now on.
    pub(crate) fn note_cleared<'a>(&self, releases: impl IntoIterator<Item = &'a ReleaseId>) {
        let mut cleared = self.cleared.write().unwrap_or_else(PoisonError::into_inner);
        cleared.extend(releases.into_iter().cloned());
    }

    /// Whether a release was ever cleared away; frozen again, it may be whole nevertheless.
    pub(crate) fn was_cleared(&self, release: &ReleaseId) -> bool {
        self.cleared.read().unwrap_or_else(PoisonError::into_inner).contains(release)
    }
}
