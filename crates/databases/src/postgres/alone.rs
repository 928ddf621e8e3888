//! A statement that refuses a transaction. What it is about to do is written down first, and
//! after a crash or a lost answer the catalogue is asked whether it was done. An index that was
//! left half made is dropped and made again.

use crate::postgres::act::told;
use crate::postgres::attempt::Report;
use crate::postgres::connection::Connection;
use crate::postgres::outcome::Progress;
use crate::postgres::own::{Applied, Intent};
use crate::postgres::scope::resolve;
use crate::postgres::script::{Script, Step};
use crate::postgres::session::Session;
use crate::postgres::terms::{Terms, pause_ms};
use crate::postgres::trouble::PostgresError;
use crate::statement::Statement;
use std::time::Duration;

/// How long such a statement waits for transactions before it. Nobody queues behind it meanwhile.
const WAIT_MS_MAX: u64 = 600_000;

const ABOUT: &str = "statement";

/// Runs one statement by itself, as number `at` of a run.
///
/// # Errors
///
/// It fails, others were in the way each time, or another Ripcord took over. What it left half
/// made is removed.
pub(crate) fn alone(
    session: &mut Session,
    applied: i64,
    script: &Script,
    at: usize,
    terms: &Terms,
    left: &str,
    report: &mut Report<'_>,
) -> Result<(), PostgresError> {
    let Some(step) = script.steps.get(at) else { return Ok(()) };
    if wrecks(step) {
        return Err(PostgresError::Refused {
            place: session.place().to_owned(),
            what: format!("{}, line {}", script.name, step.parsed.line),
            why: "it destroys what cannot be kept; annotate it: -- ripcord: destroy REASON".into(),
        });
    }
    let number = u32::try_from(at).unwrap_or(u32::MAX);
    report(Progress::Statement { line: step.parsed.line, text: step.shown() });
    let mut attempt = 0;
    loop {
        attempt += 1;
        let error = match once(session, applied, step, number, terms) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if error.is_lost() {
            session.recover()?;
        }
        let again = error.is_lost() || error.is_contention();
        if !again {
            clean(session, applied, step)?;
            return Err(told(error, script, step, left));
        }
        if attempt >= terms.attempts_max.max(1) {
            clean(session, applied, step)?;
            let (place, why) = (session.place().to_owned(), error.to_string());
            return Err(PostgresError::Contended { place, why, attempts: attempt });
        }
        report(Progress::Waiting { attempt, why: error.to_string() });
        std::thread::sleep(Duration::from_millis(pause_ms(attempt)));
    }
}

/// Whether a whole database would be lost.
fn wrecks(step: &Step) -> bool {
    let drops = |does: &Statement| matches!(does, Statement::Cluster { what } if what.to_ascii_lowercase().starts_with("drop database"));
    step.reason().is_none() && step.parsed.does.iter().any(drops)
}

fn once(
    session: &mut Session,
    applied: i64,
    step: &Step,
    number: u32,
    terms: &Terms,
) -> Result<(), PostgresError> {
    let fence = session.fence();
    let doubt =
        Applied::intent(session.guard(), applied)?.filter(|intent| intent.statement == number);
    if let Some(intent) = &doubt {
        if settle(session, step, intent)? {
            return done(session, applied, number);
        }
    } else {
        let intent = Intent {
            statement: number,
            indexes: indexes(session.guard())?,
            target: target(session.work(), step)?,
        };
        if !Applied::intend(session.guard(), applied, &intent, fence)? {
            return Err(PostgresError::Superseded { place: session.place().to_owned() });
        }
    }
    let work = session.work();
    work.run(ABOUT, &format!("SET lock_timeout = {WAIT_MS_MAX}"))?;
    work.run(ABOUT, &format!("SET statement_timeout = {}", terms.statement_budget_ms))?;
    let ran = work.run(ABOUT, &step.parsed.text);
    match ran {
        Ok(()) => {}
        // It was done before its answer was lost.
        Err(error) if doubt.is_some() && is_there_already(&error) => {}
        Err(error) => return Err(error),
    }
    work.run(ABOUT, "RESET lock_timeout; RESET statement_timeout")?;
    done(session, applied, number)
}

fn done(session: &mut Session, applied: i64, number: u32) -> Result<(), PostgresError> {
    let fence = session.fence();
    if Applied::done(session.guard(), applied, number + 1, fence)? {
        return Ok(());
    }
    Err(PostgresError::Superseded { place: session.place().to_owned() })
}

/// Whether a statement in doubt was done. What it left half made is removed.
fn settle(session: &mut Session, step: &Step, intent: &Intent) -> Result<bool, PostgresError> {
    for does in &step.parsed.does {
        match does {
            Statement::CreateIndex { .. } => {
                drop_half(session, intent)?;
                let made = indexes(session.guard())?;
                return Ok(made.iter().any(|oid| !intent.indexes.contains(oid)));
            }
            Statement::DropIndex { .. } => {
                let there = indexes(session.guard())?;
                return Ok(intent.target.is_none_or(|oid| !there.contains(&oid)));
            }
            Statement::Reindex { .. } => drop_half(session, intent)?,
            Statement::DetachPartition { table, partition, .. } => {
                return detached(session, intent, (table.to_string(), partition.to_string()));
            }
            _ => {}
        }
    }
    Ok(false)
}

/// Ends a detachment that was begun. False when it was not.
fn detached(
    session: &mut Session,
    intent: &Intent,
    (table, partition): (String, String),
) -> Result<bool, PostgresError> {
    let Some(oid) = intent.target else { return Ok(false) };
    let sql =
        format!("SELECT inhdetachpending::text FROM pg_catalog.pg_inherits WHERE inhrelid = {oid}");
    match session.guard().value(ABOUT, &sql)?.as_deref() {
        None => Ok(true),
        Some("true") => {
            let end = format!("ALTER TABLE {table} DETACH PARTITION {partition} FINALIZE");
            session.work().run(ABOUT, &end).map(|()| true)
        }
        Some(_) => Ok(false),
    }
}

/// Removes what a failed statement left half made, and that it was meant.
fn clean(session: &mut Session, applied: i64, step: &Step) -> Result<(), PostgresError> {
    let Some(intent) = Applied::intent(session.guard(), applied)? else { return Ok(()) };
    let makes = |does: &Statement| {
        matches!(does, Statement::CreateIndex { .. } | Statement::Reindex { .. })
    };
    if step.parsed.does.iter().any(makes) {
        drop_half(session, &intent)?;
    }
    Applied::mean_nothing(session.guard(), applied)
}

/// Drops indexes that came since and are not valid.
fn drop_half(session: &mut Session, intent: &Intent) -> Result<(), PostgresError> {
    let sql = "SELECT i.indexrelid, pg_catalog.format('%I.%I', n.nspname, c.relname) \
               FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
               WHERE NOT i.indisvalid AND c.relkind = 'i'";
    for row in session.guard().rows(ABOUT, sql)? {
        let text = |at: usize| row.get(at).cloned().flatten().unwrap_or_default();
        let new = text(0).parse().is_ok_and(|oid: u32| !intent.indexes.contains(&oid));
        if new {
            let drop = format!("DROP INDEX CONCURRENTLY IF EXISTS {}", text(1));
            session.guard().run(ABOUT, &drop)?;
        }
    }
    Ok(())
}

/// All indexes of users, by number.
fn indexes(guard: &mut Connection) -> Result<Vec<u32>, PostgresError> {
    let sql = "SELECT indexrelid FROM pg_catalog.pg_index WHERE indexrelid >= 16384 ORDER BY 1";
    let number = |row: Vec<Option<String>>| row.first()?.as_deref()?.parse().ok();
    Ok(guard.rows(ABOUT, sql)?.into_iter().filter_map(number).collect())
}

/// The index or partition that is to go, by number.
fn target(work: &mut Connection, step: &Step) -> Result<Option<u32>, PostgresError> {
    for does in &step.parsed.does {
        match does {
            Statement::DropIndex { index, .. } => return resolve(work, index),
            Statement::DetachPartition { partition, .. } => return resolve(work, partition),
            _ => {}
        }
    }
    Ok(None)
}

fn is_there_already(error: &PostgresError) -> bool {
    ["42P04", "42P06", "42P07", "42710", "3D000"].contains(&error.code())
}
