//! Effects: things to make true. Always "ensure", never "add": twice is the same as once.

use crate::analysis::JudgePolicy;
use crate::flag::{FlagChange, LayerChange, ServiceChange, ServiceFlag, ServiceMoment};
use crate::model::ids::Millis;
use crate::model::policy::{CheckSpec, Domain, ResourceSpec};
use crate::model::{Digest, ReleaseId, TrafficState};
use crate::schema::{SchemaChange, Wanted};
use serde::{Deserialize, Serialize};

/// One thing to make true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// A consistent copy of the database exists under this name.
    EnsureBackup {
        /// The name; the same name is the same copy.
        name: String,
    },
    /// A change of the schema is made or unmade.
    EnsureSchema {
        /// Which.
        change: SchemaChange,
        /// Which of the two.
        wanted: Wanted,
    },
    /// The environment's configuration is that of this release; none: of no release.
    EnsureConfig {
        /// Whose.
        release: Option<ReleaseId>,
    },
    /// This many instances of a release run and answer their health check; 0: none runs.
    EnsureInstances {
        /// Of which release.
        release: ReleaseId,
        /// How many.
        count: u32,
    },
    /// This many instances of a release's role beside the web run; 0: none runs.
    EnsureRole {
        /// Of which release.
        release: ReleaseId,
        /// Which role: `worker`, `cron`.
        role: String,
        /// How many.
        count: u32,
    },
    /// The proxy does exactly this, and releases that lost their traffic are drained.
    EnsureTraffic {
        /// What it does.
        state: TrafficState,
        /// How long requests in flight may take to end.
        drain_ms_max: Millis,
    },
    /// The flags document in force is this one; none: the service has no flags.
    EnsureFlags {
        /// Its digest.
        document: Option<Digest>,
    },
    /// The flags have changed so; what somebody changed otherwise stays as they made it.
    EnsureFlagChange(FlagChange),
    /// The flags of a release are off whatever their document says, or no longer.
    EnsureFlagLayer(LayerChange),
    /// Clients have heard of the flags in force, or it was waited long enough for them.
    ConfirmFlags {
        /// How long to wait.
        wait_ms_max: Millis,
    },
    /// What these flags are at their services is in the journal, where it can be known.
    RecordServiceFlags {
        /// Which.
        flags: Vec<ServiceFlag>,
        /// At which moment.
        moment: ServiceMoment,
    },
    /// A flag at somebody else's service has changed so.
    EnsureServiceFlag(Box<ServiceChange>),
    /// Clients have had the time to hear of what changed at services, if anything did.
    SettleServiceFlags {
        /// How long.
        wait_ms: Millis,
    },
    /// A user's own piece of infrastructure is as wanted.
    EnsureResource {
        /// Which, with its commands.
        resource: ResourceSpec,
        /// For which release its command runs.
        release: ReleaseId,
        /// Applied or reverted.
        state: ResourceState,
    },
    /// The release is watched; fails when the evidence says that it is bad.
    Bake(Bake),
    /// Two releases are compared while both serve; fails when one is shown to be worse.
    Analysis(Analysis),
    /// All of this holds.
    Verify {
        /// What.
        checks: Vec<VerifyCheck>,
    },
    /// A person has approved.
    Approve {
        /// What they are asked.
        question: String,
    },
}

/// Whether infrastructure is as the new release needs it, or as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceState {
    /// Its `apply` command has run.
    Applied,
    /// Its `revert` command has run.
    Reverted,
}

/// How a release is watched after the switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bake {
    /// The release that is watched.
    pub release: ReleaseId,
    /// The release that served before, whose history says what is usual.
    pub before: Option<ReleaseId>,
    /// How long.
    pub duration_ms: Millis,
    /// The tolerated share of errors in hundredths of a percent, when history says less.
    pub error_floor: u16,
    /// By which rules; none: by those of a deploy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judge: Option<Box<JudgePolicy>>,
}

/// How two releases are compared while both serve. What was seen in one step of a plan counts in
/// the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Analysis {
    /// The release that is judged.
    pub canary: ReleaseId,
    /// The release that it is compared with.
    pub stable: ReleaseId,
    /// What the proxy does meanwhile; its lease is renewed, and it is ensured again after a lapse.
    pub traffic: TrafficState,
    /// How long requests in flight may take to end when it is ensured again.
    pub drain_ms_max: Millis,
    /// How long.
    pub until: Until,
    /// By which rules.
    pub judge: Box<JudgePolicy>,
}

/// When a comparison ends well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// After this time, unless the release is under suspicion then.
    Elapsed {
        /// How long.
        ms: Millis,
    },
    /// When the canary is shown to be no worse; when that takes longer, a person is asked.
    Judged {
        /// How long it may take.
        ms_max: Millis,
    },
    /// When a person promotes.
    Promoted {
        /// What they are asked.
        question: String,
    },
}

/// Something that must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerifyCheck {
    /// A check of the user's own, made at the preview address.
    Preview {
        /// Which.
        check: CheckSpec,
        /// For which release.
        release: ReleaseId,
    },
    /// The catalogue has this digest.
    Schema {
        /// The digest.
        digest: Digest,
    },
    /// The database's own check of its integrity, and that of every foreign key, finds nothing.
    Integrity,
    /// Exactly this many instances of a release are ready.
    Ready {
        /// Of which release.
        release: ReleaseId,
        /// At least how many.
        count: u32,
    },
    /// The proxy does this.
    Traffic {
        /// What it does.
        state: TrafficState,
    },
    /// The configuration in force is that of this release, to the byte.
    Config {
        /// Whose.
        release: ReleaseId,
    },
    /// The flags in force are these.
    Flags {
        /// The digest of their document.
        document: Option<Digest>,
    },
    /// The flags in force are what the ledger says.
    FlagsAgree,
}

/// How a step is taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undo {
    /// There is nothing to take back.
    Nothing,
    /// Make these true, in this order.
    Apply(Vec<Effect>),
    /// It cannot be taken back whole: this is lost. Stated before, accepted by a person.
    Loses(Vec<String>),
}

impl Effect {
    /// The domain of authority it needs; none for what only looks or asks.
    pub fn domain(&self) -> Option<Domain> {
        match self {
            Effect::EnsureBackup { .. } | Effect::EnsureSchema { .. } => Some(Domain::Database),
            Effect::EnsureConfig { .. }
            | Effect::EnsureInstances { .. }
            | Effect::EnsureRole { .. }
            | Effect::EnsureResource { .. } => Some(Domain::Config),
            Effect::EnsureTraffic { .. } => Some(Domain::Traffic),
            Effect::EnsureFlags { .. }
            | Effect::EnsureFlagChange(_)
            | Effect::EnsureFlagLayer(_)
            | Effect::EnsureServiceFlag(_) => Some(Domain::Flags),
            Effect::Bake(_)
            | Effect::Analysis(_)
            | Effect::Verify { .. }
            | Effect::ConfirmFlags { .. }
            | Effect::RecordServiceFlags { .. }
            | Effect::SettleServiceFlags { .. }
            | Effect::Approve { .. } => None,
        }
    }
}

impl Until {
    /// How long one attempt may take; a question to a person has no end of its own, so it is asked
    /// anew after a day.
    pub fn longest_ms(&self) -> Millis {
        match self {
            Until::Elapsed { ms } | Until::Judged { ms_max: ms } => *ms,
            Until::Promoted { .. } => 24 * 3_600_000,
        }
    }
}
