//! The nouns: identifiers, releases, traffic, flags, migrations and environments.

pub mod environment;
pub mod ids;
pub mod migration;
pub mod policy;
pub mod release;
pub mod strategy;
pub mod traffic;

pub use environment::{Environment, Instances};
pub use ids::{
    ChangeId, Digest, EnvironmentName, Fence, Generation, PlanId, ReleaseId, StepId, digest_of,
};
pub use migration::{AppliedMigration, MigrationRef, MigrationVersion, Origin, OriginScript};
pub use policy::{Authorities, Authority, Domain, Policy};
pub use release::{FlagSet, FlagWish, Release, ReleaseMigration, Role, Source};
pub use strategy::{Canary, CanaryStep, Rolling, Strategy};
pub use traffic::{
    Draw, HoldLimits, Lease, Match, Pattern, Requests, Rule, Share, Split, SplitError, Sticky,
    StickyKey, TrafficState,
};
