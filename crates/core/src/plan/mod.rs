//! Plans: fixed lists of steps, made by pure functions from what was observed and what is wanted.

#[cfg(test)]
mod at_services;
mod canary;
pub mod check;
pub mod commands;
pub mod deploy;
pub mod display;
pub mod effect;
mod exchange;
#[cfg(test)]
pub(crate) mod fixture;
pub mod forecast;
pub mod refusal;
pub mod rollback;
mod rolling;
mod steps;
mod walk;

pub use check::{Note, check};
pub use commands::{ByHand, by_hand};
pub use deploy::{DeployRequest, deploy};
pub use effect::{Analysis, Bake, Effect, ResourceState, Undo, Until, VerifyCheck};
pub use forecast::Forecast;
pub use refusal::Refusal;
pub use rollback::{RollbackRequest, rollback};

use crate::model::ids::Millis;
use crate::model::{EnvironmentName, Generation, PlanId, ReleaseId, StepId, digest_of};
use serde::{Deserialize, Serialize};

/// What is going to be done, complete and immutable: people approve exactly this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The version of this document's shape.
    pub format: u32,
    /// The digest of everything else.
    pub id: PlanId,
    /// Where.
    pub environment: EnvironmentName,
    /// The generation it was made for; it fits no other.
    pub based_on: Generation,
    /// What it is for.
    pub intent: Intent,
    /// The release that served when it was made; none at the first deploy.
    pub from: Option<ReleaseId>,
    /// The release that serves when it succeeds.
    pub to: ReleaseId,
    /// Whether a step past its deadline takes everything back; otherwise a person is asked.
    pub abort_on_deadline: bool,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// The price.
    pub forecast: Forecast,
    /// Why the plan is as it is, in plain words.
    pub report: Vec<String>,
    /// Who accepted losses that the plan cannot avoid, and why.
    pub accepted: Option<Acceptance>,
}

/// What a plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// A release goes forward.
    Deploy,
    /// A finished release is left for an earlier one.
    Rollback,
}

/// A named person's word that a loss is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acceptance {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// One thing to make true, and how to make it untrue again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Its number.
    pub id: StepId,
    /// What.
    pub effect: Effect,
    /// How it is taken back; safe also when it never happened.
    pub undo: Undo,
    /// How long one attempt may take.
    pub deadline_ms: Millis,
    /// How often it is tried before the plan turns back.
    pub attempts_max: u32,
}

impl Plan {
    /// The version of the document's shape that this code writes and reads.
    pub const FORMAT: u32 = 1;

    /// The step of this number.
    pub fn step(&self, id: StepId) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == id)
    }

    /// The id that belongs to this content.
    pub fn computed_id(&self) -> PlanId {
        let unnamed = Plan { id: PlanId(String::new()), ..self.clone() };
        PlanId(digest_of(&unnamed).short().to_owned())
    }
}
