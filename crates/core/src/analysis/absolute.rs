//! The absolute test: is a release's error rate above what is tolerated, with no other release
//! beside it to compare with (after a blue-green switch)?
//!
//! An e-process: a bet against "the rate is at most `tolerated`" that nobody can win by luck more
//! often than `1/threshold`, however often they look. It depends on the two counts alone, so the
//! journal's counts replay the decision to the bit.

use crate::analysis::Verdict;

/// Evidence at which a release is found bad: at most one good release in a hundred, ever.
pub const THRESHOLD: f64 = 100.0;

/// Requests that a verdict of "nothing speaks against it" needs at least.
pub const REQUESTS_MIN: u64 = 1;

/// How much worse than tolerated the alternatives are that are bet on.
const LIFTS: [f64; 7] = [1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0];

/// The largest error rate that an alternative may claim, so that no single success refutes it.
const RATE_MAX: f64 = 0.95;

/// The test of one release.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AbsoluteTest {
    tolerated: f64,
}

impl AbsoluteTest {
    /// A test that tolerates twice the usual error rate, and at least the floor.
    ///
    /// `usual` is the rate of the release before, between 0 and 1; `floor` likewise.
    pub fn new(usual: f64, floor: f64) -> AbsoluteTest {
        let tolerated = (2.0 * usual).max(floor).clamp(1e-6, 0.5);
        AbsoluteTest { tolerated }
    }

    /// The tolerated error rate, between 0 and 1.
    pub fn tolerated(&self) -> f64 {
        self.tolerated
    }

    /// The evidence against the release: 1 is none, [`THRESHOLD`] is enough.
    ///
    /// # Panics
    ///
    /// Never for counts with `errors <= requests`, which is asserted in debug builds.
    pub fn evidence(&self, requests: u64, errors: u64) -> f64 {
        debug_assert!(errors <= requests, "{errors} errors in {requests} requests");
        let (bad, good) = (as_f64(errors), as_f64(requests.saturating_sub(errors)));
        let mut sum = 0.0;
        for lift in LIFTS {
            let rate = (self.tolerated * lift).min(RATE_MAX);
            let log = bad * libm::log(rate / self.tolerated)
                + good * libm::log((1.0 - rate) / (1.0 - self.tolerated));
            sum += libm::exp(log.min(600.0));
        }
        sum / as_f64(LIFTS.len() as u64)
    }

    /// The verdict on these counts.
    pub fn verdict(&self, requests: u64, errors: u64) -> Verdict {
        if requests < REQUESTS_MIN {
            return Verdict::Undecided { because: "no request has reached it".to_owned() };
        }
        let evidence = self.evidence(requests, errors);
        if evidence < THRESHOLD {
            return Verdict::Continue;
        }
        let rate = 100.0 * as_f64(errors) / as_f64(requests);
        let because = format!(
            "{errors} of {requests} answers were errors ({rate:.1} %), where {:.2} % is tolerated; \
             the evidence is {} to 1",
            100.0 * self.tolerated,
            if evidence < 1e6 { format!("{evidence:.0}") } else { format!("{evidence:.1e}") },
        );
        Verdict::GoBack { because }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of requests stay far below 2^52")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bad(usual: f64, requests: u64, errors: u64) -> bool {
        matches!(AbsoluteTest::new(usual, 0.005).verdict(requests, errors), Verdict::GoBack { .. })
    }

    #[test]
    fn verdicts() {
        assert!(!bad(0.0, 100, 0));
        assert!(!bad(0.0, 100, 1));
        assert!(!bad(0.0, 1_000, 5));
        assert!(bad(0.0, 60, 5));
        assert!(bad(0.0, 2, 2));
        assert!(!bad(0.05, 60, 5));
        assert!(matches!(AbsoluteTest::new(0.0, 0.005).verdict(0, 0), Verdict::Undecided { .. }));
    }

    /// Looked at after every request, a release at exactly the tolerated rate is taken back in
    /// at most one run of a hundred. 2,000 runs of 2,000 requests, a fixed generator.
    #[test]
    fn false_alarms_stay_under_one_percent() {
        let test = AbsoluteTest::new(0.0, 0.01);
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut alarms = 0;
        for _ in 0..2_000 {
            let mut errors = 0;
            for requests in 1..=2_000 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                if state.is_multiple_of(100) {
                    errors += 1;
                    if matches!(test.verdict(requests, errors), Verdict::GoBack { .. }) {
                        alarms += 1;
                        break;
                    }
                }
            }
        }
        assert!(alarms <= 30, "{alarms} false alarms in 2000 runs");
    }
}
