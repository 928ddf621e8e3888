//! The little language of simulated migrations, and what its statements do to columns and rows.
//!
//! `add c`, `drop c`, `bump` (a change of data that must happen exactly once) and `fail`.

use ripcord_core::model::{Digest, MigrationRef, digest_of};
use ripcord_core::schema::{DownReview, Inverse, MigrationReview, Mode, Phase, StatementReview};
use std::collections::{BTreeMap, BTreeSet};

/// The columns of a schema, as `table.column`.
pub type Columns = BTreeSet<String>;

/// Values by row.
pub type Values = BTreeMap<u64, String>;

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// A column appears.
    Add(String),
    /// A column disappears.
    Drop(String),
    /// Data changes in a way that shows if it happens twice.
    Bump,
    /// The opposite of [`Statement::Bump`].
    Unbump,
    /// It cannot run.
    Fail,
}

/// The statements of a migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script(pub Vec<Statement>);

impl Script {
    /// Reads a script; what it does not know cannot run.
    pub fn parse(text: &str) -> Script {
        let statement = |text: &str| match text.trim().split_once(' ') {
            Some(("add", column)) => Statement::Add(column.to_owned()),
            Some(("drop", column)) => Statement::Drop(column.to_owned()),
            None if text.trim() == "bump" => Statement::Bump,
            _ => Statement::Fail,
        };
        Script(text.split(';').map(statement).collect())
    }

    /// The script that takes this one back.
    #[must_use]
    pub fn inverse(&self) -> Script {
        let inverse = |statement: &Statement| match statement {
            Statement::Add(column) => Statement::Drop(column.clone()),
            Statement::Drop(column) => Statement::Add(column.clone()),
            Statement::Bump => Statement::Unbump,
            Statement::Unbump => Statement::Bump,
            Statement::Fail => Statement::Fail,
        };
        Script(self.0.iter().rev().map(inverse).collect())
    }

    /// Changes the columns alone, as a rehearsal does.
    pub fn shape(&self, columns: &mut Columns) {
        for statement in &self.0 {
            match statement {
                Statement::Add(column) => drop(columns.insert(column.clone())),
                Statement::Drop(column) => drop(columns.remove(column)),
                Statement::Bump | Statement::Unbump | Statement::Fail => {}
            }
        }
    }

    /// What a review says of it.
    pub fn review(&self, migration: &MigrationRef) -> MigrationReview {
        let statements = (1..).zip(&self.0).map(|(line, statement)| review(line, statement));
        MigrationReview {
            migration: migration.clone(),
            statements: statements.collect(),
            down: DownReview::Missing,
        }
    }
}

/// The digest of a catalogue.
pub fn digest(columns: &Columns) -> Digest {
    digest_of(columns)
}

fn review(line: u32, statement: &Statement) -> StatementReview {
    let (text, dropped) = match statement {
        Statement::Add(column) => (format!("add {column}"), None),
        Statement::Drop(column) => (format!("drop {column}"), Some(column.clone())),
        Statement::Bump | Statement::Unbump => ("bump".to_owned(), None),
        Statement::Fail => ("fail".to_owned(), None),
    };
    let phase = match (statement, &dropped) {
        (_, Some(_)) => Phase::Contract,
        (Statement::Add(_), None) => Phase::Expand,
        _ => Phase::Data,
    };
    StatementReview {
        line,
        text,
        blocks: None,
        breaks_old_code: dropped.as_ref().map(|column| format!("{column} goes away")),
        destroys: dropped.iter().cloned().collect(),
        inverse: if dropped.is_some() { Inverse::Kept } else { Inverse::Catalogue },
        depends_on_data: None,
        mode: Mode::Drop,
        phase,
    }
}
