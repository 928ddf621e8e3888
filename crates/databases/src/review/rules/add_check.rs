//! `add-check`: a CHECK is evaluated on every row while nobody can read or write.

use crate::review::axes::Holds;
use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::{ConstraintKind, Statement};

pub(super) const RULE: Rule = Rule {
    name: "add-check",
    level: Level::Error,
    topic: Topic::Blocks,
    title: "a CHECK is evaluated on every row while nobody can read or write",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let Statement::AddConstraint { table, constraint } = at.statement else { return None };
    at.holds(Holds::Scan)?;
    matches!(constraint.kind, ConstraintKind::Check { .. } | ConstraintKind::NotNull { .. })
        .then_some(())?;
    let name = constraint.name.as_deref().unwrap_or("its name");
    Found::new(format!("every row of {table} is read while readers and writers wait")).instead(
        format!(
            "ADD CONSTRAINT {name} … NOT VALID; in a later script ALTER TABLE {table} VALIDATE \
             CONSTRAINT {name}"
        ),
    )
}
