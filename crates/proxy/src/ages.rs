//! How long the requests in flight have been there, without a list of them.
//!
//! Without this a release that hangs looks well: requests that never end are in no latency. Each
//! request is counted in the slot of time in which it began and leaves that slot when it ends, so
//! that both cost one exchange of one word, whatever is in flight. A slot is used again after a
//! minute; who is still in it then is moved to those of great age.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// How long a slot takes in; ages are known to this.
const SLOT_MS: u64 = 50;
/// Slots for a minute, which is beyond the last bucket of a histogram.
const SLOTS: usize = 1_200;
const GREAT_AGE: Duration = Duration::from_millis(SLOT_MS * (SLOTS as u64 - 1));

/// Who is in flight, by the time of their beginning.
pub(crate) struct Ages {
    /// Each the number of its slot since the proxy began, and how many are in it: 32 bits each.
    /// Both in one word, so that nobody is counted in a slot that has become another one.
    slots: Box<[AtomicU64]>,
    /// Those whose slot became another one. Below zero for the moment between the two.
    old: AtomicI64,
}

/// The slot in which a request began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot(u32);

impl Ages {
    pub(crate) fn new() -> Self {
        let slots = (0..SLOTS).map(|_| AtomicU64::new(0)).collect();
        Self { slots, old: AtomicI64::new(0) }
    }

    /// Counts in one who begins at `now`, measured from when the proxy began.
    pub(crate) fn enter(&self, now: Duration) -> Slot {
        let slot = Slot::at(now);
        let word = self.word(slot);
        let mut seen = word.load(Ordering::Relaxed);
        loop {
            let (number, count) = parts(seen);
            if number > slot.0 {
                // Late by a whole minute: this thread was asleep.
                self.old.fetch_add(1, Ordering::AcqRel);
                return slot;
            }
            let (left, next) = if number == slot.0 {
                (0, whole(number, count.saturating_add(1)))
            } else {
                (count, whole(slot.0, 1))
            };
            match word.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) if left == 0 => return slot,
                Ok(_) => {
                    self.old.fetch_add(i64::from(left), Ordering::AcqRel);
                    return slot;
                }
                Err(other) => seen = other,
            }
        }
    }

    /// Counts out one who began in this slot.
    pub(crate) fn leave(&self, slot: Slot) {
        let one_less = |seen| {
            let (number, count) = parts(seen);
            (number == slot.0).then(|| whole(number, count.saturating_sub(1)))
        };
        let left = self.word(slot).fetch_update(Ordering::AcqRel, Ordering::Relaxed, one_less);
        if left.is_err() {
            self.old.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// The ages of those in flight, each at least as high as said, and how many have it.
    pub(crate) fn at_least(&self, now: Duration) -> impl Iterator<Item = (Duration, u64)> {
        let slots = self.slots.iter().filter_map(move |word| {
            let (number, count) = parts(word.load(Ordering::Acquire));
            let end = Duration::from_millis((u64::from(number) + 1) * SLOT_MS);
            (count > 0).then(|| (now.saturating_sub(end), u64::from(count)))
        });
        let old = u64::try_from(self.old.load(Ordering::Acquire)).unwrap_or(0);
        slots.chain((old > 0).then_some((GREAT_AGE, old)))
    }

    fn word(&self, slot: Slot) -> &AtomicU64 {
        &self.slots[slot.0 as usize % SLOTS]
    }
}

impl Slot {
    fn at(now: Duration) -> Self {
        let number = now.as_millis() / u128::from(SLOT_MS);
        // Seven years after its start the proxy stops telling ages apart, and goes on.
        Self(u32::try_from(number).unwrap_or(u32::MAX))
    }
}

fn parts(word: u64) -> (u32, u32) {
    let low = word & u64::from(u32::MAX);
    (u32::try_from(word >> 32).unwrap_or(u32::MAX), u32::try_from(low).unwrap_or(u32::MAX))
}

fn whole(number: u32, count: u32) -> u64 {
    u64::from(number) << 32 | u64::from(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(number: u64) -> Duration {
        Duration::from_millis(number)
    }

    fn check(ages: &Ages, now: u64, expected: &[(u64, u64)]) {
        let expected: Vec<_> = expected.iter().map(|(age, count)| (ms(*age), *count)).collect();
        let mut found: Vec<_> = ages.at_least(ms(now)).collect();
        found.sort();
        assert_eq!(found, expected, "at {now} ms");
    }

    #[test]
    fn ages_grow_and_who_leaves_is_gone() {
        let ages = Ages::new();
        check(&ages, 10, &[]);
        let (first, second) = (ages.enter(ms(10)), ages.enter(ms(49)));
        let third = ages.enter(ms(50));
        check(&ages, 50, &[(0, 1), (0, 2)]);
        check(&ages, 1_050, &[(950, 1), (1_000, 2)]);
        ages.leave(first);
        check(&ages, 2_050, &[(1_950, 1), (2_000, 1)]);
        ages.leave(third);
        ages.leave(second);
        check(&ages, 9_000, &[]);
    }

    #[test]
    fn a_slot_used_again_keeps_the_old_apart() {
        let ages = Ages::new();
        let (old, older) = (ages.enter(ms(100)), ages.enter(ms(100)));
        let young = ages.enter(ms(60_100));
        check(&ages, 61_150, &[(1_000, 1), (59_950, 2)]);
        ages.leave(old);
        check(&ages, 61_150, &[(1_000, 1), (59_950, 1)]);
        ages.leave(young);
        ages.leave(older);
        check(&ages, 61_150, &[]);
        // A thread that slept for a minute between looking at the clock and counting itself in.
        let late = ages.enter(ms(100));
        check(&ages, 61_150, &[(59_950, 1)]);
        ages.leave(late);
        check(&ages, 61_150, &[]);
    }

    #[test]
    fn nobody_is_lost_among_threads() {
        let ages = Ages::new();
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                let ages = &ages;
                scope.spawn(move || {
                    for turn in 0..20_000 {
                        // Jumps so that slots are taken over all the time.
                        let slot = ages.enter(ms((turn % 7) * 60_000 + thread));
                        ages.leave(slot);
                    }
                });
            }
        });
        check(&ages, 1_000_000, &[]);
        assert_eq!(ages.old.load(Ordering::Relaxed), 0);
    }
}
