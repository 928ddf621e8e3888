//! Turning flags off where no controller runs: this process takes the state directory for a moment,
//! writes the revision as a controller would, and puts it in force.

use crate::cli::context::Context;
use crate::cli::flags::change::show;
use crate::config::Config;
use crate::controller::{FlagAnswer, FlagRequest};
use crate::failure::{Code, Failure};
use crate::flags::{FlagKeeper, Past, Revise, edit};
use crate::store::Store;
use crate::terminal;
use crate::world::{FenceFile, Layout};
use jiff::Timestamp;
use ripcord_core::model::{Authority, Digest, Domain, Release, ReleaseId};
use ripcord_core::plan::Refusal;
use ripcord_core::run::{Entry, Event};
use ripcord_ledger::{OpenOptions, SqliteLedger};
use std::sync::Arc;

/// Turns flags off without a controller.
pub(crate) fn turn_off_alone(
    request: &FlagRequest,
    takeover: bool,
    context: &Context,
) -> Result<(), Failure> {
    let config = Config::load(&context.config)?;
    let settings = config.environment(context.environment_named())?;
    let authority = settings.authority.of(Domain::Flags);
    if authority != Authority::Act {
        return Err(Refusal::NoAuthority { domain: Domain::Flags, authority }.into());
    }
    let state = context.state();
    if !state.join("ledger.db").exists() && !state.exists() {
        return Err(Failure::new(
            Code::NoController,
            format!("{} does not exist", state.display()),
        )
        .hint("name the state directory of the controller with --state"));
    }
    let options =
        OpenOptions { takeover, ..OpenOptions::new(env!("CARGO_PKG_VERSION"), Timestamp::now) };
    let ledger = Arc::new(SqliteLedger::open(&state, options).map_err(|error| {
        Failure::from(error)
            .hint("a controller holds it and does not answer: --takeover acts without it")
    })?);
    ledger.set_emergency(true);
    let layout = Layout::new(&state);
    let environment = layout.environment(&settings.name);
    let past = Alone { entries: ledger.all_entries(0)? };
    let fence = FenceFile::new(environment.fence());
    let store = Store::open(&state)?;
    let keeper = FlagKeeper::new(settings.name, environment, fence, store, ledger);
    keeper.adopt()?;
    let revise = Revise {
        by: request.by.clone(),
        reason: request.reason.clone(),
        source: request.source,
        release: None,
        cause: None,
    };
    let revision = keeper.revise(&revise, &|now| {
        let edited = edit(&request.act, &keeper, now, &past, &request.by, &request.reason)?;
        Ok(Some(edited.wanted))
    })?;
    keeper.follow()?;
    terminal::say("no controller runs here: it was written and put in force directly");
    show(&FlagAnswer { revision, ..FlagAnswer::default() }, context)
}

/// The past as the ledger has it.
struct Alone {
    entries: Vec<Entry>,
}

impl Past for Alone {
    fn documents(&self, revision: u64) -> Result<(Option<Digest>, Option<Digest>), Failure> {
        Err(Failure::new(Code::NoController, format!("revision {revision} needs a controller"))
            .hint("start it with `ripcord serve`"))
    }

    fn release(&self, id: &ReleaseId) -> Result<Release, Failure> {
        let found = self.entries.iter().find_map(|entry| match &entry.event {
            Event::ReleaseCreated { release } if &release.id == id => Some(Release::clone(release)),
            _ => None,
        });
        found.ok_or_else(|| {
            Failure::new(Code::UnknownRelease, format!("there is no release {id}"))
                .hint("`ripcord ledger log` tells which were frozen")
        })
    }
}
