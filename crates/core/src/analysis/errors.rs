//! Errors, by betting on the arm: if the canary is no worse, an error says nothing about which of
//! the two releases made it, beyond the chance with which requests were divided.
//!
//! Only errors move the evidence. It holds at any number of looks, any base rate, and any weight
//! that was fixed before the request came.

use crate::analysis::nats::Nats;
use crate::model::Share;

/// How many times the tolerated errors a bad release may have.
const LIFTS: [f64; 8] = [1.5, 2.0, 3.0, 5.0, 8.0, 15.0, 40.0, 150.0];

/// The evidence that the canary has more errors than is tolerated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorEvidence {
    tolerated_thousandths: u32,
    logs: [Nats; LIFTS.len()],
}

impl ErrorEvidence {
    /// No evidence yet; up to this many times stable's errors, in thousandths, are tolerated.
    pub fn new(tolerated_ratio_thousandths: u32) -> ErrorEvidence {
        let logs = [Nats::default(); LIFTS.len()];
        ErrorEvidence { tolerated_thousandths: tolerated_ratio_thousandths.max(1), logs }
    }

    /// So many errors among requests that were divided with this chance, some of the canary.
    pub fn take(&mut self, weight: Share, canary: u64, stable: u64) {
        let (w, r0) = (f64::from(weight) / 10_000.0, f64::from(self.tolerated_thousandths) / 1e3);
        for (log, lift) in self.logs.iter_mut().zip(LIFTS) {
            let seen = (1.0 + (r0 - 1.0) * w) / (1.0 + (lift * r0 - 1.0) * w);
            let of_stable = Nats::ln(seen);
            let of_canary = Nats::ln(lift * seen);
            *log = log.plus(of_canary.times(canary)).plus(of_stable.times(stable));
        }
    }

    /// The evidence: 1 is none.
    pub fn evidence(&self) -> f64 {
        self.logs.iter().map(|log| log.exp()).sum::<f64>() / 8.0
    }
}
