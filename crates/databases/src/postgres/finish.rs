//! Statements that were put off are run, when nobody has a use any more for what they remove. They
//! belong to the run that put them off: taking that back takes them back as well.

use crate::formats::Transaction;
use crate::postgres::act::Act;
use crate::postgres::attempt::{Report, attempt};
use crate::postgres::catalogue::Name;
use crate::postgres::connection::Connection;
use crate::postgres::keep::{Watch, sweep};
use crate::postgres::outcome::{Outcome, merge};
use crate::postgres::own::{Applied, Delta, Gone, Kept, KeptItem, State};
use crate::postgres::quiet::quietly;
use crate::postgres::scope::written;
use crate::postgres::script::{Division, Script};
use crate::postgres::session::Session;
use crate::postgres::snapshot::{Scope, snapshot_here};
use crate::postgres::terms::Terms;
use crate::postgres::trouble::PostgresError;
use ripcord_core::schema::{Direction, Mode};
use serde::Serialize;
use std::time::Instant;

const ABOUT: &str = "statements put off";

/// A statement that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// The number of the run that put it off.
    pub run: i64,
    /// The version of its migration.
    pub version: String,
    /// On which line of its script it stands.
    pub line: u32,
    /// The statement.
    pub text: String,
    /// Since when.
    pub since: String,
    /// The number of the piece.
    #[serde(skip)]
    id: i64,
}

/// The statements that wait, of runs that are in force, in the order in which they were put off.
///
/// # Errors
///
/// The database cannot be asked.
pub fn waiting(connection: &mut Connection, history: &str) -> Result<Vec<Waiting>, PostgresError> {
    if !crate::postgres::own::is_there(connection)? {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for one in Applied::of(connection, history)? {
        if one.state != State::Applied {
            continue;
        }
        for piece in Kept::of(connection, one.id, Direction::Up)? {
            let (KeptItem::Deferred { line, text }, None) = (piece.item, piece.restored_at) else {
                continue;
            };
            let (run, version) = (one.id, one.run.version.clone());
            found.push(Waiting { run, version, line, text, since: piece.kept_at, id: piece.id });
        }
    }
    Ok(found)
}

/// Runs the statements that one run put off, in one transaction.
///
/// # Errors
///
/// A statement fails, others are in the way each time, or it would destroy more than is allowed.
/// Then all of them go on waiting.
pub fn finish(
    session: &mut Session,
    run: i64,
    terms: &Terms,
    report: &mut Report<'_>,
) -> Result<Outcome, PostgresError> {
    let began = Instant::now();
    session.revive()?;
    let history = session.history().to_owned();
    let mut due = waiting(session.guard(), &history)?;
    due.retain(|one| one.run == run);
    let Some(first) = due.first() else { return Ok(Outcome::default()) };
    let name = format!("what {} put off", first.version);
    // Each on the line where it stands, and none of them is put off again.
    let mut text = String::new();
    for one in &due {
        let line = usize::try_from(one.line).unwrap_or(1).saturating_sub(1);
        let missing = line.saturating_sub(text.matches('\n').count());
        text.push_str(&"\n".repeat(missing));
        text.push_str(&one.text);
        text.push_str(";\n");
    }
    let script = Script::read(&name, &text, Transaction::Whole, Division::default());
    let script = script.map_err(|why| refused(session, &name, &why))?;
    if script.segments.iter().any(|segment| segment.alone) {
        return Err(refused(session, &name, "a statement of it refuses a transaction"));
    }
    let terms = match terms.mode {
        Mode::Defer => Terms { mode: Mode::Drop, ..terms.clone() },
        _ => terms.clone(),
    };
    let script = script.under(&terms).at_last();
    sweep(session.guard(), &terms)?;
    let key = format!("finish:{run}");
    let tables = written(session.guard(), &script)?;
    let mut watch = Watch::begin(session.guard(), &key, &tables, &terms)?;
    let numbers: Vec<i64> = due.iter().map(|one| one.id).collect();
    let done = attempt(session, &terms, &key, report, |session, report| {
        once(session, run, &script, &terms, &mut watch, &numbers, report)
    });
    let left = watch.end(session.guard(), &terms);
    let mut outcome = done?;
    outcome.notes.extend(left);
    outcome.took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(outcome)
}

/// Everything that happens in the transaction.
fn once(
    session: &mut Session,
    run: i64,
    script: &Script,
    terms: &Terms,
    watch: &mut Watch,
    numbers: &[i64],
    report: &mut Report<'_>,
) -> Result<Outcome, PostgresError> {
    let history = session.history().to_owned();
    let applied = Applied::of(session.work(), &history)?.into_iter().find(|one| one.id == run);
    let applied = applied.filter(|one| one.state == State::Applied);
    let Some(delta) = applied.and_then(|one| one.delta) else {
        return Err(refused(session, &script.name, "it was taken back meanwhile"));
    };
    let (now, identities) = snapshot_here(session.work(), &Scope::default())?;
    let whose = (run, Direction::Up);
    let act = Act::new(session, whose, script, terms, watch, "all of them go on waiting")?;
    let acted = act.run(session, 0..script.steps.len(), report)?;
    let (after, numbered) = snapshot_here(session.work(), &Scope::default())?;
    let (before, _) = delta.taken_from(&now);
    let mut joined = Delta::between(&before, &after);
    let since = Delta::of((&now, &identities), (&after, &numbered));
    joined.renamed = delta.followed_by(since.renamed);
    // Under the name that it had before the run.
    let first = |name: Name| match delta.renamed.iter().find(|one| one.to == name) {
        Some(one) => one.from.clone(),
        None => name,
    };
    let gone = since.gone.into_iter().map(|one| Gone { name: first(one.name), ..one });
    joined.gone = delta.gone.iter().cloned().chain(gone).collect();
    joined.fresh = [delta.fresh.as_slice(), &since.fresh].concat();
    joined.labels = [delta.labels.as_slice(), &since.labels].concat();
    joined.anchor = delta.anchor;
    quietly(session.work(), |work| {
        Applied::set(work, run, State::Applied, Some(&joined))?;
        let list: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        let sql = format!(
            "UPDATE ripcord.kept SET restored_at = now() WHERE id IN ({})",
            list.join(", ")
        );
        work.run(ABOUT, &sql)
    })?;
    let mut outcome = Outcome { notes: acted.notes, ..Outcome::default() };
    merge(&mut outcome.kept, acted.kept);
    merge(&mut outcome.hidden, acted.hidden);
    merge(&mut outcome.gone, acted.gone);
    Ok(outcome)
}

fn refused(session: &Session, what: &str, why: &str) -> PostgresError {
    let (place, what, why) = (session.place().to_owned(), what.to_owned(), why.to_owned());
    PostgresError::Refused { place, what, why }
}
