//! What surrounds a run, the same for the real controller and the simulated one: observe an
//! environment, start a plan or say why not, find the plan to resume, pass on a person's request.
//!
//! It decides nothing about the domain: plans come from the planners, refusals from the ledger.

use crate::failure::Failure;
use crate::world::{Ledger, LedgerError, World};
use ripcord_core::model::{
    Authorities, Authority, Environment, EnvironmentName, PlanId, Policy, ReleaseId,
};
use ripcord_core::plan::{self, Effect, Plan, Refusal, Undo};
use ripcord_core::run::{Draft, Entry, Event, History, Progress, Subject, cannot_jump, replay};
use std::collections::BTreeSet;
use std::sync::Arc;
use thiserror::Error;

/// Why an environment cannot be observed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ObserveError {
    /// Its past cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A part of its world does not answer.
    #[error("the {part} cannot be observed: {failure}")]
    World {
        /// Which part.
        part: &'static str,
        /// Why.
        failure: Failure,
    },
}

/// Why a plan was not started. Nothing has happened then.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StartError {
    /// The ledger cannot be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Another plan is not over.
    #[error(
        "plan {plan} from {} to {to}, begun by {by}, is not over in {environment}",
        .from.as_ref().map_or("nobody", |from| from.as_str())
    )]
    Running {
        /// Where.
        environment: EnvironmentName,
        /// Which.
        plan: PlanId,
        /// From which release.
        from: Option<ReleaseId>,
        /// To which release.
        to: ReleaseId,
        /// Who began it.
        by: String,
    },
    /// The plan is for another environment.
    #[error("plan {plan} is for {meant}, not for {environment}")]
    Elsewhere {
        /// Which plan.
        plan: PlanId,
        /// The environment that it was made for.
        meant: EnvironmentName,
        /// The environment that it was given to.
        environment: EnvironmentName,
    },
    /// The plan is out of date, unsound, or more than is allowed here.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// Why a person's request was not passed on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RequestError {
    /// The ledger cannot be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// There is no plan that it could be about.
    #[error("no plan is running in {0}, so there is nothing to ask of it")]
    Idle(EnvironmentName),
    /// The plan cannot go on from the step that was asked for.
    #[error("{0}")]
    NoJump(String),
    /// The event is a fact, not a request.
    #[error("this is no request that a person can make")]
    NotARequest,
}

/// Looks at everything that planning needs to know.
///
/// # Errors
///
/// [`ObserveError`] when a part of it does not answer: a plan from half a picture is none.
pub fn observe(
    name: &EnvironmentName,
    policy: &Policy,
    authority: &Authorities,
    ledger: &dyn Ledger,
    world: &World<'_>,
) -> Result<Environment, ObserveError> {
    look(name, policy, authority, history(ledger, name)?, world)
}

/// As [`observe`], for who knows already what the ledger says.
///
/// # Errors
///
/// [`ObserveError::World`] when a part of the world does not answer.
pub fn look(
    name: &EnvironmentName,
    policy: &Policy,
    authority: &Authorities,
    history: History,
    world: &World<'_>,
) -> Result<Environment, ObserveError> {
    let failed = |part| move |failure| ObserveError::World { part, failure };
    let states = world.platform.observe().map_err(failed("platform"))?;
    let schema = world.database.map(|database| database.observe().map_err(failed("database")));
    // What is not known of the past makes no plan impossible.
    let past = history.live().and_then(|live| world.traffic.past(live).ok().flatten());
    Ok(Environment {
        name: name.clone(),
        generation: history.generation,
        history,
        traffic: world.traffic.observe().map_err(failed("proxy"))?,
        instances: states.into_iter().map(|(release, state)| (release, state.instances)).collect(),
        roles: world.platform.roles().map_err(failed("platform"))?,
        schema: schema.transpose()?,
        config: world.config.observe().map_err(failed("configuration"))?,
        flags: world.flags.observe().map_err(failed("flags"))?,
        past,
        policy: policy.clone(),
        authority: authority.clone(),
        observed_at: world.clock.now(),
    })
}

/// Writes that a plan begins, if it may: nothing else runs, the environment is the one that the
/// plan was made for, what it does is allowed, and the linter has nothing against it.
///
/// The ledger is read anew, so an environment observed long ago only leads to a refusal. Between
/// that and the writing nobody else may start a plan: whoever calls this holds the one lock.
///
/// # Errors
///
/// [`StartError`] with the reason; the ledger is unchanged then.
pub fn start(
    plan: &Plan,
    environment: &Environment,
    ledger: &dyn Ledger,
    by: &str,
) -> Result<(), StartError> {
    let name = &environment.name;
    if &plan.environment != name {
        return Err(StartError::Elsewhere {
            plan: plan.id.clone(),
            meant: plan.environment.clone(),
            environment: name.clone(),
        });
    }
    let now = history(ledger, name)?;
    if let Some(operation) = now.operations.iter().rev().find(|one| one.outcome.is_none()) {
        return Err(StartError::Running {
            environment: name.clone(),
            plan: operation.plan.clone(),
            from: operation.from.clone(),
            to: operation.to.clone(),
            by: operation.by.clone(),
        });
    }
    if now.generation != plan.based_on {
        let (based_on, current) = (plan.based_on, now.generation);
        return Err(Refusal::Stale { based_on, current }.into());
    }
    authorised(plan, &environment.authority)?;
    let running: BTreeSet<ReleaseId> = environment
        .instances
        .iter()
        .filter(|(_, instances)| instances.wanted > 0)
        .map(|(release, _)| release.clone())
        .collect();
    let notes = plan::check(plan, &environment.traffic, &running);
    if !notes.is_empty() {
        return Err(Refusal::Unsound(notes.iter().map(ToString::to_string).collect()).into());
    }
    let event = Event::PlanStarted { plan: Arc::new(plan.clone()) };
    ledger.append(Draft { subject: whole(plan), by: by.to_owned(), event })?;
    Ok(())
}

/// Whether every effect of a plan, on the way forth and back, is within the authority given.
///
/// # Errors
///
/// [`Refusal::NoAuthority`] with the first domain in which it is not.
pub fn authorised(plan: &Plan, authority: &Authorities) -> Result<(), Refusal> {
    let forth = plan.steps.iter().map(|step| &step.effect);
    let back = plan.steps.iter().flat_map(|step| match &step.undo {
        Undo::Apply(effects) => effects.as_slice(),
        Undo::Nothing | Undo::Loses(_) => &[],
    });
    for domain in forth.chain(back).filter_map(Effect::domain) {
        let authority = authority.of(domain);
        if authority != Authority::Act {
            return Err(Refusal::NoAuthority { domain, authority });
        }
    }
    Ok(())
}

/// The plan that is not over, to be run again from where the ledger says it stands.
///
/// # Errors
///
/// [`LedgerError`] when the ledger cannot be read.
pub fn running_plan(
    ledger: &dyn Ledger,
    environment: &EnvironmentName,
) -> Result<Option<Plan>, LedgerError> {
    let mut running: Option<Plan> = None;
    for entry in ledger.entries(environment, 0)? {
        match (entry.event, entry.subject) {
            (Event::PlanStarted { plan }, _) => running = Some(Arc::unwrap_or_clone(plan)),
            (Event::Finished { .. }, Subject::Plan { plan: over, .. }) => {
                running = running.filter(|plan| plan.id != over);
            }
            _ => {}
        }
    }
    Ok(running)
}

/// Passes a person's request on to the plan that runs; the executor reads it from the ledger.
///
/// # Errors
///
/// [`RequestError::Idle`] when no plan runs: a request that nobody heeds is said so.
pub fn request(
    ledger: &dyn Ledger,
    environment: &EnvironmentName,
    by: &str,
    event: Event,
) -> Result<(), RequestError> {
    if !event.is_request() {
        return Err(RequestError::NotARequest);
    }
    let Some(plan) = running_plan(ledger, environment)? else {
        return Err(RequestError::Idle(environment.clone()));
    };
    if let Event::JumpedBack { to } = &event {
        let progress = progress(ledger, &plan)?;
        if let Some(why) = cannot_jump(&plan, &progress, *to) {
            return Err(RequestError::NoJump(why));
        }
    }
    ledger.append(Draft { subject: whole(&plan), by: by.to_owned(), event })?;
    Ok(())
}

/// Where a plan stands.
fn progress(ledger: &dyn Ledger, plan: &Plan) -> Result<Progress, LedgerError> {
    let entries = ledger.entries(&plan.environment, 0)?;
    let is_of_plan =
        |entry: &&Entry| matches!(&entry.subject, Subject::Plan { plan: of, .. } if of == &plan.id);
    replay(entries.iter().filter(is_of_plan))
        .map_err(|corrupt| LedgerError::Damaged { sequence: corrupt.sequence, why: corrupt.why })
}

/// What the ledger says has happened in an environment.
///
/// # Errors
///
/// [`LedgerError`] when the ledger cannot be read.
pub fn history(ledger: &dyn Ledger, name: &EnvironmentName) -> Result<History, LedgerError> {
    Ok(History::of(name, &ledger.entries(name, 0)?))
}

fn whole(plan: &Plan) -> Subject {
    Subject::Plan { environment: plan.environment.clone(), plan: plan.id.clone(), step: 0 }
}
