//! Do both releases fail? Then neither can be blamed by comparing them: something that both need
//! is down, or the canary breaks it for both. Nothing proceeds meanwhile.
//!
//! The last minute of stable is set against what it was before. This holds a release up; it never
//! takes one back.

use super::absolute::AbsoluteTest;
use super::explain;
use super::nats::as_f64;
use super::tick::{Pair, Tick};
use crate::model::ids::Millis;

/// How long a slot of the last minute is, and how many there are.
const SLOT_MS: Millis = 5_000;
const SLOTS: usize = 12;

/// Evidence at which stable is found to fail more than it did.
const ENOUGH: f64 = 20.0;

/// How many requests from before make a history.
const HISTORY_MIN: u64 = 200;

/// The error rate that needs no history to be an outage, and the one that is never usual.
const UNKNOWN: f64 = 0.05;
const NEVER_USUAL: f64 = 0.2;

/// What both releases did in the last minute.
#[derive(Debug, Clone)]
pub(super) struct Outage {
    slots: [Slot; SLOTS],
    floor: f64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    number: u64,
    canary: Pair,
    stable: Pair,
}

impl Outage {
    /// Rates of errors up to this one are never an outage.
    pub(super) fn new(floor_ppm: u32) -> Outage {
        Outage { slots: [Slot::default(); SLOTS], floor: f64::from(floor_ppm) / 1e6 }
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
    }

    /// What both suffer from at this time, if they do; `all` is all that stable ever answered.
    pub(super) fn now(&self, now_ms: Millis, all: Pair) -> Option<String> {
        let oldest = (now_ms / SLOT_MS).saturating_sub(SLOTS as u64 - 1);
        let (mut canary, mut stable) = (Pair::default(), Pair::default());
        for slot in self.slots.iter().filter(|slot| slot.number >= oldest) {
            canary = canary.plus(slot.canary);
            stable = stable.plus(slot.stable);
        }
        let tolerated = self.tolerated(all.minus(stable));
        let test = AbsoluteTest::new(0.5 * tolerated, 0.0);
        let fails = test.evidence(stable.total, stable.events) >= ENOUGH;
        if !fails || canary.events == 0 || rate(canary) <= tolerated {
            return None;
        }
        let [new, old, usual] = [rate(canary), rate(stable), tolerated]
            .map(|rate| format!("{} %", explain::plain(100.0 * rate)));
        Some(format!(
            "both fail, the canary {new} and stable {old} of the last minute's requests, where up \
             to {usual} is usual: something that both need is down, or the canary breaks it for both"
        ))
    }

    fn tolerated(&self, before: Pair) -> f64 {
        let usual = if before.total >= HISTORY_MIN { 2.0 * rate(before) } else { UNKNOWN };
        usual.max(self.floor).min(NEVER_USUAL)
    }
}

fn rate(pair: Pair) -> f64 {
    as_f64(pair.events) / as_f64(pair.total.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::ArmCounts;

    /// Seconds of requests, each with the errors of 5 canary requests and of 95 of stable.
    fn outage(seconds: &[(u64, u64, u64)]) -> Option<String> {
        let mut outage = Outage::new(5_000);
        let (mut all, mut at_ms) = (Pair::default(), 0);
        for &(count, new, old) in seconds {
            for _ in 0..count {
                at_ms += 1_000;
                let arm = |requests, errors| ArmCounts { requests, errors, latency: Vec::new() };
                let (canary, stable) = (arm(5, new), arm(95, old));
                outage.add(&Tick { at_ms, weight: 500, canary, stable });
                all = all.plus(Pair { events: old, total: 95 });
            }
        }
        outage.now(at_ms, all)
    }

    #[test]
    fn both_fail() {
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
}
