//! `not-in-transaction`: the server refuses this inside a transaction.

use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::Statement;

pub(super) const RULE: Rule = Rule {
    name: "not-in-transaction",
    level: Level::Error,
    topic: Topic::Runs,
    title: "the server refuses this inside a transaction",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let what = match at.statement {
        Statement::Cluster { what }
        | Statement::Maintain { what, .. }
        | Statement::Compact { what, .. }
            if at.statement.refuses_transaction() =>
        {
            what
        }
        _ => return None,
    };
    at.in_transaction().then_some(())?;
    Found::new(format!("the server refuses {what} in a transaction, and the tool runs one"))
        .instead("do it apart from migrations, or tell the tool to run the script without one")
}
