//! `attach-partition`: a partition is read whole when it is attached.

use crate::review::rules::{At, Found, Level, Rule, Topic};
use crate::statement::Statement;

pub(super) const RULE: Rule = Rule {
    name: "attach-partition",
    level: Level::Warning,
    topic: Topic::Blocks,
    title: "a partition is read whole when it is attached",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let Statement::AttachPartition { partition, .. } = at.statement else { return None };
    (!at.known.is_born(partition)).then_some(())?;
    Found::new(format!("every row of {partition} is read while its readers and writers wait"))
        .instead(format!(
            "first ALTER TABLE {partition} ADD CONSTRAINT … CHECK (its bounds) NOT VALID, then \
             VALIDATE it; then nothing is read"
        ))
}
