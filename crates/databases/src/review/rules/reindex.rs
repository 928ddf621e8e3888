//! `reindex`: an index is built again while nobody can write.

use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::Statement;

pub(super) const RULE: Rule = Rule {
    name: "reindex",
    level: Level::Error,
    topic: Topic::Blocks,
    title: "an index is built again while nobody can write",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let Statement::Reindex { what, concurrently: false } = at.statement else { return None };
    Found::new(format!("writers wait until {what} is built again, and readers who would use it"))
        .instead("REINDEX … CONCURRENTLY, outside a transaction")
}
