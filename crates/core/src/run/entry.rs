//! One line of the ledger. Entries are only ever added; each names the digest of the one before.

use crate::model::{Digest, EnvironmentName, Fence, PlanId, ReleaseId, StepId};
use crate::run::event::Event;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A fact, as it is about to be written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    /// What it is about.
    pub subject: Subject,
    /// Who caused it: a person, or `ripcord`.
    pub by: String,
    /// What happened.
    pub event: Event,
}

/// A fact, as it stands in the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place: 1, 2, 3, without gaps.
    pub sequence: u64,
    /// What it is about.
    pub subject: Subject,
    /// The fence of the controller that wrote it.
    pub fence: Fence,
    /// When, for people; it decides nothing.
    pub at: Timestamp,
    /// Who caused it.
    pub by: String,
    /// What happened.
    pub event: Event,
    /// The digest of the entry before; of nothing for the first.
    pub previous: Digest,
}

impl Entry {
    /// The digest that the next entry names as its `previous`.
    pub fn digest(&self) -> Digest {
        crate::model::digest_of(self)
    }
}

/// What an entry is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A plan, or one of its steps.
    Plan {
        /// Where it runs.
        environment: EnvironmentName,
        /// Which.
        plan: PlanId,
        /// Which step; 0 for the plan as a whole.
        step: StepId,
    },
    /// A release.
    Release(ReleaseId),
    /// An environment.
    Environment(EnvironmentName),
    /// The flags of an environment.
    Flags(EnvironmentName),
    /// The controller itself.
    Controller,
}

impl Subject {
    /// The environment it belongs to, if any.
    pub fn environment(&self) -> Option<&EnvironmentName> {
        match self {
            Subject::Plan { environment, .. }
            | Subject::Environment(environment)
            | Subject::Flags(environment) => Some(environment),
            Subject::Release(_) | Subject::Controller => None,
        }
    }
}
