//! `opaque`: code runs here that cannot be seen into.

use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::Statement;

pub(super) const RULE: Rule = Rule {
    name: "opaque",
    level: Level::Warning,
    topic: Topic::Runs,
    title: "code runs here that cannot be seen into",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let Statement::Opaque { what } = at.statement else { return None };
    Found::new(format!("{what} is not seen into: it may block, break and destroy anything"))
        .instead("write plain statements, or say with an annotation that somebody looked")
}
