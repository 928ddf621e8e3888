//! `stored-column`: a column is computed from the others and stored, which rewrites the table.

use crate::review::axes::Holds;
use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::{DefaultValue, Statement};

pub(super) const RULE: Rule = Rule {
    name: "stored-column",
    level: Level::Error,
    topic: Topic::Blocks,
    title: "a column is computed from the others and stored, which rewrites the table",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    at.holds(Holds::Rewrite)?;
    let (table, name) = match at.statement {
        Statement::AddColumn { table, column } if column.default == DefaultValue::Stored => {
            (table, &column.name)
        }
        Statement::SetExpression { table, column } => (table, column),
        _ => return None,
    };
    Found::new(format!(
        "{table}.{name} is computed for every row of {table} while readers and writers wait"
    ))
    .instead("add an ordinary column, fill it by a trigger and in batches")
}
