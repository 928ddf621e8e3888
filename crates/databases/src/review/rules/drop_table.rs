//! `drop-table`: a table is dropped that old code may use.

use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::Statement;

pub(super) const RULE: Rule = Rule {
    name: "drop-table",
    level: Level::Error,
    topic: Topic::Destroys,
    title: "a table is dropped that old code may use",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let Statement::DropTable { table, .. } = at.statement else { return None };
    at.axes.breaks.as_ref()?;
    Found::new(format!("table {table} is gone while old code may still use it"))
        .instead("release code that does not name the table, then drop it in a later release")
}
