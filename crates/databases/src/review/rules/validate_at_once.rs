//! `validate-at-once`: a constraint is validated in the transaction that added it.

use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::Statement;

pub(super) const RULE: Rule = Rule {
    name: "validate-at-once",
    level: Level::Warning,
    topic: Topic::Blocks,
    title: "a constraint is validated in the transaction that added it",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let Statement::ValidateConstraint { table, constraint } = at.statement else { return None };
    (at.known.is_unchecked(table, constraint) && at.in_transaction()).then_some(())?;
    Found::new(format!(
        "the lock of adding {constraint} is held while every row of {table} is read, since both \
         are one transaction"
    ))
    .instead("validate it in a script of its own")
}
