//! Random numbers of the simulations: xoshiro256++ seeded by `SplitMix64`, and the laws they need.
//!
//! A seed gives the same stream on every machine, so a figure of the bench can be had again.
//! Nothing here is for secrets.

use std::f64::consts::PI;

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub(crate) struct Random {
    state: [u64; 4],
}

impl Random {
    /// The stream of a seed. Neighbouring seeds give unrelated streams.
    pub(crate) fn new(seed: u64) -> Random {
        let mut counter = seed;
        let state = [0; 4].map(|_: u64| {
            counter = counter.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut word = counter;
            word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            word ^ (word >> 31)
        });
        Random { state }
    }

    /// Sixty-four random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        let [mut a, mut b, mut c, mut d] = self.state;
        let word = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let shifted = b << 17;
        c ^= a;
        d ^= b;
        b ^= c;
        a ^= d;
        c ^= shifted;
        self.state = [a, b, c, d.rotate_left(45)];
        word
    }

    /// Uniform in [0, 1).
    pub(crate) fn uniform(&mut self) -> f64 {
        small(self.bits() >> 11) * (0.5_f64).powi(53)
    }

    /// Uniform in (0, 1), so that its logarithm exists.
    pub(crate) fn open(&mut self) -> f64 {
        (small(self.bits() >> 12) + 0.5) * (0.5_f64).powi(52)
    }

    /// True with this probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    /// A standard normal number (Box and Muller; the second of the pair is not kept).
    pub(crate) fn normal(&mut self) -> f64 {
        (-2.0 * libm::log(self.open())).sqrt() * libm::cos(2.0 * PI * self.uniform())
    }

    /// How many trials until the first success, counting it; `most` when it takes longer.
    pub(crate) fn geometric(&mut self, probability: f64, most: u64) -> u64 {
        if probability >= 1.0 {
            return 1.min(most);
        }
        if probability <= 0.0 {
            return most;
        }
        let failures = libm::log(self.open()) / libm::log1p(-probability);
        if failures >= small(most) { most } else { (whole(failures) + 1).min(most) }
    }

    /// How many of `trials` succeed. Inversion from the mode outwards: exact, and the number of
    /// steps grows with the standard deviation only.
    pub(crate) fn binomial(&mut self, trials: u64, probability: f64) -> u64 {
        if trials == 0 || probability <= 0.0 {
            return 0;
        }
        if probability >= 1.0 {
            return trials;
        }
        let odds = probability / (1.0 - probability);
        let count = small(trials);
        let mode = whole((count + 1.0) * probability).min(trials);
        let top = libm::exp(
            ln_choose(count, small(mode))
                + small(mode) * libm::log(probability)
                + (count - small(mode)) * libm::log1p(-probability),
        );
        let mut left = self.uniform() - top;
        let (mut below, mut above) = (mode, mode);
        let (mut below_mass, mut above_mass) = (top, top);
        while left >= 0.0 && (below > 0 || above < trials) {
            if above < trials {
                above_mass *= odds * (count - small(above)) / (small(above) + 1.0);
                above += 1;
                left -= above_mass;
                if left < 0.0 {
                    return above;
                }
            }
            if below > 0 {
                below_mass *= small(below) / (odds * (count - small(below) + 1.0));
                below -= 1;
                left -= below_mass;
                if left < 0.0 {
                    return below;
                }
            }
        }
        mode
    }
}

/// Draws from a finite law in constant time (the alias method).
#[derive(Debug, Clone)]
pub(crate) struct Law {
    keep: Vec<f64>,
    alias: Vec<usize>,
}

impl Law {
    /// The law with these weights, which need not sum to one. There must be at least one.
    pub(crate) fn new(weights: &[f64]) -> Law {
        let total: f64 = weights.iter().sum();
        let scale = small(weights.len() as u64) / total;
        let mut keep: Vec<f64> = weights.iter().map(|weight| weight * scale).collect();
        let mut alias: Vec<usize> = (0..weights.len()).collect();
        let (mut poor, mut rich): (Vec<usize>, Vec<usize>) =
            (0..weights.len()).partition(|&index| keep[index] < 1.0);
        while let (Some(&taker), Some(&giver)) = (poor.last(), rich.last()) {
            poor.pop();
            alias[taker] = giver;
            keep[giver] -= 1.0 - keep[taker];
            if keep[giver] < 1.0 {
                rich.pop();
                poor.push(giver);
            }
        }
        // What rounding has left over keeps its own place.
        for index in poor.into_iter().chain(rich) {
            keep[index] = 1.0;
        }
        Law { keep, alias }
    }

    /// One draw: the index of a weight.
    pub(crate) fn draw(&self, random: &mut Random) -> usize {
        let bits = random.bits();
        // The high half picks the place, the low half decides between it and its alias.
        let index = usize::try_from(((bits >> 32) * self.keep.len() as u64) >> 32).unwrap_or(0);
        let share = small(bits & 0xFFFF_FFFF) * (0.5_f64).powi(32);
        if share < self.keep[index] { index } else { self.alias[index] }
    }
}

/// A count as a number; counts here stay far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts in the simulations stay below 2^53")]
pub(crate) fn small(count: u64) -> f64 {
    count as f64
}

/// The whole part of a number that is not negative.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "cutting off the fraction is what is wanted, and a cast saturates"
)]
pub(crate) fn whole(number: f64) -> u64 {
    number as u64
}

fn ln_choose(from: f64, take: f64) -> f64 {
    libm::lgamma(from + 1.0) - libm::lgamma(take + 1.0) - libm::lgamma(from - take + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xoshiro_as_published() {
        let mut random = Random { state: [1, 2, 3, 4] };
        let words = [0; 4].map(|_: u64| random.bits());
        assert_eq!(words, [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386]);
    }

    /// The mean of many draws lies within five standard errors of the law's.
    fn check_mean(expected: f64, deviation: f64, mut draw: impl FnMut(&mut Random) -> f64) {
        let (mut random, draws) = (Random::new(7), 20_000);
        let mean = (0..draws).map(|_| draw(&mut random)).sum::<f64>() / f64::from(draws);
        let slack = 5.0 * deviation / f64::from(draws).sqrt();
        assert!((mean - expected).abs() < slack, "{mean} instead of {expected} +- {slack}");
    }

    #[test]
    fn laws_have_their_means() {
        check_mean(0.5, 0.29, Random::uniform);
        check_mean(0.0, 1.0, Random::normal);
        check_mean(1.0, 1.5, |random| random.normal().powi(2));
        check_mean(100.0, 100.0, |random| small(random.geometric(0.01, 1_000_000)));
        check_mean(0.5, 0.7, |random| small(random.binomial(10, 0.05)));
        check_mean(300.0, 17.0, |random| small(random.binomial(6_000, 0.05)));
        check_mean(500.0, 16.0, |random| small(random.binomial(1_000, 0.5)));
        // The variance, too: of a binomial law it is the count times p times (1 - p).
        check_mean(250.0, 360.0, |random| (small(random.binomial(1_000, 0.5)) - 500.0).powi(2));
        let law = Law::new(&[1.0, 0.0, 3.0, 6.0]);
        check_mean(2.4, 1.0, |random| small(law.draw(random) as u64));
    }

    #[test]
    fn edges() {
        let mut random = Random::new(1);
        assert_eq!(random.geometric(0.0, 50), 50);
        assert_eq!(random.geometric(1.0, 50), 1);
        assert_eq!(random.binomial(0, 0.5), 0);
        assert_eq!(random.binomial(9, 1.0), 9);
        assert_eq!(random.binomial(9, 0.0), 0);
        assert!((0..1_000).all(|_| Law::new(&[0.0, 1.0]).draw(&mut random) == 1));
    }
}
