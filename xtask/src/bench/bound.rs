//! How few requests any test could need: ln(1/alpha) over the information of one request.
//!
//! The information is the weighted Jensen-Shannon divergence of the two arms: what the outcome of
//! one request says about the arm that gave it, when nothing is known beforehand of either arm.

use std::f64::consts::PI;

/// The false-alarm budget of all bars: one release in a hundred.
pub(crate) const ALPHA: f64 = 0.01;

/// Requests that no test of errors can do without on average.
pub(crate) fn errors(weight: f64, stable: f64, canary: f64) -> f64 {
    let mixed = (1.0 - weight) * stable + weight * canary;
    let information = weight * bernoulli(canary, mixed) + (1.0 - weight) * bernoulli(stable, mixed);
    libm::log(1.0 / ALPHA) / information
}

/// Requests that no test of latency can do without on average, for log-normal answers that are
/// `ratio` times as slow. The law itself is integrated, not the judge's buckets, which know less.
pub(crate) fn latency(weight: f64, sigma: f64, ratio: f64) -> f64 {
    let shift = libm::log(ratio) / sigma;
    let density = |z: f64| libm::exp(-z * z / 2.0) / (2.0 * PI).sqrt();
    let (from, step) = (-10.0, 0.001);
    let information: f64 = (0..22_000)
        .map(|index| {
            let z = from + step * f64::from(index);
            let (stable, canary) = (density(z), density(z - shift));
            let mixed = (1.0 - weight) * stable + weight * canary;
            let part = |arm: f64| if arm > 0.0 { arm * libm::log(arm / mixed) } else { 0.0 };
            step * (weight * part(canary) + (1.0 - weight) * part(stable))
        })
        .sum();
    libm::log(1.0 / ALPHA) / information
}

/// The divergence of two coins.
fn bernoulli(from: f64, to: f64) -> f64 {
    let part = |p: f64, q: f64| if p > 0.0 { p * libm::log(p / q) } else { 0.0 };
    part(from, to) + part(1.0 - from, 1.0 - to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(computed: f64, published: f64) {
        let slack = 0.5 + published / 1_000.0;
        assert!((computed - published).abs() < slack, "{computed} instead of {published}");
    }

    /// Figures worked out beforehand by other means.
    #[test]
    fn bounds() {
        check(errors(0.05, 0.001, 0.005), 25_034.0);
        check(errors(0.05, 0.01, 0.05), 2_457.0);
        check(errors(0.5, 0.001, 0.02), 867.0);
        check(latency(0.05, 0.5, 1.1), 5_345.0);
        check(latency(0.05, 0.5, 1.5), 301.0);
        check(latency(0.5, 0.5, 1.5), 61.0);
    }
}
