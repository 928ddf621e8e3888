//! `rewrite-table`: a table is written anew while nobody can use it.

use crate::review::axes::Holds;
use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::Statement;

pub(super) const RULE: Rule = Rule {
    name: "rewrite-table",
    level: Level::Error,
    topic: Topic::Blocks,
    title: "a table is written anew while nobody can use it",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    at.holds(Holds::Rewrite)?;
    let (Statement::RewriteTable { what, .. } | Statement::Compact { what, .. }) = at.statement
    else {
        return None;
    };
    Found::new(format!("{what} writes every row anew while readers and writers wait"))
        .instead("move the rows to a new table in batches, and swap the two")
}
