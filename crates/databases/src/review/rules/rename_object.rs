//! `rename-object`: a table, view or the like is renamed or moved under old code.

use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::Statement;

pub(super) const RULE: Rule = Rule {
    name: "rename-object",
    level: Level::Error,
    topic: Topic::Breaks,
    title: "a table, view or the like is renamed or moved under old code",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let breaks = at.axes.breaks.as_ref()?;
    let (Statement::Rename { object, .. } | Statement::SetSchema { object, .. }) = at.statement
    else {
        return None;
    };
    let found = Found::new(format!("{breaks}, and old code asks for the old name"));
    if object.kind == "table" {
        return found.instead(format!(
            "in the same transaction create a view with the old name: CREATE VIEW {} AS SELECT * \
             FROM the new name; drop it in a later release",
            object.name
        ));
    }
    found.instead("create the new one beside the old one, and drop the old one later")
}
