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

/// What another tool knows of a migration, so that it and Ripcord can take turns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The tool, by its name.
    pub tool: String,
    /// The table in which the tool remembers what it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<String>,
    /// The version as the tool writes it.
    pub version: String,
    /// The checksum that the tool computes of it, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    /// The forward script's file and how it runs.
    pub up: OriginScript,
    /// The backward script's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down: Option<OriginScript>,
}

/// One script of another tool's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OriginScript {
    /// Its file, relative to the folder.
    pub file: String,
    /// In which transactions the tool runs it, by a word of the crate of target databases.
    pub runs: String,
}
