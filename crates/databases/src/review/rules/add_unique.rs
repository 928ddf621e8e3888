//! `add-unique`: a constraint builds its index while nobody can read or write.

use crate::review::axes::Holds;
use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::{ConstraintKind, Statement};

pub(super) const RULE: Rule = Rule {
    name: "add-unique",
    level: Level::Error,
    topic: Topic::Blocks,
    title: "a constraint builds its index while nobody can read or write",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let Statement::AddConstraint { table, constraint } = at.statement else { return None };
    at.holds(Holds::Scan)?;
    let words = match constraint.kind {
        ConstraintKind::Unique { using_index: None } => "UNIQUE",
        ConstraintKind::PrimaryKey { using_index: None } => "PRIMARY KEY",
        _ => return None,
    };
    let name = constraint.name.as_deref().unwrap_or("its name");
    Found::new(format!("an index of {table} is built while readers and writers wait")).instead(
        format!(
            "CREATE UNIQUE INDEX CONCURRENTLY {name} ON {table} (…), outside a transaction; then \
             ADD CONSTRAINT {name} {words} USING INDEX {name}"
        ),
    )
}
