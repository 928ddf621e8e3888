//! `transaction-control`: the script begins or ends transactions under the hands of its tool.

use crate::formats::Transaction;
use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::{Statement, TransactionWord};

pub(super) const RULE: Rule = Rule {
    name: "transaction-control",
    level: Level::Error,
    topic: Topic::Runs,
    title: "the script begins or ends transactions under the hands of its tool",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let Statement::Transaction { word } = at.statement else { return None };
    if *word == TransactionWord::Savepoint {
        return None;
    }
    let found = Found::new(match at.run {
        Transaction::Whole | Transaction::Automatic => {
            "the tool runs the script in a transaction; what is committed here stays when the \
             rest fails, and the tool's own record no longer agrees"
        }
        Transaction::OneMessage | Transaction::Separate => {
            "a script that fails within its own transaction leaves the tool in doubt"
        }
    });
    let found = if at.run == Transaction::Separate { found.level(Level::Note) } else { found };
    found.instead("remove it, and let the tool make the transaction")
}
