//! On which terms a migration runs: how long users may wait for it, how much may be copied aside,
//! and what may be lost. Pure data; who asks decides.

use ripcord_core::schema::{Mode, SchemaForecast};

/// What a run may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// What becomes of what a script destroys, where an annotation does not say otherwise.
    pub mode: Mode,
    /// With the mode `drop`, tables above this size and columns of them are hidden instead.
    pub hide_above_bytes: Option<u64>,
    /// With the mode `destroy`, why.
    pub reason: String,
    /// How long one statement waits for a lock. Users queue behind it for as long.
    pub lock_timeout_ms: u64,
    /// How long one statement may run, the copying before it included. Nought is without end.
    pub statement_budget_ms: u64,
    /// How often a run is begun when others are in the way.
    pub attempts_max: u32,
    /// The most that may be copied aside, by the size of the tables it is copied from.
    pub copy_bytes_max: u64,
    /// The largest table that is written anew for the order of its columns.
    pub rebuild_bytes_max: u64,
    /// What was forecast and accepted: the run counts again, and loses no more for good than this;
    /// on the way back it hides no more either.
    pub accept: Option<SchemaForecast>,
    /// How many of users' rows and values may stand where something would return.
    pub conflicts_max: Option<u64>,
}

impl Default for Terms {
    fn default() -> Terms {
        Terms {
            mode: Mode::Drop,
            hide_above_bytes: None,
            reason: String::new(),
            lock_timeout_ms: 2_000,
            statement_budget_ms: 0,
            attempts_max: 10,
            copy_bytes_max: 4 << 30,
            rebuild_bytes_max: 1 << 30,
            accept: None,
            conflicts_max: None,
        }
    }
}

/// How long to wait before the attempt after this one, in milliseconds: users get the time that
/// they queued, and more each time.
pub(crate) fn pause_ms(attempt: u32) -> u64 {
    let doubled = 50_u64.saturating_mul(1 << attempt.min(6));
    doubled.min(PAUSE_MS_MAX)
}

/// The longest pause between two attempts.
const PAUSE_MS_MAX: u64 = 2_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let pauses = [0, 1, 2, 5, 6, 1000].map(pause_ms);
        assert_eq!(pauses, [50, 100, 200, 1600, 2000, 2000]);
    }
}
