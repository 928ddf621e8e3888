//! `rename-enum-value`: a value of an enum is renamed under old code.

use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::Statement;

pub(super) const RULE: Rule = Rule {
    name: "rename-enum-value",
    level: Level::Error,
    topic: Topic::Breaks,
    title: "a value of an enum is renamed under old code",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let Statement::RenameEnumValue { type_name, from, to } = at.statement else { return None };
    Found::new(format!("old code writes '{from}' of {type_name} and is refused")).instead(format!(
        "add '{to}', let new code write it, change the rows, and leave '{from}' unused"
    ))
}
