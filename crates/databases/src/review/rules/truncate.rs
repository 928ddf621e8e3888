//! `truncate`: all rows of a table go.

use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::Statement;

pub(super) const RULE: Rule = Rule {
    name: "truncate",
    level: Level::Error,
    topic: Topic::Destroys,
    title: "all rows of a table go",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let Statement::Truncate { table, .. } = at.statement else { return None };
    at.axes.breaks.as_ref()?;
    Found::new(format!("all rows of {table} go, while readers and writers wait"))
        .instead("delete in batches what nobody needs, by a condition that says what that is")
}
