//! `column-constraint`: a new column brings a constraint that reads the whole table.

use crate::review::axes::Holds;
use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::Statement;

pub(super) const RULE: Rule = Rule {
    name: "column-constraint",
    level: Level::Error,
    topic: Topic::Blocks,
    title: "a new column brings a constraint that reads the whole table",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let Statement::AddColumn { table, column } = at.statement else { return None };
    at.holds(Holds::Scan)?;
    Found::new(format!(
        "the constraint of {table}.{} is checked on every row while readers and writers wait",
        column.name
    ))
    .instead(
        "add the column alone; then the index CONCURRENTLY or the CHECK as NOT VALID, and \
         validate it in a later script",
    )
}
