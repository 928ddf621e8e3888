//! `add-exclusion`: an exclusion constraint builds its index while nobody can read or write.

use crate::review::axes::Holds;
use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::{ConstraintKind, Statement};

pub(super) const RULE: Rule = Rule {
    name: "add-exclusion",
    level: Level::Error,
    topic: Topic::Blocks,
    title: "an exclusion constraint builds its index while nobody can read or write",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let Statement::AddConstraint { table, constraint } = at.statement else { return None };
    at.holds(Holds::Scan)?;
    matches!(constraint.kind, ConstraintKind::Exclude).then_some(())?;
    Found::new(format!(
        "an index of {table} is built while readers and writers wait; there is no way to build \
         it beforehand"
    ))
    .instead("add it while the table is small, or to a new table that replaces this one")
}
