//! `create-index`: an index is built while nobody can write.

use crate::review::axes::Holds;
use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::Statement;

pub(super) const RULE: Rule = Rule {
    name: "create-index",
    level: Level::Error,
    topic: Topic::Blocks,
    title: "an index is built while nobody can write",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let Statement::CreateIndex { index, table, unique, concurrently: false } = at.statement else {
        return None;
    };
    at.holds(Holds::Scan)?;
    let name = index.as_ref().map(ToString::to_string).unwrap_or_default();
    let unique = if *unique { "UNIQUE " } else { "" };
    Found::new(format!("writers of {table} wait until the index is built")).instead(format!(
        "CREATE {unique}INDEX CONCURRENTLY {name} ON {table} (…), in a script that runs outside a \
         transaction"
    ))
}
