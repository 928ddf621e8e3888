//! `refresh-view`: a materialized view is refreshed while nobody can read it.

use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::Statement;

pub(super) const RULE: Rule = Rule {
    name: "refresh-view",
    level: Level::Warning,
    topic: Topic::Blocks,
    title: "a materialized view is refreshed while nobody can read it",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let Statement::Refresh { view, concurrently: false } = at.statement else { return None };
    (!at.known.is_born(view)).then_some(())?;
    Found::new(format!("readers of {view} wait until it is computed")).instead(format!(
        "REFRESH MATERIALIZED VIEW CONCURRENTLY {view}, which needs a unique index on it"
    ))
}
