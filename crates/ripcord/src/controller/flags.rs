//! What people and interfaces do to flags by way of the controller: one request is one revision at
//! most, with who and why.

use crate::controller::Controller;
use crate::controller::environment::EnvironmentControl;
use crate::failure::{Code, Failure};
use crate::flags::{Act, Edited, Heard, Moves, Past, Revise, edit, heard, needs, reviewed, unmet};
use jiff::Timestamp;
use ripcord_core::flag::{FlagRevision, FlagSource, FlagState};
use ripcord_core::model::{
    Authority, Digest, Domain, EnvironmentName, MigrationVersion, Release, ReleaseId,
};
use ripcord_core::plan::Refusal;
use ripcord_core::run::Event;
use ripcord_engine::Ledger;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::BTreeSet;

/// Somebody wants flags to be otherwise.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FlagRequest {
    pub(crate) act: Act,
    pub(crate) by: String,
    pub(crate) reason: String,
    pub(crate) source: FlagSource,
}

/// What came of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct FlagAnswer {
    /// The new revision; none when it was so already, or Ripcord may only propose.
    pub(crate) revision: Option<FlagRevision>,
    /// What a revert left as somebody made it.
    #[serde(default)]
    pub(crate) kept: Vec<String>,
    /// What is worth a look in the flags that changed.
    #[serde(default)]
    pub(crate) warnings: Vec<String>,
    /// Which share of users gets another variant, by flag.
    #[serde(default)]
    pub(crate) moved: Vec<String>,
    /// The document for people to put in force, where Ripcord may only propose.
    #[serde(default)]
    pub(crate) proposal: Option<String>,
}

/// The present flags.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct FlagsView {
    pub(crate) environment: EnvironmentName,
    pub(crate) state: FlagState,
    /// The document without layers.
    pub(crate) document: String,
    /// The document that is served.
    pub(crate) in_force: String,
    /// What the flags server has seen, where there is one.
    #[serde(default)]
    pub(crate) heard: Option<Heard>,
}

/// A revision with who and when.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RevisionView {
    pub(crate) at: Timestamp,
    pub(crate) by: String,
    pub(crate) revision: FlagRevision,
}

impl Controller {
    /// Fulfils a request.
    pub(crate) fn change_flags(
        &self,
        environment: &EnvironmentControl,
        request: &FlagRequest,
    ) -> Result<FlagAnswer, Failure> {
        if request.reason.trim().is_empty() {
            return Err(Failure::new(Code::FlagRefused, "a change of flags needs a reason")
                .hint("say it with --reason; it stands in the history"));
        }
        let authority = environment.settings().authority.of(Domain::Flags);
        if authority == Authority::Observe {
            return Err(Refusal::NoAuthority { domain: Domain::Flags, authority }.into());
        }
        let turns_off = request.act.turns_off();
        let applied = if turns_off { None } else { Some(Controller::applied(environment)?) };
        let keeper = &environment.flags.keeper;
        let past = Ledgered { controller: self, environment };
        let proposal = RefCell::new(None);
        let (kept, warnings) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
        let moves = RefCell::new(None);
        let revise = Revise {
            by: request.by.clone(),
            reason: request.reason.clone(),
            source: request.source,
            release: of_release(&request.act).cloned(),
            cause: None,
        };
        // Turning off is for emergencies, and may use what is reserved for them.
        if turns_off {
            self.ledger.set_emergency(true);
        }
        let revision = keeper.revise(&revise, &|now| {
            let (by, reason) = (&request.by, &request.reason);
            let edited = edit(&request.act, keeper, now, &past, by, reason)?;
            if let Some(applied) = &applied {
                let touched = touched(&request.act, &edited, now);
                unmet(&touched, &needs(&self.registry.all()), applied)?;
            }
            // Nothing that could be said of a document is a reason to leave a flag on.
            if let Some(new) = edited.wanted.document.as_ref().filter(|_| !turns_off) {
                let now_s = Timestamp::now().as_second();
                *warnings.borrow_mut() = reviewed(new, &edited.touched, now_s)?;
                *moves.borrow_mut() = Some((edited.before, new.clone(), edited.moves));
            }
            *kept.borrow_mut() = edited.kept;
            if authority == Authority::Propose {
                *proposal.borrow_mut() = crate::flags::rendered(&edited.wanted)?;
                return Ok(None);
            }
            Ok(Some(edited.wanted))
        })?;
        environment.wake();
        // Counting users takes a while, so it is done when the change is in force.
        let unknown = |why: Failure| vec![format!("who moves is not known: {}", why.error)];
        let users = match moves.into_inner().filter(|(before, ..)| !before.is_empty()) {
            Some((before, after, flags)) => {
                Moves::of(&before, &after, &flags).map_or_else(unknown, |moves| moves.lines())
            }
            None => Vec::new(),
        };
        Ok(FlagAnswer {
            revision,
            kept: kept.into_inner(),
            warnings: warnings.into_inner(),
            moved: users,
            proposal: proposal.into_inner(),
        })
    }

    /// The present flags.
    pub(crate) fn flags(environment: &EnvironmentControl) -> Result<FlagsView, Failure> {
        let keeper = &environment.flags.keeper;
        let state = keeper.now()?;
        Ok(FlagsView {
            environment: environment.name.clone(),
            document: keeper.text(state.document.as_ref())?,
            in_force: keeper.text(state.in_force.as_ref())?,
            heard: (environment.flags.server)().and_then(|server| heard(server).ok()),
            state,
        })
    }

    /// All revisions, oldest first.
    pub(crate) fn flag_history(
        &self,
        environment: &EnvironmentControl,
    ) -> Result<Vec<RevisionView>, Failure> {
        let entries = self.ledger.entries(&environment.name, 0)?;
        let revisions = entries.into_iter().filter_map(|entry| match entry.event {
            Event::FlagsRevised { revision } => {
                Some(RevisionView { at: entry.at, by: entry.by, revision: *revision })
            }
            _ => None,
        });
        Ok(revisions.collect())
    }

    /// The document of a revision, without layers; empty where it has none.
    pub(crate) fn flag_document(
        &self,
        environment: &EnvironmentControl,
        number: u64,
    ) -> Result<String, Failure> {
        let found = self.flag_revision(environment, number)?;
        environment.flags.keeper.text(found.document.as_ref())
    }

    fn flag_revision(
        &self,
        environment: &EnvironmentControl,
        number: u64,
    ) -> Result<FlagRevision, Failure> {
        let all = self.flag_history(environment)?;
        let last = all.last().map_or(0, |view| view.revision.number);
        let found = all.into_iter().find(|view| view.revision.number == number);
        found.map(|view| view.revision).ok_or_else(|| {
            let what =
                format!("there is no revision {number} of the flags of {}", environment.name);
            Failure::new(Code::UnknownRevision, what)
                .hint(format!("the last is {last}; `ripcord flags history` lists all"))
        })
    }

    /// At the start: what the ledger says is served, and what was served before there were
    /// revisions is the first of them.
    pub(crate) fn take_up_flags(environment: &EnvironmentControl) -> Result<(), Failure> {
        if environment.settings().authority.of(Domain::Flags) != Authority::Act {
            return Ok(());
        }
        environment.flags.keeper.adopt()?;
        environment.flags.keeper.follow().map(drop)
    }

    fn applied(environment: &EnvironmentControl) -> Result<BTreeSet<MigrationVersion>, Failure> {
        let Some(database) = environment.world().database else { return Ok(BTreeSet::new()) };
        let state = database
            .observe()
            .map_err(|error| Failure::new(Code::CannotObserve, error.to_string()))?;
        Ok(state.applied.iter().map(|one| one.migration.version).collect())
    }
}

/// The flags that may come on by an act: a layer that is lifted uncovers all of its own.
fn touched(act: &Act, edited: &Edited, now: &FlagState) -> BTreeSet<String> {
    let mut touched = edited.touched.clone();
    if let Act::Lift { release } = act {
        touched.extend(now.layers.get(release).into_iter().flat_map(|one| one.flags.clone()));
    }
    touched
}

fn of_release(act: &Act) -> Option<&ReleaseId> {
    match act {
        Act::OffRelease { release } | Act::Lift { release } => Some(release),
        _ => None,
    }
}

struct Ledgered<'a> {
    controller: &'a Controller,
    environment: &'a EnvironmentControl,
}

impl Past for Ledgered<'_> {
    fn documents(&self, revision: u64) -> Result<(Option<Digest>, Option<Digest>), Failure> {
        let found = self.controller.flag_revision(self.environment, revision)?;
        let before = match found.parent {
            0 => None,
            parent => self.controller.flag_revision(self.environment, parent)?.document,
        };
        Ok((before, found.document))
    }

    fn release(&self, id: &ReleaseId) -> Result<Release, Failure> {
        self.controller.release(id)
    }
}
