//! Does it block: which lock, on what, and for how long.

use crate::review::known::Known;
use crate::statement::{
    Column, Constraint, ConstraintKind, DefaultValue, Name, Statement, TypeChange,
};
use serde::Serialize;
use std::fmt;

/// A lock that stands in somebody's way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Block {
    /// The strongest lock that is taken.
    pub lock: Lock,
    /// On what.
    pub on: String,
    /// For how long, once it is granted.
    pub holds: Holds,
}

/// The locks on tables, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Lock {
    /// Ordinary writing: only writers of the same rows wait.
    RowExclusive,
    /// Other changes of the schema wait.
    ShareUpdateExclusive,
    /// Writers wait.
    Share,
    /// Writers wait.
    ShareRowExclusive,
    /// Writers wait.
    Exclusive,
    /// Readers and writers wait.
    AccessExclusive,
    /// Whatever it takes cannot be seen.
    Unknown,
}

/// For how long a lock is held, beyond the rest of its transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Holds {
    /// As long as it takes to change the catalogue.
    Moment,
    /// While the rows concerned are written.
    Rows,
    /// While every row is read.
    Scan,
    /// While every row is written anew.
    Rewrite,
    /// Nobody can tell.
    Unknown,
}

impl Lock {
    /// Who waits for it.
    pub fn stops(self) -> &'static str {
        match self {
            Lock::RowExclusive => "writers of the same rows",
            Lock::ShareUpdateExclusive => "other schema changes",
            Lock::Share | Lock::ShareRowExclusive | Lock::Exclusive => "writers",
            Lock::AccessExclusive => "readers and writers",
            Lock::Unknown => "perhaps everybody",
        }
    }

    /// The mode that LOCK TABLE names.
    fn named(mode: &str) -> Lock {
        let mode = mode.to_ascii_lowercase();
        let has = |words: &str| mode.contains(words);
        if has("access exclusive") {
            Lock::AccessExclusive
        } else if has("share update exclusive") {
            Lock::ShareUpdateExclusive
        } else if has("share row exclusive") {
            Lock::ShareRowExclusive
        } else if has("row exclusive") || has("row share") || has("access share") {
            Lock::RowExclusive
        } else if has("exclusive") {
            Lock::Exclusive
        } else {
            Lock::Share
        }
    }
}

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let holds = match self.holds {
            Holds::Moment => "for a moment",
            Holds::Rows => "while rows are written",
            Holds::Scan => "while every row is read",
            Holds::Rewrite => "while every row is written anew",
            Holds::Unknown => "for how long cannot be told",
        };
        write!(f, "{} on {}: {} wait, {holds}", self.lock, self.on, self.lock.stops())
    }
}

/// The strongest lock that a statement takes on what existed before its script.
pub(super) fn blocks(statement: &Statement, known: &Known) -> Option<Block> {
    let block = strongest(statement, known)?;
    let new = statement.table().is_some_and(|table| known.is_born(table));
    // Nobody waits for a table that nobody sees yet; but a key may point at another.
    let elsewhere = referenced(statement).is_some_and(|to| block.on == to.to_string());
    (!new || elsewhere).then_some(block)
}

fn strongest(statement: &Statement, known: &Known) -> Option<Block> {
    use Statement as S;
    let on = |lock, name: &Name, holds| Some(Block { lock, on: name.to_string(), holds });
    let heavy = |name: &Name, holds| on(Lock::AccessExclusive, name, holds);
    let moment = |name: &Name| heavy(name, Holds::Moment);
    match statement {
        S::CreateTable(definition) => match (&definition.partition_of, referenced(statement)) {
            (Some(parent), _) => moment(parent),
            (None, Some(to)) if !known.is_born(to) => {
                on(Lock::ShareRowExclusive, to, Holds::Moment)
            }
            _ => None,
        },
        S::AddColumn { table, column } => heavy(table, added(column)),
        S::AlterType { table, column, to, .. } => match known.type_change(table, column, to) {
            TypeChange::Same | TypeChange::Catalogue => moment(table),
            TypeChange::Rewrite { .. } | TypeChange::Unknown => heavy(table, Holds::Rewrite),
        },
        S::SetExpression { table, .. } | S::RewriteTable { table, .. } => {
            heavy(table, Holds::Rewrite)
        }
        S::SetNotNull { table, column } => {
            heavy(table, if known.never_null(table, column) { Holds::Moment } else { Holds::Scan })
        }
        S::AddConstraint { table, constraint } => constrained(table, constraint, known),
        S::ValidateConstraint { table, .. } => on(Lock::ShareUpdateExclusive, table, Holds::Scan),
        S::AttachPartition { partition, .. } => heavy(partition, Holds::Scan),
        S::DetachPartition { table, concurrently: true, .. } => {
            on(Lock::ShareUpdateExclusive, table, Holds::Moment)
        }
        S::CreateIndex { table, concurrently, .. } => {
            let lock = if *concurrently { Lock::ShareUpdateExclusive } else { Lock::Share };
            on(lock, table, Holds::Scan)
        }
        S::CreateTrigger { table, .. } => on(Lock::ShareRowExclusive, table, Holds::Moment),
        S::TableOption { table, what } => on(option_lock(what), table, Holds::Moment),
        S::Update { table, .. } | S::Delete { table, .. } | S::Merge { table } => {
            on(Lock::RowExclusive, table, Holds::Rows)
        }
        S::Lock { table, mode } => on(Lock::named(mode), table, Holds::Moment),
        S::DropColumn { table, .. }
        | S::RenameColumn { table, .. }
        | S::DropNotNull { table, .. }
        | S::Default { table, .. }
        | S::DropExpression { table, .. }
        | S::Identity { table, .. }
        | S::DropConstraint { table, .. }
        | S::DetachPartition { table, .. }
        | S::RowSecurity { table, .. }
        | S::DropTable { table, .. }
        | S::CreateRule { table, .. }
        | S::Policy { table, .. }
        | S::Truncate { table, .. } => moment(table),
        _ => elsewhere(statement),
    }
}

/// Locks on what is not a table, or cannot be named.
fn elsewhere(statement: &Statement) -> Option<Block> {
    use Statement as S;
    let block = |lock, on: String, holds| Some(Block { lock, on, holds });
    let heavy = |on: String, holds| block(Lock::AccessExclusive, on, holds);
    match statement {
        S::DropIndex { index, concurrently: false } => {
            heavy(format!("the table of {index}"), Holds::Moment)
        }
        S::DropIndex { index, concurrently: true } => {
            block(Lock::ShareUpdateExclusive, format!("the table of {index}"), Holds::Moment)
        }
        S::Reindex { what, concurrently } => {
            let lock = if *concurrently { Lock::ShareUpdateExclusive } else { Lock::Share };
            block(lock, what.clone(), Holds::Scan)
        }
        S::Refresh { view, concurrently } => {
            let lock = if *concurrently { Lock::Exclusive } else { Lock::AccessExclusive };
            block(lock, view.to_string(), Holds::Rewrite)
        }
        S::Compact { table, what } => {
            let on = table.as_ref().map_or_else(|| what.clone(), Name::to_string);
            heavy(on, Holds::Rewrite)
        }
        S::DropSchema { schema, .. } => heavy(format!("all of {schema}"), Holds::Moment),
        S::DropMaterializedView { view, .. } | S::CreateView { view, replace: true } => {
            heavy(view.to_string(), Holds::Moment)
        }
        S::DropSequence { sequence, .. } => heavy(sequence.to_string(), Holds::Moment),
        S::Rename { object, .. } if object.kind == "index" => {
            block(Lock::ShareUpdateExclusive, object.name.to_string(), Holds::Moment)
        }
        S::Rename { object, .. } | S::SetSchema { object, .. } => {
            heavy(object.name.to_string(), Holds::Moment)
        }
        S::DropDefinition { object, .. } => match (&object.table, object.kind.as_str()) {
            (Some(table), _) => heavy(table.to_string(), Holds::Moment),
            (None, "view") => heavy(object.name.to_string(), Holds::Moment),
            _ => None,
        },
        S::Opaque { .. } | S::MetaCommand { .. } | S::Unreadable { .. } => {
            block(Lock::Unknown, "what it touches".to_owned(), Holds::Unknown)
        }
        _ => None,
    }
}

fn added(column: &Column) -> Holds {
    let index = |c: &Constraint| {
        matches!(c.kind, ConstraintKind::Unique { .. } | ConstraintKind::PrimaryKey { .. })
    };
    let check = |c: &Constraint| matches!(c.kind, ConstraintKind::Check { .. }) && !c.not_valid;
    match column.default {
        DefaultValue::Volatile(_) | DefaultValue::Stored => Holds::Rewrite,
        _ if column.constraints.iter().any(|c| index(c) || check(c)) => Holds::Scan,
        DefaultValue::Missing | DefaultValue::Constant => Holds::Moment,
    }
}

fn constrained(table: &Name, constraint: &Constraint, known: &Known) -> Option<Block> {
    let on = |lock, holds| Some(Block { lock, on: table.to_string(), holds });
    let scan = if constraint.not_valid { Holds::Moment } else { Holds::Scan };
    match &constraint.kind {
        // It is taken on both tables; the other may be the one that exists.
        ConstraintKind::ForeignKey { to } if known.is_born(table) && !known.is_born(to) => {
            let holds = Holds::Moment;
            Some(Block { lock: Lock::ShareRowExclusive, on: to.to_string(), holds })
        }
        ConstraintKind::ForeignKey { .. } => on(Lock::ShareRowExclusive, scan),
        ConstraintKind::Check { .. } => on(Lock::AccessExclusive, scan),
        ConstraintKind::NotNull { column } => {
            let proven = known.never_null(table, column);
            on(Lock::AccessExclusive, if proven { Holds::Moment } else { scan })
        }
        ConstraintKind::Unique { using_index: Some(_) }
        | ConstraintKind::PrimaryKey { using_index: Some(_) } => {
            on(Lock::AccessExclusive, Holds::Moment)
        }
        ConstraintKind::Unique { .. }
        | ConstraintKind::PrimaryKey { .. }
        | ConstraintKind::Exclude => on(Lock::AccessExclusive, Holds::Scan),
    }
}

/// The first table that a foreign key of a statement points at.
fn referenced(statement: &Statement) -> Option<&Name> {
    match statement {
        Statement::CreateTable(definition) => {
            let columns = definition.columns.iter().flat_map(|column| &column.constraints);
            columns.chain(&definition.constraints).find_map(target)
        }
        Statement::AddColumn { column, .. } => column.constraints.iter().find_map(target),
        Statement::AddConstraint { constraint, .. } => target(constraint),
        _ => None,
    }
}

fn target(constraint: &Constraint) -> Option<&Name> {
    match &constraint.kind {
        ConstraintKind::ForeignKey { to } => Some(to),
        _ => None,
    }
}

/// The lock for options of a table, which differs from option to option.
fn option_lock(what: &str) -> Lock {
    let what = what.to_ascii_lowercase();
    let begins = |words: &[&str]| words.iter().any(|word| what.starts_with(word));
    if begins(&["enable", "disable"]) && what.contains("trigger") {
        Lock::ShareRowExclusive
    } else if begins(&["set (", "reset (", "cluster", "set without cluster"])
        || what.contains("set statistics")
        || (what.starts_with("alter") && what.contains("set ("))
    {
        Lock::ShareUpdateExclusive
    } else {
        Lock::AccessExclusive
    }
}
