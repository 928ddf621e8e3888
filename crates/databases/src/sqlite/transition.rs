//! One passage from one schema to another, forward or back, with nothing lost: the heart of this
//! crate. Forward runs a script. Back runs the author's script where it works, makes the schema
//! exactly that of the record, and brings back what the passage forward set aside. Both set aside
//! what they remove, so each can be taken back by the other.

use crate::sql::quoted;
use crate::sqlite::capture::{Capture, Course};
use crate::sqlite::catalogue::Catalogue;
use crate::sqlite::connection::Session;
use crate::sqlite::kept::{Kept, add_counts};
use crate::sqlite::mapping::{Pair, Tracker};
use crate::sqlite::merge::{self, Merged};
use crate::sqlite::reshape::{Goal, reshape};
use crate::sqlite::statement::{Script, Statement, Step};
use crate::sqlite::trouble::{Result, Trouble};
use ripcord_core::schema::{Counted, DownReview, Unit, diff};
use ripcord_engine::Failure;
use rusqlite::Connection;
use rusqlite::fallible_iterator::FallibleIterator as _;

/// What a passage is to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Passage<'a> {
    pub(crate) script: Option<&'a Script>,
    /// The schema to arrive at, and how its names correspond, where a record knows. A script that
    /// fails is then made up for.
    pub(crate) goal: Option<(&'a Catalogue, &'a [Pair])>,
    /// What an earlier passage in the other direction set aside.
    pub(crate) overlay: &'a [Kept],
}

/// What a passage did.
#[derive(Debug)]
pub(crate) struct Passed {
    pub(crate) before: Catalogue,
    pub(crate) after: Catalogue,
    pub(crate) pairs: Vec<Pair>,
    pub(crate) kept: Vec<Kept>,
    pub(crate) gone: Vec<Counted>,
    pub(crate) merged: Merged,
    /// What the script was worth, where there was a goal.
    pub(crate) script: DownReview,
}

/// Makes the passage, within the transaction that is open.
pub(crate) fn pass(session: &Session, passage: &Passage<'_>) -> Result<Passed> {
    let connection = &session.connection;
    let before = Catalogue::read(connection)?;
    merge::guard(connection, passage.overlay, &before)?;
    let course = Course {
        before: &before,
        script: passage.script,
        known: passage.goal.map(|(_, pairs)| pairs),
        overlay: passage.overlay,
    };
    let mut capture = Capture::start(connection, &course)?;
    let mut tracker = Tracker::new(&before);
    let mut gone = Vec::new();
    let mut review = DownReview::Missing;
    if let Some(script) = passage.script {
        let mut run =
            Run { session, capture: &mut capture, tracker: &mut tracker, gone: &mut gone };
        review = match passage.goal {
            None => run.script(script).map(|()| DownReview::Exact)?,
            Some((target, _)) => run.script_or_nothing(script, &before, target)?,
        };
    }
    let merged = session.without_triggers(|| {
        if let Some((target, pairs)) = passage.goal {
            let now = tracker.carry(pairs, &Catalogue::read(connection)?, target);
            reshape(connection, &Goal { target, pairs: &now, overlay: passage.overlay })?;
        }
        merge::merge(connection, passage.overlay, &Catalogue::read(connection)?)
    })?;
    let after = Catalogue::read(connection)?;
    let pairs = match passage.goal {
        Some((_, pairs)) => pairs.to_vec(),
        None => tracker.pairs(&after),
    };
    let (kept, destroyed) = capture.finish(connection, &after, &pairs)?;
    add_counts(&mut gone, destroyed);
    Ok(Passed { before, after, pairs, kept, gone, merged, script: review })
}

/// A script under way.
struct Run<'a> {
    session: &'a Session,
    capture: &'a mut Capture,
    tracker: &'a mut Tracker,
    gone: &'a mut Vec<Counted>,
}

impl Run<'_> {
    /// Runs a script that may fail without harm, and says how near it comes to its goal.
    fn script_or_nothing(
        &mut self,
        script: &Script,
        before: &Catalogue,
        target: &Catalogue,
    ) -> Result<DownReview> {
        let connection = &self.session.connection;
        connection.execute_batch("SAVEPOINT ripcord_script")?;
        let review = match self.script(script) {
            Ok(()) => {
                let reached = Catalogue::read(connection)?;
                let differences = diff(&target.snapshot, &reached.snapshot);
                if differences.is_empty() {
                    DownReview::Exact
                } else {
                    DownReview::Differs(differences.iter().map(ToString::to_string).collect())
                }
            }
            Err(trouble) => match Failure::from(trouble) {
                Failure::Definite(why) => {
                    connection.execute_batch("ROLLBACK TO ripcord_script")?;
                    self.gone.clear();
                    *self.tracker = Tracker::new(before);
                    DownReview::Fails(why)
                }
                other => return Err(other.into()),
            },
        };
        self.capture.disarm(connection)?;
        connection.execute_batch("RELEASE ripcord_script")?;
        Ok(review)
    }

    fn script(&mut self, script: &Script) -> Result<()> {
        for step in &script.steps {
            self.step(step).map_err(|trouble| located(trouble, &script.file, step))?;
        }
        self.capture.disarm(&self.session.connection)
    }

    fn step(&mut self, step: &Step) -> Result<()> {
        let connection = &self.session.connection;
        let destroy = step.piece.destroy.is_some();
        if step.statement.is_data() && step.statement != Statement::Opaque {
            self.capture.arm(connection, self.tracker, destroy)?;
        } else {
            self.capture.disarm(connection)?;
        }
        if destroy {
            let gone = counted_gone(connection, &step.statement)?;
            add_counts(self.gone, gone);
        }
        self.session.guarded(|| {
            let mut batch = rusqlite::Batch::new(connection, &step.piece.text);
            while let Some(mut statement) = batch.next()? {
                let mut rows = statement.raw_query();
                while rows.next()?.is_some() {}
            }
            Ok(())
        })?;
        self.tracker.apply(&step.statement);
        Ok(())
    }
}

/// What a statement destroys that can be counted before it runs.
fn counted_gone(connection: &Connection, statement: &Statement) -> Result<Option<Counted>> {
    let (sql, what, unit) = match statement {
        Statement::DropTable { table } => {
            (format!("SELECT count(*) FROM main.{}", quoted(table)), table.clone(), Unit::Rows)
        }
        Statement::DropColumn { table, column } => (
            format!("SELECT count({}) FROM main.{}", quoted(column), quoted(table)),
            format!("{table}.{column}"),
            Unit::Values,
        ),
        _ => return Ok(None),
    };
    // A table that is not there is for the statement itself to complain about.
    let Ok(mut query) = connection.prepare(&sql) else { return Ok(None) };
    let count = query.query_row([], |row| row.get(0))?;
    Ok(Some(Counted { what, unit, count }))
}

/// Says in which file and line something failed, with a caret where `SQLite` knows the place.
fn located(trouble: Trouble, file: &str, step: &Step) -> Trouble {
    let Trouble::Sql(error) = &trouble else { return trouble };
    if !matches!(Failure::from(Trouble::Sql(clone_code(error))), Failure::Definite(_))
        || error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
    {
        return trouble;
    }
    let (message, offset) = match error {
        rusqlite::Error::SqlInputError { msg, offset, .. } => {
            (msg.clone(), usize::try_from(*offset))
        }
        rusqlite::Error::SqliteFailure(_, Some(message)) => (message.clone(), Ok(0)),
        other => (other.to_string(), Ok(0)),
    };
    let text = &step.piece.text;
    let offset = offset.unwrap_or(0).min(text.len());
    let before = text.get(..offset).unwrap_or_default();
    let begin = before.rfind('\n').map_or(0, |newline| newline + 1);
    let newlines = u32::try_from(before.matches('\n').count()).unwrap_or(0);
    let shown = text[begin..].lines().next().unwrap_or_default();
    let caret = " ".repeat(text[begin..offset].chars().count());
    let line = step.piece.line + newlines;
    Trouble::refuse(format!("{file}:{line}: {message}\n  {shown}\n  {caret}^"))
}

/// A failure with the same code; only the code matters to the caller.
fn clone_code(error: &rusqlite::Error) -> rusqlite::Error {
    match error.sqlite_error() {
        Some(code) => rusqlite::Error::SqliteFailure(*code, None),
        None => rusqlite::Error::InvalidQuery,
    }
}
