//! `drop-object`: a view, function, type or the like is dropped that old code may use.

use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::Statement;

pub(super) const RULE: Rule = Rule {
    name: "drop-object",
    level: Level::Error,
    topic: Topic::Breaks,
    title: "a view, function, type or the like is dropped that old code may use",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    use Statement as S;
    let breaks = at.axes.breaks.as_ref()?;
    let dropped = matches!(
        at.statement,
        S::DropDefinition { .. }
            | S::DropType { .. }
            | S::DropMaterializedView { .. }
            | S::DropSequence { .. }
            | S::DropExtension { .. }
    );
    let found = Found::new(format!("{breaks}, and old code may still use it"));
    dropped.then_some(found)?.instead("release code that does not use it, then drop it")
}
