//! `revoke`: a privilege is taken that old code may need.

use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::{Granting, Statement};

pub(super) const RULE: Rule = Rule {
    name: "revoke",
    level: Level::Warning,
    topic: Topic::Breaks,
    title: "a privilege is taken that old code may need",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let Statement::Privileges { granting: Granting::Revoke, .. } = at.statement else {
        return None;
    };
    Found::new("a privilege is taken that old code may need")
        .instead("take it when no release that needs it can come back")
}
