//! `drop-not-null`: old code may meet NULL where there was none.

use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::Statement;

pub(super) const RULE: Rule = Rule {
    name: "drop-not-null",
    level: Level::Warning,
    topic: Topic::Breaks,
    title: "old code may meet NULL where there was none",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let Statement::DropNotNull { table, column } = at.statement else { return None };
    (!at.known.is_born(table)).then_some(())?;
    Found::new(format!("old code may meet NULL in {table}.{column}, and taking this back may fail"))
        .plain()
}
