//! `concurrently-in-transaction`: CONCURRENTLY cannot run where the tool puts it.

use crate::formats::Transaction;
use crate::review::rules::{At, Found, Level, Rule, Topic};

pub(super) const RULE: Rule = Rule {
    name: "concurrently-in-transaction",
    level: Level::Error,
    topic: Topic::Runs,
    title: "CONCURRENTLY cannot run where the tool puts it",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    at.statement.is_concurrent().then_some(())?;
    at.in_transaction().then_some(())?;
    let message = match at.run {
        Transaction::Whole => {
            "the tool runs this script in a transaction, where the server refuses CONCURRENTLY"
        }
        Transaction::OneMessage => {
            "the tool sends this script as one message, which makes a transaction of its statements; the server refuses CONCURRENTLY there"
        }
        Transaction::Automatic => {
            "the script mixes what needs a transaction with what refuses one, and the tool refuses that"
        }
        Transaction::Separate => {
            "the script begins a transaction of its own, where the server refuses CONCURRENTLY"
        }
    };
    Found::new(message)
        .instead("put it alone into a script, and tell the tool to run that without a transaction")
}
