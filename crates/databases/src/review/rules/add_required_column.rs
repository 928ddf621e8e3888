//! `add-required-column`: a new column demands a value that old code does not give.

use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::{DefaultValue, Statement};

pub(super) const RULE: Rule = Rule {
    name: "add-required-column",
    level: Level::Error,
    topic: Topic::Breaks,
    title: "a new column demands a value that old code does not give",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let Statement::AddColumn { table, column } = at.statement else { return None };
    let demands = column.not_null && column.default == DefaultValue::Missing;
    (demands && !at.known.is_born(table)).then_some(())?;
    let name = &column.name;
    Found::new(format!(
        "every INSERT of old code into {table} fails, and so does this when {table} has rows"
    ))
    .instead(format!(
        "ADD COLUMN {name} {} NOT NULL DEFAULT a constant; or add it without NOT NULL, fill it, \
         and demand it in a later release",
        column.type_name
    ))
}
