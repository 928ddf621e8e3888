//! Each time a migration ran forward, with all that taking it back needs: its scripts as they were
//! then, how they ran, and what they changed.

use crate::formats::{Migration, MigrationKind, Transaction};
use crate::postgres::connection::{Connection, Row};
use crate::postgres::own;
use crate::postgres::own::delta::Delta;
use crate::postgres::trouble::PostgresError;
use crate::sql::literal;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// One migration that ran.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "they are called as in the table")]
pub(crate) struct Applied {
    /// Its number; later ones are greater.
    pub(crate) id: i64,
    /// What it was.
    pub(crate) run: Run,
    /// What it changed of the schema; absent while it runs, and for what another tool ran.
    pub(crate) delta: Option<Delta>,
    /// How far it is.
    pub(crate) state: State,
    /// How many statements are done, of one whose statements stand alone.
    pub(crate) statement: u32,
    /// By which role.
    pub(crate) applied_by: String,
    /// When, by the database's clock.
    pub(crate) applied_at: String,
    /// When it was taken back.
    pub(crate) undone_at: Option<String>,
}

/// What ran.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "they are called as in the table")]
pub(crate) struct Run {
    /// The table in which the folder's own tool remembers, qualified; it tells folders apart.
    pub(crate) history: String,
    /// The version as the tool writes it; of a repeatable one, its name.
    pub(crate) version: String,
    /// What its author called it.
    pub(crate) name: String,
    /// `versioned`, `repeatable` or `baseline`.
    pub(crate) kind: String,
    /// SHA-256 of the up script, in hexadecimal.
    pub(crate) checksum: String,
    /// The up script, with placeholders filled in.
    pub(crate) up: String,
    /// The down script, if there was one.
    pub(crate) down: Option<String>,
    /// How the tool runs it: `whole`, `one_message`, `automatic` or `separate`.
    pub(crate) run: String,
}

impl Run {
    /// A migration of a folder, as it is now.
    pub(crate) fn of(history: &str, migration: &Migration) -> Run {
        let kind = match migration.kind {
            MigrationKind::Versioned => "versioned",
            MigrationKind::Repeatable => "repeatable",
            MigrationKind::Baseline => "baseline",
        };
        let run = match migration.up.transaction {
            Transaction::Whole => "whole",
            Transaction::OneMessage => "one_message",
            Transaction::Automatic => "automatic",
            Transaction::Separate => "separate",
        };
        Run {
            history: history.to_owned(),
            version: Run::identity(migration),
            name: migration.name.clone(),
            kind: kind.to_owned(),
            checksum: Run::digest(&migration.up.text),
            up: migration.up.text.clone(),
            down: migration.down.as_ref().map(|down| down.text.clone()),
            run: run.to_owned(),
        }
    }

    /// What a migration is remembered by: its version, or the name of a repeatable one.
    pub(crate) fn identity(migration: &Migration) -> String {
        match migration.kind {
            MigrationKind::Repeatable => migration.name.clone(),
            MigrationKind::Versioned | MigrationKind::Baseline => migration.version.clone(),
        }
    }

    /// The checksum of a script.
    pub(crate) fn digest(script: &str) -> String {
        Sha256::digest(script.as_bytes())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<Vec<_>>()
            .concat()
    }

    /// How often it runs.
    pub(crate) fn kind(&self) -> MigrationKind {
        match self.kind.as_str() {
            "repeatable" => MigrationKind::Repeatable,
            "baseline" => MigrationKind::Baseline,
            _ => MigrationKind::Versioned,
        }
    }
}

/// A statement that is about to run by itself, with what tells afterwards whether it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Intent {
    /// Its number in the script, from nought.
    pub(crate) statement: u32,
    /// The numbers of all indexes before it.
    pub(crate) indexes: Vec<u32>,
    /// The number of what it is to remove.
    pub(crate) target: Option<u32>,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Its statements stand alone, and not all are done.
    Running,
    /// It is in force.
    Applied,
    /// Being taken back, statement by statement.
    Undoing,
    /// It was taken back.
    Undone,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            State::Running => "running",
            State::Applied => "applied",
            State::Undoing => "undoing",
            State::Undone => "undone",
        }
    }

    fn read(word: &str) -> Option<State> {
        [State::Running, State::Applied, State::Undoing, State::Undone]
            .into_iter()
            .find(|state| state.word() == word)
    }
}

const ABOUT: &str = "applied migrations";

impl Applied {
    /// A number for a run that is about to begin. It is never given twice, whatever comes of the
    /// run.
    pub(crate) fn reserve(connection: &mut Connection) -> Result<i64, PostgresError> {
        let sequence = "pg_catalog.pg_get_serial_sequence('ripcord.applied', 'id')";
        connection.number(ABOUT, &format!("SELECT pg_catalog.nextval({sequence})"))
    }

    /// Writes down that a migration begins, under the number that was reserved for it.
    pub(crate) fn begin(
        connection: &mut Connection,
        id: i64,
        run: &Run,
    ) -> Result<(), PostgresError> {
        let sql = format!(
            "INSERT INTO ripcord.applied (id, history, version, name, kind, checksum, up, down, run, \
             state) OVERRIDING SYSTEM VALUE VALUES ({id}, {}, {}, {}, {}, {}, {}, {}, {}, 'running')",
            literal(&run.history),
            literal(&run.version),
            literal(&run.name),
            literal(&run.kind),
            literal(&run.checksum),
            literal(&run.up),
            run.down.as_deref().map_or_else(|| "NULL".to_owned(), literal),
            literal(&run.run),
        );
        connection.run(ABOUT, &sql)
    }

    /// Writes down what it changed, and how far it is.
    pub(crate) fn set(
        connection: &mut Connection,
        id: i64,
        state: State,
        delta: Option<&Delta>,
    ) -> Result<(), PostgresError> {
        let json = delta.map(serde_json::to_string).transpose();
        let json = json.map_err(|error| Applied::odd(connection, &error.to_string()))?;
        let delta = json.map_or_else(String::new, |json| format!(", delta = {}", literal(&json)));
        let undone = if state == State::Undone { "now()" } else { "NULL" };
        let sql = format!(
            "UPDATE ripcord.applied SET state = '{}', undone_at = {undone}{delta} WHERE id = {id}",
            state.word()
        );
        connection.run(ABOUT, &sql)
    }

    /// Writes down how many statements are done.
    pub(crate) fn advance(
        connection: &mut Connection,
        id: i64,
        statement: u32,
    ) -> Result<(), PostgresError> {
        let sql = format!("UPDATE ripcord.applied SET statement = {statement} WHERE id = {id}");
        connection.run(ABOUT, &sql)
    }

    /// The version of each run, by its number.
    pub(crate) fn versions(
        connection: &mut Connection,
    ) -> Result<BTreeMap<i64, String>, PostgresError> {
        if !own::is_there(connection)? {
            return Ok(BTreeMap::new());
        }
        let rows = connection.rows(ABOUT, "SELECT id, version FROM ripcord.applied")?;
        let pair = |row: &Row| Some((row.first()?.as_ref()?.parse().ok()?, row.get(1)?.clone()?));
        Ok(rows.iter().filter_map(pair).collect())
    }

    /// The versions of the runs of all folders that are not finished.
    pub(crate) fn unfinished(connection: &mut Connection) -> Result<Vec<String>, PostgresError> {
        let sql = "SELECT version FROM ripcord.applied WHERE state IN ('running', 'undoing') \
                   ORDER BY id";
        let rows = connection.rows(ABOUT, sql)?;
        Ok(rows.iter().filter_map(|row| row.first().cloned().flatten()).collect())
    }

    /// Writes down which statement is about to run by itself. False when somebody took over.
    pub(crate) fn intend(
        connection: &mut Connection,
        id: i64,
        intent: &Intent,
        fence: i64,
    ) -> Result<bool, PostgresError> {
        let json = serde_json::to_string(intent);
        let json = json.map_err(|error| Applied::odd(connection, &error.to_string()))?;
        let sql = format!(
            "UPDATE ripcord.applied SET intent = {} WHERE id = {id} \
             AND EXISTS (SELECT FROM ripcord.database WHERE fence = {fence})",
            literal(&json)
        );
        Ok(connection.count(ABOUT, &sql)? > 0)
    }

    /// The statement that was about to run by itself.
    pub(crate) fn intent(
        connection: &mut Connection,
        id: i64,
    ) -> Result<Option<Intent>, PostgresError> {
        let sql = format!("SELECT intent FROM ripcord.applied WHERE id = {id}");
        let Some(json) = connection.value(ABOUT, &sql)? else { return Ok(None) };
        let intent = serde_json::from_str(&json);
        intent.map(Some).map_err(|error| Applied::odd(connection, &error.to_string()))
    }

    /// Writes down that such a statement is done. False when somebody took over.
    pub(crate) fn done(
        connection: &mut Connection,
        id: i64,
        statement: u32,
        fence: i64,
    ) -> Result<bool, PostgresError> {
        let sql = format!(
            "UPDATE ripcord.applied SET statement = {statement}, intent = NULL WHERE id = {id} \
             AND EXISTS (SELECT FROM ripcord.database WHERE fence = {fence})"
        );
        Ok(connection.count(ABOUT, &sql)? > 0)
    }

    /// Writes down that nothing is about to run.
    pub(crate) fn mean_nothing(connection: &mut Connection, id: i64) -> Result<(), PostgresError> {
        connection.run(ABOUT, &format!("UPDATE ripcord.applied SET intent = NULL WHERE id = {id}"))
    }

    /// All runs of a folder, oldest first, those that were taken back included.
    pub(crate) fn of(
        connection: &mut Connection,
        history: &str,
    ) -> Result<Vec<Applied>, PostgresError> {
        let sql = format!(
            "SELECT id, history, version, name, kind, checksum, up, down, run, delta, state, \
             statement, applied_by, applied_at, undone_at FROM ripcord.applied \
             WHERE history = {} ORDER BY id",
            literal(history)
        );
        let rows = connection.rows(ABOUT, &sql)?;
        let read: Option<Vec<Applied>> = rows.iter().map(Applied::read).collect();
        read.ok_or_else(|| Applied::odd(connection, "not as written"))
    }

    fn read(row: &Row) -> Option<Applied> {
        let text = |at: usize| row.get(at).cloned().flatten();
        let delta = match text(9) {
            Some(json) => Some(serde_json::from_str(&json).ok()?),
            None => None,
        };
        Some(Applied {
            id: text(0)?.parse().ok()?,
            run: Run {
                history: text(1)?,
                version: text(2)?,
                name: text(3)?,
                kind: text(4)?,
                checksum: text(5)?,
                up: text(6)?,
                down: text(7),
                run: text(8)?,
            },
            delta,
            state: State::read(&text(10)?)?,
            statement: text(11)?.parse().ok()?,
            applied_by: text(12)?,
            applied_at: text(13)?,
            undone_at: text(14),
        })
    }

    fn odd(connection: &Connection, what: &str) -> PostgresError {
        PostgresError::Answer {
            place: connection.place().to_owned(),
            about: ABOUT,
            what: what.to_owned(),
        }
    }
}
