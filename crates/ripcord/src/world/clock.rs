//! The machine's clocks.

use jiff::Timestamp;
use ripcord_core::model::ids::Millis;
use ripcord_engine::Clock;
use std::time::{Duration, Instant};

/// Wall clock for people, monotonic clock for waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemClock {
    began: Instant,
}

impl SystemClock {
    pub(crate) fn new() -> SystemClock {
        SystemClock { began: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn monotonic_ms(&self) -> Millis {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn sleep(&self, ms: Millis) {
        std::thread::sleep(Duration::from_millis(ms));
    }
}
