//! `drop-column`: a column is dropped that old code may read.

use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::Statement;

pub(super) const RULE: Rule = Rule {
    name: "drop-column",
    level: Level::Error,
    topic: Topic::Destroys,
    title: "a column is dropped that old code may read",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let Statement::DropColumn { table, column, .. } = at.statement else { return None };
    at.axes.breaks.as_ref()?;
    Found::new(format!("column {table}.{column} is gone while old code may still read it")).instead(
        "release code that does not name the column, then drop it in a later release; a NOT NULL \
         without a default has to go first",
    )
}
