//! One migration forward: what it destroys is set aside, its statements run as they are written,
//! and what it changed is written down with all that is needed to take it back. In one transaction
//! where the script allows it; otherwise part by part, so that a run which was cut off goes on
//! where it stopped.

use crate::formats::{Migration, MigrationKind};
use crate::postgres::act::{Act, Acted};
use crate::postgres::alone::alone;
use crate::postgres::attempt::{Report, attempt};
use crate::postgres::back::number;
use crate::postgres::catalogue::Catalogue;
use crate::postgres::connection::Connection;
use crate::postgres::history::History;
use crate::postgres::keep::{Keeper, Watch, sweep};
use crate::postgres::outcome::{Outcome, Progress, merge};
use crate::postgres::own::{self, Applied, Delta, Kept, KeptItem, Run, State};
use crate::postgres::quiet::quietly;
use crate::postgres::redo::redo;
use crate::postgres::scope::written;
use crate::postgres::script::{Division, Script, Segment};
use crate::postgres::session::Session;
use crate::postgres::snapshot::{Identities, Scope, snapshot_here};
use crate::postgres::terms::Terms;
use crate::postgres::trouble::PostgresError;
use ripcord_core::schema::Direction;
use std::time::Instant;

/// Runs a migration forward. One that is in force already is left alone, and one that was cut off
/// goes on where it stopped.
///
/// # Errors
///
/// The script cannot be run faithfully, a statement of it fails, others were in the way each time
/// it was tried, or it would destroy more than is allowed. What is in force then is said.
pub fn up(
    session: &mut Session,
    migration: &Migration,
    history: &mut History,
    terms: &Terms,
    progress: &mut dyn FnMut(Progress),
) -> Result<Outcome, PostgresError> {
    let began = Instant::now();
    session.revive()?;
    let run = Run::of(history.key(), migration);
    let script = read(session, migration, terms, Division::default())?;
    history.ensure(session.guard())?;
    let before = Applied::of(session.guard(), &run.history)?;
    let before = before.into_iter().rfind(|one| one.run.version == run.version);
    let again = migration.kind == MigrationKind::Repeatable;
    if before.as_ref().is_some_and(|one| one.state == State::Applied) && !again {
        let note = format!("{} is in force already", script.name);
        return Ok(Outcome { notes: vec![note], ..Outcome::default() });
    }
    let resumed = before.filter(|one| one.state == State::Running);
    if let Some(one) = resumed.as_ref().filter(|one| one.run.checksum != run.checksum) {
        let done = one.statement;
        return Err(refused(
            session,
            &script,
            &format!(
                "it was cut off after {done} of its statements and is another text now; put the \
                 text back and run it again, or take it back"
            ),
        ));
    }
    sweep(session.guard(), terms)?;
    let ascent = Ascent { migration, history, terms, began, run, resumed };
    let mut outcome = match ascent.run(session, &script, progress) {
        Err(error) if is_label(&error) && script.is_whole() && script.adds_labels() => {
            let script = read(session, migration, terms, Division { labels_apart: true })?;
            ascent.run(session, &script, progress)?
        }
        done => done?,
    };
    outcome.took_ms = millis(began);
    Ok(outcome)
}

/// What stays the same for the whole of a run.
struct Ascent<'a> {
    migration: &'a Migration,
    history: &'a History,
    terms: &'a Terms,
    began: Instant,
    run: Run,
    /// Where it was cut off.
    resumed: Option<Applied>,
}

/// What changes from part to part.
struct Place {
    id: i64,
    done: usize,
    /// The schema before the first statement.
    before: Option<(Catalogue, Option<Identities>)>,
}

type Before = (Catalogue, Option<Identities>);

impl Ascent<'_> {
    fn run(
        &self,
        session: &mut Session,
        script: &Script,
        report: &mut Report<'_>,
    ) -> Result<Outcome, PostgresError> {
        let mut progress = Place { id: 0, done: 0, before: None };
        progress.id = match &self.resumed {
            Some(one) => {
                progress.done = usize::try_from(one.statement).unwrap_or(usize::MAX);
                one.id
            }
            None => Applied::reserve(session.guard())?,
        };
        afresh(session.work())?;
        Ascent::settings(session, script, progress.done)?;
        let tables = written(session.guard(), script)?;
        let key = format!("up:{}", progress.id);
        let mut watch = Watch::begin(session.guard(), &key, &tables, self.terms)?;
        let ran = self.parts(session, script, &mut progress, &mut watch, report);
        // If nobody can be reached now, the next run removes what is left.
        let left = match session.revive() {
            Ok(()) => watch.end(session.guard(), self.terms),
            Err(_) => Vec::new(),
        };
        let mut outcome = ran?;
        outcome.notes.extend(left);
        Ok(outcome)
    }

    /// What the statements that are done set for those after them.
    fn settings(session: &mut Session, script: &Script, done: usize) -> Result<(), PostgresError> {
        let steps = script.steps.iter().take(done).filter(|step| step.sets());
        for step in steps {
            session.work().run("settings", &step.parsed.text)?;
        }
        Ok(())
    }

    fn parts(
        &self,
        session: &mut Session,
        script: &Script,
        progress: &mut Place,
        watch: &mut Watch,
        report: &mut Report<'_>,
    ) -> Result<Outcome, PostgresError> {
        let mut outcome = Outcome::default();
        let ended = script.segments.iter().all(|segment| segment.steps.end <= progress.done);
        let nothing = [Segment { steps: progress.done..progress.done, alone: false }];
        let segments = if ended { &nothing[..] } else { &script.segments[..] };
        for segment in segments {
            if segment.steps.end <= progress.done && !ended {
                continue;
            }
            let segment = Segment {
                steps: segment.steps.start.max(progress.done)..segment.steps.end,
                ..*segment
            };
            let last = segment.steps.end >= script.steps.len();
            if !segment.alone {
                let acted =
                    self.together(session, script, progress, &segment, last, watch, report)?;
                add(&mut outcome, acted);
                continue;
            }
            // What is about to run has to be known before it runs.
            if progress.before.is_none() {
                let nothing = Segment { steps: progress.done..progress.done, alone: false };
                self.together(session, script, progress, &nothing, false, watch, report)?;
            }
            let left = left(script, progress.done);
            let at = segment.steps.start;
            alone(session, progress.id, script, at, self.terms, &left, report)?;
            progress.done = segment.steps.end;
            if last {
                let nothing = Segment { steps: progress.done..progress.done, alone: false };
                self.together(session, script, progress, &nothing, true, watch, report)?;
            }
        }
        Ok(outcome)
    }

    /// Runs statements that become true together, in one transaction with what is written down
    /// about them.
    #[expect(clippy::too_many_arguments, reason = "all of them belong to one transaction")]
    fn together(
        &self,
        session: &mut Session,
        script: &Script,
        progress: &mut Place,
        segment: &Segment,
        last: bool,
        watch: &mut Watch,
        report: &mut Report<'_>,
    ) -> Result<Acted, PostgresError> {
        let (id, end) = (progress.id, segment.steps.end);
        let key = format!("up:{id}:{}", segment.steps.start);
        let left = left(script, progress.done);
        let first = progress.before.is_none();
        let (acted, before) = attempt(session, self.terms, &key, report, |session, report| {
            let before = match progress.before.clone() {
                Some(before) => before,
                None => self.begin(session, id)?,
            };
            let act = Act::new(session, (id, Direction::Up), script, self.terms, watch, &left)?;
            let acted = act.run(session, segment.steps.clone(), report)?;
            let back = self.end(session, id, end, last, &before)?;
            Ok((Acted { notes: [acted.notes, back].concat(), ..acted }, before))
        })?;
        if first {
            progress.before = Some(before);
        }
        progress.done = end;
        Ok(acted)
    }

    /// The schema before the run, and its entry, in the first transaction.
    fn begin(&self, session: &mut Session, id: i64) -> Result<Before, PostgresError> {
        let (now, identities) = snapshot_here(session.work(), &Scope::default())?;
        if let Some(one) = &self.resumed {
            let before = one.delta.as_ref().map(|delta| delta.taken_from(&now).0);
            return Ok(before.map_or((now, Some(identities)), |before| (before, None)));
        }
        quietly(session.work(), |work| Applied::begin(work, id, &self.run))?;
        Ok((now, Some(identities)))
    }

    /// What comes back of an earlier run, what this one changed so far, and that it is done, in the
    /// same transaction.
    fn end(
        &self,
        session: &mut Session,
        id: i64,
        done: usize,
        last: bool,
        before: &Before,
    ) -> Result<Vec<String>, PostgresError> {
        let back = if last {
            quietly(session.work(), |work| {
                self.in_place_of_others(work, id)?;
                redo(work, &self.run, id)
            })?
        } else {
            Vec::new()
        };
        let (now, identities) = snapshot_here(session.work(), &Scope::default())?;
        let mut delta = match &before.1 {
            Some(known) => Delta::of((&before.0, known), (&now, &identities)),
            None => Delta::between(&before.0, &now),
        };
        delta.anchor = Some(own::anchor(session.work())?);
        let took_ms = millis(self.began);
        quietly(session.work(), |work| {
            let state = if last { State::Applied } else { State::Running };
            Applied::set(work, id, state, Some(&delta))?;
            Applied::advance(work, id, u32::try_from(done).unwrap_or(u32::MAX))?;
            if last {
                self.history.record(work, self.migration, took_ms)?;
            }
            Ok(back)
        })
    }
}

impl Ascent<'_> {
    /// Notes the rows of tables that the run made in the place of others.
    fn in_place_of_others(&self, work: &mut Connection, id: i64) -> Result<(), PostgresError> {
        let mut keeper = None;
        for piece in Kept::of(work, id, Direction::Up)? {
            if !matches!(piece.item, KeptItem::Rows { dropped: true, .. }) {
                continue;
            }
            let Some(oid) = number(work, &piece.relation)? else { continue };
            if keeper.is_none() {
                keeper = Some(Keeper::of(work, id, Direction::Up, self.terms)?);
            }
            if let Some(keeper) = &mut keeper {
                keeper.made(work, oid)?;
            }
        }
        Ok(())
    }
}

/// Sets a session back to what the user's own programs begin with.
fn afresh(work: &mut Connection) -> Result<(), PostgresError> {
    work.run(
        "settings",
        "RESET ROLE; RESET ALL; SET idle_in_transaction_session_timeout = 60000; \
         SET client_connection_check_interval = 1000",
    )
}

fn read(
    session: &Session,
    migration: &Migration,
    terms: &Terms,
    division: Division,
) -> Result<Script, PostgresError> {
    let name = migration.up.path.display().to_string();
    let script = Script::read(&name, &migration.up.text, migration.up.transaction, division);
    script.map(|script| script.under(terms)).map_err(|why| PostgresError::Refused {
        place: session.place().to_owned(),
        what: name,
        why,
    })
}

fn refused(session: &Session, script: &Script, why: &str) -> PostgresError {
    PostgresError::Refused {
        place: session.place().to_owned(),
        what: script.name.clone(),
        why: why.to_owned(),
    }
}

/// What to say of a script when a statement of it fails.
fn left(script: &Script, done: usize) -> String {
    if done == 0 {
        return "nothing of the script is in force".to_owned();
    }
    let all = script.steps.len();
    format!(
        "the first {done} of its {all} statements are in force; run it again to go on after them"
    )
}

/// Whether a new label of an enum was used by the transaction that added it.
fn is_label(error: &PostgresError) -> bool {
    error.code() == "55P04"
}

fn add(outcome: &mut Outcome, acted: Acted) {
    merge(&mut outcome.kept, acted.kept);
    merge(&mut outcome.hidden, acted.hidden);
    merge(&mut outcome.gone, acted.gone);
    outcome.notes.extend(acted.notes);
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
