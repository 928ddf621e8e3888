//! What a person may ask while a plan runs or none does. Every request becomes a fact in the
//! ledger before anything heeds it, so that it survives a crash.

use crate::controller::Controller;
use crate::controller::environment::EnvironmentControl;
use crate::failure::{Code, Failure};
use ripcord_core::model::StepId;
use ripcord_core::plan::{Intent, Plan};
use ripcord_core::run::Event;
use ripcord_engine::control::{self, RequestError};
use serde::{Deserialize, Serialize};
use std::sync::PoisonError;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verb {
    /// Stop the progress.
    Pause,
    /// Let it go on.
    Resume,
    /// Approve, and end waiting.
    Promote,
    /// End all waiting and watching of the plan.
    PromoteFully,
    /// Go on from an earlier step.
    Jump {
        /// The step.
        to: StepId,
    },
    /// Go back.
    Abort,
    /// Try again what needed a person.
    Retry,
}

/// A request with who and why.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    pub(crate) verb: Verb,
    pub(crate) by: String,
    #[serde(default)]
    pub(crate) reason: String,
}

impl Controller {
    /// Starts a plan; its thread runs it.
    pub(crate) fn start_plan(
        &self,
        environment: &EnvironmentControl,
        plan: &Plan,
        by: &str,
    ) -> Result<(), Failure> {
        // Repairs give way at once.
        environment.wake();
        let _turn = environment.starting.lock().unwrap_or_else(PoisonError::into_inner);
        let observed = self.observe(environment)?;
        // Going back may use the reserve of the disk, from its first entry on.
        self.ledger.set_emergency(plan.intent == Intent::Rollback);
        control::start(plan, &observed, &self.ledger, by)?;
        environment.wake();
        Ok(())
    }

    /// Writes a request down. `false`: nothing runs, so there is nothing to do.
    pub(crate) fn request(
        &self,
        environment: &EnvironmentControl,
        request: &Request,
    ) -> Result<bool, Failure> {
        let reason = request.reason.clone();
        let event = match request.verb {
            Verb::Pause => Event::Paused { reason },
            Verb::Resume => Event::Resumed,
            Verb::Promote => Event::Promoted,
            Verb::PromoteFully => Event::PromotedFully,
            Verb::Jump { to } => Event::JumpedBack { to },
            Verb::Abort => Event::AbortRequested { reason },
            Verb::Retry => Event::Retried,
        };
        match control::request(&self.ledger, &environment.name, &request.by, event) {
            Ok(()) => {
                environment.wake();
                Ok(true)
            }
            Err(RequestError::Idle(_)) => Ok(false),
            Err(RequestError::NoJump(why)) => Err(Failure::new(Code::CannotJump, why)
                .hint("`ripcord status` shows the steps and their numbers")),
            Err(error) => Err(Failure::new(Code::LedgerUnusable, error.to_string())),
        }
    }
}
