//! `new-demand`: what old code writes must meet a new constraint.

use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::Statement;

pub(super) const RULE: Rule = Rule {
    name: "new-demand",
    level: Level::Warning,
    topic: Topic::Breaks,
    title: "what old code writes must meet a new constraint",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let breaks = at.axes.breaks.as_ref()?;
    let table = at.statement.table()?;
    let demands = match at.statement {
        Statement::AddConstraint { constraint, .. } => constraint.not_valid,
        Statement::CreateIndex { unique, .. } => *unique,
        _ => false,
    };
    (demands && !at.known.is_born(table)).then_some(())?;
    Found::new(format!("{breaks}; what old code writes may be refused"))
        .instead("make sure that the code that runs now meets it already")
}
