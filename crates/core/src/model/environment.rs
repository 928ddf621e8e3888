//! An environment as last observed: all that planning ever sees of the world.

use crate::analysis::Past;
use crate::model::{
    AppliedMigration, Authorities, Digest, EnvironmentName, Generation, Policy, ReleaseId,
    TrafficState,
};
use crate::run::History;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is live in one environment, as observed at one moment, and what its owner wants of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Its name.
    pub name: EnvironmentName,
    /// Counts what has begun here; a plan is for exactly one generation.
    pub generation: Generation,
    /// What the ledger says has happened here.
    pub history: History,
    /// What the proxy does.
    pub traffic: TrafficState,
    /// The instances of each release that has any.
    pub instances: BTreeMap<ReleaseId, Instances>,
    /// The instances of the roles beside the web, of each release that has any.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub roles: BTreeMap<ReleaseId, BTreeMap<String, Instances>>,
    /// The state of the database; none when the service has none.
    pub schema: Option<SchemaState>,
    /// The release whose configuration is in force.
    pub config: Option<ReleaseId>,
    /// The digest of the flags document in force; none before the first.
    pub flags: Option<Digest>,
    /// What the release in service has answered so far; none where nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub past: Option<Past>,
    /// The owner's wishes.
    pub policy: Policy,
    /// How far Ripcord may go.
    pub authority: Authorities,
    /// When this was observed.
    pub observed_at: Timestamp,
}

/// How many instances of a release there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Instances {
    /// How many are asked for.
    pub wanted: u32,
    /// How many answer their health check.
    pub ready: u32,
}

/// A database as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaState {
    /// The digest of the catalogue.
    pub digest: Digest,
    /// The migrations it has, oldest first.
    pub applied: Vec<AppliedMigration>,
}
