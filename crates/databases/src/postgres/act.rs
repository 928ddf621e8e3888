//! The statements of a script, run one by one in an open transaction, each after what it destroys
//! was set aside. What a statement destroys is asked of the database itself, as it is at that
//! moment: by what it names where that tells all, and otherwise by running it, looking what is
//! missing, and running it once more after that was kept.

use crate::postgres::attempt::Report;
use crate::postgres::connection::Connection;
use crate::postgres::hide::{Trial, is_made_again};
use crate::postgres::keep::{Inventory, Keeper, Lost, Retyping, Watch};
use crate::postgres::outcome::{Progress, merge};
use crate::postgres::own::KeptItem;
use crate::postgres::quiet::{bound, quietly};
use crate::postgres::scope::{emptied, is_foreign, owned_sequences, reached, resolve, targets};
use crate::postgres::script::{Script, Step, Way};
use crate::postgres::session::Session;
use crate::postgres::snapshot::{Scope, snapshot_here};
use crate::postgres::terms::Terms;
use crate::postgres::trouble::PostgresError;
use crate::statement::{Name, Statement};
use ripcord_core::schema::{Counted, Direction, Unit};
use std::collections::BTreeSet;
use std::ops::Range;

/// What is common to the statements of a run.
pub(crate) struct Act<'a> {
    pub(crate) script: &'a Script,
    pub(crate) terms: &'a Terms,
    pub(crate) watch: &'a mut Watch,
    pub(crate) keeper: Keeper,
    /// What was there when the transaction began.
    known: Inventory,
    /// The names that statements wrote to since a definition was changed last.
    seen: BTreeSet<Name>,
    gone: Vec<Counted>,
    hidden: Vec<Counted>,
    notes: Vec<String>,
    /// What to say when a statement fails: what is in force all the same.
    left: String,
}

/// What a run set aside, and what it destroyed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Acted {
    pub(crate) kept: Vec<Counted>,
    pub(crate) hidden: Vec<Counted>,
    pub(crate) gone: Vec<Counted>,
    pub(crate) notes: Vec<String>,
}

/// How often a statement is tried that destroys something else each time.
const TRIALS_MAX: u32 = 4;

const ABOUT: &str = "statement";

impl<'a> Act<'a> {
    /// Prepares to run statements as a part of a run, in the open transaction.
    pub(crate) fn new(
        session: &mut Session,
        (applied, direction): (i64, Direction),
        script: &'a Script,
        terms: &'a Terms,
        watch: &'a mut Watch,
        left: &str,
    ) -> Result<Act<'a>, PostgresError> {
        watch.forget();
        let (keeper, known) = quietly(session.work(), |work| {
            Ok((Keeper::of(work, applied, direction, terms)?, Inventory::read(work)?))
        })?;
        let seen = BTreeSet::new();
        let (gone, hidden, notes) = (Vec::new(), Vec::new(), Vec::new());
        let left = left.to_owned();
        Ok(Act { script, terms, watch, keeper, known, seen, gone, hidden, notes, left })
    }

    /// Runs statements of the script.
    ///
    /// # Errors
    ///
    /// A statement fails, or is refused because of what it would destroy. The transaction is to
    /// be rolled back.
    pub(crate) fn run(
        mut self,
        session: &mut Session,
        steps: Range<usize>,
        report: &mut Report<'_>,
    ) -> Result<Acted, PostgresError> {
        let script = self.script;
        let work = session.work();
        for step in script.steps.get(steps).unwrap_or_default() {
            report(Progress::Statement { line: step.parsed.line, text: step.shown() });
            let done = self.step(work, step);
            done.map_err(|error| self.without_room(error, work, step))?;
        }
        quietly(work, |work| {
            self.watch.off(&mut self.keeper, work)?;
            self.watch.close(work)
        })?;
        self.accepted(work)?;
        let kept = self.keeper.counted().to_vec();
        for counted in &kept {
            report(Progress::Kept(counted.clone()));
        }
        for counted in &self.hidden {
            report(Progress::Hidden(counted.clone()));
        }
        for counted in &self.gone {
            report(Progress::Gone(counted.clone()));
        }
        Ok(Acted { kept, hidden: self.hidden, gone: self.gone, notes: self.notes })
    }

    fn step(&mut self, work: &mut Connection, step: &Step) -> Result<(), PostgresError> {
        self.observe(work, step)?;
        if let Some(reason) = step.reason() {
            let reason = reason.to_owned();
            return self.destroy(work, step, &reason);
        }
        match &step.way {
            Way::Defer => return self.defer(work, step),
            Way::Hide { .. } | Way::Auto { .. } if self.hidden(work, step)? => return Ok(()),
            _ => {}
        }
        let retyping = self.foreseen(work, step)?;
        if step.may_destroy() {
            let handled: BTreeSet<(u32, i32)> = retyping.iter().map(Retyping::column).collect();
            self.tried(work, step, &handled)?;
        } else {
            self.execute(work, step)?;
        }
        if !retyping.is_empty() {
            quietly(work, |work| {
                retyping.into_iter().try_for_each(|one| one.after(&mut self.keeper, work))
            })?;
        }
        if step.sets() || step.is_opaque() {
            bound(work, self.terms)?;
        }
        Ok(())
    }

    /// Hides what a statement drops. False when it is to be copied aside instead: it is small, or
    /// nothing that could be hidden.
    fn hidden(&mut self, work: &mut Connection, step: &Step) -> Result<bool, PostgresError> {
        let asked = step.way == Way::Hide { asked: true };
        let steps = self.script.steps.iter();
        let later = steps.skip_while(|other| !std::ptr::eq(*other, step)).skip(1);
        let hindrance = if self.keeper.direction() == Direction::Down {
            Some("on the way back everything is copied aside".to_owned())
        } else if is_made_again(step, later) {
            Some("the same script makes another of that name".to_owned())
        } else if step.drops_only() {
            None
        } else {
            let why = "only DROP TABLE and DROP COLUMN can be hidden, in a statement of their own";
            Some(why.to_owned())
        };
        let hindrance = if hindrance.is_some() {
            hindrance
        } else {
            let before = quietly(work, Inventory::read)?;
            work.run(ABOUT, "SAVEPOINT ripcord_trial")?;
            self.execute(work, step)?;
            let after = quietly(work, Inventory::read)?;
            let (catalogue, _) = snapshot_here(work, &Scope::default())?;
            work.run(ABOUT, BACK)?;
            let trial = Trial { before, after, catalogue };
            let known = &self.known;
            let small = match step.way {
                Way::Auto { bytes_max } => quietly(work, |work| trial.bytes(work))? <= bytes_max,
                _ => false,
            };
            match quietly(work, |work| trial.hindrance(work, known))? {
                None if small => return Ok(false),
                None => {
                    let hid = quietly(work, |work| trial.hide(&mut self.keeper, work))?;
                    merge(&mut self.hidden, hid.hidden);
                    self.notes.extend(hid.notes);
                    return Ok(true);
                }
                why => why,
            }
        };
        match hindrance {
            Some(why) if asked => {
                Err(self.refused(work, step, &format!("it cannot be hidden: {why}")))
            }
            _ => Ok(false),
        }
    }

    /// Puts a statement off. Whoever has no more use for what it removes has it run later.
    fn defer(&mut self, work: &mut Connection, step: &Step) -> Result<(), PostgresError> {
        let relation = step.parsed.does.iter().find_map(Statement::table);
        let relation = relation.map(ToString::to_string).unwrap_or_default();
        let item = KeptItem::Deferred { line: step.parsed.line, text: step.parsed.text.clone() };
        quietly(work, |work| self.keeper.record(work, &relation, &item, 0))?;
        self.notes.push(format!(
            "waits for `ripcord db finish`: line {}: {}",
            step.parsed.line,
            step.shown()
        ));
        Ok(())
    }

    /// Sees to it that rows which a statement writes are noted, and ends that before others.
    fn observe(&mut self, work: &mut Connection, step: &Step) -> Result<(), PostgresError> {
        let writes = step.writes() || step.is_opaque();
        if step.reason().is_some() {
            return quietly(work, |work| self.watch.off(&mut self.keeper, work));
        }
        if writes {
            let names: Vec<&Name> =
                targets(step).into_iter().filter(|name| !self.seen.contains(name)).collect();
            if names.is_empty() && self.watch.is_on() {
                return Ok(());
            }
            let mut late = Vec::new();
            for name in names {
                let Some(oid) = resolve(work, name)? else { continue };
                if !self.known.is_table(oid) && is_foreign(work, oid)? {
                    let why = "its rows are at another server and cannot be kept; annotate it: \
                               -- ripcord: destroy REASON";
                    return Err(self.refused(work, step, why));
                }
                late.push(oid);
                self.seen.insert(name.clone());
            }
            return quietly(work, |work| {
                for oid in reached(work, &late)? {
                    if self.known.is_table(oid) {
                        self.watch.add(work, oid)?;
                    }
                }
                self.watch.on(&mut self.keeper, work)
            });
        }
        if step.sets() || matches!(step.parsed.does.as_slice(), [Statement::Query]) {
            return Ok(());
        }
        // What a name means, and which columns it has, may be another thing after this.
        self.seen.clear();
        quietly(work, |work| self.watch.off(&mut self.keeper, work))
    }

    /// Keeps what a statement is known to destroy by what it names.
    fn foreseen(
        &mut self,
        work: &mut Connection,
        step: &Step,
    ) -> Result<Vec<Retyping>, PostgresError> {
        let mut retyping = Vec::new();
        let (mut emptying, mut cascades, mut restarts) = (Vec::new(), false, false);
        for does in &step.parsed.does {
            match does {
                Statement::AlterType { table, column, to, using } => {
                    let Some(oid) = resolve(work, table)? else { continue };
                    if !self.known.is_table(oid) {
                        continue;
                    }
                    let one = quietly(work, |work| {
                        Retyping::before(&mut self.keeper, work, oid, column, to, *using)
                    })?;
                    retyping.extend(one);
                }
                Statement::Truncate { table, cascade, restarts: anew } => {
                    emptying.extend(resolve(work, table)?);
                    (cascades, restarts) = (cascades || *cascade, restarts || *anew);
                }
                Statement::AlterSequence { sequence, restarts: true } => {
                    let Some(oid) = resolve(work, sequence)? else { continue };
                    quietly(work, |work| self.keeper.position(work, oid))?;
                }
                Statement::Identity { table, .. } if says(step, "restart") => {
                    let Some(oid) = resolve(work, table)? else { continue };
                    self.positions(work, &[oid])?;
                }
                _ => {}
            }
        }
        if !emptying.is_empty() {
            let only = says(step, "only");
            let all = emptied(work, &emptying, cascades, only)?;
            let all: Vec<u32> = all.into_iter().filter(|oid| self.known.is_table(*oid)).collect();
            quietly(work, |work| {
                for oid in &all {
                    Keeper::lock(work, *oid)?;
                }
                all.iter().try_for_each(|oid| self.keeper.rows(work, *oid, false))
            })?;
            if restarts {
                self.positions(work, &all)?;
            }
        }
        Ok(retyping)
    }

    fn positions(&mut self, work: &mut Connection, tables: &[u32]) -> Result<(), PostgresError> {
        quietly(work, |work| {
            let sequences = owned_sequences(work, tables)?;
            sequences.iter().try_for_each(|oid| self.keeper.position(work, *oid))
        })
    }

    /// Runs a statement until all that is missing after it was kept before it.
    fn tried(
        &mut self,
        work: &mut Connection,
        step: &Step,
        handled: &BTreeSet<(u32, i32)>,
    ) -> Result<(), PostgresError> {
        let before = quietly(work, Inventory::read)?;
        let mut kept: Vec<Lost> = Vec::new();
        for _ in 0..TRIALS_MAX {
            let (lost, failed) = match self.trial(work, step, &before) {
                Ok(lost) => (lost, None),
                // A block may write to a table after it dropped a column that is noted.
                Err(error) if error.code() == "42703" && self.watch.is_on() => {
                    work.run(ABOUT, BACK)?;
                    let lost = self.unnoted(work, step, &before)?;
                    (lost, Some(error))
                }
                Err(error) => return Err(error),
            };
            let other = |one: &Lost| {
                !kept.contains(one)
                    && self.known.concerns(one)
                    && !matches!(one, Lost::Type(oid, at) if handled.contains(&(*oid, *at)))
            };
            let lost: Vec<Lost> = lost.into_iter().filter(other).collect();
            match failed {
                None if lost.is_empty() => {
                    return work.run(ABOUT, "RELEASE SAVEPOINT ripcord_trial");
                }
                Some(error) if lost.is_empty() => return Err(error),
                _ => work.run(ABOUT, BACK)?,
            }
            kept.extend(lost.iter().cloned());
            quietly(work, |work| {
                self.keeper.keep(work, &before, &lost)?;
                self.watch.renew(&mut self.keeper, work, &kept)
            })?;
        }
        Err(self.refused(work, step, "it destroys something else each time it is tried"))
    }

    /// The same as a trial, but changes of rows are not noted: the run does not count.
    fn unnoted(
        &mut self,
        work: &mut Connection,
        step: &Step,
        before: &Inventory,
    ) -> Result<Vec<Lost>, PostgresError> {
        work.run(ABOUT, "SAVEPOINT ripcord_trial")?;
        Watch::pass(work)?;
        self.execute(work, step)?;
        let now = quietly(work, Inventory::read)?;
        Ok(before.lost(&now))
    }

    /// Runs a statement behind a savepoint, and says what is missing.
    fn trial(
        &mut self,
        work: &mut Connection,
        step: &Step,
        before: &Inventory,
    ) -> Result<Vec<Lost>, PostgresError> {
        work.run(ABOUT, "SAVEPOINT ripcord_trial")?;
        self.execute(work, step)?;
        let now = quietly(work, Inventory::read)?;
        Ok(before.lost(&now))
    }

    /// Runs a statement whose author wants destroyed what it destroys. Only its extent is noted.
    fn destroy(
        &mut self,
        work: &mut Connection,
        step: &Step,
        reason: &str,
    ) -> Result<(), PostgresError> {
        let before = quietly(work, Inventory::read)?;
        let mut emptying = Vec::new();
        for does in &step.parsed.does {
            if let Statement::Truncate { table, .. } = does {
                emptying.extend(resolve(work, table)?);
            }
        }
        let cascade = says(step, "cascade");
        let mut lost: Vec<Lost> = emptied(work, &emptying, cascade, says(step, "only"))?
            .into_iter()
            .map(Lost::Table)
            .collect();
        if step.may_destroy() {
            lost.extend(self.trial(work, step, &before)?);
            work.run(ABOUT, BACK)?;
        }
        for one in lost.iter().filter(|one| self.known.concerns(one)) {
            let counted = quietly(work, |work| Keeper::extent(work, &before, one))?;
            merge(&mut self.gone, counted);
        }
        let rows = self.execute(work, step)?;
        if step.writes() {
            let what = targets(step).first().map(ToString::to_string).unwrap_or_default();
            let counted = Counted { what, unit: Unit::Rows, count: rows };
            merge(&mut self.gone, [counted]);
        }
        self.notes.push(format!("destroyed on line {}: {reason}", step.parsed.line));
        Ok(())
    }

    /// Sends a statement as it is written.
    fn execute(&self, work: &mut Connection, step: &Step) -> Result<u64, PostgresError> {
        let text = &step.parsed.text;
        let done = match &step.rows {
            Some(rows) if rows.is_empty() => work.copy_in(ABOUT, text, b""),
            Some(rows) => work.copy_in(ABOUT, text, format!("{rows}\n").as_bytes()),
            None => work.count(ABOUT, text),
        };
        done.map_err(|error| told(error, self.script, step, &self.left))
    }

    /// Whether no more is destroyed for good than was accepted.
    fn accepted(&self, work: &Connection) -> Result<(), PostgresError> {
        let Some(accept) = &self.terms.accept else { return Ok(()) };
        for one in &self.gone {
            let allowed = accept.gone.iter().find(|a| a.what == one.what && a.unit == one.unit);
            let allowed = allowed.map_or(0, |accepted| accepted.count);
            if one.count > allowed {
                return Err(PostgresError::Refused {
                    place: work.place().to_owned(),
                    what: self.script.name.clone(),
                    why: format!("it would destroy {one} and {allowed} were accepted; plan again"),
                });
            }
        }
        Ok(())
    }

    /// What to do when the disk is full of what is kept.
    fn without_room(&self, error: PostgresError, work: &Connection, step: &Step) -> PostgresError {
        match &error {
            PostgresError::Query { why, code, .. } if is_full(code, why) => {
                let why = format!(
                    "there is no room for a copy of what it destroys ({why}), and {}; make room, \
                     or hide it (--mode hide, or «-- ripcord: hide» before it), or say that it may \
                     be destroyed",
                    self.left
                );
                self.refused(work, step, &why)
            }
            _ => error,
        }
    }

    fn refused(&self, work: &Connection, step: &Step, why: &str) -> PostgresError {
        PostgresError::Refused {
            place: work.place().to_owned(),
            what: format!("{}, line {}", self.script.name, step.parsed.line),
            why: why.to_owned(),
        }
    }
}

const BACK: &str = "ROLLBACK TO SAVEPOINT ripcord_trial; RELEASE SAVEPOINT ripcord_trial";

/// Whether a disk or a quota is full.
fn is_full(code: &str, why: &str) -> bool {
    code == "53100" || why.contains("could not extend file")
}

/// Whether a statement has a word.
fn says(step: &Step, word: &str) -> bool {
    let split = |c: char| !c.is_alphanumeric() && c != '_' && c != '"';
    step.parsed.text.split(split).any(|found| found.eq_ignore_ascii_case(word))
}

/// What the server said about a statement, with the statement.
pub(crate) fn told(
    error: PostgresError,
    script: &Script,
    step: &Step,
    left: &str,
) -> PostgresError {
    match error {
        PostgresError::Query { why, code, .. } => PostgresError::Statement {
            at: format!("{}, line {}", script.name, step.parsed.line),
            text: step.shown(),
            why,
            code,
            left: left.to_owned(),
        },
        other => other,
    }
}
