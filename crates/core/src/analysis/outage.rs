//! Do both releases fail? Then neither can be blamed by comparing them: something that both need
//! is down, or the canary breaks it for both. Nothing proceeds meanwhile.
//!
//! The last minute of stable is set against what it was before the release, or, where nobody knows
//! that, before that minute. An outage holds a release up. Only one that began when the canary got
//! more, and lasts, takes it back as a precaution; for any other a person is asked.

use super::explain;
use super::past::{self, Past, fails, rate};
use super::tick::{Pair, Tick};
use crate::model::Share;
use crate::model::ids::Millis;
use serde::Serialize;

/// How long a slot of the last minute is, and how many there are.
const SLOT_MS: Millis = 5_000;
const SLOTS: usize = 12;

/// How long after the canary got more an outage is seen that may be of its making.
const WITH_MS: Millis = 300_000;

/// What both releases did in the last minute.
#[derive(Debug, Clone)]
pub(super) struct Outage {
    slots: [Slot; SLOTS],
    floor: f64,
    before: Option<Past>,
    /// The largest weight so far, and when it was first seen.
    weight: Share,
    raised_ms: Millis,
    /// Since when both fail, as of the newest time of which everything is known.
    since_ms: Option<Millis>,
}

/// What both releases suffer from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SharedOutage {
    /// Since when, since the comparison began.
    pub since_ms: Millis,
    /// For how long.
    pub lasts_ms: Millis,
    /// Whether it began when the canary got more, so that it may be of the canary's making.
    pub with_release: bool,
    /// Both in numbers.
    pub words: String,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    number: u64,
    canary: Pair,
    stable: Pair,
}

impl Outage {
    /// Rates of errors up to this one are never an outage.
    pub(super) fn new(floor_ppm: u32, before: Option<Past>) -> Outage {
        Outage {
            slots: [Slot::default(); SLOTS],
            floor: f64::from(floor_ppm) / 1e6,
            before,
            weight: 0,
            raised_ms: 0,
            since_ms: None,
        }
    }

    /// All that was seen until this time is in; `all` is all that stable ever answered.
    pub(super) fn settle(&mut self, newest_ms: Millis, all: Pair) {
        self.since_ms = self.since(newest_ms, all);
    }

    /// Takes a tick into account.
    pub(super) fn add(&mut self, tick: &Tick) {
        let number = tick.at_ms / SLOT_MS;
        let index = usize::try_from(number % SLOTS as u64).unwrap_or(0);
        let slot = &mut self.slots[index];
        if slot.number != number {
            *slot = Slot { number, ..Slot::default() };
        }
        for (pair, arm) in [(&mut slot.canary, &tick.canary), (&mut slot.stable, &tick.stable)] {
            *pair = pair.plus(Pair { events: arm.errors, total: arm.requests });
        }
        if tick.weight > self.weight {
            (self.weight, self.raised_ms) = (tick.weight, tick.at_ms);
        }
    }

    /// Since when both fail, if they do at this time. What has begun goes on while stable fails
    /// more than is usual, beyond chance or not: otherwise it would end and begin all the time.
    pub(super) fn since(&self, newest_ms: Millis, all: Pair) -> Option<Millis> {
        let (canary, stable) = self.latest(newest_ms);
        let tolerated = self.tolerated(all.minus(stable));
        if self.since_ms.is_some() {
            return self.since_ms.filter(|_| rate(stable) > tolerated);
        }
        let both = canary.events > 0 && rate(canary) > tolerated && fails(stable, tolerated);
        both.then_some(newest_ms)
    }

    /// What both suffer from, as of the newest time, if they do.
    pub(super) fn now(&self, newest_ms: Millis, all: Pair) -> Option<SharedOutage> {
        let since_ms = self.since(newest_ms, all)?;
        let (canary, stable) = self.latest(newest_ms);
        let tolerated = self.tolerated(all.minus(stable));
        let [new, old, usual] = [rate(canary), rate(stable), tolerated]
            .map(|rate| format!("{} %", explain::plain(100.0 * rate)));
        let failed_before = self.before.is_some_and(|past| past.failing(self.floor).is_some());
        Some(SharedOutage {
            since_ms,
            lasts_ms: newest_ms.saturating_sub(since_ms),
            with_release: !failed_before && since_ms.saturating_sub(self.raised_ms) <= WITH_MS,
            words: format!(
                "both fail, the canary {new} and stable {old} of the last minute's requests, where \
                 up to {usual} is usual: something that both need is down, or the canary breaks it \
                 for both"
            ),
        })
    }

    fn latest(&self, now_ms: Millis) -> (Pair, Pair) {
        let oldest = (now_ms / SLOT_MS).saturating_sub(SLOTS as u64 - 1);
        let (mut canary, mut stable) = (Pair::default(), Pair::default());
        for slot in self.slots.iter().filter(|slot| slot.number >= oldest) {
            canary = canary.plus(slot.canary);
            stable = stable.plus(slot.stable);
        }
        (canary, stable)
    }

    /// The rate of errors that is no outage; what the comparison saw itself is the last resort.
    fn tolerated(&self, seen_before: Pair) -> f64 {
        match self.before.and_then(|past| past.usual()) {
            Some(usual) => past::tolerated_of(usual, self.floor),
            None => past::tolerated(seen_before, self.floor),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::ArmCounts;

    /// Seconds of requests, each with the errors of 5 canary requests and of 95 of stable.
    fn outage(seconds: &[(u64, u64, u64)], before: Option<Past>) -> Option<SharedOutage> {
        let mut outage = Outage::new(5_000, before);
        let (mut all, mut at_ms) = (Pair::default(), 0);
        for &(count, new, old) in seconds {
            for _ in 0..count {
                outage.settle(at_ms, all);
                at_ms += 1_000;
                let arm = |requests, errors| ArmCounts { requests, errors, latency: Vec::new() };
                let (canary, stable) = (arm(5, new), arm(95, old));
                outage.add(&Tick { at_ms, weight: 500, canary, stable });
                all = all.plus(Pair { events: old, total: 95 });
            }
        }
        outage.now(at_ms, all)
    }

    /// A release with so many errors in 100,000 requests, and these of its last 1,000.
    fn before(usual: u64, lately: u64) -> Past {
        let lately = Pair { events: lately, total: 1_000 };
        let all = Pair { events: usual, total: 100_000 }.plus(lately);
        Past { all, lately, lately_ms: 60_000 }
    }

    #[test]
    fn both_fail() {
        let outage = |seconds: &[_]| outage(seconds, None).map(|outage| outage.words);
        assert_eq!(outage(&[(300, 0, 1)]), None, "one in a hundred as ever");
        let said = outage(&[(300, 0, 1), (10, 2, 30)]).expect("a third fails");
        assert!(said.starts_with("both fail, the canary "), "{said}");
        assert_eq!(outage(&[(300, 0, 1), (10, 2, 30), (70, 0, 1)]), None, "it is over");
        assert_eq!(outage(&[(300, 0, 1), (10, 4, 1)]), None, "the canary alone");
        assert_eq!(outage(&[(300, 0, 1), (10, 0, 30)]), None, "stable alone");
        assert!(outage(&[(20, 1, 30)]).is_some(), "from the start on");
        assert!(outage(&[(300, 2, 30)]).is_some(), "for long");
        assert_eq!(outage(&[(20, 0, 2)]), None, "may be usual");
    }

    /// What is usual is what stable did before the release, and not what it does beside it.
    #[test]
    fn history_is_from_before_the_release() {
        let seconds = [(200, 1, 4)];
        assert_eq!(outage(&seconds, None), None, "4 % all the time may be usual");
        assert!(outage(&seconds, Some(before(500, 5))).is_some(), "it was 0.5 %");
        assert_eq!(outage(&seconds, Some(before(5_000, 50))), None, "it was 5 %");
    }

    #[test]
    fn who_may_have_caused_it() {
        let with = |seconds: &[_], before| {
            let outage = outage(seconds, before).expect("both fail");
            (outage.with_release, outage.since_ms / 10_000, outage.lasts_ms / 10_000)
        };
        assert_eq!(with(&[(100, 2, 30)], Some(before(500, 5))), (true, 0, 9));
        assert_eq!(with(&[(200, 0, 0), (50, 2, 30)], Some(before(500, 5))), (true, 20, 4));
        assert_eq!(with(&[(400, 0, 0), (50, 2, 30)], Some(before(500, 5))), (false, 40, 4));
        assert_eq!(
            with(&[(100, 2, 30)], Some(before(500, 300))),
            (false, 0, 9),
            "it failed before"
        );
    }
}
