//! One change of a schema as a plan carries it: self-contained, so that what people approve is
//! exactly what runs, scripts included.

use crate::model::{ChangeId, Digest, MigrationRef, Origin};
use serde::{Deserialize, Serialize};

/// A list of migrations to run in one direction, as one unit that is made or unmade as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaChange {
    /// Names the change at its receiver, which makes it at most once.
    pub id: ChangeId,
    /// Which way the scripts run when the change is made.
    pub direction: Direction,
    /// The migrations, in ascending order of version whatever the direction.
    pub scripts: Vec<MigrationScript>,
    /// The digest of the catalogue that the change expects to find.
    pub from: Digest,
    /// The digest of the catalogue that it leaves, as rehearsed when the plan was made.
    pub to: Digest,
    /// The most rows and values that may be destroyed for good, as stated in the forecast. The
    /// change counts again under the lock and refuses to destroy more.
    pub gone_max: u64,
}

/// Which way scripts run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Forward, the up scripts.
    Up,
    /// Back, the down scripts or what stands in for them.
    Down,
}

/// What a change should be: in force, or as if it had never happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// The change is in force.
    Made,
    /// The change is taken back, or prevented if it never arrived.
    Unmade,
}

/// A migration with its scripts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigrationScript {
    /// Which.
    pub migration: MigrationRef,
    /// The forward script.
    pub up: String,
    /// The backward script, if its author wrote one.
    pub down: Option<String>,
    /// How it stands in the folder of the tool that it was written for; none where no other tool
    /// than Ripcord runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}
