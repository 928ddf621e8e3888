//! Migrations as names: which there are and which a database has. Their meaning is in `schema`.

use crate::model::Digest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The version of a migration as its tool orders it: the number before the first underscore.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct MigrationVersion(pub u64);

impl fmt::Display for MigrationVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// One migration, identified by version and by the digest of its forward script.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MigrationRef {
    /// Its place in the order.
    pub version: MigrationVersion,
    /// Its name, for people.
    pub name: String,
    /// The digest of the up script's bytes.
    pub checksum: Digest,
}

impl fmt::Display for MigrationRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.version, self.name)
    }
}

/// A migration that a database has, as the database itself says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedMigration {
    /// Which.
    pub migration: MigrationRef,
    /// When, by the database's clock.
    pub at: Timestamp,
}
