//! What plans do to flags, in the real world: each effect makes one revision at most, and the
//! served file follows.

use crate::failure::{Code, Failure};
use crate::flags::keeper::{FlagKeeper, Revise, Wanted};
use crate::flags::parts::{compose, parts};
use crate::flags::server::heard;
use ripcord_core::flag::preview::RIPCORD;
use ripcord_core::flag::{Clash, FlagCause, FlagChange, FlagSource, FlagState, LayerChange, merge};
use ripcord_core::model::ids::Millis;
use ripcord_core::model::{Digest, ReleaseId, digest_of};
use ripcord_core::run::Receipt;
use ripcord_engine::{Failure as Trouble, Flags, Result, Ticket};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

/// How often clients are asked for while a plan waits for them.
const LOOK: Duration = Duration::from_millis(50);

/// Where the flags server answers, if the environment has one.
pub(crate) type Server = dyn Fn() -> Option<SocketAddr> + Send + Sync;

/// The flags of an environment as plans act on them.
pub(crate) struct FlagsInForce {
    pub(crate) keeper: std::sync::Arc<FlagKeeper>,
    pub(crate) server: Box<Server>,
}

impl FlagsInForce {
    fn step(
        &self,
        revise: &Revise,
        wanted: &dyn Fn(&FlagState) -> std::result::Result<Option<Wanted>, Failure>,
    ) -> Result<Receipt> {
        let made = self.keeper.revise(revise, wanted).map_err(trouble)?;
        // What was written just before a crash is served now at the latest.
        self.keeper.follow().map_err(trouble)?;
        Ok(match made {
            Some(revision) => Receipt::of(format!(
                "revision {} of the flags: {}",
                revision.number,
                revision.changed.join("; ")
            )),
            None => Receipt::of("no flag had to change"),
        })
    }
}

impl Flags for FlagsInForce {
    fn observe(&self) -> Result<Option<Digest>> {
        self.keeper.served().map_err(trouble)
    }

    fn ensure(&self, document: Option<&Digest>, ticket: &Ticket<'_>) -> Result<Receipt> {
        let why = format!("plan {} of an earlier version", ticket.plan);
        let revise = by_plan(&why, FlagSource::Deploy, None, None);
        self.step(&revise, &|now| {
            let document = document.map(|_| self.keeper.text(document)).transpose()?;
            Ok(Some(Wanted { document, layers: now.layers.clone() }))
        })
    }

    fn change(&self, change: &FlagChange, ticket: &Ticket<'_>) -> Result<Receipt> {
        let cause = cause(ticket, digest_of(change));
        let (reason, release) = (&change.reason, Some(&change.release));
        let revise = by_plan(reason, change.source, release, Some(cause.clone()));
        self.step(&revise, &|now| {
            let Some((from, to)) = change.due(now, &cause) else { return Ok(None) };
            let keeper = &self.keeper;
            let text = keeper.text(now.document.as_ref())?;
            let (from, wanted) = (keeper.parts(from.as_ref())?, keeper.parts(to.as_ref())?);
            let merged = merge(&from, &wanted, &keeper.parts(now.document.as_ref())?, Clash::Keep);
            let document = if merged.parts == wanted {
                // To the byte what was asked for; none where that is no flags.
                to.as_ref().map(|_| keeper.text(to.as_ref())).transpose()?
            } else {
                Some(compose(&text, &merged.parts)?)
            };
            Ok(Some(Wanted { document, layers: now.layers.clone() }))
        })
    }

    fn layer(&self, change: &LayerChange, ticket: &Ticket<'_>) -> Result<Receipt> {
        let cause = cause(ticket, digest_of(change));
        let source = FlagSource::Rollback;
        let revise = by_plan(&change.reason, source, Some(&change.release), Some(cause.clone()));
        self.step(&revise, &|now| {
            let Some(layers) = change.due(now, &cause) else { return Ok(None) };
            let document = now.document.as_ref();
            let document = document.map(|_| self.keeper.text(document)).transpose()?;
            Ok(Some(Wanted { document, layers }))
        })
    }

    fn confirm(&self, wait_ms_max: Millis, ticket: &Ticket<'_>) -> Result<Receipt> {
        let Some(server) = (self.server)() else {
            return Ok(Receipt::of("no flags server is configured here, so nobody was asked"));
        };
        let wanted = self.keeper.now().map_err(trouble)?.in_force;
        let (began, longest) = (Instant::now(), Duration::from_millis(wait_ms_max));
        loop {
            let heard = heard(server);
            let late = began.elapsed() >= longest;
            match &heard {
                Ok(heard) if late || heard.all_have(wanted.as_ref()) => {
                    return Ok(Receipt::of(heard.in_words(wanted.as_ref())));
                }
                Err(why) if late => {
                    return Ok(Receipt::of(format!("the flags server does not say: {why}")));
                }
                _ => {}
            }
            if (ticket.stop)() {
                return Err(Trouble::Interrupted);
            }
            thread::sleep(LOOK.min(longest.saturating_sub(began.elapsed())));
        }
    }

    fn agree(&self) -> Result<()> {
        self.keeper.follow().map(drop).map_err(trouble)?;
        let now = self.keeper.now().map_err(trouble)?;
        let found = self.keeper.served().map_err(trouble)?;
        if now.revision == 0 || found == now.in_force {
            return Ok(());
        }
        Err(Trouble::transient("the flags that are served are not those of the ledger"))
    }
}

/// What a document would be that has these parts, named.
pub(crate) fn put(
    keeper: &FlagKeeper,
    now: &str,
    wanted: &ripcord_core::flag::Parts,
    like: &[&Option<Digest>],
) -> std::result::Result<Option<Digest>, Failure> {
    for document in like.iter().filter_map(|document| document.as_ref()) {
        if &parts(&keeper.text(Some(document))?)? == wanted {
            return Ok(Some(document.clone()));
        }
    }
    if wanted.is_empty() {
        return Ok(None);
    }
    keeper.put(&compose(now, wanted)?).map(Some)
}

fn cause(ticket: &Ticket<'_>, effect: Digest) -> FlagCause {
    FlagCause { plan: ticket.plan.clone(), step: ticket.step, effect }
}

fn by_plan(
    reason: &str,
    source: FlagSource,
    release: Option<&ReleaseId>,
    cause: Option<FlagCause>,
) -> Revise {
    let (by, reason) = (RIPCORD.to_owned(), reason.to_owned());
    Revise { by, reason, source, release: release.cloned(), cause }
}

/// What a failure means for a step: whether another attempt may help.
fn trouble(failure: Failure) -> Trouble {
    match failure.code {
        Code::StoreDamaged | Code::FlagsInvalid | Code::FlagRefused => {
            Trouble::Definite(failure.error)
        }
        Code::ControllerReplaced => Trouble::Unknown(failure.error),
        _ => Trouble::Transient(failure.error),
    }
}
