//! `drop-index`: an index is dropped, for which readers and writers wait.

use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::Statement;

pub(super) const RULE: Rule = Rule {
    name: "drop-index",
    level: Level::Warning,
    topic: Topic::Blocks,
    title: "an index is dropped, for which readers and writers wait",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let Statement::DropIndex { index, concurrently: false } = at.statement else { return None };
    Found::new(format!("everybody who uses the table of {index} waits behind this"))
        .instead(format!("DROP INDEX CONCURRENTLY {index}, outside a transaction"))
}
