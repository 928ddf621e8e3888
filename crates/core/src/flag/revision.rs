//! Revisions: the flags of an environment at one moment, whole. They are only ever added; going
//! back is a new one with older content. The present one is the fold of the ledger.

use crate::model::{Digest, MigrationVersion, PlanId, ReleaseId, StepId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The flags of an environment from one moment to the next revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlagRevision {
    /// Its place: 1, 2, 3, without gaps.
    pub number: u64,
    /// The revision that it was made from; 0 for the first.
    pub parent: u64,
    /// The document as people and releases want it; none: there are no flags.
    pub document: Option<Digest>,
    /// The document that is served: with what the layers turn off.
    pub in_force: Option<Digest>,
    /// What is off whatever the document says, by the release that it belongs to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub layers: BTreeMap<ReleaseId, OffLayer>,
    /// Why.
    pub reason: String,
    /// Where it came from.
    pub source: FlagSource,
    /// The release on whose behalf it was made, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseId>,
    /// The step of a plan that made it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<FlagCause>,
    /// What it changed, in words; the first of it where it is much.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
}

/// Flags that are off before any rule is asked, until a named person lifts that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OffLayer {
    /// Which flags.
    pub flags: BTreeSet<String>,
    /// The migrations that some of them need: without it such a flag must not be served on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub requires: BTreeMap<String, MigrationVersion>,
    /// Why they are off.
    pub reason: String,
    /// Who turned them off; a plan is `ripcord`.
    pub by: String,
}

/// Where a revision came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlagSource {
    /// A person at the command line.
    Cli,
    /// Somebody over the interface of the controller.
    Api,
    /// A document that was taken over from elsewhere.
    Import,
    /// A release that goes live.
    Deploy,
    /// A release that is left, or taken back.
    Rollback,
    /// A person who returned to an earlier revision.
    Revert,
}

impl std::fmt::Display for FlagSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            FlagSource::Cli => "cli",
            FlagSource::Api => "api",
            FlagSource::Import => "import",
            FlagSource::Deploy => "deploy",
            FlagSource::Rollback => "rollback",
            FlagSource::Revert => "revert",
        })
    }
}

/// The effect of a plan that a revision fulfils. One effect makes one revision at most, so that a
/// step which is done again after a crash does not undo what a person did in between.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FlagCause {
    /// The plan.
    pub plan: PlanId,
    /// Its step.
    pub step: StepId,
    /// The digest of the effect, which tells the way there from the way back.
    pub effect: Digest,
}

/// The present: what the ledger's entries add up to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FlagState {
    /// The number of the last revision; 0 before the first.
    pub revision: u64,
    /// The document as it is wanted.
    pub document: Option<Digest>,
    /// The document that is served.
    pub in_force: Option<Digest>,
    /// What is off.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub layers: BTreeMap<ReleaseId, OffLayer>,
    /// What the plan which began last has done so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub done: Vec<FlagsDone>,
}

/// What an effect of the present plan did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlagsDone {
    /// The effect.
    pub cause: FlagCause,
    /// What there was before.
    pub before: FlagMoment,
    /// What there was after.
    pub after: FlagMoment,
}

/// Document and layers at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FlagMoment {
    /// The document.
    pub document: Option<Digest>,
    /// The layers.
    pub layers: BTreeMap<ReleaseId, OffLayer>,
}

/// What a plan did to the flags: the revisions before and after it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FlagSpan {
    /// The revision before.
    pub before: u64,
    /// The revision after.
    pub after: u64,
    /// The document before.
    pub before_document: Option<Digest>,
    /// The document after.
    pub after_document: Option<Digest>,
}

impl FlagState {
    /// Takes a revision into account.
    pub fn take(&mut self, revision: &FlagRevision) {
        let before = self.moment();
        self.revision = revision.number;
        self.document.clone_from(&revision.document);
        self.in_force.clone_from(&revision.in_force);
        self.layers.clone_from(&revision.layers);
        if let Some(cause) = revision.cause.clone() {
            self.done.push(FlagsDone { cause, before, after: self.moment() });
        }
    }

    /// Whether the effect has made its revision.
    pub fn has_fulfilled(&self, cause: &FlagCause) -> bool {
        self.done.iter().any(|done| &done.cause == cause)
    }

    /// What another effect of the same step did: what this one, being its way back, takes back.
    pub fn done_by(&self, cause: &FlagCause) -> Option<&FlagsDone> {
        self.done.iter().find(|done| {
            let of = &done.cause;
            of.plan == cause.plan && of.step == cause.step && of.effect != cause.effect
        })
    }

    fn moment(&self) -> FlagMoment {
        FlagMoment { document: self.document.clone(), layers: self.layers.clone() }
    }

    /// A plan begins: what an earlier one did matters no more.
    pub fn plan_begins(&mut self) {
        self.done.clear();
    }

    /// The layer that turns a flag off, if one does.
    pub fn turned_off(&self, flag: &str) -> Option<(&ReleaseId, &OffLayer)> {
        self.layers.iter().find(|(_, layer)| layer.flags.contains(flag))
    }
}

impl FlagSpan {
    /// A span that nothing has happened in yet.
    pub fn at(state: &FlagState) -> FlagSpan {
        FlagSpan {
            before: state.revision,
            after: state.revision,
            before_document: state.document.clone(),
            after_document: state.document.clone(),
        }
    }

    /// Takes a revision of the plan into account, given the state that it was made from.
    pub fn take(&mut self, before: &FlagState, revision: &FlagRevision) {
        if self.before == self.after {
            // What people changed between the beginning of the plan and this is theirs.
            *self = FlagSpan::at(before);
        }
        self.after = revision.number;
        self.after_document.clone_from(&revision.document);
    }
}
