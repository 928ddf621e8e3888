//! Simulated flags: documents that are kept, the one that is served, and clients that hear of it
//! a little later. Every flag is `on` or `off`; nothing is evaluated.

use crate::controller::Controller;
use crate::fault::Protection;
use crate::lab::NAME;
use crate::release::SimRelease;
use crate::state::State;
use ripcord_core::flag::{
    Clash, DeployFlags, FlagCause, FlagChange, FlagPreview, FlagRevision, FlagSource, FlagState,
    LayerChange, Leaving, OffLayer, Part, Parts, RollbackFlags, merge, words,
};
use ripcord_core::model::ids::Millis;
use ripcord_core::model::{Digest, Environment, MigrationVersion, ReleaseId, digest_of};
use ripcord_core::plan::Intent;
use ripcord_core::run::{Draft, Event, Receipt, Subject};
use ripcord_core::schema::MigrationScript;
use ripcord_engine::{Failure, Flags, LedgerError, Result, Ticket, control};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

/// The flag that releases turn on and off in turn.
pub(crate) const TOGGLE: &str = "toggle";

/// The flag that is another with each release.
pub(crate) const THEME: &str = "theme";

/// What a flag is that is off.
pub(crate) const OFF: &str = "off";

/// How long it takes until every client has heard.
const HEARD_MS: Millis = 60;

/// Flags and what they are, as clients see them.
pub(crate) type Served = BTreeMap<String, String>;

/// What is durable of the flags, and what was seen of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct FlagStore {
    documents: BTreeMap<Digest, Parts>,
    /// The document that is served.
    pub(crate) file: Option<Digest>,
    /// The document that the ledger last said is served.
    pub(crate) said: Option<Digest>,
    fence: u64,
    /// Since when it is served.
    since_ms: Millis,
    /// What people turned off and nobody turned on since.
    pub(crate) turned_off: BTreeSet<String>,
    /// What clients saw that they never may.
    pub(crate) wrong: Vec<String>,
    /// Whether many plans in a row make what is expected of each flag too much to tell here.
    loose: bool,
}

impl FlagStore {
    /// Whether each flag has one expected value.
    pub(crate) fn is_told(&self) -> bool {
        !self.loose
    }

    /// What clients see.
    pub(crate) fn served(&self) -> Served {
        let parts = self.file.as_ref().and_then(|digest| self.documents.get(digest));
        let flag = |(part, value): (&Part, &String)| Some((part.flag()?.to_owned(), value.clone()));
        parts.into_iter().flatten().filter_map(flag).collect()
    }

    /// Whether clients see a flag that is not off. Asked at every tick.
    fn is_on(&self, key: &str) -> bool {
        let parts = self.file.as_ref().and_then(|digest| self.documents.get(digest));
        parts.is_some_and(|parts| {
            parts.iter().any(|(part, value)| part.flag() == Some(key) && value != OFF)
        })
    }

    /// Keeps a document and names it.
    pub(crate) fn put(&mut self, parts: &Parts) -> Option<Digest> {
        let lines: Vec<String> =
            parts.iter().map(|(part, value)| format!("{part}: {value}")).collect();
        let digest = digest_of(&lines);
        self.documents.insert(digest.clone(), parts.clone());
        Some(digest).filter(|_| !parts.is_empty())
    }

    /// The parts of a document.
    pub(crate) fn parts(&self, document: Option<&Digest>) -> Parts {
        document.and_then(|digest| self.documents.get(digest)).cloned().unwrap_or_default()
    }
}

/// What becomes of the present state.
struct Wanted {
    parts: Parts,
    layers: BTreeMap<ReleaseId, OffLayer>,
}

impl State {
    /// One of many plans in a row comes. What somebody turned off that is off by the release in
    /// service as well is from now on off because of that: the next release may want it on. That
    /// the served flags are those of the ledger, and that none is on that must not be, is judged
    /// all the same.
    pub fn expect_flags_loosely(&mut self) {
        self.flags.loose = true;
        let Some(live) = self.proxy.live.split.only().and_then(|id| self.releases.get(id)) else {
            return;
        };
        let flags = live.flags();
        self.flags.turned_off.retain(|key| flags.get(key).is_some_and(|value| value != OFF));
    }
}

impl Controller<'_> {
    fn flag_state(&self) -> Result<FlagState> {
        Ok(control::history(self, &NAME.into()).map_err(Failure::unknown)?.flags)
    }

    /// A person turns a flag off, by way of this controller.
    pub(crate) fn turn_off(&self, keys: &[&str]) {
        let (calm, actions) =
            self.with(|state| (std::mem::take(&mut state.schedule), state.actions));
        let done = self.turn_off_or_fail(keys).unwrap_or_default();
        self.with(|state| {
            state.flags.turned_off.extend(done);
            (state.schedule, state.actions) = (calm, actions);
        });
    }

    /// Those that were on, which are off now.
    fn turn_off_or_fail(&self, keys: &[&str]) -> Result<Vec<String>> {
        let now = self.flag_state()?;
        let mut parts = self.with(|state| state.flags.parts(now.document.as_ref()));
        let mut done = Vec::new();
        for key in keys {
            if let Some(value) = parts.get_mut(&Part::Flag((*key).to_owned()))
                && value != OFF
            {
                OFF.clone_into(value);
                done.push((*key).to_owned());
            }
        }
        let wanted = Wanted { parts, layers: now.layers.clone() };
        self.revise(&now, wanted, None, FlagSource::Cli, "I do not trust it", "ann")?;
        // Written is written: what is served follows, now or after a restart.
        drop(self.follow(self.fence));
        Ok(done)
    }

    /// Writes a revision into the ledger.
    fn revise(
        &self,
        now: &FlagState,
        wanted: Wanted,
        cause: Option<FlagCause>,
        source: FlagSource,
        reason: &str,
        by: &str,
    ) -> Result<()> {
        let old = self.with(|state| state.flags.parts(now.document.as_ref()));
        let (document, in_force) = self.with(|state| {
            let document = state.flags.put(&wanted.parts);
            (document, state.flags.put(&rendered(&wanted)))
        });
        if (&document, &wanted.layers) == (&now.document, &now.layers) {
            return Ok(());
        }
        let revision = FlagRevision {
            number: now.revision + 1,
            parent: now.revision,
            document,
            in_force: in_force.clone(),
            layers: wanted.layers,
            reason: reason.to_owned(),
            source,
            release: None,
            cause,
            changed: words::differences(&old, &wanted.parts),
        };
        let event = Event::FlagsRevised { revision: Box::new(revision) };
        let subject = Subject::Flags(NAME.into());
        let draft = Draft { subject, by: by.to_owned(), event };
        // Nobody else makes a revision between the look at the present one and this.
        match self.with(|state| state.write(draft, self.fence)) {
            Ok(_) => {
                self.with(|state| state.flags.said = in_force);
                Ok(())
            }
            Err(LedgerError::Fenced { seen, ours }) => Err(Failure::Fenced { seen, ours }),
            Err(error) => Err(Failure::unknown(error)),
        }
    }

    /// Serves what the ledger says.
    fn follow(&self, fence: u64) -> Result<()> {
        self.point("flags")?;
        let wanted = self.flag_state()?.in_force;
        self.change(|state| {
            let seen = state.flags.fence;
            state.flags.fence = state.admit("the flags", seen, fence)?;
            if state.flags.file != wanted {
                state.flags.file = wanted;
                state.flags.since_ms = state.now_ms;
            }
            Ok(())
        })
    }

    /// A step's part in the flags, once.
    fn step(
        &self,
        ticket: &Ticket<'_>,
        effect: &Digest,
        source: FlagSource,
        reason: &str,
        wanted: &dyn Fn(&FlagState, &FlagCause) -> Option<Wanted>,
    ) -> Result<Receipt> {
        self.effect("flags", || {
            self.point("revision")?;
            let mut now = self.flag_state()?;
            if !self.protects(Protection::FlagsOnce) {
                now.done.retain(|done| done.cause.effect != *effect);
            }
            let effect = effect.clone();
            let cause = FlagCause { plan: ticket.plan.clone(), step: ticket.step, effect };
            match wanted(&now, &cause) {
                Some(wanted) => {
                    self.revise(&now, wanted, Some(cause), source, reason, "ripcord")?;
                }
                None if !self.protects(Protection::FlagsFollow) => return Ok(Receipt::default()),
                None => {}
            }
            self.follow(ticket.fence.0)?;
            Ok(Receipt::default())
        })
    }
}

impl Flags for Controller<'_> {
    fn observe(&self) -> Result<Option<Digest>> {
        self.look(|state| Ok(state.flags.file.clone()))
    }

    fn ensure(&self, _: Option<&Digest>, _: &Ticket<'_>) -> Result<Receipt> {
        Err(Failure::definite("no plan of today replaces flags whole"))
    }

    fn change(&self, change: &FlagChange, ticket: &Ticket<'_>) -> Result<Receipt> {
        self.step(ticket, &digest_of(change), change.source, &change.reason, &|now, cause| {
            let (from, to) = change.due(now, cause)?;
            let (from, to, found) = self.with(|state| {
                let parts = |document: &Option<Digest>| state.flags.parts(document.as_ref());
                (parts(&from), parts(&to), parts(&now.document))
            });
            let merged = self.protects(Protection::FlagsMerged);
            let clash = if merged { Clash::Keep } else { Clash::Force };
            let parts = merge(&from, &to, &found, clash).parts;
            Some(Wanted { parts, layers: now.layers.clone() })
        })
    }

    fn layer(&self, change: &LayerChange, ticket: &Ticket<'_>) -> Result<Receipt> {
        let source = FlagSource::Rollback;
        self.step(ticket, &digest_of(change), source, &change.reason, &|now, cause| {
            let parts = self.with(|state| state.flags.parts(now.document.as_ref()));
            Some(Wanted { parts, layers: change.due(now, cause)? })
        })
    }

    fn confirm(&self, wait_ms_max: Millis, ticket: &Ticket<'_>) -> Result<Receipt> {
        self.point("confirm")?;
        let mut left = wait_ms_max;
        while left > 0 && self.with(|state| state.now_ms < state.flags.since_ms + HEARD_MS) {
            if (ticket.stop)() {
                return Err(Failure::Interrupted);
            }
            self.wait(left.min(5))?;
            left -= left.min(5);
        }
        Ok(Receipt::of("3 of 3 clients have heard of it"))
    }

    fn agree(&self) -> Result<()> {
        let wanted = self.flag_state()?.in_force;
        let found = self.look(|state| Ok(state.flags.file.clone()))?;
        if found == wanted { Ok(()) } else { Err(Failure::transient("other flags are served")) }
    }
}

/// The document with what the layers turn off.
fn rendered(wanted: &Wanted) -> Parts {
    let mut parts = wanted.parts.clone();
    for key in wanted.layers.values().flat_map(|layer| &layer.flags) {
        if let Some(value) = parts.get_mut(&Part::Flag(key.clone())) {
            OFF.clone_into(value);
        }
    }
    parts
}

impl State {
    /// What clients must never see.
    pub(crate) fn tick_flags(&mut self) {
        let on = |key: &str| self.flags.is_on(key);
        let mut wrong = Vec::new();
        for key in self.flags.turned_off.iter().filter(|key| on(key)) {
            wrong.push(format!("{key} is on again, which somebody had turned off"));
        }
        for release in self.releases.values() {
            let Some((key, version)) = release.grounded() else { continue };
            let has = |version: MigrationVersion| {
                self.store.applied.iter().any(|one| one.migration.version == version)
            };
            if !has(version) && on(key) {
                wrong.push(format!("{key} is on without migration {version}"));
            }
        }
        if let Some(plan) = self.book.forward().filter(|plan| plan.intent == Intent::Rollback)
            && let Some(from) = plan.from.as_ref().and_then(|from| self.releases.get(from))
            && self.proxy.live.split.names(&plan.to)
            && on(&from.own_flag())
        {
            wrong.push(format!("{} gets requests while {} is on", plan.to, from.own_flag()));
        }
        for what in wrong {
            if !self.flags.wrong.contains(&what) {
                self.flags.wrong.push(what);
            }
        }
    }
}

impl Controller<'_> {
    /// What a deploy does to the flags.
    pub(crate) fn flags_of_deploy(
        &self,
        environment: &Environment,
        release: &SimRelease,
    ) -> FlagPreview {
        self.with(|state| {
            let live = environment.history.live().and_then(|live| state.releases.get(live));
            let now = &environment.history.flags;
            let deploy = DeployFlags {
                release: &release.document,
                from: &live.map(SimRelease::parts).unwrap_or_default(),
                to: &release.parts(),
                now: &state.flags.parts(now.document.as_ref()),
                state: now,
                clash: Clash::Keep,
            };
            never(FlagPreview::deploy(&deploy, &mut |parts| Ok(state.flags.put(parts))))
        })
    }

    /// What a rollback does to the flags.
    pub(crate) fn flags_of_rollback(
        &self,
        environment: &Environment,
        target: &SimRelease,
        undone: &[MigrationScript],
    ) -> FlagPreview {
        let history = &environment.history;
        self.with(|state| {
            let left = history.verified.iter().rev().map(|verified| &verified.release);
            let left = left.take_while(|id| *id != target.id());
            let left: Vec<_> = left
                .filter_map(|id| {
                    let span = history.flag_spans.get(id)?;
                    let parts = |document: &Option<Digest>| state.flags.parts(document.as_ref());
                    let release = state.releases.get(id)?.document.clone();
                    Some((release, parts(&span.before_document), parts(&span.after_document)))
                })
                .collect();
            let leaving: Vec<Leaving<'_>> = left
                .iter()
                .map(|(release, before, after)| Leaving { release, before, after })
                .collect();
            let needs = state.releases.values().flat_map(|one| &one.document.flags.wishes);
            let needs: BTreeMap<String, MigrationVersion> = needs
                .filter_map(|(key, wish)| Some((key.clone(), wish.requires_schema?)))
                .collect();
            let rollback = RollbackFlags {
                needs: &needs,
                target: &target.document,
                left: &leaving,
                undone: &undone.iter().map(|script| script.migration.version).collect(),
                now: &state.flags.parts(history.flags.document.as_ref()),
                state: &history.flags,
                clash: Clash::Keep,
            };
            never(FlagPreview::rollback(&rollback, &mut |parts| Ok(state.flags.put(parts))))
        })
    }
}

fn never<T>(result: std::result::Result<T, Infallible>) -> T {
    match result {
        Ok(value) => value,
        Err(never) => match never {},
    }
}
