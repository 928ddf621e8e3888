//! `add-foreign-key`: a foreign key is checked on every row while nobody can write.

use crate::review::axes::Holds;
use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::{ConstraintKind, Statement};

pub(super) const RULE: Rule = Rule {
    name: "add-foreign-key",
    level: Level::Error,
    topic: Topic::Blocks,
    title: "a foreign key is checked on every row while nobody can write",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let Statement::AddConstraint { table, constraint } = at.statement else { return None };
    let ConstraintKind::ForeignKey { to } = &constraint.kind else { return None };
    at.holds(Holds::Scan)?;
    let name = constraint.name.as_deref().unwrap_or("its name");
    Found::new(format!("every row of {table} is looked up while writers of {table} and {to} wait"))
        .instead(format!(
            "ADD CONSTRAINT {name} … NOT VALID; in a later script ALTER TABLE {table} VALIDATE \
             CONSTRAINT {name}"
        ))
}
