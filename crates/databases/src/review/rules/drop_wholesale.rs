//! `drop-wholesale`: everything that somebody owns is dropped.

use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::Statement;

pub(super) const RULE: Rule = Rule {
    name: "drop-wholesale",
    level: Level::Error,
    topic: Topic::Destroys,
    title: "everything that somebody owns is dropped",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let Statement::DropWholesale { what } = at.statement else { return None };
    Found::new(format!("{what} removes whatever is owned, and nobody can see what that is here"))
        .instead("drop the objects by name")
}
