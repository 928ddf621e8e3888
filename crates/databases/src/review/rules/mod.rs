//! The rules: what on the axes is worth a word, how loud, and what to write instead. One rule is
//! one file; `cargo xtask new-rule NAME` begins one.

mod add_check;
mod add_enum_value;
mod add_exclusion;
mod add_foreign_key;
mod add_identity;
mod add_required_column;
mod add_unique;
mod attach_partition;
mod cascade;
mod change_composite;
mod change_type;
mod column_constraint;
mod concurrently_in_transaction;
mod copy_rows;
mod create_index;
mod create_trigger;
mod detach_partition;
mod drop_behaviour;
mod drop_column;
mod drop_constraint;
mod drop_index;
mod drop_not_null;
mod drop_object;
mod drop_schema;
mod drop_table;
mod drop_wholesale;
mod every_row;
mod lock_table;
mod lock_timeout;
mod new_demand;
mod not_in_transaction;
mod opaque;
mod psql_command;
mod refresh_view;
mod reindex;
mod rename_column;
mod rename_enum_value;
mod rename_object;
mod revoke;
mod rewrite_table;
mod row_security;
mod rows_in_migration;
mod set_not_null;
mod stored_column;
mod stricter_domain;
mod transaction_control;
mod truncate;
mod unreadable;
mod validate_at_once;
mod volatile_default;
// new-rule: modules

pub(crate) mod problems;

use crate::formats::Transaction;
use crate::review::axes::{Axes, Holds};
use crate::review::known::Known;
use crate::statement::Statement;
use serde::Serialize;
use std::fmt;

/// All rules about statements, in the order in which they speak.
pub(crate) const RULES: &[Rule] = &[
    drop_column::RULE,
    drop_table::RULE,
    drop_schema::RULE,
    drop_object::RULE,
    drop_behaviour::RULE,
    drop_constraint::RULE,
    drop_wholesale::RULE,
    cascade::RULE,
    rename_column::RULE,
    rename_object::RULE,
    change_type::RULE,
    add_required_column::RULE,
    volatile_default::RULE,
    stored_column::RULE,
    column_constraint::RULE,
    set_not_null::RULE,
    drop_not_null::RULE,
    add_unique::RULE,
    add_exclusion::RULE,
    add_foreign_key::RULE,
    add_check::RULE,
    new_demand::RULE,
    validate_at_once::RULE,
    create_index::RULE,
    drop_index::RULE,
    reindex::RULE,
    concurrently_in_transaction::RULE,
    not_in_transaction::RULE,
    transaction_control::RULE,
    psql_command::RULE,
    copy_rows::RULE,
    truncate::RULE,
    every_row::RULE,
    rows_in_migration::RULE,
    rename_enum_value::RULE,
    add_enum_value::RULE,
    stricter_domain::RULE,
    change_composite::RULE,
    attach_partition::RULE,
    detach_partition::RULE,
    rewrite_table::RULE,
    refresh_view::RULE,
    lock_table::RULE,
    lock_timeout::RULE,
    row_security::RULE,
    create_trigger::RULE,
    add_identity::RULE,
    revoke::RULE,
    opaque::RULE,
    unreadable::RULE,
    // new-rule: list
];

/// A rule about statements.
pub(crate) struct Rule {
    /// Its name, as annotations and baselines write it.
    pub(crate) name: &'static str,
    /// How loud it usually is.
    pub(crate) level: Level,
    /// What it is about.
    pub(crate) topic: Topic,
    /// What it is about, in a few words.
    pub(crate) title: &'static str,
    /// What it has to say.
    pub(crate) check: fn(&At<'_>) -> Option<Found>,
}

/// How loud a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Worth knowing.
    Note,
    /// Look at it.
    Warning,
    /// It should not be merged as it is.
    Error,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Note => "note",
            Level::Warning => "warning",
            Level::Error => "error",
        })
    }
}

/// What a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// Others wait.
    Blocks,
    /// Old code fails.
    Breaks,
    /// Something is lost.
    Destroys,
    /// It does not run as the tool runs it.
    Runs,
    /// The files themselves.
    Files,
}

/// A statement in its place, as rules see it.
pub(crate) struct At<'a> {
    pub(crate) statement: &'a Statement,
    pub(crate) axes: &'a Axes,
    pub(crate) known: &'a Known,
    /// How the tool runs the script.
    pub(crate) run: Transaction,
    /// Whether the script holds anything else that needs a transaction.
    pub(crate) alone: bool,
    /// Whether the script has begun a transaction of its own.
    pub(crate) begun: bool,
    /// Whether it is the first in its script that takes a lock for which everybody waits.
    pub(crate) first_heavy: bool,
}

impl At<'_> {
    /// Whether the statement runs inside a transaction.
    pub(crate) fn in_transaction(&self) -> bool {
        match self.run {
            Transaction::Whole => true,
            Transaction::OneMessage | Transaction::Automatic => self.begun || !self.alone,
            Transaction::Separate => self.begun,
        }
    }

    /// Goes on only if others wait for so long.
    pub(crate) fn holds(&self, holds: Holds) -> Option<()> {
        self.axes.blocks.as_ref().filter(|block| block.holds == holds).map(|_| ())
    }
}

/// What a rule has found.
pub(crate) struct Found {
    pub(crate) message: String,
    pub(crate) instead: Option<String>,
    pub(crate) level: Option<Level>,
}

impl Found {
    fn new(message: impl Into<String>) -> Found {
        Found { message: message.into(), instead: None, level: None }
    }

    /// As loud as this, instead of as usual.
    fn level(mut self, level: Level) -> Found {
        self.level = Some(level);
        self
    }

    /// With a safer way.
    #[expect(clippy::unnecessary_wraps, reason = "it ends the rules, which return options")]
    fn instead(mut self, instead: impl Into<String>) -> Option<Found> {
        self.instead = Some(instead.into());
        Some(self)
    }

    /// There is no other way.
    #[expect(clippy::unnecessary_wraps, reason = "it ends the rules, which return options")]
    fn plain(self) -> Option<Found> {
        Some(self)
    }
}
