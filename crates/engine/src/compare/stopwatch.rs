//! Where in time a comparison is. Time that a person stopped does not count for the step.

use ripcord_core::model::ids::Millis;

/// How often the journal hears of counts at first, while nothing speaks against the release.
const JOURNAL_MS: Millis = 1_000;

/// How long it may hear nothing at most: the judge bets anew from time to time, and what is merged
/// over such a moment counts as if it came after it.
const JOURNAL_MS_MAX: Millis = 300_000;

/// The times of one comparison.
#[expect(clippy::struct_field_names, reason = "a unit belongs to every time")]
#[derive(Debug, Clone, Copy)]
pub(super) struct Stopwatch {
    /// Since the first comparison of the plan began, so that all that is seen has an order.
    at_ms: Millis,
    /// How long this step has lasted.
    elapsed_ms: Millis,
    /// The last look, by the world's clock.
    looked_ms: Millis,
    /// When the journal last heard of counts.
    journaled_ms: Millis,
    /// When the judge last knew enough to say something.
    sighted_ms: Millis,
}

impl Stopwatch {
    /// Goes on from what the journal says; `now_ms` is the world's clock.
    pub(super) fn new(at_ms: Millis, elapsed_ms: Millis, now_ms: Millis) -> Stopwatch {
        let (journaled_ms, sighted_ms) = (at_ms, at_ms);
        Stopwatch { at_ms, elapsed_ms, looked_ms: now_ms, journaled_ms, sighted_ms }
    }

    /// It is now this late by the world's clock.
    pub(super) fn tick(&mut self, now_ms: Millis, paused: bool) {
        let since_ms = now_ms.saturating_sub(self.looked_ms);
        self.at_ms += since_ms;
        if !paused {
            self.elapsed_ms += since_ms;
        }
        self.looked_ms = now_ms;
    }

    /// The time of what is seen now.
    pub(super) fn at_ms(&self) -> Millis {
        self.at_ms
    }

    /// How long the step has lasted.
    pub(super) fn elapsed_ms(&self) -> Millis {
        self.elapsed_ms
    }

    /// A long watch is journaled less and less often: some fifty entries for an hour.
    pub(super) fn journal_is_due(&self) -> bool {
        let gap_ms = (self.journaled_ms / 10).clamp(JOURNAL_MS, JOURNAL_MS_MAX);
        self.at_ms >= self.journaled_ms + gap_ms
    }

    /// The journal has heard of counts.
    pub(super) fn journaled(&mut self) {
        self.journaled_ms = self.at_ms;
    }

    /// Whether the judge knows enough at this moment.
    pub(super) fn sees(&mut self, knows: bool) {
        if knows {
            self.sighted_ms = self.at_ms;
        }
    }

    /// For how long it has not.
    pub(super) fn blind_ms(&self) -> Millis {
        self.at_ms - self.sighted_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_step_lasts_no_longer() {
        let mut watch = Stopwatch::new(1_000, 400, 50);
        watch.tick(150, false);
        watch.tick(250, true);
        assert_eq!((watch.at_ms(), watch.elapsed_ms()), (1_200, 500));
        watch.tick(200, false);
        assert_eq!(watch.at_ms(), 1_200, "a clock that goes back adds nothing");
    }

    #[test]
    fn the_journal_hears_less_and_less_often() {
        let due = |journaled_ms, at_ms| {
            let mut watch = Stopwatch::new(journaled_ms, 0, 0);
            watch.tick(at_ms - journaled_ms, false);
            watch.journal_is_due()
        };
        assert!(!due(0, 999) && due(0, 1_000));
        assert!(!due(60_000, 65_999) && due(60_000, 66_000));
    }
}
