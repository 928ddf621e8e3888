//! Many runs of a simulation on two threads, and what they come to.

use crate::bench::random::small;
use std::thread;

/// Threads that simulate; more would take the machine away from its owner.
const THREADS: usize = 2;

/// Runs `run` once for each seed from `0` to `count - 1`. The results come in the order of the
/// seeds, whichever thread was quicker.
pub(crate) fn many<T: Send>(count: u64, run: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let share = |offset: usize| (0..count).skip(offset).step_by(THREADS).map(&run).collect();
    let mut parts: Vec<Vec<T>> = thread::scope(|scope| {
        let share = &share;
        let threads: Vec<_> = (0..THREADS).map(|one| scope.spawn(move || share(one))).collect();
        threads
            .into_iter()
            .map(|one| one.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    let mut turns: Vec<_> = parts.iter_mut().map(|part| part.drain(..)).collect();
    let mut results = Vec::new();
    for index in 0.. {
        match turns.get_mut(index % THREADS).and_then(Iterator::next) {
            Some(result) => results.push(result),
            None => break,
        }
    }
    results
}

/// What the runs of one cell came to: when they alarmed, in requests, minutes or points.
#[derive(Debug, Clone)]
pub(crate) struct Summary {
    /// How many runs there were.
    pub(crate) runs: u64,
    /// When each that alarmed did, in ascending order.
    alarms: Vec<u64>,
}

impl Summary {
    /// Sums up runs: `None` is one that never alarmed.
    pub(crate) fn of(results: impl IntoIterator<Item = Option<u64>>) -> Summary {
        let (mut runs, mut alarms) = (0, Vec::new());
        for result in results {
            runs += 1;
            alarms.extend(result);
        }
        alarms.sort_unstable();
        Summary { runs, alarms }
    }

    /// The same, counted from a later beginning; what alarmed before it did not alarm.
    pub(crate) fn since(&self, beginning: u64) -> Summary {
        let alarms = self.alarms.iter().filter_map(|at| at.checked_sub(beginning)).collect();
        Summary { runs: self.runs, alarms }
    }

    /// How many alarmed.
    pub(crate) fn alarmed(&self) -> u64 {
        self.alarms.len() as u64
    }

    /// The share that alarmed.
    pub(crate) fn share(&self) -> f64 {
        small(self.alarmed()) / small(self.runs.max(1))
    }

    /// The mean of those that alarmed; infinite when none did.
    pub(crate) fn mean(&self) -> f64 {
        if self.alarms.is_empty() {
            return f64::INFINITY;
        }
        self.alarms.iter().map(|&at| small(at)).sum::<f64>() / small(self.alarmed())
    }

    /// The standard error of the mean; infinite for fewer than two alarms.
    pub(crate) fn error(&self) -> f64 {
        if self.alarms.len() < 2 {
            return f64::INFINITY;
        }
        let (mean, count) = (self.mean(), small(self.alarmed()));
        let squares: f64 = self.alarms.iter().map(|&at| (small(at) - mean).powi(2)).sum();
        (squares / (count - 1.0) / count).sqrt()
    }

    /// The alarm time that this share of the alarms, in percent, did not exceed.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let last = self.alarms.len().saturating_sub(1);
        self.alarms.get(last * percent / 100).map_or(f64::INFINITY, |&at| small(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_the_order_of_the_seeds() {
        for count in [0, 1, 2, 7, 100] {
            assert_eq!(many(count, |seed| seed * 3), (0..count).map(|s| s * 3).collect::<Vec<_>>());
        }
    }

    #[test]
    fn sums_up() {
        let summary = Summary::of([Some(30), None, Some(10), Some(20)]);
        assert_eq!((summary.runs, summary.alarmed()), (4, 3));
        assert!((summary.mean() - 20.0).abs() < 1e-9 && (summary.share() - 0.75).abs() < 1e-9);
        assert!((summary.percentile(50) - 20.0).abs() < 1e-9);
        assert!((summary.error() - (100.0_f64 / 3.0).sqrt()).abs() < 1e-9);
        assert!(Summary::of([None]).mean().is_infinite());
        let later = summary.since(15);
        assert_eq!((later.runs, later.alarms), (4, vec![5, 15]));
    }
}
