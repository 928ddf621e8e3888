//! `drop-behaviour`: a trigger, policy or rule is dropped that guarded or filled rows.

use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::Statement;

pub(super) const RULE: Rule = Rule {
    name: "drop-behaviour",
    level: Level::Warning,
    topic: Topic::Breaks,
    title: "a trigger, policy or rule is dropped that guarded or filled rows",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let Statement::DropDefinition { object, .. } = at.statement else { return None };
    let table = object.table.as_ref().filter(|table| !at.known.is_born(table))?;
    at.axes.breaks.is_none().then_some(())?;
    Found::new(format!(
        "{} {} of {table} no longer acts, for old code too",
        object.kind, object.name
    ))
    .plain()
}
