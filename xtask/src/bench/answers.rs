//! Answered requests one by one, with how long each took: log-normal, and seen through the buckets
//! of the proxy's histogram, which is all that anybody sees of it.

use crate::bench::random::{Law, Random, small, whole};
use crate::bench::stream::MINUTE;
use ripcord_core::analysis::{BUCKETS, Reference};

/// The median of the stable release's answers in microseconds.
const MEDIAN_US: f64 = 50_000.0;

/// How wide answers spread in all simulations: the deviation of their logarithm.
pub(crate) const SIGMA: f64 = 0.5;

/// Two arms whose answers are drawn from laws that never change.
#[derive(Debug, Clone)]
pub(crate) struct Answers {
    weight: u16,
    stable: Law,
    canary: Law,
}

/// One answered request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer {
    /// Whether the canary gave it.
    pub(crate) canary: bool,
    /// How long it took, as a bucket.
    pub(crate) bucket: u16,
}

impl Answers {
    /// A canary with this weight (in ten thousandths) that is `ratio` times as slow as stable.
    pub(crate) fn new(weight: u16, ratio: f64) -> Answers {
        Answers { weight, stable: Law::new(&shares(1.0)), canary: Law::new(&shares(ratio)) }
    }

    /// The canary's weight in ten thousandths.
    pub(crate) fn weight(&self) -> u16 {
        self.weight
    }

    /// The next one.
    pub(crate) fn next(&self, random: &mut Random) -> Answer {
        let canary = random.chance(f64::from(self.weight) / 10_000.0);
        let law = if canary { &self.canary } else { &self.stable };
        Answer { canary, bucket: u16::try_from(law.draw(random)).unwrap_or(u16::MAX) }
    }

    /// What a metrics store shows of the first minutes: the 99th percentile of each arm.
    pub(crate) fn p99s(&self, minutes: u64, seed: u64) -> P99s {
        let mut random = Random::new(seed);
        let mut points = P99s::default();
        for _ in 0..minutes {
            let (mut canary, mut stable) = (vec![0_u64; BUCKETS], vec![0_u64; BUCKETS]);
            for _ in 0..MINUTE {
                let answer = self.next(&mut random);
                let arm = if answer.canary { &mut canary } else { &mut stable };
                arm[usize::from(answer.bucket)] += 1;
            }
            points.canary.push(p99(&canary));
            points.stable.push(p99(&stable));
        }
        points
    }
}

/// The 99th percentile of each minute, in microseconds.
#[derive(Debug, Clone, Default)]
pub(crate) struct P99s {
    /// The canary's.
    pub(crate) canary: Vec<f64>,
    /// The stable release's.
    pub(crate) stable: Vec<f64>,
}

/// What the stable release answered long before the canary came: a million answers.
pub(crate) fn reference() -> Reference {
    let counts = (0..).zip(shares(1.0)).map(|(bucket, share)| (bucket, whole(share * 1e6 + 0.5)));
    let latency: Vec<(u16, u64)> = counts.filter(|(_, count)| *count > 0).collect();
    Reference { latency }
}

/// The share of each bucket in answers that are `ratio` times as slow as the stable release's.
pub(crate) fn shares(ratio: f64) -> Vec<f64> {
    let below = |end: f64| {
        let z = libm::log(end / (MEDIAN_US * ratio)) / SIGMA;
        0.5 * libm::erfc(-z / std::f64::consts::SQRT_2)
    };
    let mut from = 0.0;
    (0..BUCKETS)
        .map(|bucket| {
            let to = if bucket + 1 == BUCKETS { 1.0 } else { below(end_us(bucket)) };
            let share = to - from;
            from = to;
            share
        })
        .collect()
}

/// Where a bucket ends: a twentieth above the one before, from a tenth of a millisecond on.
fn end_us(bucket: usize) -> f64 {
    100.0 * libm::pow(1.05, small(bucket as u64))
}

/// The 99th percentile of counts, as a metrics store reads it off a histogram: within its bucket
/// it is taken to lie where the counts point.
fn p99(counts: &[u64]) -> f64 {
    let wanted = 0.99 * small(counts.iter().sum());
    let mut below = 0.0;
    for (bucket, &count) in counts.iter().enumerate() {
        let count = small(count);
        if count > 0.0 && below + count >= wanted {
            let from = bucket.checked_sub(1).map_or(0.0, end_us);
            return from + (end_us(bucket) - from) * (wanted - below) / count;
        }
        below += count;
    }
    f64::NAN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_a_law() {
        for ratio in [1.0, 1.1, 1.5] {
            let shares = shares(ratio);
            assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            assert!(shares.iter().all(|&share| share >= 0.0));
        }
    }

    /// The 99th percentile of many answers is that of the law: the median times e^(2.326 sigma).
    #[test]
    fn a_slower_canary_is_seen_as_slower() {
        let points = Answers::new(5_000, 1.5).p99s(3, 1);
        let law = MEDIAN_US * libm::exp(2.326_35 * SIGMA);
        for (canary, stable) in points.canary.iter().zip(&points.stable) {
            assert!((stable / law - 1.0).abs() < 0.1, "{stable} instead of {law}");
            assert!((canary / (1.5 * law) - 1.0).abs() < 0.1, "{canary} instead of {law} by half");
        }
    }
}
