//! `change-composite`: a composite type loses an attribute.

use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::Statement;

pub(super) const RULE: Rule = Rule {
    name: "change-composite",
    level: Level::Error,
    topic: Topic::Breaks,
    title: "a composite type loses an attribute",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let Statement::AlterComposite { type_name, drops } = at.statement else { return None };
    (!drops.is_empty() && !at.known.is_born(type_name)).then_some(())?;
    Found::new(format!("{type_name} loses {}, which old code may name", drops.join(", ")))
        .instead("leave the attribute until no code names it")
}
