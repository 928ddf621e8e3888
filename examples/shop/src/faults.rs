//! Ways in which a release is bad on purpose, all switched on by its configuration file.
//!
//! A fault strikes before the request reaches the database, so a fault answer wrote nothing. Its id
//! is in the fault log before the answer leaves: the shop's own failures can be told from others.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::ShopError;

const MEBIBYTE: usize = 1024 * 1024;

/// The `faults` of a configuration file. Real traffic is everything except `/up` and requests with
/// `x-preview: 1`; only real traffic counts towards the thresholds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Faults {
    /// Share of requests answered 500.
    pub error_percent: f64,
    /// Share of requests answered late.
    pub slow_percent: f64,
    /// How late.
    pub slow_ms: u64,
    /// Errors and slowness begin after so many real requests.
    pub after_requests: u64,
    /// `/up` never answers 200.
    pub never_healthy: bool,
    /// The process aborts so long after its start.
    pub crash_after_ms: Option<u64>,
    /// The process aborts on this real request.
    pub crash_after_requests: Option<u64>,
    /// The process aborts when more real requests than this arrive within one second.
    pub die_under_load: Option<u64>,
    /// Memory kept for ever by each real request.
    pub memory_hog_mb_per_request: u64,
    /// Where the hoarding ends, so that a test cannot take the machine down.
    pub memory_hog_mb_max: u64,
    /// Seed of the draw; equal seeds fail the same requests.
    pub seed: u64,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            error_percent: 0.0,
            slow_percent: 0.0,
            slow_ms: 0,
            after_requests: 0,
            never_healthy: false,
            crash_after_ms: None,
            crash_after_requests: None,
            die_under_load: None,
            memory_hog_mb_per_request: 0,
            memory_hog_mb_max: 512,
            seed: 1,
        }
    }
}

/// What happens to one request.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Harm {
    /// The answer waits this long.
    pub(crate) wait: Option<Duration>,
    /// The answer is a 500.
    pub(crate) fail: bool,
    /// The process ends here.
    pub(crate) die: bool,
}

/// The faults at work: counts real traffic and decides about each request.
pub(crate) struct Injector {
    faults: Faults,
    log: Option<Mutex<File>>,
    requests: AtomicU64,
    real_requests: AtomicU64,
    fault_answers: AtomicU64,
    /// Unique over all processes that share a log, also where each has the same process id.
    name: String,
    second: Mutex<(Instant, u64)>,
    hoard: Mutex<Vec<Vec<u8>>>,
}

impl Injector {
    pub(crate) fn new(faults: Faults, log: Option<&Path>) -> Result<Self, ShopError> {
        let log = log.map(|path| {
            OpenOptions::new().create(true).append(true).open(path).map_err(|source| {
                ShopError::File { doing: "open fault log", path: path.to_owned(), source }
            })
        });
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self {
            faults,
            name: format!("fault-{}-{}", std::process::id(), since.as_nanos()),
            log: log.transpose()?.map(Mutex::new),
            requests: AtomicU64::new(0),
            real_requests: AtomicU64::new(0),
            fault_answers: AtomicU64::new(0),
            second: Mutex::new((Instant::now(), 0)),
            hoard: Mutex::new(Vec::new()),
        })
    }

    /// Decides about the next request, `now` being when it arrived.
    pub(crate) fn strike(&self, preview: bool, now: Instant) -> Harm {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let real = if preview {
            self.real_requests.load(Ordering::Relaxed)
        } else {
            self.real_requests.fetch_add(1, Ordering::Relaxed) + 1
        };
        let mut harm = self.faults.decide(number, real);
        if !preview {
            harm.die = self.faults.crash_after_requests.is_some_and(|limit| real >= limit)
                || self.overloaded(now);
            self.hoard();
        }
        harm
    }

    pub(crate) fn healthy(&self) -> bool {
        !self.faults.never_healthy
    }

    pub(crate) fn crash_after(&self) -> Option<Duration> {
        self.faults.crash_after_ms.map(Duration::from_millis)
    }

    /// Writes a new fault id to the log and returns it. Blocks for the length of one small append.
    pub(crate) fn log_fault(&self) -> io::Result<String> {
        let number = self.fault_answers.fetch_add(1, Ordering::Relaxed) + 1;
        let id = format!("{}-{number}", self.name);
        if let Some(log) = &self.log {
            // One write per line: several processes append to the same file.
            lock(log).write_all(format!("{id}\n").as_bytes())?;
        }
        Ok(id)
    }

    fn overloaded(&self, now: Instant) -> bool {
        let Some(limit) = self.faults.die_under_load else { return false };
        let mut second = lock(&self.second);
        if now.saturating_duration_since(second.0) >= Duration::from_secs(1) {
            *second = (now, 0);
        }
        second.1 += 1;
        second.1 > limit
    }

    fn hoard(&self) {
        let Ok(each) = usize::try_from(self.faults.memory_hog_mb_per_request) else { return };
        let Ok(most) = usize::try_from(self.faults.memory_hog_mb_max) else { return };
        let mut hoard = lock(&self.hoard);
        if each > 0 && (hoard.len() + 1) * each <= most {
            // A non-zero fill touches every page; zeroes would stay virtual.
            hoard.push(vec![0xA5; each * MEBIBYTE]);
        }
    }
}

impl Faults {
    /// The part of the decision that depends on nothing but the two counts.
    fn decide(&self, number: u64, real: u64) -> Harm {
        if real <= self.after_requests && self.after_requests > 0 {
            return Harm::default();
        }
        let slow = draw_percent(self.seed, 2 * number) < self.slow_percent;
        Harm {
            wait: slow.then(|| Duration::from_millis(self.slow_ms)),
            fail: draw_percent(self.seed, 2 * number + 1) < self.error_percent,
            die: false,
        }
    }
}

/// A number in 0..100 that is a hash of its arguments (splitmix64).
pub(crate) fn draw_percent(seed: u64, counter: u64) -> f64 {
    let high = u32::try_from(hash(seed, counter) >> 32).unwrap_or(u32::MAX);
    f64::from(high) / f64::from(u32::MAX) * 100.0
}

/// The splitmix64 hash of a seed and a counter.
pub(crate) fn hash(seed: u64, counter: u64) -> u64 {
    let step = counter.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut mixed = seed.wrapping_mul(0xD134_2543_DE82_EF95).wrapping_add(step);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// Locks, also after a panic elsewhere: all that is kept under these locks is valid at any time.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failures(faults: Faults, previews: u64, real: u64) -> usize {
        let injector = Injector::new(faults, None).expect("no log to open");
        let now = Instant::now();
        let strikes = (0..previews).map(|_| true).chain((0..real).map(|_| false));
        strikes.filter(|preview| injector.strike(*preview, now).fail).count()
    }

    #[test]
    fn errors_come_at_their_rate_and_only_after_real_traffic() {
        let bad = Faults { error_percent: 7.5, after_requests: 50, ..Faults::default() };
        assert_eq!(failures(bad.clone(), 10_000, 50), 0);
        let failed = failures(bad, 0, 10_050);
        assert!((650..850).contains(&failed), "{failed} of 10000 failed at 7.5 %");
        assert_eq!(failures(Faults::default(), 0, 1000), 0);
        let always = Faults { error_percent: 100.1, ..Faults::default() };
        assert_eq!(failures(always, 5, 5), 10);
    }

    #[test]
    fn equal_seeds_fail_the_same_requests() {
        let run = |seed| {
            let faults = Faults { error_percent: 50.0, seed, ..Faults::default() };
            (0..64).map(|number| faults.decide(number, number).fail).collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
    }

    #[test]
    fn death_waits_for_its_threshold() {
        let now = Instant::now();
        let deaths = |faults: Faults, at: &[(bool, u64)]| {
            let injector = Injector::new(faults, None).expect("no log to open");
            let strike = |(preview, ms): &(bool, u64)| {
                injector.strike(*preview, now + Duration::from_millis(*ms)).die
            };
            at.iter().map(strike).collect::<Vec<_>>()
        };
        let third = Faults { crash_after_requests: Some(2), ..Faults::default() };
        let calls = [(false, 0), (true, 0), (true, 0), (false, 0)];
        assert_eq!(deaths(third, &calls), [false, false, false, true]);
        let load = Faults { die_under_load: Some(2), ..Faults::default() };
        let calm = [(false, 0), (false, 600), (false, 1500), (false, 1600)];
        assert_eq!(deaths(load.clone(), &calm), [false; 4]);
        let rush = [(false, 0), (false, 100), (true, 150), (false, 200)];
        assert_eq!(deaths(load, &rush), [false, false, false, true]);
    }

    #[test]
    fn hoarding_is_bounded() {
        let faults =
            Faults { memory_hog_mb_per_request: 1, memory_hog_mb_max: 3, ..Faults::default() };
        let injector = Injector::new(faults, None).expect("no log to open");
        for _ in 0..10 {
            injector.strike(false, Instant::now());
        }
        assert_eq!(lock(&injector.hoard).len(), 3);
    }
}
