//! `stricter-domain`: a domain demands more of values that exist.

use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::Statement;

pub(super) const RULE: Rule = Rule {
    name: "stricter-domain",
    level: Level::Error,
    topic: Topic::Breaks,
    title: "a domain demands more of values that exist",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let Statement::StricterDomain { domain, not_valid } = at.statement else { return None };
    (!at.known.is_born(domain)).then_some(())?;
    let found = Found::new(format!(
        "every column of type {domain} is checked, and what old code writes may be refused"
    ));
    let found = if *not_valid { found.level(Level::Warning) } else { found };
    found.instead("ADD CONSTRAINT … NOT VALID, and VALIDATE CONSTRAINT in a later script")
}
