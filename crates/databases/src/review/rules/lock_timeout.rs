//! `lock-timeout`: nothing bounds how long this waits for its lock, and everybody behind it.

use crate::review::axes::Lock;
use crate::review::rules::{At, Found, Level, Rule, Topic};

pub(super) const RULE: Rule = Rule {
    name: "lock-timeout",
    level: Level::Warning,
    topic: Topic::Blocks,
    title: "nothing bounds how long this waits for its lock, and everybody behind it",
    check,
};

fn check(at: &At<'_>) -> Option<Found> {
    let block = at.axes.blocks.as_ref()?;
    (block.lock == Lock::AccessExclusive || block.lock == Lock::ShareRowExclusive).then_some(())?;
    (!at.known.bounds_waiting() && at.first_heavy).then_some(())?;
    Found::new(format!(
        "while this waits for its lock on {}, everybody else waits behind it",
        block.on
    ))
    .instead("SET LOCAL lock_timeout = '2s' before it, and try again when it fails")
}
