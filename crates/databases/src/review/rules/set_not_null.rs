//! `set-not-null`: a column must have a value, which reads the whole table.

use crate::review::axes::Holds;
use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::Statement;

pub(super) const RULE: Rule = Rule {
    name: "set-not-null",
    level: Level::Error,
    topic: Topic::Blocks,
    title: "a column must have a value, which reads the whole table",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let Statement::SetNotNull { table, column } = at.statement else { return None };
    at.holds(Holds::Scan)?;
    Found::new(format!(
        "every row of {table} is read while readers and writers wait, and old code that writes \
         no {column} fails"
    ))
    .instead(format!(
        "ALTER TABLE {table} ADD CONSTRAINT {column}_not_null CHECK ({column} IS NOT NULL) NOT \
         VALID; in a later script VALIDATE CONSTRAINT, then SET NOT NULL, which reads nothing \
         any more, and drop the constraint"
    ))
}
