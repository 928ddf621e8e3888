//! `psql-command`: a command that only psql understands.

use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::Statement;

pub(super) const RULE: Rule = Rule {
    name: "psql-command",
    level: Level::Error,
    topic: Topic::Runs,
    title: "a command that only psql understands",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let Statement::MetaCommand { text } = at.statement else { return None };
    let shown: String = text.chars().take(40).collect();
    Found::new(format!("{shown} is for psql; the server answers it with a syntax error"))
        .instead("write SQL in its place, or run the file with psql apart from migrations")
}
