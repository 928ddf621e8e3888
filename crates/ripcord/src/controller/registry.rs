//! All releases that were ever frozen here, from the ledger, by id.

use ripcord_core::model::{Release, ReleaseId};
use ripcord_core::run::{Entry, Event};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Shared by everything that looks a release up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Registry {
    releases: Arc<RwLock<BTreeMap<u64, Release>>>,
}

impl Registry {
    /// Takes over the releases that these entries tell of.
    pub(crate) fn take<'a>(&self, entries: impl IntoIterator<Item = &'a Entry>) {
        for entry in entries {
            if let Event::ReleaseCreated { release } = &entry.event {
                self.add(Release::clone(release));
            }
        }
    }

    pub(crate) fn add(&self, release: Release) {
        let number = release.id.number().unwrap_or(0);
        self.releases.write().unwrap_or_else(PoisonError::into_inner).insert(number, release);
    }

    pub(crate) fn get(&self, id: &ReleaseId) -> Option<Release> {
        let releases = self.releases.read().unwrap_or_else(PoisonError::into_inner);
        releases.get(&id.number()?).cloned()
    }

    /// All releases, oldest first.
    pub(crate) fn all(&self) -> Vec<Release> {
        let releases = self.releases.read().unwrap_or_else(PoisonError::into_inner);
        releases.values().cloned().collect()
    }

    /// The id that the next release gets.
    pub(crate) fn next_id(&self) -> ReleaseId {
        let releases = self.releases.read().unwrap_or_else(PoisonError::into_inner);
        ReleaseId::numbered(releases.keys().next_back().map_or(1, |last| last + 1))
    }

    /// A release with exactly this content.
    pub(crate) fn same_content(&self, release: &Release) -> Option<Release> {
        let digest = release.content_digest();
        self.all().into_iter().find(|known| known.content_digest() == digest)
    }
}
