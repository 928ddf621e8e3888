//! Taking note of what other tools did to a database: the scripts of what is in force are stored,
//! and what somebody else took back is no longer believed. No migration runs here.

use crate::formats::{Migration, MigrationSet};
use crate::postgres::attempt::attempt;
use crate::postgres::history::{History, Remark, Stand, Standing};
use crate::postgres::own::{Applied, Run, State};
use crate::postgres::session::Session;
use crate::postgres::terms::Terms;
use crate::postgres::trouble::PostgresError;

/// What was noted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attached {
    /// Versions whose scripts are stored now.
    pub stored: Vec<String>,
    /// Versions that are no longer taken for applied.
    pub forgotten: Vec<String>,
    /// Those of the stored ones that have no down script.
    pub without_down: Vec<String>,
}

/// Stores the scripts of everything that is in force and that Ripcord did not run, in one
/// transaction. `at` names the last version in force where no tool remembers.
///
/// # Errors
///
/// `at` is not a version of the folder or not needed, the tool says that something failed, or
/// the database cannot be asked.
pub fn attach(
    session: &mut Session,
    set: &MigrationSet,
    history: &mut History,
    at: Option<&str>,
) -> Result<Attached, PostgresError> {
    let standings = history.standing(set, session.work())?;
    let place = session.place().to_owned();
    let refused =
        |what: String, why: String| Err(PostgresError::Refused { place: place.clone(), what, why });
    if let Some(failed) = standings.iter().find(|one| one.stand == Stand::Failed) {
        let why = "its tool says that it did not get through; look what of it is in force, and \
                   set the tool's mark right first";
        return refused(format!("version {}", failed.version), why.to_owned());
    }
    let until = match at {
        None => None,
        Some(_) if history.place.is_some() => {
            let why = format!("{} says what is in force", history.key());
            return refused("--at".to_owned(), why);
        }
        Some(at) => match standings.iter().position(|one| one.version == at) {
            Some(found) => Some(found),
            None => return refused(format!("version {at}"), "no file has this version".to_owned()),
        },
    };
    let terms = Terms::default();
    attempt(session, &terms, "attach", &mut |_| {}, |session, _| {
        let mut attached = forget(session, &standings)?;
        for (place, standing) in standings.iter().enumerate() {
            let elsewhere = standing.says(Remark::AppliedElsewhere);
            let told = until.is_some_and(|until| place <= until && standing.is_open());
            let Some(migration) = standing.index.and_then(|index| set.migrations.get(index)) else {
                continue;
            };
            if elsewhere || told {
                store(session, history, migration, &mut attached)?;
            }
        }
        Ok(attached)
    })
}

/// Notes what somebody else took back of what Ripcord ran.
///
/// # Errors
///
/// The database cannot be asked.
pub fn settle(
    session: &mut Session,
    set: &MigrationSet,
    history: &History,
) -> Result<Vec<String>, PostgresError> {
    let standings = history.standing(set, session.work())?;
    if standings.iter().all(|one| !one.says(Remark::TakenBackElsewhere)) {
        return Ok(Vec::new());
    }
    let terms = Terms::default();
    attempt(session, &terms, "settle", &mut |_| {}, |session, _| {
        Ok(forget(session, &standings)?.forgotten)
    })
}

fn forget(session: &mut Session, standings: &[Standing]) -> Result<Attached, PostgresError> {
    let mut attached = Attached::default();
    for standing in standings.iter().filter(|one| one.says(Remark::TakenBackElsewhere)) {
        if let Some(run) = standing.run {
            Applied::set(session.work(), run, State::Undone, None)?;
            attached.forgotten.push(standing.version.clone());
        }
    }
    Ok(attached)
}

fn store(
    session: &mut Session,
    history: &History,
    migration: &Migration,
    attached: &mut Attached,
) -> Result<(), PostgresError> {
    let run = Run::of(history.key(), migration);
    let id = Applied::reserve(session.work())?;
    Applied::begin(session.work(), id, &run)?;
    Applied::set(session.work(), id, State::Applied, None)?;
    if run.down.is_none() {
        attached.without_down.push(run.version.clone());
    }
    attached.stored.push(run.version);
    Ok(())
}
