//! The rules of three other tools, written anew from what their sources do, run on the same
//! streams. They see one value a minute, as they do behind a metrics store.
//!
//! Where a setting is the user's, the one of their own documentation is taken, and where that one
//! would hurt them (Kayenta also fails a metric that got better), the one that helps.

use crate::bench::stream::{Minute, Tally};

/// Flagger: each minute without enough successes of the canary is a failed check. Checks are
/// counted over the whole analysis and never forgiven; the fifth takes the release back.
pub(crate) fn flagger(minutes_failed: impl IntoIterator<Item = bool>) -> Option<u64> {
    const THRESHOLD: u64 = 5;
    let mut failed = 0;
    for (minute, bad) in (1..).zip(minutes_failed) {
        failed += u64::from(bad);
        if failed >= THRESHOLD {
            return Some(minute);
        }
    }
    None
}

/// Flagger's request success rate: under 99 % in the last minute, or no request at all.
pub(crate) fn flagger_failed(minute: &Minute) -> bool {
    const SUCCESS_MIN: f64 = 99.0;
    // Without requests the share is no number, and that is a failed check, too.
    let success = 100.0 - minute.canary.percent();
    success.is_nan() || success < SUCCESS_MIN
}

/// Argo Rollouts: the success rate over five minutes, measured every five; more than three
/// measurements under 95 % abort.
pub(crate) fn argo(minutes: &[Minute]) -> Option<u64> {
    const INTERVAL: usize = 5;
    const FAILURE_LIMIT: u64 = 3;
    const SUCCESS_MIN: f64 = 95.0;
    let mut failed = 0;
    for (index, window) in minutes.chunks_exact(INTERVAL).enumerate() {
        let mut canary = Tally::default();
        for minute in window {
            canary.add(minute.canary);
        }
        let success = 100.0 - canary.percent();
        failed += u64::from(success.is_nan() || success < SUCCESS_MIN);
        if failed > FAILURE_LIMIT {
            return Some(((index + 1) * INTERVAL) as u64);
        }
    }
    None
}

/// Kayenta looked at every five minutes, as soon as there are ten points of each.
pub(crate) fn kayenta(canary: &[f64], control: &[f64]) -> Option<u64> {
    const FIRST: usize = 10;
    const INTERVAL: usize = 5;
    let last = canary.len().min(control.len());
    (FIRST..=last)
        .step_by(INTERVAL)
        .find(|&points| high(&canary[..points], &control[..points]))
        .map(|points| points as u64)
}

/// Kayenta's classification `High`: the lower 98 % bound of the shift between the two lies above a
/// quarter of its estimate. Both are of Mann, Whitney, Hodges and Lehmann with the normal
/// approximation, ties and continuity corrected, as in R.
pub(crate) fn high(canary: &[f64], control: &[f64]) -> bool {
    const TOLERANCE: f64 = 0.25;
    /// The normal quantile at 99 %: two sides at 98 %.
    const QUANTILE: f64 = 2.326_347_874_040_841;
    if canary.is_empty() || control.is_empty() || canary == control {
        return false;
    }
    // The lower bound is above nothing only if no shift at all is already refused.
    if statistic(canary, control, 0.0).is_none_or(|z| z <= QUANTILE) {
        return false;
    }
    match (root(canary, control, QUANTILE), root(canary, control, 0.0)) {
        (Some(lower), Some(estimate)) => lower > TOLERANCE * estimate.abs(),
        _ => false,
    }
}

/// The shift at which the statistic falls through `quantile`, to within 1/10,000.
fn root(canary: &[f64], control: &[f64], quantile: f64) -> Option<f64> {
    const PRECISION: f64 = 1e-4;
    let least = |values: &[f64]| values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = |values: &[f64]| values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut low = least(canary) - most(control);
    let mut high = most(canary) - least(control);
    if statistic(canary, control, low)? <= quantile {
        return Some(low);
    }
    if statistic(canary, control, high)? >= quantile {
        return Some(high);
    }
    while high - low > PRECISION {
        let middle = f64::midpoint(low, high);
        if statistic(canary, control, middle)? > quantile {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(f64::midpoint(low, high))
}

/// How far the canary's ranks, shifted down by `shift`, lie above what chance would give, in
/// standard deviations. Nothing when all values are equal.
fn statistic(canary: &[f64], control: &[f64], shift: f64) -> Option<f64> {
    let mut all: Vec<(f64, bool)> = canary.iter().map(|value| (value - shift, true)).collect();
    all.extend(control.iter().map(|&value| (value, false)));
    all.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
    let (own, others) = (number(canary.len()), number(control.len()));
    let (mut ranks, mut ties, mut below) = (0.0, 0.0, 0.0);
    // Equal values share the mean of their ranks; comparing bits would part 0 from -0.
    for group in all.chunk_by(|one, other| one.0 >= other.0) {
        let size = number(group.len());
        let mine = number(group.iter().filter(|(_, is_canary)| *is_canary).count());
        ranks += mine * (below + f64::midpoint(size, 1.0));
        ties += size.powi(3) - size;
        below += size;
    }
    let distance = ranks - own * (own + 1.0) / 2.0 - own * others / 2.0;
    let correction = if distance == 0.0 { 0.0 } else { 0.5 * distance.signum() };
    let total = own + others;
    let variance = own * others / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)));
    (variance > 0.0).then(|| (distance - correction) / variance.sqrt())
}

fn number(count: usize) -> f64 {
    crate::bench::random::small(count as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flagger_never_forgives() {
        assert_eq!(flagger([true, false, true, false, true, true, false, true]), Some(8));
        assert_eq!(flagger([true; 4]), None);
        let minute = |requests, errors| Minute {
            canary: Tally { requests, errors },
            stable: Tally::default(),
        };
        assert!(flagger_failed(&minute(100, 2)) && !flagger_failed(&minute(100, 1)));
        assert!(flagger_failed(&minute(0, 0)), "no request is a failed check there");
    }

    #[test]
    fn argo_fails_at_the_fourth() {
        let bad = Minute { canary: Tally { requests: 100, errors: 6 }, stable: Tally::default() };
        assert_eq!(argo(&[bad; 19]), None);
        assert_eq!(argo(&[bad; 20]), Some(20));
        let good = Minute { canary: Tally { requests: 100, errors: 5 }, stable: Tally::default() };
        assert_eq!(argo(&[good; 100]), None);
    }

    /// Among them the arrays of Kayenta's own tests: one outlier in five does not make it `High`.
    #[test]
    fn kayenta_classifies_as_published() {
        assert!(high(&[100.0, 101.0, 102.0, 103.0, 104.0], &[10.0, 20.0, 30.0, 40.0, 50.0]));
        assert!(!high(&[1.0, 1.0, 1.0, 1.0, 10.0], &[1.0, 1.0, 1.0, 1.0, 1.0]));
        assert!(!high(&[10.0, 20.0, 30.0, 40.0, 50.0], &[10.0, 20.0, 30.0, 40.0, 50.0]));
        assert!(!high(&[], &[1.0]) && !high(&[1.0], &[]));
        assert!(!high(&[10.0, 20.0, 30.0, 40.0, 50.0], &[100.0, 101.0, 102.0, 103.0, 104.0]));
    }

    #[test]
    fn kayenta_waits_for_ten_points() {
        let (bad, good): (Vec<f64>, Vec<f64>) =
            (0..30).map(|index| (f64::from(index % 7) + 50.0, f64::from(index % 5))).unzip();
        assert_eq!(kayenta(&bad, &good), Some(10));
        assert_eq!(kayenta(&bad[..9], &good[..9]), None);
        assert_eq!(kayenta(&good, &bad), None);
    }
}
