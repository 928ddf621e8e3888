//! `volatile-default`: a new column gets a value that differs from row to row, which rewrites the table.

use crate::review::axes::Holds;
use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::{DefaultValue, Statement};

pub(super) const RULE: Rule = Rule {
    name: "volatile-default",
    level: Level::Error,
    topic: Topic::Blocks,
    title: "a new column gets a value that differs from row to row, which rewrites the table",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let Statement::AddColumn { table, column } = at.statement else { return None };
    let DefaultValue::Volatile(function) = &column.default else { return None };
    at.holds(Holds::Rewrite)?;
    let (name, type_name) = (&column.name, &column.type_name);
    Found::new(format!(
        "{function} gives each row its own value, so every row of {table} is written anew while \
         readers and writers wait"
    ))
    .instead(format!(
        "ADD COLUMN {name} {type_name}; then ALTER COLUMN {name} SET DEFAULT for new rows; then \
         fill the old ones in batches"
    ))
}
