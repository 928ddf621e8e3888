//! Did the canary get the share that it was to get? If not, requests were not divided by the
//! chance that the judge believes in, and no verdict of it would be worth anything.
//!
//! The counts of both releases are set against the weight as a gambler would who knows nothing
//! beforehand. Requests in flight are not counted yet, and a slow canary has more of them, so as
//! many as may be in flight are forgiven.

use super::interval::log_beta;
use super::nats::as_f64;
use super::strata::{Strata, Stratum};
use crate::model::ids::Millis;

/// Evidence at which the shares are found wrong: by luck at most once in a thousand releases.
const ENOUGH: f64 = 1_000.0;

/// What the shares are instead; none when nothing speaks against them.
///
/// `flight_ms` is how long a request may be in flight before it is counted.
pub(super) fn broken(strata: &Strata, flight_ms: Millis) -> Option<String> {
    let evidence: f64 = strata.all().iter().map(|one| evidence(one, flight_ms)).sum();
    if evidence < libm::log(ENOUGH) {
        return None;
    }
    let (canary, stable) = (as_f64(strata.canary().total), as_f64(strata.stable().total));
    Some(format!(
        "the canary got {:.2} % of the requests and should have got {:.2} %",
        100.0 * canary / (canary + stable),
        100.0 * strata.expected_share(),
    ))
}

/// The logarithm of the evidence against one weight.
fn evidence(stratum: &Stratum, flight_ms: Millis) -> f64 {
    let forgiven = (as_f64(flight_ms) / as_f64(stratum.seen_ms().max(1))).min(1.0);
    let chance = stratum.chance();
    let (mut canary, mut stable) = (as_f64(stratum.canary.total), as_f64(stratum.stable.total));
    let in_flight = forgiven * (canary + stable);
    let lacking = chance * (canary + stable) - canary;
    // Whoever has too few gets as many as may be in flight, but not more than was lacking.
    if lacking > 0.0 {
        canary += (in_flight * chance).min(lacking / (1.0 - chance));
    } else {
        stable += (in_flight * (1.0 - chance)).min(-lacking / chance);
    }
    let strength = 1.0 / chance.min(1.0 - chance);
    let (a, b) = (strength * chance, strength * (1.0 - chance));
    log_beta(a + canary, b + stable)
        - log_beta(a, b)
        - canary * libm::log(chance)
        - stable * libm::log(1.0 - chance)
}

#[cfg(test)]
mod tests {
    use super::super::restarts::Restarts;
    use super::*;
    use crate::analysis::{ArmCounts, Tick};

    fn check(ticks: &[(u16, u64, u64)], seen_ms: Millis, expected: Option<&str>) {
        let mut strata = Strata::new(1.25, 2.0, Restarts::new());
        for &(weight, canary, stable) in ticks {
            let arm = |requests| ArmCounts { requests, ..ArmCounts::default() };
            let (canary, stable) = (arm(canary), arm(stable));
            strata.add(&Tick { at_ms: seen_ms, weight, canary, stable }, true, 0);
        }
        assert_eq!(broken(&strata, 1_000).as_deref(), expected, "{ticks:?}");
    }

    #[test]
    fn shares() {
        check(&[], 0, None);
        check(&[(500, 500, 9_500)], 600_000, None);
        check(&[(500, 540, 9_460)], 600_000, None);
        check(&[(500, 500, 9_500), (5_000, 5_020, 4_980)], 600_000, None);
        let six = "the canary got 6.00 % of the requests and should have got 5.00 %";
        check(&[(500, 1_800, 28_200)], 600_000, Some(six));
        let all = "the canary got 100.00 % of the requests and should have got 5.00 %";
        check(&[(500, 500, 0)], 600_000, Some(all));
        let none = "the canary got 0.00 % of the requests and should have got 5.00 %";
        check(&[(500, 0, 1_000)], 600_000, Some(none));
    }

    #[test]
    fn a_slow_canary_is_no_broken_one() {
        check(&[(500, 0, 1_900)], 1_000, None);
        check(&[(500, 450, 9_500)], 10_000, None);
    }
}
