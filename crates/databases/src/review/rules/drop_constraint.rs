//! `drop-constraint`: a constraint is dropped, so that rows may come that it forbids.

use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::Statement;

pub(super) const RULE: Rule = Rule {
    name: "drop-constraint",
    level: Level::Note,
    topic: Topic::Breaks,
    title: "a constraint is dropped, so that rows may come that it forbids",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let Statement::DropConstraint { table, constraint, .. } = at.statement else { return None };
    (!at.known.is_born(table)).then_some(())?;
    Found::new(format!(
        "rows that {constraint} forbids may now be written to {table}; taking this back may fail"
    ))
    .plain()
}
