//! `rows-in-migration`: rows are changed or deleted by a migration.

use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::Statement;

pub(super) const RULE: Rule = Rule {
    name: "rows-in-migration",
    level: Level::Warning,
    topic: Topic::Destroys,
    title: "rows are changed or deleted by a migration",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let (Statement::Update { table, every_row: false }
    | Statement::Delete { table, every_row: false }
    | Statement::Merge { table }) = at.statement
    else {
        return None;
    };
    (!at.known.is_born(table)).then_some(())?;
    Found::new(format!(
        "rows of {table} stay locked until the transaction ends, and what they held is gone"
    ))
    .instead("change rows in batches, apart from the schema")
}
