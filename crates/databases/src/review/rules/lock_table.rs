//! `lock-table`: a table is locked for the rest of the transaction.

use crate::review::axes::Lock;
use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::Statement;

pub(super) const RULE: Rule = Rule {
    name: "lock-table",
    level: Level::Warning,
    topic: Topic::Blocks,
    title: "a table is locked for the rest of the transaction",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let Statement::Lock { table, .. } = at.statement else { return None };
    let block = at.axes.blocks.as_ref()?;
    (block.lock >= Lock::Share).then_some(())?;
    Found::new(format!("{} of {table} wait until the transaction ends", block.lock.stops())).plain()
}
