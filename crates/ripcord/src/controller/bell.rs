//! The bell of an environment: rung when there is something new, heard by whoever waits for it. Its
//! strokes are counted, so that one that falls while somebody looks elsewhere is not missed.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A bell that counts its strokes.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    strokes: Mutex<u64>,
    rung: Condvar,
}

impl Bell {
    /// Wakes everybody who waits.
    pub(crate) fn ring(&self) {
        *self.strokes.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.rung.notify_all();
    }

    /// How often it was rung so far.
    pub(crate) fn strokes(&self) -> u64 {
        // A poisoned lock only means that another thread panicked; the count is still a count.
        *self.strokes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it has been rung more often than somebody knows of, or until the time is over,
    /// and says which.
    pub(crate) fn wait(&self, known: u64, longest: Duration) -> bool {
        let strokes = self.strokes.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.rung.wait_timeout_while(strokes, longest, |now| *now <= known);
        waited.is_ok_and(|(_, timeout)| !timeout.timed_out())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_mins(5);
    const SHORT: Duration = Duration::from_millis(20);

    #[test]
    fn a_stroke_between_looking_and_waiting_is_heard() {
        let bell = Bell::default();
        let known = bell.strokes();
        bell.ring();
        assert!(bell.wait(known, LONG), "it would wait for five minutes");
    }

    #[test]
    fn ones_own_stroke_wakes_nobody_but_others() {
        let bell = Bell::default();
        let known = bell.strokes();
        bell.ring();
        assert!(!bell.wait(known + 1, SHORT), "whoever rings and waits would never rest");
        bell.ring();
        assert!(bell.wait(known + 1, LONG));
    }

    #[test]
    fn who_waits_is_woken() {
        let bell = Bell::default();
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| bell.wait(0, LONG));
            bell.ring();
            assert!(waits.join().is_ok_and(|woken| woken));
        });
    }
}
