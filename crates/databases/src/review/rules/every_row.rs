//! `every-row`: UPDATE or DELETE without a condition.

use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::Statement;

pub(super) const RULE: Rule = Rule {
    name: "every-row",
    level: Level::Error,
    topic: Topic::Destroys,
    title: "UPDATE or DELETE without a condition",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let (table, word) = match at.statement {
        Statement::Update { table, every_row: true } => (table, "UPDATE"),
        Statement::Delete { table, every_row: true } => (table, "DELETE"),
        _ => return None,
    };
    (!at.known.is_born(table)).then_some(())?;
    Found::new(format!(
        "{word} of every row of {table} in one statement: rows stay locked until it ends, and the \
         old values are gone"
    ))
    .instead("go in batches by ranges of the key, each in a transaction of its own")
}
