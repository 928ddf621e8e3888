//! How well a folder goes there and back: each migration is run, taken back and run again in a
//! scratch database of the same server, with rows in its tables, and what is there is compared
//! each time: every definition, and every row.
//!
//! Only the scratch database is written to; it is dropped at the end.

use crate::formats::{Migration, MigrationSet};
use crate::postgres::connection::{Connection, Limits};
use crate::postgres::diff::diff;
use crate::postgres::down::down;
use crate::postgres::fill::{fill, rows};
use crate::postgres::history::{History, to_run};
use crate::postgres::session::Session;
use crate::postgres::snapshot::{Scope, snapshot};
use crate::postgres::terms::Terms;
use crate::postgres::trouble::PostgresError;
use crate::postgres::up::up;
use crate::postgres::{Catalogue, Passing};
use crate::sql::quoted;
use serde::Serialize;
use std::collections::BTreeMap;

/// What became of one migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Its version; of a repeatable one, its name.
    pub version: String,
    /// What its author called it.
    pub name: String,
    /// Whether its author wrote a down script.
    pub has_down: bool,
    /// What was not as before, by what was done; empty when it came back exactly, twice.
    pub differs: Vec<String>,
    /// What was put right on the way back, because the down script had left it otherwise.
    pub repaired: Vec<String>,
}

const ABOUT: &str = "scratch database";

/// The most differences that are told of one step.
const DIFFERS_MAX: usize = 8;

/// Runs a folder there and back in a database of its own. `name` is its name, random.
///
/// # Errors
///
/// The user may not make a database, or the server cannot be asked. What goes wrong with a
/// migration is part of the answer, and ends it.
pub fn score(
    address: &str,
    name: &str,
    set: &MigrationSet,
    terms: &Terms,
    told: &mut dyn FnMut(&Step),
) -> Result<Vec<Step>, PostgresError> {
    let mut server = Connection::open(address, "score", &Limits::default())?;
    server.run(ABOUT, &format!("CREATE DATABASE {}", quoted(name)))?;
    let done = all(&with_database(address, name), set, terms, told);
    let dropped = server.run(ABOUT, &format!("DROP DATABASE {} WITH (FORCE)", quoted(name)));
    let done = done?;
    dropped?;
    Ok(done)
}

fn all(
    address: &str,
    set: &MigrationSet,
    terms: &Terms,
    told: &mut dyn FnMut(&Step),
) -> Result<Vec<Step>, PostgresError> {
    let mut looking = Connection::open(address, "score", &Limits::default())?;
    let mut history = History::of(set, &mut looking, None)?;
    history.ensure(&mut looking)?;
    let mut session = Session::open(address, history.key(), &Limits::default())?;
    let standings = history.standing(set, &mut looking)?;
    let order = to_run(set.format, &standings, None, Passing::default()).unwrap_or_default();
    let mut steps = Vec::with_capacity(order.len());
    for migration in order.iter().filter_map(|index| set.migrations.get(*index)) {
        let mut trip = Trip { looking: &mut looking, session: &mut session, history: &mut history };
        let (step, goes_on) = trip.there_and_back(migration, terms)?;
        told(&step);
        steps.push(step);
        if !goes_on {
            break;
        }
    }
    Ok(steps)
}

/// Everything that is in a database.
struct State {
    catalogue: Catalogue,
    rows: BTreeMap<String, String>,
}

struct Trip<'a> {
    looking: &'a mut Connection,
    session: &'a mut Session,
    history: &'a mut History,
}

impl Trip<'_> {
    /// One migration. False when those after it cannot be tried.
    fn there_and_back(
        &mut self,
        migration: &Migration,
        terms: &Terms,
    ) -> Result<(Step, bool), PostgresError> {
        let mut step = Step {
            version: crate::postgres::own::Run::identity(migration),
            name: migration.name.clone(),
            has_down: migration.down.is_some(),
            differs: Vec::new(),
            repaired: Vec::new(),
        };
        fill(self.looking)?;
        let before = self.state()?;
        if let Err(error) = up(self.session, migration, self.history, terms, &mut |_| {}) {
            step.differs.push(format!("up: {error}"));
            return Ok((step, false));
        }
        let after = self.state()?;
        let run = self.history.runs(self.looking)?.last().map(|ran| ran.id);
        let Some(run) = run else { return Ok((step, true)) };
        match down(self.session, run, Some(migration), self.history, terms, &mut |_| {}) {
            Ok(outcome) => step.repaired = outcome.repaired,
            Err(error) => {
                step.differs.push(format!("down: {error}"));
                return Ok((step, true));
            }
        }
        let back = self.state()?;
        compare("back", &before, &back, &mut step.differs);
        if let Err(error) = up(self.session, migration, self.history, terms, &mut |_| {}) {
            step.differs.push(format!("up again: {error}"));
            return Ok((step, false));
        }
        let again = self.state()?;
        compare("up again", &after, &again, &mut step.differs);
        step.differs.truncate(DIFFERS_MAX);
        Ok((step, true))
    }

    fn state(&mut self) -> Result<State, PostgresError> {
        let catalogue = snapshot(self.looking, &Scope::default())?;
        Ok(State { rows: rows(self.looking)?, catalogue })
    }
}

fn compare(when: &str, wanted: &State, found: &State, differs: &mut Vec<String>) {
    for change in diff(&wanted.catalogue, &found.catalogue) {
        differs.push(format!("{when}: {change}"));
    }
    for (table, digest) in &wanted.rows {
        if found.rows.get(table).is_some_and(|other| other != digest) {
            differs.push(format!("{when}: other rows in {table}"));
        }
    }
}

/// The same address, of another database.
pub(crate) fn with_database(address: &str, name: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else {
        return format!("{address} dbname='{name}'");
    };
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) => (rest, format!("?{query}")),
        None => (rest, String::new()),
    };
    let authority = rest.split_once('/').map_or(rest, |(authority, _)| authority);
    format!("{scheme}://{authority}/{name}{query}")
}

#[cfg(test)]
mod tests {
    use super::with_database;

    #[test]
    fn addresses_of_another_database() {
        let check = |address: &str, expected: &str| {
            assert_eq!(with_database(address, "s"), expected);
        };
        check("postgresql://u:p@h:5/a", "postgresql://u:p@h:5/s");
        check("postgresql://u@h", "postgresql://u@h/s");
        check("postgresql:///a?host=/run/x", "postgresql:///s?host=/run/x");
        check("postgres://h/a?sslmode=disable", "postgres://h/s?sslmode=disable");
        check("host=h dbname=a", "host=h dbname=a dbname='s'");
    }
}
