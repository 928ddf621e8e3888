//! `create-trigger`: a trigger or rule acts on what old code writes.

use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::Statement;

pub(super) const RULE: Rule = Rule {
    name: "create-trigger",
    level: Level::Warning,
    topic: Topic::Breaks,
    title: "a trigger or rule acts on what old code writes",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let breaks = at.axes.breaks.as_ref()?;
    matches!(at.statement, Statement::CreateTrigger { .. } | Statement::CreateRule { .. })
        .then(|| Found::new(breaks.clone()))?
        .instead("make sure that what old code writes passes it")
}
