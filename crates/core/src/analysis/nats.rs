//! Logarithms of evidence as whole numbers, so that sums do not depend on order, batch or machine.

/// How many units make one nat.
const UNIT: f64 = 4_294_967_296.0;

/// A logarithm in units of 2^-32 nats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Nats(i64);

impl Nats {
    /// The logarithm of a factor, rounded down: evidence is never made of rounding.
    #[expect(clippy::cast_possible_truncation, reason = "clamped to what fits")]
    pub(super) fn ln(factor: f64) -> Nats {
        Nats((libm::log(factor) * UNIT).floor().clamp(-9e18, 9e18) as i64)
    }

    /// So many times.
    #[must_use]
    pub(super) fn times(self, count: u64) -> Nats {
        let wide = i128::from(self.0) * i128::from(count);
        let most = i128::from(i64::MAX);
        Nats(i64::try_from(wide.clamp(-most, most)).unwrap_or(i64::MAX))
    }

    /// Both together.
    #[must_use]
    pub(super) fn plus(self, other: Nats) -> Nats {
        Nats(self.0.saturating_add(other.0))
    }

    /// As a number of nats.
    #[expect(clippy::cast_precision_loss, reason = "people and thresholds need no more")]
    pub(super) fn nats(self) -> f64 {
        self.0 as f64 / UNIT
    }

    /// The factor itself; at most some 10^260, which is beyond any threshold.
    pub(super) fn exp(self) -> f64 {
        libm::exp(self.nats().min(600.0))
    }
}
