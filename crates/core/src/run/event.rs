//! What can happen. The serialised form is read by old and new binaries: kinds are added, never
//! changed.

use crate::analysis::{Alarm, Reference, Sample, Tick};
use crate::flag::{FlagRevision, ServiceSeen};
use crate::model::ids::Millis;
use crate::model::{Digest, Release, ReleaseId, StepId};
use crate::plan::Plan;
use crate::schema::Counted;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A fact of the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A plan begins; from here on its environment has its next generation.
    PlanStarted {
        /// The whole plan.
        plan: Arc<Plan>,
    },
    /// An attempt at a step begins. Without a word after it, the step is in doubt.
    Started,
    /// The step's effect holds.
    Succeeded {
        /// What was done.
        receipt: Receipt,
    },
    /// The step failed for good.
    Failed {
        /// Of what kind.
        kind: FailureKind,
        /// What happened.
        error: String,
    },
    /// Something was seen on the way; it changes no state of a step.
    Observed {
        /// What.
        observation: Observation,
    },
    /// The decision to go back; written once, before the first undo.
    TurnedBack {
        /// Why.
        reason: TurnReason,
    },
    /// An attempt at an undo begins.
    UndoStarted,
    /// The step is taken back.
    UndoSucceeded {
        /// What was done.
        receipt: Receipt,
    },
    /// The undo failed for good; a person is needed.
    UndoFailed {
        /// What happened.
        error: String,
        /// What a person can do, as commands.
        commands: Vec<String>,
    },
    /// A person asks to go back; the executor turns the plan back as its next act.
    AbortRequested {
        /// Why.
        reason: String,
    },
    /// A person stops the progress.
    Paused {
        /// Why.
        reason: String,
    },
    /// A person lets it go on.
    Resumed,
    /// A person approves, and ends waiting and watching.
    Promoted,
    /// A person ends all waiting and watching of the plan.
    PromotedFully,
    /// A person wants the plan to go on from an earlier step, whose effect is ensured anew.
    JumpedBack {
        /// The step.
        to: StepId,
    },
    /// A person asks to try again what needed them.
    Retried,
    /// The plan is over.
    Finished {
        /// How.
        outcome: Outcome,
    },
    /// A release was frozen.
    ReleaseCreated {
        /// The whole release.
        release: Box<Release>,
    },
    /// A downtime window begins.
    MaintenanceOn {
        /// Why.
        reason: String,
        /// The fingerprint of each table, taken once no request was in flight.
        fingerprints: BTreeMap<String, Digest>,
    },
    /// A downtime window ends.
    MaintenanceOff {
        /// The tables whose fingerprint is not that of the beginning.
        written: Vec<String>,
    },
    /// The old release was stopped because its time to be kept warm is over.
    WarmEnded {
        /// Which.
        release: ReleaseId,
    },
    /// The world had drifted from what it should be and was put right.
    Repaired {
        /// What was wrong, and what was done.
        what: String,
    },
    /// What no rollback window needs any more was cleared away from the store.
    Pruned {
        /// The releases that can no longer be targets, unless they are frozen again.
        releases: Vec<ReleaseId>,
    },
    /// The flags of an environment changed.
    FlagsRevised {
        /// The whole revision.
        revision: Box<FlagRevision>,
    },
    /// A controller took over.
    ControllerStarted {
        /// Its version.
        version: String,
    },
}

/// What was done by an effect.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Receipt {
    /// In one line, for people.
    pub what: String,
    /// How long it took.
    pub took_ms: Millis,
    /// Set aside by it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<Counted>,
    /// Brought back by it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restored: Vec<Counted>,
    /// Put out of sight by it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<Counted>,
    /// Destroyed by it for good.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<Counted>,
}

impl Event {
    /// Whether it is a person's request, which is legal at any time and ignored after the end.
    pub fn is_request(&self) -> bool {
        use Event::{
            AbortRequested, JumpedBack, Paused, Promoted, PromotedFully, Resumed, Retried,
        };
        matches!(
            self,
            AbortRequested { .. }
                | Paused { .. }
                | Resumed
                | Promoted
                | PromotedFully
                | JumpedBack { .. }
                | Retried
        )
    }
}

impl Observation {
    /// Whether the judge of a comparison takes it into account.
    pub fn is_evidence(&self) -> bool {
        use Observation::{Judged, Reference, Sampled};
        matches!(self, Judged { .. } | Reference { .. } | Sampled { .. })
    }
}

impl Receipt {
    /// A receipt that only says what was done.
    pub fn of(what: impl Into<String>) -> Receipt {
        Receipt { what: what.into(), ..Receipt::default() }
    }
}

/// Why a step failed for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The world said no.
    Definite,
    /// It took longer than the plan allows.
    Deadline,
    /// It was tried as often as the plan allows.
    Exhausted,
    /// The release was found bad.
    Evidence,
    /// A person has to do something, or to allow it; the plan waits for them.
    NeedsPerson,
}

/// Something seen while a step runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Observation {
    /// The counts of the watched release, from which the judge's decision can be replayed.
    Watched {
        /// How long it has been watched.
        elapsed_ms: Millis,
        /// Requests answered since the switch.
        requests: u64,
        /// Of these, errors.
        errors: u64,
        /// The tolerated share of errors, between 0 and 1.
        tolerated: f64,
        /// The evidence against the release; 100 is enough to go back.
        evidence: f64,
    },
    /// What stable's latency was before the comparison began; the judge's yardstick.
    Reference {
        /// The distribution.
        reference: Reference,
    },
    /// Requests that were divided by chance, since the observation before. All of a plan's
    /// together, taken in order, are what its judge has seen.
    Judged {
        /// How long this step has watched.
        elapsed_ms: Millis,
        /// Which run of the proxy counted.
        epoch: u64,
        /// Which of its states divided them.
        period: u64,
        /// The counts.
        tick: Tick,
        /// The evidence against the canary after them, for people; 100 is enough by default.
        evidence: f64,
    },
    /// What a source of metrics said.
    Sampled {
        /// It.
        sample: Sample,
    },
    /// The proxy had heard nothing for too long and had gone where its lease said.
    Lapsed,
    /// The judge would have gone back, where it may only look.
    WouldGoBack {
        /// Why.
        because: String,
    },
    /// What watches a release that nothing can be compared with found it bad.
    Alarm {
        /// What found it.
        by: Alarm,
        /// Why.
        because: String,
        /// Why it is not to blame, if it is not: what served before failed likewise.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        shared: Option<String>,
    },
    /// The judge lacks data; neither forward nor back.
    Undecided {
        /// What it lacks.
        because: String,
    },
    /// A flag at somebody else's service.
    ServiceFlag {
        /// What it was, and at which moment.
        seen: Box<ServiceSeen>,
    },
    /// An attempt did not succeed and will be repeated.
    Retrying {
        /// What happened.
        error: String,
    },
}

/// Why a plan goes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnReason {
    /// A step failed.
    Failure(String),
    /// The release was found bad.
    Evidence(String),
    /// A person aborted.
    Operator(String),
}

impl std::fmt::Display for TurnReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            TurnReason::Failure(why) | TurnReason::Evidence(why) => f.write_str(why),
            TurnReason::Operator(why) if why.is_empty() => f.write_str("aborted"),
            TurnReason::Operator(why) => write!(f, "aborted: {why}"),
        }
    }
}

/// How a plan ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Its target serves, verified.
    Live,
    /// Everything is as before the plan.
    WentBack(TurnReason),
}
