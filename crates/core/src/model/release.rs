//! A release: the immutable bundle of everything that changes together and goes back together.

use crate::model::{Digest, MigrationRef, MigrationVersion, Origin, ReleaseId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything that belongs to one version of a service, by digest. Written once, never changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The version of this document's shape.
    pub format: u32,
    /// The unique version.
    pub id: ReleaseId,
    /// The service it belongs to.
    pub service: String,
    /// The digest of the artifact's listing (path, mode and digest of each file).
    pub artifact: Digest,
    /// How an instance is started, the artifact's directory being the working directory.
    pub command: Vec<String>,
    /// What else runs beside the instances that answer requests, by name: `worker`, `cron`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub roles: BTreeMap<String, Role>,
    /// Configuration files by the name under which the service finds them.
    pub config: BTreeMap<String, Digest>,
    /// Environment variables; secrets stand here as references, never as values.
    pub environment: BTreeMap<String, String>,
    /// All migrations of the release's folder in order, also those applied long ago.
    pub migrations: Vec<ReleaseMigration>,
    /// The flags it wants.
    pub flags: FlagSet,
    /// Where it came from.
    pub source: Source,
    /// Who froze it.
    pub created_by: String,
    /// When it was frozen.
    pub created_at: Timestamp,
}

impl Release {
    /// The version of the document's shape that this code writes.
    pub const FORMAT: u32 = 1;

    /// The digest of configuration files and environment together.
    pub fn config_digest(&self) -> Digest {
        crate::model::digest_of(&(&self.config, &self.environment))
    }

    /// The digest of what was frozen, without number, author and time: equal content, equal digest.
    pub fn content_digest(&self) -> Digest {
        let content = (
            (&self.service, &self.artifact, &self.command),
            (&self.config, &self.environment, &self.migrations, &self.flags),
        );
        // Releases frozen before there were roles keep their digest.
        if self.roles.is_empty() {
            return crate::model::digest_of(&content);
        }
        crate::model::digest_of(&(content, &self.roles))
    }
}

/// A part of a release that answers no requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// How an instance is started, the artifact's directory being the working directory.
    pub command: Vec<String>,
    /// How many instances there are.
    pub instances: u32,
}

/// A migration as a release carries it: both scripts, by digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseMigration {
    /// Which; its checksum is the digest of the up script.
    pub migration: MigrationRef,
    /// The digest of the down script, where there is one.
    pub down: Option<Digest>,
    /// How it stands in the folder of another tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// The flags document of a release, in flagd's format.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlagSet {
    /// The digest of the document; none when the service has no flags file.
    pub document: Option<Digest>,
    /// The default variant of each flag, for people and for comparison: `on`, `off`, `blue`;
    /// `disabled` for a flag whose state is DISABLED.
    pub defaults: BTreeMap<String, String>,
    /// The flags that belong to this release: its rollback turns them off first.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub wishes: BTreeMap<String, FlagWish>,
    /// The flags at other people's services that belong to this release, by service and key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<String, BTreeMap<String, FlagWish>>,
}

impl FlagSet {
    /// What it wants of a flag at a service.
    pub fn at(&self, service: &str, key: &str) -> Option<&FlagWish> {
        self.services.get(service)?.get(key)
    }
}

/// What a release wants of one flag.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlagWish {
    /// What it should be: a variant or a share; the document says so already. None: as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub want: Option<String>,
    /// The migration without which it must not be served on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requires_schema: Option<MigrationVersion>,
}

/// The commit that a release was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The git commit, where there is a repository.
    pub commit: Option<String>,
    /// Whether the working tree differed from that commit.
    pub dirty: bool,
}
