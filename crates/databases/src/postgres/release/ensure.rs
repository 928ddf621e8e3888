//! Making a change true or untrue, whatever came of earlier attempts. Each migration of it is one
//! transaction with its mark; that the change is under way is written down before the first, and
//! that it is through after the last, so that what was cut off goes on or goes back from there.

use crate::formats::{Migration, MigrationSet};
use crate::postgres::connection::{Connection, Limits};
use crate::postgres::down::down;
use crate::postgres::history::{History, Ran, settle};
use crate::postgres::outcome::{Outcome, Progress, merge};
use crate::postgres::own::State;
use crate::postgres::preview::preview_up;
use crate::postgres::preview_back::{Taking, preview_down};
use crate::postgres::release::failure::Trouble;
use crate::postgres::release::record::{self, Stage};
use crate::postgres::release::{View, digest, foresee, key, limits};
use crate::postgres::session::Session;
use crate::postgres::terms::Terms;
use crate::postgres::up::up;
use ripcord_core::model::ids::Millis;
use ripcord_core::model::{Digest, Fence};
use ripcord_core::run::Receipt;
use ripcord_core::schema::{
    Counted, Direction, MigrationScript, SchemaChange, SchemaForecast, Wanted,
};
use ripcord_engine::Failure;
use std::time::Duration;

/// One request, with what it needs to know.
pub(super) struct Request<'a> {
    pub(super) address: &'a str,
    pub(super) set: &'a MigrationSet,
    pub(super) environment: &'a str,
    pub(super) change: &'a SchemaChange,
    pub(super) wanted: Wanted,
    pub(super) fence: Fence,
    pub(super) deadline_ms: Millis,
}

/// Whether somebody asked to stop.
pub(super) type Stop<'a> = &'a (dyn Fn() -> bool + Sync);

/// The longest that a turn is waited for.
const TURN_MS_MAX: Millis = 60_000;

/// Ensures it.
pub(super) fn ensure(request: &Request<'_>, stop: Stop<'_>) -> Result<Receipt, Failure> {
    Ok(Work::begin(request, stop)?.ensure()?)
}

struct Work<'a> {
    request: &'a Request<'a>,
    session: Session,
    view: View,
    terms: Terms,
    outcome: Outcome,
    restored: Vec<Counted>,
    stop: Stop<'a>,
}

impl<'a> Work<'a> {
    fn begin(request: &'a Request<'a>, stop: Stop<'a>) -> Result<Work<'a>, Trouble> {
        let turn = Duration::from_millis(request.deadline_ms.min(TURN_MS_MAX));
        let limits = Limits { turn, ..limits() };
        let mut connection = Connection::open(request.address, "release", &limits)?;
        let history = History::of(request.set, &mut connection, None)?;
        let session = Session::open(request.address, history.key(), &limits)?;
        // Whoever was at work before may have made the tool's table a moment ago.
        let history = History::of(request.set, &mut connection, None)?;
        let terms = Terms { statement_budget_ms: request.deadline_ms, ..Terms::default() };
        let view = View { connection, set: request.set.clone(), history };
        let (outcome, restored) = (Outcome::default(), Vec::new());
        Ok(Work { request, session, view, terms, outcome, restored, stop })
    }

    fn ensure(mut self) -> Result<Receipt, Trouble> {
        record::prepare(self.session.guard(), self.request.environment)?;
        record::pass_fence(self.session.guard(), self.request.fence)?;
        for version in settle(&mut self.session, &self.view.set, &self.view.history)? {
            let note = format!("{version} was taken back by somebody else; noted so");
            self.outcome.notes.push(note);
        }
        let change = self.request.change;
        let id = key(&change.id);
        let stage = record::find(self.session.guard(), &id)?;
        let stage = match (self.request.wanted, stage) {
            (Wanted::Made, Some(Stage::Made)) => {
                return Ok(Receipt::of("the change was already made"));
            }
            (Wanted::Unmade, Some(Stage::Unmade)) => {
                return Ok(Receipt::of("the change was already taken back"));
            }
            (Wanted::Made, Some(Stage::Unmade | Stage::Unmaking)) => {
                return Err(Trouble::refuse(format!(
                    "change {id} was taken back and cannot be made late; plan it anew"
                )));
            }
            (Wanted::Unmade, None) => {
                record::set(self.session.guard(), &id, Stage::Unmade)?;
                return Ok(Receipt::of("the change had not been made, and no longer can be"));
            }
            (Wanted::Made, None) => {
                let why = "the schema was changed by somebody else since the plan was made";
                self.expect(&change.from, why)?;
                self.nobody_was_faster()?;
                Stage::Making
            }
            (Wanted::Made, Some(Stage::Making)) => Stage::Making,
            (Wanted::Unmade, Some(Stage::Made | Stage::Making | Stage::Unmaking)) => {
                Stage::Unmaking
            }
        };
        record::set(self.session.guard(), &id, stage)?;
        match (change.direction, self.request.wanted) {
            (Direction::Up, Wanted::Made) | (Direction::Down, Wanted::Unmade) => self.forward()?,
            (Direction::Down, Wanted::Made) | (Direction::Up, Wanted::Unmade) => self.back()?,
        }
        self.finish(&id)
    }

    /// What the change is to run is not in force yet, and what it is to take back is: a script that
    /// changes only rows leaves no trace in the schema.
    fn nobody_was_faster(&mut self) -> Result<(), Trouble> {
        let up = self.request.change.direction == Direction::Up;
        let odd = self.migrations(|state| (state == Some(State::Applied)) == up)?;
        let Some(one) = odd.first() else { return Ok(()) };
        let what = if up { "run" } else { "taken back" };
        Err(Trouble::refuse(format!(
            "version {} was {what} by somebody else since the plan was made; plan it anew",
            one.version
        )))
    }

    /// Runs what is not in force.
    fn forward(&mut self) -> Result<(), Trouble> {
        let open: Vec<Migration> = self.migrations(|state| state != Some(State::Applied))?;
        self.accept(&open)?;
        for migration in &open {
            self.go_on()?;
            let outcome = up(
                &mut self.session,
                migration,
                &mut self.view.history,
                &self.terms,
                &mut |_: Progress| {},
            )?;
            self.add(outcome);
        }
        Ok(())
    }

    /// Takes back what is in force, the latest first.
    fn back(&mut self) -> Result<(), Trouble> {
        // What was cut off between two statements has to get through before it can go back.
        for migration in self.migrations(|state| state == Some(State::Running))? {
            self.go_on()?;
            let history = &mut self.view.history;
            up(&mut self.session, &migration, history, &self.terms, &mut |_: Progress| {})?;
        }
        for run in self.runs()? {
            self.go_on()?;
            let key = self.view.history.key().to_owned();
            let taking = [Taking { run: run.id, script: run.has_down }];
            let ahead = preview_down(&mut self.view.connection, &key, &taking, &self.terms)?;
            let ahead = ahead.forecast;
            let file = self.view.set.migrations.iter().find(|one| one.version == run.version);
            let outcome = down(
                &mut self.session,
                run.id,
                file,
                &self.view.history,
                &self.terms,
                &mut |_: Progress| {},
            )?;
            merge(&mut self.restored, returned(&ahead, &outcome));
            self.add(outcome);
        }
        Ok(())
    }

    /// The migrations of the change whose last run is in such a state, in ascending order.
    fn migrations(
        &mut self,
        fits: impl Fn(Option<State>) -> bool,
    ) -> Result<Vec<Migration>, Trouble> {
        let runs = self.view.history.applied(&mut self.view.connection)?;
        let mut found = Vec::new();
        for script in &self.request.change.scripts {
            let migration = foresee::migration(&self.view, script)
                .ok_or_else(|| Trouble::refuse(format!("{} is not here", script.migration)))?;
            let last = runs.iter().rfind(|run| run.run.version == migration.version);
            if fits(last.map(|run| run.state)) {
                found.push(migration.clone());
            }
        }
        Ok(found)
    }

    /// The runs of the change that are in force, the latest first.
    fn runs(&mut self) -> Result<Vec<Ran>, Trouble> {
        let is_ours = |run: &Ran| {
            let of =
                |script: &MigrationScript| run.version.parse() == Ok(script.migration.version.0);
            self.request.change.scripts.iter().any(of)
        };
        let runs = self.view.history.runs(&mut self.view.connection)?;
        let mut ours: Vec<Ran> = runs.into_iter().filter(is_ours).collect();
        ours.sort_by_key(|run| std::cmp::Reverse(run.id));
        Ok(ours)
    }

    /// Counts again what would be destroyed for good, and lets no more of it happen.
    fn accept(&mut self, open: &[Migration]) -> Result<(), Trouble> {
        if open.is_empty() || self.request.wanted == Wanted::Unmade {
            return Ok(());
        }
        let counted = preview_up(&mut self.view.connection, open, &self.terms)?;
        let gone: u64 = counted.gone.iter().map(|gone| gone.count).sum();
        let accepted = self.request.change.gone_max;
        if gone > accepted {
            return Err(Trouble::refuse(format!(
                "the change would destroy {gone} rows and values, more than the {accepted} that \
                 were accepted; nothing was changed, plan it anew"
            )));
        }
        self.terms.accept = Some(counted);
        Ok(())
    }

    fn go_on(&self) -> Result<(), Trouble> {
        if (self.stop)() { Err(Trouble::Failure(Failure::Interrupted)) } else { Ok(()) }
    }

    /// What is there is what should be, and it is written down that the change is through.
    fn finish(mut self, id: &str) -> Result<Receipt, Trouble> {
        let change = self.request.change;
        match self.request.wanted {
            Wanted::Made => {
                if change.direction == Direction::Down && self.is_known(&change.to)? {
                    self.expect(&change.to, "the way back leads to another schema than foretold")?;
                }
                let found = digest(&mut self.view)?;
                record::made(self.session.guard(), id, &change.to, &found)?;
            }
            Wanted::Unmade => {
                self.expect(&change.from, "taking the change back leads to another schema")?;
                record::set(self.session.guard(), id, Stage::Unmade)?;
            }
        }
        Ok(self.receipt())
    }

    /// Whether a schema was foretold by what it is, not only by how it comes about.
    fn is_known(&mut self, to: &Digest) -> Result<bool, Trouble> {
        let change = self.request.change;
        let named = super::foretold(&change.from, change.direction, &change.scripts);
        Ok(*to != named || record::called(&mut self.view.connection, to)?.len() > 1)
    }

    fn expect(&mut self, label: &Digest, why: &str) -> Result<(), Trouble> {
        let found = digest(&mut self.view)?;
        if record::called(&mut self.view.connection, label)?.contains(&found) {
            return Ok(());
        }
        Err(Trouble::refuse(format!(
            "{why}: it is {} instead of {}; plan it anew",
            found.short(),
            label.short()
        )))
    }

    fn add(&mut self, outcome: Outcome) {
        merge(&mut self.outcome.kept, outcome.kept);
        merge(&mut self.outcome.hidden, outcome.hidden);
        merge(&mut self.outcome.gone, outcome.gone);
        self.outcome.repaired.extend(outcome.repaired);
        self.outcome.conflicts.extend(outcome.conflicts);
        self.outcome.notes.extend(outcome.notes);
    }

    fn receipt(self) -> Receipt {
        let (change, outcome) = (self.request.change, self.outcome);
        let verb = match (change.direction, self.request.wanted) {
            (Direction::Up, Wanted::Made) => "applied",
            (Direction::Down, Wanted::Unmade) => "applied again",
            (Direction::Down, Wanted::Made) | (Direction::Up, Wanted::Unmade) => "took back",
        };
        let count = change.scripts.len();
        let plural = if count == 1 { "" } else { "s" };
        let mut what = format!("{verb} {count} migration{plural}");
        let conflicts = outcome.conflicts.iter();
        let conflicts = conflicts.map(|one| format!("{} of {}: {}", one.count, one.what, one.why));
        let repaired = match outcome.repaired.as_slice() {
            [] => None,
            [only] => Some(format!("put right: {only}")),
            [first, rest @ ..] => Some(format!("put right: {first}, and {} more", rest.len())),
        };
        for note in outcome.notes.iter().cloned().chain(repaired).chain(conflicts) {
            what.push_str("; ");
            what.push_str(&note);
        }
        Receipt {
            kept: outcome.kept,
            hidden: outcome.hidden,
            gone: outcome.gone,
            restored: self.restored,
            ..Receipt::of(what)
        }
    }
}

/// What of that which was kept is there again: all but what users stand against.
fn returned(ahead: &SchemaForecast, outcome: &Outcome) -> Vec<Counted> {
    let against = |what: &str| -> u64 {
        let conflicts = outcome.conflicts.iter().filter(|one| one.what == what);
        conflicts.map(|one| one.count).sum()
    };
    let mut counts = ahead.kept.clone();
    for one in &mut counts {
        one.count = one.count.saturating_sub(against(&one.what));
    }
    counts.retain(|one| one.count > 0);
    counts
}
