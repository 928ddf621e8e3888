//! Evidence as whole numbers: logarithms in units of 2^-32 nats, rounded down.
//!
//! Sums of whole numbers do not depend on the order of what is added, nor on the machine, so a
//! decision replays to the bit. Rounding down only ever takes evidence away, so the bound on false
//! alarms survives it. Nothing here may round to nearest, or add up floating-point logarithms.

/// Units in one nat.
const UNITS: f64 = 4_294_967_296.0;

/// The largest logarithm that is shown as a number; beyond it the number would be infinite.
const NATS_MAX: f64 = 600.0;

/// A logarithm in units, surely not above the exact value.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a cast of floats saturates, and none is large"
)]
pub(super) fn down(nats: f64) -> i64 {
    // One more unit covers the last digit of the floating-point value itself.
    (libm::floor(nats * UNITS) as i64).saturating_sub(1)
}

/// What `K` bets have grown to, as logarithms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bets<const K: usize>([i128; K]);

impl<const K: usize> Bets<K> {
    /// Nothing has been seen.
    pub(super) fn new() -> Bets<K> {
        Bets([0; K])
    }

    /// Multiplies each bet by its factor, so many times.
    pub(super) fn add(&mut self, factors: &[i64; K], times: u64) {
        for (sum, factor) in self.0.iter_mut().zip(factors) {
            *sum = sum.saturating_add(i128::from(*factor) * i128::from(times));
        }
    }

    /// What they have grown to since they stood at this.
    pub(super) fn since(&self, before: &Bets<K>) -> Bets<K> {
        let mut bets = *self;
        for (sum, before) in bets.0.iter_mut().zip(&before.0) {
            *sum = sum.saturating_sub(*before);
        }
        bets
    }

    /// The logarithm of the largest bet, in nats: the mean is not above it.
    pub(super) fn largest(&self) -> f64 {
        nats(self.0.iter().copied().max().unwrap_or(0))
    }

    /// The logarithm of one of them, in nats.
    pub(super) fn at(&self, index: usize) -> f64 {
        self.0.get(index).map_or(0.0, |sum| nats(*sum))
    }

    /// The mean of the bets: what a gambler holds who began with 1 and split it evenly.
    pub(super) fn mean(&self) -> f64 {
        self.mean_by(&[1.0 / as_f64(K as u64); K])
    }

    /// The mean with these shares, which add up to 1.
    pub(super) fn mean_by(&self, shares: &[f64; K]) -> f64 {
        let parts = self.0.iter().zip(shares);
        parts.map(|(sum, share)| share * libm::exp(nats(*sum).min(NATS_MAX))).sum()
    }
}

/// A count as a number; exact for all that can be counted in practice.
#[expect(clippy::cast_precision_loss, reason = "counts of requests stay far below 2^52")]
pub(super) fn as_f64(count: u64) -> f64 {
    count as f64
}

/// A number that is not negative as a count; saturates.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast of floats saturates"
)]
pub(super) fn as_count(number: f64) -> u64 {
    number as u64
}

/// Units as nats, where bets are weighed or forecast.
#[expect(clippy::cast_precision_loss, reason = "fifteen digits are enough for what is shown")]
pub(super) fn nats(units: i128) -> f64 {
    units as f64 / UNITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_never_adds_evidence() {
        for nats in [-3.7, -1e-12, 0.0, 1e-12, 0.1, 5.010_635_294_096_256] {
            let error = nats - as_nats(down(nats));
            assert!(error > 0.0 && error < 3.0 / UNITS, "{nats}: {error}");
        }
    }

    #[test]
    fn many_at_once_are_one_by_one() {
        let factors = [down(0.3), down(-0.7)];
        let (mut once, mut single) = (Bets::new(), Bets::new());
        once.add(&factors, 1_000);
        (0..1_000).for_each(|_| single.add(&factors, 1));
        assert_eq!(once, single);
        assert!((once.largest() - 300.0).abs() < 1e-3);
    }

    #[test]
    fn a_mean_is_finite() {
        let mut bets = Bets::new();
        bets.add(&[i64::MAX, i64::MIN], u64::MAX);
        assert!(bets.mean().is_finite() && bets.mean() > 1e200);
    }

    fn as_nats(units: i64) -> f64 {
        nats(i128::from(units))
    }
}
