//! `copy-rows`: rows in the script after COPY FROM stdin.

use crate::formats::Transaction;
use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::Statement;

pub(super) const RULE: Rule = Rule {
    name: "copy-rows",
    level: Level::Error,
    topic: Topic::Runs,
    title: "rows in the script after COPY FROM stdin",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    matches!(at.statement, Statement::CopyRows).then_some(())?;
    let found = Found::new("rows after COPY FROM stdin are sent by psql and few other tools");
    // Flyway sends them too.
    let flyway = at.run == Transaction::Automatic;
    let found = if flyway { found.level(Level::Note) } else { found };
    found.instead("write INSERT, or load data apart from migrations")
}
