//! Taking one run back: with the script that was written for it, put right where it leaves
//! anything otherwise than it was, or derived from what the run changed when there is none. All of
//! it happens in one transaction, or not at all.
//!
//! What is put back, and how, is the way back's; which run is taken back is the caller's choice.

use crate::formats::{Migration, Transaction};
use crate::postgres::act::Act;
use crate::postgres::attempt::{Report, attempt};
use crate::postgres::back::Back;
use crate::postgres::hide::show;
use crate::postgres::history::History;
use crate::postgres::keep::{Keeper, Watch};
use crate::postgres::outcome::{Conflict, Outcome, merge};
use crate::postgres::own::{Applied, Delta, Drift, Kept, KeptItem, State};
use crate::postgres::quiet::quietly;
use crate::postgres::scope::written;
use crate::postgres::script::{Division, Script};
use crate::postgres::session::Session;
use crate::postgres::snapshot::{Scope, snapshot_here};
use crate::postgres::terms::Terms;
use crate::postgres::trouble::PostgresError;
use ripcord_core::schema::{Counted, Direction, Unit};
use std::time::Instant;

const ABOUT: &str = "way back";

/// Takes a run back, by its number in `ripcord.applied`. The script is the folder's where it has
/// one, or else the one that was stored when the run was made.
///
/// # Errors
///
/// Users changed the same objects since, or rows of theirs stand against what is to come back, or
/// the database cannot do it now. Then nothing happened.
pub fn down(
    session: &mut Session,
    run: i64,
    migration: Option<&Migration>,
    history: &History,
    terms: &Terms,
    report: &mut Report<'_>,
) -> Result<Outcome, PostgresError> {
    let began = Instant::now();
    let key = session.history().to_owned();
    let applied = Applied::of(session.guard(), &key)?.into_iter().find(|one| one.id == run);
    let applied = applied.ok_or_else(|| refused(session, "there is no such run here"))?;
    let whole = format!("the way back of {}", title(&applied));
    match applied.state {
        State::Applied => {}
        State::Undone => {
            let notes = vec![format!("{} was taken back already", title(&applied))];
            return Ok(Outcome { notes, ..Outcome::default() });
        }
        State::Running | State::Undoing => {
            let why = "it is not through yet; run it to its end first, by running up again";
            return Err(named(session, &whole, why));
        }
    }
    let mut notes = Vec::new();
    let script = script(&applied, migration, &mut notes);
    if applied.delta.is_none() && script.is_none() {
        let why = "another tool ran it, so what it changed is not known, and there is no script \
                   that takes it back; write one";
        return Err(named(session, &whole, why));
    }
    let taken = attempt_down(session, &applied, script.as_ref(), history, terms, report);
    let mut outcome = taken?;
    outcome.notes.splice(0..0, notes);
    outcome.took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(outcome)
}

/// The script that takes it back, if there is one that can run in a transaction.
fn script(
    applied: &Applied,
    migration: Option<&Migration>,
    notes: &mut Vec<String>,
) -> Option<Script> {
    let own = migration.and_then(|migration| migration.down.as_ref());
    let (name, text, run) = if let Some(script) = own {
        (script.path.display().to_string(), script.text.clone(), script.transaction)
    } else {
        let name = format!("the down script of {}", title(applied));
        (name, applied.run.down.clone()?, Transaction::Whole)
    };
    let instead = "so the way back is derived from what the run changed";
    match Script::read(&name, &text, run, Division::default()) {
        Ok(script) if script.steps.is_empty() => None,
        Ok(script) if script.segments.iter().any(|segment| segment.alone) => {
            notes.push(format!("{name} is for no transaction, {instead}"));
            None
        }
        Ok(script) => Some(script),
        Err(why) => {
            notes.push(format!("{name} cannot be run ({why}), {instead}"));
            None
        }
    }
}

fn attempt_down(
    session: &mut Session,
    applied: &Applied,
    script: Option<&Script>,
    history: &History,
    terms: &Terms,
    report: &mut Report<'_>,
) -> Result<Outcome, PostgresError> {
    let key = format!("down:{}", applied.id);
    let mut watch = Watch::default();
    if let Some(script) = script {
        let tables = written(session.guard(), script)?;
        watch = Watch::begin(session.guard(), &key, &tables, terms)?;
    }
    let done = attempt(session, terms, &key, report, |session, report| {
        once(session, applied, script, &mut watch, history, terms, report)
    });
    let left = watch.end(session.guard(), terms);
    let mut outcome = done.map_err(|error| in_words(error, applied))?;
    outcome.notes.extend(left);
    Ok(outcome)
}

/// A row or value that stands against the way back is a matter for people, not for the server.
fn in_words(error: PostgresError, applied: &Applied) -> PostgresError {
    let PostgresError::Query { place, about, why, code } = error else { return error };
    if !["22", "23"].contains(&code.get(..2).unwrap_or_default()) {
        return PostgresError::Query { place, about, why, code };
    }
    let why = format!(
        "a row or value that is there now stands against it: {why}; nothing was changed. Change or \
         delete what is named and run it again, or write what is to be as a new migration"
    );
    PostgresError::Refused { place, what: format!("the way back of {}", title(applied)), why }
}

/// Everything that happens in the transaction.
fn once(
    session: &mut Session,
    applied: &Applied,
    script: Option<&Script>,
    watch: &mut Watch,
    history: &History,
    terms: &Terms,
    report: &mut Report<'_>,
) -> Result<Outcome, PostgresError> {
    let mut outcome = Outcome::default();
    let Some(delta) = &applied.delta else {
        if let Some(script) = script {
            run(session, applied, script, watch, terms, report, &mut outcome)?;
        }
        history.strike(session.work(), &applied.run)?;
        quietly(session.work(), |work| Applied::set(work, applied.id, State::Undone, None))?;
        return Ok(outcome);
    };
    let (now, numbers) = snapshot_here(session.work(), &Scope::default())?;
    let (target, drifts) = delta.taken_from(&now);
    let pieces = quietly(session.work(), |work| Kept::of(work, applied.id, Direction::Up))?;
    let (pieces, purged): (Vec<Kept>, Vec<Kept>) =
        pieces.into_iter().partition(|piece| piece.purged_at.is_none());
    stands(session, applied, delta, drifts, &purged)?;
    for piece in purged {
        outcome.notes.push(format!("what was kept of {} was purged", piece.relation));
    }
    let back = quietly(session.work(), |work| {
        Back::look(work, delta, &target, (&now, &numbers), &pieces)
    })?;
    let shown = quietly(session.work(), |work| show(work, &pieces))?;
    if shown && script.is_some() {
        let why = "what was hidden is back where it was, so the down script was not needed";
        outcome.notes.push(why.to_owned());
    }
    let mut ran = false;
    if let Some(script) = script.filter(|_| !shown) {
        session.work().run(ABOUT, "SAVEPOINT ripcord_script")?;
        match run(session, applied, script, watch, terms, report, &mut outcome) {
            Ok(()) => {
                ran = true;
                session.work().run(ABOUT, "RELEASE SAVEPOINT ripcord_script")?;
            }
            Err(error) if error.is_lost() || error.is_contention() => return Err(error),
            Err(error) => {
                watch.forget();
                session.work().run(ABOUT, "ROLLBACK TO SAVEPOINT ripcord_script")?;
                let why = format!("the way back was derived, since its script failed: {error}");
                outcome =
                    Outcome { repaired: vec![why], notes: outcome.notes, ..Outcome::default() };
            }
        }
    }
    quietly(session.work(), |work| {
        work.run(ABOUT, "SET LOCAL check_function_bodies = off")?;
        let mut keeper = Keeper::of(work, applied.id, Direction::Down, terms)?;
        let own = Kept::of(work, applied.id, Direction::Down)?;
        back.go(work, &mut keeper, &own, terms, ran, &mut outcome)?;
        merge(&mut outcome.hidden, keeper.counted().to_vec());
        undone(&own, &mut outcome.hidden);
        let sql = format!(
            "UPDATE ripcord.kept SET restored_at = now() WHERE applied = {} AND direction = 'up'",
            applied.id
        );
        work.run(ABOUT, &sql)
    })?;
    accepted(session, applied, terms, &outcome)?;
    history.strike(session.work(), &applied.run)?;
    quietly(session.work(), |work| Applied::set(work, applied.id, State::Undone, None))?;
    Ok(outcome)
}

/// What a script did to rows was undone on the spot, so that it is not out of sight.
fn undone(own: &[Kept], hidden: &mut Vec<Counted>) {
    for piece in own.iter().filter(|piece| matches!(piece.item, KeptItem::Changes { .. })) {
        let what = piece.relation.strip_prefix("public.").unwrap_or(&piece.relation);
        let same = |one: &&mut Counted| one.what == what && one.unit == Unit::Rows;
        if let Some(one) = hidden.iter_mut().find(same) {
            one.count = one.count.saturating_sub(piece.rows);
        }
    }
    hidden.retain(|one| one.count > 0);
}

/// Refuses, with everything counted under the lock, what goes beyond what was accepted.
fn accepted(
    session: &Session,
    applied: &Applied,
    terms: &Terms,
    outcome: &Outcome,
) -> Result<(), PostgresError> {
    let whole = format!("the way back of {}", title(applied));
    if let Some(accept) = &terms.accept {
        let lists =
            [("hide", &outcome.hidden, &accept.hidden), ("destroy", &outcome.gone, &accept.gone)];
        for (verb, found, allowed) in lists {
            for one in found {
                let same = |other: &&Counted| other.what == one.what && other.unit == one.unit;
                let allowed = allowed.iter().find(same).map_or(0, |other| other.count);
                if one.count > allowed {
                    let why =
                        format!("it would {verb} {one}, and {allowed} were accepted; plan again");
                    return Err(named(session, &whole, &why));
                }
            }
        }
    }
    let count: u64 = outcome.conflicts.iter().map(|one| one.count).sum();
    if let Some(max) = terms.conflicts_max.filter(|max| count > *max) {
        let one = |one: &Conflict| format!("{} of {} ({})", one.count, one.what, one.why);
        let list: Vec<String> = outcome.conflicts.iter().map(one).collect();
        let why = format!(
            "{count} rows or values of users stand where something would return, and {max} were \
             accepted: {}; plan again",
            list.join("; ")
        );
        return Err(named(session, &whole, &why));
    }
    Ok(())
}

/// Runs the script that takes it back, keeping what it destroys.
fn run(
    session: &mut Session,
    applied: &Applied,
    script: &Script,
    watch: &mut Watch,
    terms: &Terms,
    report: &mut Report<'_>,
    outcome: &mut Outcome,
) -> Result<(), PostgresError> {
    let whose = (applied.id, Direction::Down);
    let act = Act::new(session, whose, script, terms, watch, "nothing of it is in force")?;
    let acted = act.run(session, 0..script.steps.len(), report)?;
    // The script may have left settings and a role of its own.
    session.work().run(ABOUT, "RESET ROLE")?;
    merge(&mut outcome.hidden, acted.kept);
    merge(&mut outcome.gone, acted.gone);
    outcome.notes.extend(acted.notes);
    Ok(())
}

/// Facts that may change without anything else depending on them.
const HARMLESS: [&str; 7] =
    ["comment", "privileges", "owner", "statistics", "options", "clustered", "populated"];

/// Refuses when somebody changed since what the run changed.
fn stands(
    session: &Session,
    applied: &Applied,
    delta: &Delta,
    drifts: Vec<Drift>,
    purged: &[Kept],
) -> Result<(), PostgresError> {
    // What was hidden and then purged went with Ripcord's own doing.
    let ours = |drift: &Drift| {
        purged.iter().any(|piece| {
            matches!(&piece.item, KeptItem::Hidden { column: Some((_, meanwhile)), .. }
                if drift.name.name.ends_with(&format!(".{meanwhile}")))
        })
    };
    let harmful = drifts.into_iter().filter(|drift| !drift.is_harmless(&HARMLESS) && !ours(drift));
    let list: Vec<String> =
        harmful.map(|drift| format!("{} {}", drift.name, drift.words)).collect();
    if list.is_empty() {
        return Ok(());
    }
    let why = format!(
        "somebody changed since what it had changed: {}; take that back first, or write what is \
         to be as a new migration ({} objects are concerned)",
        list.join(", "),
        delta.objects.len()
    );
    Err(named(session, &format!("the way back of {}", title(applied)), &why))
}

fn title(applied: &Applied) -> String {
    format!("{} {}", applied.run.version, applied.run.name).trim().to_owned()
}

fn named(session: &Session, what: &str, why: &str) -> PostgresError {
    let (place, what, why) = (session.place().to_owned(), what.to_owned(), why.to_owned());
    PostgresError::Refused { place, what, why }
}

fn refused(session: &Session, why: &str) -> PostgresError {
    named(session, "the way back", why)
}
