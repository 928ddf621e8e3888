//! `row-security`: who sees which rows changes under old code.

use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::Statement;

pub(super) const RULE: Rule = Rule {
    name: "row-security",
    level: Level::Warning,
    topic: Topic::Breaks,
    title: "who sees which rows changes under old code",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let breaks = at.axes.breaks.as_ref()?;
    matches!(at.statement, Statement::RowSecurity { .. } | Statement::Policy { .. })
        .then(|| Found::new(format!("{breaks}, for old code too")))?
        .instead("create the policies first, and try them with the role that old code uses")
}
