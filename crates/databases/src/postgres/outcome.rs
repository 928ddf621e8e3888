//! What came of a run, in numbers and names.

use ripcord_core::schema::Counted;
use serde::Serialize;

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Set aside; it comes back when the run is taken back.
    pub kept: Vec<Counted>,
    /// Out of sight until the run is made again.
    pub hidden: Vec<Counted>,
    /// Destroyed for good.
    pub gone: Vec<Counted>,
    /// What a script left otherwise than it should be, and was put right.
    pub repaired: Vec<String>,
    /// What could not be put back as it was, because users wrote since.
    pub conflicts: Vec<Conflict>,
    /// What else to know about it.
    pub notes: Vec<String>,
    /// How long it took.
    pub took_ms: u64,
}

/// Rows of users that stand against something that is to come back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Conflict {
    /// Of which table, column or constraint.
    pub what: String,
    /// What stands against what.
    pub why: String,
    /// How many rows.
    pub count: u64,
}

/// What a run is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Others are in the way; it is tried again.
    Waiting {
        /// Which attempt failed, from 1.
        attempt: u32,
        /// What the server said.
        why: String,
    },
    /// A statement begins.
    Statement {
        /// On which line of the script, from 1.
        line: u32,
        /// The statement, shortened.
        text: String,
    },
    /// Something was set aside.
    Kept(Counted),
    /// Something was hidden.
    Hidden(Counted),
    /// Something was destroyed for good, as asked.
    Gone(Counted),
    /// Something was put right.
    Repaired(String),
}

/// Adds counts, things of one name together.
pub(crate) fn merge(counts: &mut Vec<Counted>, more: impl IntoIterator<Item = Counted>) {
    for one in more {
        match counts.iter_mut().find(|old| old.what == one.what && old.unit == one.unit) {
            Some(old) => old.count += one.count,
            None => counts.push(one),
        }
    }
}
