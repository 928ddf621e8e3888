//! One effect, acted out: the one place where kinds of effects meet the world's traits.

use crate::failure::{Failure, Result};
use crate::ticket::Ticket;
use crate::world::World;
use ripcord_core::model::{ReleaseId, Requests, TrafficState};
use ripcord_core::plan::{Effect, VerifyCheck};
use ripcord_core::run::Receipt;

/// Makes an effect true. What writes into the journal by itself is not here: watching, and
/// flags at services.
pub(crate) fn act(effect: &Effect, world: &World<'_>, ticket: &Ticket<'_>) -> Result<Receipt> {
    match effect {
        Effect::EnsureBackup { name } => world.database()?.back_up(name, ticket),
        Effect::EnsureSchema { change, wanted } => {
            world.database()?.ensure(change, *wanted, ticket)
        }
        Effect::EnsureConfig { release } => world.config.ensure(release.as_ref(), ticket),
        Effect::EnsureInstances { release, count } => {
            world.platform.ensure(release, *count, ticket)
        }
        Effect::EnsureRole { release, role, count } => {
            world.platform.ensure_role(release, role, *count, ticket)
        }
        Effect::EnsureTraffic { state, drain_ms_max } => {
            able(state, world)?;
            world.traffic.ensure(state, *drain_ms_max, ticket)
        }
        Effect::EnsureFlags { document } => world.flags.ensure(document.as_ref(), ticket),
        Effect::EnsureFlagChange(change) => world.flags.change(change, ticket),
        Effect::EnsureFlagLayer(change) => world.flags.layer(change, ticket),
        Effect::ConfirmFlags { wait_ms_max } => world.flags.confirm(*wait_ms_max, ticket),
        Effect::EnsureResource { resource, release, state } => {
            world.resources.ensure(resource, release, *state, ticket)
        }
        Effect::Verify { checks } => verify(checks, world, ticket),
        Effect::Approve { .. } => Ok(Receipt::of("approved")),
        Effect::Bake(_)
        | Effect::Analysis(_)
        | Effect::RecordServiceFlags { .. }
        | Effect::EnsureServiceFlag(_)
        | Effect::SettleServiceFlags { .. } => {
            Err(Failure::definite("what has a journal of its own is not acted out here"))
        }
    }
}

/// Whether every release that is about to get requests has somebody to answer them. A release
/// was ready when its step said so, but people may have thought for an hour since.
fn able(state: &TrafficState, world: &World<'_>) -> Result<()> {
    if state.requests != Requests::Flowing {
        return Ok(());
    }
    let now = world.traffic.observe()?;
    let gets_some =
        |release: &ReleaseId| now.requests == Requests::Flowing && now.split.names(release);
    for release in state.split.shares().keys().filter(|release| !gets_some(release)) {
        if world.platform.ready(release)? == 0 {
            let what = format!("{release} has no ready instance, so it gets no requests");
            return Err(Failure::Transient(what));
        }
    }
    Ok(())
}

fn verify(checks: &[VerifyCheck], world: &World<'_>, ticket: &Ticket<'_>) -> Result<Receipt> {
    for check in checks {
        if (ticket.stop)() {
            return Err(Failure::Interrupted);
        }
        verify_one(check, world, ticket)?;
    }
    Ok(Receipt::of(format!("{} checks hold", checks.len())))
}

fn verify_one(check: &VerifyCheck, world: &World<'_>, ticket: &Ticket<'_>) -> Result<()> {
    match check {
        VerifyCheck::Preview { check, release } => world.checks.run(check, release, ticket),
        VerifyCheck::Schema { digest } => {
            let found = world.database()?.observe()?.digest;
            holds(&found == digest, || {
                format!("the schema is {} instead of {}", found.short(), digest.short())
            })
        }
        VerifyCheck::Integrity => world.database()?.integrity(),
        VerifyCheck::Ready { release, count } => {
            let ready = world.platform.ready(release)?;
            if ready >= *count {
                return Ok(());
            }
            // One glance is no evidence: an instance that was just replaced is ready soon.
            Err(Failure::Transient(format!("{ready} of {count} instances of {release} are ready")))
        }
        VerifyCheck::Traffic { state } => {
            let found = world.traffic.observe()?;
            holds(&found == state, || format!("the proxy does «{found}» instead of «{state}»"))
        }
        VerifyCheck::Config { release } => {
            let found = world.config.observe()?;
            holds(found.as_ref() == Some(release), || {
                let found = found.map_or("nobody".to_owned(), |found| found.to_string());
                format!("the configuration in force is that of {found} instead of {release}")
            })
        }
        VerifyCheck::Flags { document } => {
            let found = world.flags.observe()?;
            holds(&found == document, || "the flags in force are not those of the plan".to_owned())
        }
        VerifyCheck::FlagsAgree => world.flags.agree(),
    }
}

fn holds(condition: bool, otherwise: impl FnOnce() -> String) -> Result<()> {
    if condition { Ok(()) } else { Err(Failure::Definite(otherwise())) }
}
