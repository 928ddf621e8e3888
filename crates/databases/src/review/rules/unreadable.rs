//! `unreadable`: the statement is not SQL that `PostgreSQL` knows.

use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::Statement;

pub(super) const RULE: Rule = Rule {
    name: "unreadable",
    level: Level::Error,
    topic: Topic::Runs,
    title: "the statement is not SQL that PostgreSQL knows",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let Statement::Unreadable { why } = at.statement else { return None };
    Found::new(format!("it cannot be read: {why}")).plain()
}
