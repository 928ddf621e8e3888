//! `ripcord promote`, `pause`, `resume`, `abort`, `retry`: what a person asks of a running plan.

use crate::api::WishKind;
use crate::cli::context::{Context, release_id};
use crate::cli::deploy::{Patience, carry_out, conclude};
use crate::cli::follow::follow;
use crate::controller::{Request, Verb};
use crate::failure::{Code, Failure};
use crate::terminal;
use ripcord_core::model::StepId;
use ripcord_core::run::{Event, Outcome};
use serde_json::json;
use std::time::Duration;

/// Approve what waits, and end waiting and watching
#[derive(Debug, clap::Args)]
pub(crate) struct Promote {
    /// Promote fully: to the whole of the traffic, skipping what is left to wait for
    #[arg(long)]
    full: bool,
}

/// Stop the progress of the running plan; users go on being served
#[derive(Debug, clap::Args)]
pub(crate) struct Pause {
    /// Why, for the ledger
    #[arg(long, default_value = "", value_name = "TEXT")]
    reason: String,
}

/// Let a paused plan go on
#[derive(Debug, clap::Args)]
pub(crate) struct Resume {}

/// Stop the running plan and return everything to how it was; changes nothing when none runs
#[derive(Debug, clap::Args)]
pub(crate) struct Abort {
    /// Why, for the ledger
    #[arg(long, default_value = "", value_name = "TEXT")]
    reason: String,
}

/// Try again: the running plan where it needed a person, or a release that was taken back
#[derive(Debug, clap::Args)]
pub(crate) struct Retry {
    /// A release that was taken back, to deploy it again
    release: Option<String>,
    /// Return at once instead of following the plan
    #[arg(long)]
    detach: bool,
}

/// Go on from an earlier step of a canary: its weight is set again and the steps after it follow
#[derive(Debug, clap::Args)]
pub(crate) struct Jump {
    /// The number of the step, as `ripcord status` and the plan show it
    step: StepId,
}

pub(crate) fn promote(args: &Promote, context: &Context) -> Result<(), Failure> {
    if args.full {
        say(context, Verb::PromoteFully, "", "promoted fully")
    } else {
        say(context, Verb::Promote, "", "promoted")
    }
}

pub(crate) fn jump(args: &Jump, context: &Context) -> Result<(), Failure> {
    let done = format!("going on from step {}", args.step);
    say(context, Verb::Jump { to: args.step }, "", &done)
}

pub(crate) fn pause(args: &Pause, context: &Context) -> Result<(), Failure> {
    say(context, Verb::Pause, &args.reason, "paused")
}

pub(crate) fn resume(_: &Resume, context: &Context) -> Result<(), Failure> {
    say(context, Verb::Resume, "", "resumed")
}

pub(crate) fn retry(args: &Retry, context: &Context) -> Result<(), Failure> {
    match &args.release {
        Some(release) => {
            let release = release_id(release)?;
            let wish =
                WishKind::Deploy { release, retry: true, accepted: None, force_flags: false };
            let patience = Patience {
                detach: args.detach,
                lock: Duration::ZERO,
                person: Duration::from_hours(1),
            };
            carry_out(&wish, patience, context)
        }
        None => say(context, Verb::Retry, "", "trying again"),
    }
}

/// Aborts and follows the way back to its end.
pub(crate) fn abort(args: &Abort, context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    let environment = context.environment()?;
    let before = client.status(&environment)?;
    if !ask(context, Verb::Abort, &args.reason)? {
        idle(context);
        return Ok(());
    }
    let entries = client.entries(&environment, 0, 0)?;
    let plan = entries.iter().rev().find_map(|entry| match &entry.event {
        Event::PlanStarted { plan } => Some(plan),
        _ => None,
    });
    let Some(plan) = plan else {
        idle(context);
        return Ok(());
    };
    let ended = follow(
        &client,
        &environment,
        plan,
        before.sequence,
        Duration::from_mins(10),
        !context.json,
    )?;
    match ended {
        crate::cli::Ended::Over(Outcome::WentBack(_)) => {
            if context.json {
                terminal::print(&json!({ "outcome": "went_back", "plan": plan.id }).to_string());
            }
            Ok(())
        }
        crate::cli::Ended::Over(Outcome::Live) => Err(Failure::new(
            Code::TooLate,
            format!("the abort came too late: {} is live", plan.to),
        )
        .hint("`ripcord rollback` leaves it for the release before")),
        waits @ crate::cli::Ended::Waits(..) => conclude(plan, waits, context.json),
    }
}

fn say(context: &Context, verb: Verb, reason: &str, done: &str) -> Result<(), Failure> {
    if !ask(context, verb, reason)? {
        idle(context);
        return Ok(());
    }
    terminal::say(done);
    if context.json {
        terminal::print(&json!({ "outcome": "taken" }).to_string());
    }
    Ok(())
}

fn ask(context: &Context, verb: Verb, reason: &str) -> Result<bool, Failure> {
    let request = Request { verb, by: context.by.clone(), reason: reason.to_owned() };
    Ok(context.client()?.request(&context.environment()?, &request)?.taken)
}

fn idle(context: &Context) {
    terminal::say("no plan is running, so nothing was changed");
    if context.json {
        terminal::print(&json!({ "outcome": "nothing_to_do" }).to_string());
    }
}
