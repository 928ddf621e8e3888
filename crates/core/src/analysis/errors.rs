//! Which release an error came from: bets on the arm, given that there was an error.
//!
//! If the canary fails as often as stable, an error says nothing about which of them gave it: it
//! is the canary's with the chance that the request was. A bet that it is the canary's more often
//! than that cannot be expected to grow, whatever the rate of errors does over time, however
//! often anybody looks, and while weights change. Only errors move it.

use super::nats::down;

/// How many times as many errors as tolerated the bets assume.
pub(super) const WORSE: [f64; 8] = [1.5, 2.0, 3.0, 5.0, 8.0, 15.0, 40.0, 150.0];

/// Logarithms by which bets grow with an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Odds<const K: usize> {
    /// With one of the canary.
    pub(super) canary: [i64; K],
    /// With one of stable.
    pub(super) stable: [i64; K],
}

impl<const K: usize> Odds<K> {
    /// Bets that the canary fails `lift * ratio` times as often as stable, against its failing
    /// `ratio` times as often; a request is the canary's with the chance `weight`.
    ///
    /// With lifts above 1 they are fair also against all lower ratios, with lifts below 1 against
    /// all higher ones.
    pub(super) fn new(lifts: &[f64; K], ratio: f64, weight: f64) -> Odds<K> {
        let mut odds = Odds { canary: [0; K], stable: [0; K] };
        for (index, lift) in lifts.iter().enumerate() {
            let fair = 1.0 + (ratio - 1.0) * weight;
            let claimed = 1.0 + (lift * ratio - 1.0) * weight;
            odds.canary[index] = down(libm::log(lift * fair / claimed));
            odds.stable[index] = down(libm::log(fair / claimed));
        }
        odds
    }
}

#[cfg(test)]
mod tests {
    use super::super::nats::Bets;
    use super::*;
    use proptest::prelude::*;

    /// The mean over all ways in which up to ten errors can fall upon the arms.
    fn mean(odds: &[Odds<8>], chances: &[f64], bets: Bets<8>, probability: f64) -> f64 {
        let (Some(((now, chance), later)), Some((_, chances))) =
            (odds.first().zip(chances.first()).zip(odds.get(1..)), chances.split_first())
        else {
            return probability * bets.mean();
        };
        let (mut canary, mut stable) = (bets, bets);
        canary.add(&now.canary, 1);
        stable.add(&now.stable, 1);
        mean(later, chances, canary, probability * chance)
            + mean(later, chances, stable, probability * (1.0 - chance))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Nobody can win by luck on average: whatever the weights, the tolerated ratio, and how
        /// far below it the canary truly is.
        #[test]
        fn the_mean_never_exceeds_the_stake(
            weights in prop::collection::vec(1_u16..10_000, 1..10),
            tolerated in 1.0_f64..3.0,
            truly in 0.0_f64..=1.0,
        ) {
            let ratio = truly * tolerated;
            let shares = weights.iter().map(|weight| f64::from(*weight) / 1e4);
            let odds: Vec<_> = shares.clone().map(|w| Odds::new(&WORSE, tolerated, w)).collect();
            let chances: Vec<_> = shares.map(|w| ratio * w / (1.0 + (ratio - 1.0) * w)).collect();
            let mean = mean(&odds, &chances, Bets::new(), 1.0);
            prop_assert!(mean <= 1.0, "{mean}");
        }
    }

    #[test]
    fn at_the_tolerated_ratio_nearly_nothing_is_given_away() {
        let odds = [Odds::new(&WORSE, 1.25, 0.05); 8];
        let chance = 1.25 * 0.05 / (1.0 + 0.25 * 0.05);
        let mean = mean(&odds, &[chance; 8], Bets::new(), 1.0);
        assert!((1.0 - 1e-7..=1.0).contains(&mean), "{mean}");
    }
}
