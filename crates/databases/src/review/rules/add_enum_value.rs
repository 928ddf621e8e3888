//! `add-enum-value`: an enum gets a value that cannot be taken back.

use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::Statement;

pub(super) const RULE: Rule = Rule {
    name: "add-enum-value",
    level: Level::Warning,
    topic: Topic::Breaks,
    title: "an enum gets a value that cannot be taken back",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let Statement::AddEnumValue { type_name, value } = at.statement else { return None };
    (!at.known.is_born(type_name)).then_some(())?;
    Found::new(format!(
        "old code may meet '{value}' of {type_name} and not know it; a value is never dropped, \
         and it cannot be used in the transaction that adds it"
    ))
    .instead("add it in a script of its own, a release before code that writes it")
}
