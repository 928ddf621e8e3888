//! Why there is no plan. Nothing has happened when one of these is returned.

use crate::model::policy::{Authority, Domain};
use crate::model::{Generation, MigrationRef, ReleaseId};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A reason not to make or start a plan.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The wish is already fulfilled.
    #[error("{0} is already live, and nothing has drifted from it")]
    AlreadyLive(ReleaseId),
    /// The target of a rollback is what serves now.
    #[error("{0} is what serves now; there is nothing to roll back")]
    SameRelease(ReleaseId),
    /// Nothing was verified before what serves now.
    #[error("no earlier release was verified here, so there is nothing to roll back to")]
    NoTarget,
    /// A release that never served as verified is no target.
    #[error("{target} was never verified in this environment; verified are: {}", list(.available))]
    NotVerified {
        /// What was asked for.
        target: ReleaseId,
        /// What could be asked for.
        available: Vec<ReleaseId>,
    },
    /// The release was taken back before and is held.
    #[error("{release} is held because it was taken back: {because}")]
    Held {
        /// Which.
        release: ReleaseId,
        /// Why it was taken back.
        because: String,
    },
    /// The database has migrations that the release does not know.
    #[error("the database has migrations that {release} does not know: {}", list(.unknown))]
    UnknownMigrations {
        /// The release.
        release: ReleaseId,
        /// What it does not know.
        unknown: Vec<MigrationRef>,
    },
    /// An applied migration was edited.
    #[error("migration {migration} was changed after it was applied")]
    EditedMigration {
        /// Which.
        migration: MigrationRef,
    },
    /// A migration would have to run before one that is applied.
    #[error("migration {migration} comes before {latest}, which is already applied")]
    OutOfOrder {
        /// The late comer.
        migration: MigrationRef,
        /// The newest that is applied.
        latest: MigrationRef,
    },
    /// The plan has no way back and nobody accepted that.
    #[error("there is no way back from this: {} would be gone", list(.gone))]
    NoWayBack {
        /// What would be gone.
        gone: Vec<String>,
    },
    /// The release in service would not survive the change of schema beside the new one.
    #[error(
        "{stable} would not survive the schema change while it shares the requests with {release}, \
         because {}; deploy this one with strategy blue-green, which pauses requests, or split the \
         migration",
        list(.because)
    )]
    WouldNotSurvive {
        /// The release in service.
        stable: ReleaseId,
        /// The release to deploy.
        release: ReleaseId,
        /// What it would miss.
        because: Vec<String>,
    },
    /// The strategy's own steps make no plan.
    #[error("strategy {strategy} makes no plan: {why}")]
    NoSteps {
        /// Which strategy.
        strategy: String,
        /// What is wrong with it.
        why: String,
    },
    /// Ripcord may not do what the plan needs.
    #[error("this needs to act on {domain}, where the environment allows only `{authority}`")]
    NoAuthority {
        /// Where.
        domain: Domain,
        /// What is allowed.
        authority: Authority,
    },
    /// Something else happened since the plan was made.
    #[error("the plan was made for generation {based_on}, but the environment is at {current}")]
    Stale {
        /// What the plan expects.
        based_on: Generation,
        /// What is.
        current: Generation,
    },
    /// The plan contradicts itself.
    #[error("the plan does not hold together: {}", list(.0))]
    Unsound(Vec<String>),
}

fn list<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
