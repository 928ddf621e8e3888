//! `detach-partition`: a partition is detached while nobody can use its table.

use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::Statement;

pub(super) const RULE: Rule = Rule {
    name: "detach-partition",
    level: Level::Error,
    topic: Topic::Blocks,
    title: "a partition is detached while nobody can use its table",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let Statement::DetachPartition { table, partition, concurrently: false } = at.statement else {
        return None;
    };
    (!at.known.is_born(table)).then_some(())?;
    Found::new(format!("readers and writers of {table} wait")).instead(format!(
        "ALTER TABLE {table} DETACH PARTITION {partition} CONCURRENTLY, outside a transaction"
    ))
}
