//! `rename-column`: a column is renamed under old code.

use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::Statement;

pub(super) const RULE: Rule = Rule {
    name: "rename-column",
    level: Level::Error,
    topic: Topic::Breaks,
    title: "a column is renamed under old code",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let Statement::RenameColumn { table, from, to } = at.statement else { return None };
    at.axes.breaks.as_ref()?;
    Found::new(format!("old code asks for {table}.{from} and finds none")).instead(format!(
        "add column {to}, write both from new code, copy {from} over in batches, read {to}, and \
         drop {from} in a later release"
    ))
}
