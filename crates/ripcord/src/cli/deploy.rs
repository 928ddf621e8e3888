//! `ripcord deploy`.

use crate::api::WishKind;
use crate::cli::context::{Context, release_id};
use crate::cli::follow::{Ended, follow, waits};
use crate::controller::{Request, Verb};
use crate::failure::{Code, Failure};
use crate::terminal;
use ripcord_core::model::ReleaseId;
use ripcord_core::plan::{Acceptance, Plan};
use ripcord_core::run::Outcome;
use serde_json::json;
use std::time::{Duration, Instant};

/// Deploy a release: plan, show the price, act, watch, and take it back if it is bad
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Args {
    /// The release, such as v3 [default: the newest]
    pub(crate) release: Option<String>,
    /// Accept that what the plan names as gone is gone for good; needs --reason
    #[arg(long, requires = "reason")]
    pub(crate) accept_loss: bool,
    /// Why the loss is accepted; stands in the ledger
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Overwrite flags that somebody changed since the release that is left was deployed
    #[arg(long)]
    pub(crate) force_flags: bool,
    /// Return at once instead of following the plan
    #[arg(long)]
    detach: bool,
    /// Abort the deploy that is under way, if one is, and go on from what served before it
    #[arg(long)]
    supersede: bool,
    /// How long to wait for the end of another operation, in seconds
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    wait: u64,
    /// How long to wait for a person's approval before giving up waiting, in seconds
    #[arg(long, default_value_t = 3_600, value_name = "SECONDS")]
    timeout: u64,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let wish = wish(args, context, false)?;
    let patience = Patience {
        detach: args.detach,
        lock: Duration::from_secs(args.wait),
        person: Duration::from_secs(args.timeout),
    };
    if args.supersede {
        supersede(&wish, context)?;
    }
    carry_out(&wish, patience, context)
}

/// How long a deploy that is superseded may take to go back.
const SUPERSEDE_LONGEST: Duration = Duration::from_mins(10);

/// How long a command waits for others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Not even for the plan's end.
    pub(crate) detach: bool,
    /// For the end of another operation.
    pub(crate) lock: Duration,
    /// For a person's word.
    pub(crate) person: Duration,
}

/// The wish that the arguments express.
pub(crate) fn wish(args: &Args, context: &Context, retry: bool) -> Result<WishKind, Failure> {
    let release = match &args.release {
        Some(text) => release_id(text)?,
        None => newest(context)?,
    };
    let reason = args.reason.clone().unwrap_or_default();
    let accepted = args.accept_loss.then(|| Acceptance { by: context.by.clone(), reason });
    Ok(WishKind::Deploy { release, retry, accepted, force_flags: args.force_flags })
}

fn newest(context: &Context) -> Result<ReleaseId, Failure> {
    let last = context.client()?.releases()?.pop();
    last.map(|release| release.id).ok_or_else(|| {
        Failure::new(Code::UnknownRelease, "there is no release yet")
            .hint("freeze one with `ripcord release create`")
    })
}

/// Aborts the deploy that is under way and waits until everything is as before it.
fn supersede(wish: &WishKind, context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    let environment = context.environment()?;
    let what = match wish {
        WishKind::Deploy { release, .. } => release.to_string(),
        WishKind::Rollback { .. } => "a rollback".to_owned(),
    };
    let reason = format!("superseded by {what}");
    let request = Request { verb: Verb::Abort, by: context.by.clone(), reason };
    if !client.request(&environment, &request)?.taken {
        return Ok(());
    }
    let began = Instant::now();
    while let Some(operation) = client.status(&environment)?.operation {
        if began.elapsed() >= SUPERSEDE_LONGEST {
            let what = format!("{} is still on its way back: {}", operation.to, operation.doing);
            return Err(Failure::new(Code::OperationRunning, what)
                .hint("follow it with `ripcord status --watch`, then deploy again"));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Plans a wish, shows the plan, starts it and follows it to its end.
pub(crate) fn carry_out(
    wish: &WishKind,
    patience: Patience,
    context: &Context,
) -> Result<(), Failure> {
    let client = context.client()?;
    let environment = context.environment()?;
    let began = Instant::now();
    loop {
        let done = match client.plan(&environment, wish) {
            Ok(plan) => start(&plan, patience, context),
            Err(failure) => Err(failure),
        };
        match done {
            // What is wished for is so already: nothing to do is no error.
            Err(failure) if failure.code == Code::AlreadyLive => {
                terminal::say(&failure.error);
                if context.json {
                    terminal::print(&json!({ "outcome": "already_live" }).to_string());
                }
                return Ok(());
            }
            Err(failure) if failure.code == Code::OperationRunning => {
                let status = client.status(&environment)?;
                if let Some(operation) = status.operation
                    && operation.phase.waits_for_a_person()
                {
                    return Err(
                        failure.hint(waits(operation.phase, &operation.doing).hints.join("; "))
                    );
                }
                if began.elapsed() >= patience.lock {
                    return Err(failure);
                }
                std::thread::sleep(Duration::from_millis(250));
            }
            done => return done,
        }
    }
}

/// Starts a plan and follows it to its end.
pub(crate) fn start(plan: &Plan, patience: Patience, context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    let environment = context.environment()?;
    if !context.json {
        terminal::say(&plan.to_string());
    }
    let after = client.status(&environment)?.sequence;
    client.start(&environment, plan.clone(), context.by.clone())?;
    if patience.detach {
        if context.json {
            terminal::print(&json!({ "plan": plan.id, "outcome": "started" }).to_string());
        }
        return Ok(());
    }
    let ended = follow(&client, &environment, plan, after, patience.person, !context.json)?;
    conclude(plan, ended, context.json)
}

/// Turns the end of a plan into output and exit code.
pub(crate) fn conclude(plan: &Plan, ended: Ended, json: bool) -> Result<(), Failure> {
    match ended {
        Ended::Over(Outcome::Live) => {
            if json {
                let done = json!({ "plan": plan.id, "outcome": "live", "release": plan.to });
                terminal::print(&done.to_string());
            }
            Ok(())
        }
        Ended::Over(Outcome::WentBack(reason)) => {
            let back = plan.from.as_ref().map_or("nobody".to_owned(), ToString::to_string);
            Err(Failure::new(
                Code::WentBack,
                format!("{} was taken back, {back} serves: {reason}", plan.to),
            )
            .hint(format!(
                "see `ripcord ledger log`; mend it and release again, or `ripcord retry {}`",
                plan.to
            )))
        }
        Ended::Waits(phase, doing) => Err(waits(phase, &doing)),
    }
}
