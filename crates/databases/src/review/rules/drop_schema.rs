//! `drop-schema`: a schema is dropped with what is in it.

use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::Statement;

pub(super) const RULE: Rule = Rule {
    name: "drop-schema",
    level: Level::Error,
    topic: Topic::Destroys,
    title: "a schema is dropped with what is in it",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let Statement::DropSchema { schema, .. } = at.statement else { return None };
    Found::new(format!("schema {schema} goes with everything in it")).instead(format!(
        "ALTER SCHEMA {schema} RENAME TO {schema}_old, and drop it when nobody misses it"
    ))
}
