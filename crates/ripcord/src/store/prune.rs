//! Clearing away objects that no kept release names.

use crate::failure::Failure;
use crate::store::listing::Content;
use crate::store::object::{Store, unusable};
use ripcord_core::model::{Digest, Release, ReleaseId};
use std::collections::BTreeSet;
use std::fs;
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
    /// nothing is removed, because what it needs is not known.
    pub(crate) fn prune(
        &self,
        releases: &[Release],
        keep: &BTreeSet<ReleaseId>,
        now: SystemTime,
    ) -> Result<Pruned, Failure> {
        let mut named = BTreeSet::new();
        for release in releases.iter().filter(|release| keep.contains(&release.id)) {
            named.extend(self.named_by(release)?);
        }
        let mut pruned = Pruned::default();
        for (digest, path) in self.all().map_err(|error| unusable("store".as_ref(), &error))? {
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
        for migration in &release.migrations {
            named.insert(migration.migration.checksum.clone());
            named.extend(migration.down.clone());
        }
        Ok(named)
    }
}
