//! Percentages and ratios, read without rounding: what cannot be kept exactly is refused.

use crate::config::problem::value_error;
use crate::config::text::shown;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

/// The decimals of a percentage that is kept in parts per million.
const PPM_DECIMALS: usize = 4;

/// A percentage between two bounds, in parts per million.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(with = "PercentText")]
pub(crate) struct Percent<const MIN: u32, const MAX: u32> {
    /// In parts per million.
    pub(crate) ppm: u32,
}

/// How many times as much; at least once, at most a hundred times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
pub(crate) struct Ratio(#[schemars(with = "f64", range(min = 1, max = 100))] u32);

/// A percentage with at most four decimals, such as "1%" or "99.95%".
#[derive(JsonSchema)]
#[schemars(transparent, rename = "Percent")]
#[expect(dead_code, reason = "stands for its schema alone")]
struct PercentText(#[schemars(regex(pattern = "^[0-9]+([.][0-9]{1,4})?%$"))] String);

impl Ratio {
    pub(crate) fn thousandths(self) -> u32 {
        self.0
    }

    fn of(value: f64) -> Option<Ratio> {
        // A bound far from where whole numbers end; more decimals than three are refused.
        let thousandths = (1_000..=100_000).find(|whole| f64::from(*whole) / 1_000.0 >= value)?;
        let exact = (f64::from(thousandths) / 1_000.0 - value).abs() < 1e-9;
        exact.then_some(Ratio(thousandths))
    }
}

/// The number of `"1.25%"` times ten to the power of the decimals that are kept; none for anything
/// that is no such percentage.
pub(crate) fn percent(text: &str, decimals_max: usize) -> Option<u64> {
    let number = text.strip_suffix('%')?;
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    if decimals.is_empty() || decimals.len() > decimals_max {
        return None;
    }
    digits(&format!("{whole}{decimals:0<decimals_max$}")).filter(|_| !whole.is_empty())
}

/// A whole number of digits alone: no sign, no space.
pub(crate) fn digits(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// Parts per million as they are written.
fn written(ppm: u32) -> String {
    let text = format!("{}.{:04}", ppm / 10_000, ppm % 10_000);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

impl<'de, const MIN: u32, const MAX: u32> Deserialize<'de> for Percent<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let ppm = percent(&text, PPM_DECIMALS).and_then(|ppm| u32::try_from(ppm).ok());
        match ppm.filter(|ppm| (MIN..=MAX).contains(ppm)) {
            Some(ppm) => Ok(Percent { ppm }),
            None => Err(value_error(
                format!("`{}` is not a percentage that is possible here", shown(&text)),
                format!("write {} to {} with at most four decimals", written(MIN), written(MAX)),
            )),
        }
    }
}

impl<'de> Deserialize<'de> for Ratio {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Ratio, D::Error> {
        let value = f64::deserialize(deserializer)?;
        Ratio::of(value).ok_or_else(|| {
            value_error(
                format!("{value} is not a ratio that is possible here"),
                "write 1 to 100 with at most three decimals, such as 1.25",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages() {
        let check = |text: &str, decimals_max: usize, expected: Option<u64>| {
            assert_eq!(percent(text, decimals_max), expected, "{text}");
        };
        check("0%", 2, Some(0));
        check("1%", 4, Some(10_000));
        check("99.95%", 4, Some(999_500));
        check("0.0001%", 4, Some(1));
        check("12.5%", 2, Some(1_250));
        check("0.01%", 2, Some(1));
        check("0.001%", 2, None);
        check("0.00001%", 4, None);
        for text in [".5%", "5.%", "5", "-1%", "+1%", "%", "1,5%", "1 %", "1%%"] {
            check(text, 4, None);
        }
        check("99999999999999999999%", 4, None);
    }

    #[test]
    fn ratios() {
        let check = |value: f64, expected: Option<u32>| {
            assert_eq!(Ratio::of(value).map(Ratio::thousandths), expected, "{value}");
        };
        check(1.25, Some(1_250));
        check(2.0, Some(2_000));
        check(1.001, Some(1_001));
        check(100.0, Some(100_000));
        check(1.0, Some(1_000));
        check(0.999, None);
        check(1.0005, None);
        check(1.2501, None);
        check(100.001, None);
        check(-2.0, None);
        check(f64::NAN, None);
        check(f64::INFINITY, None);
    }

    #[test]
    fn percentages_as_they_are_written() {
        let check = |ppm: u32, expected: &str| assert_eq!(written(ppm), expected);
        check(1, "0.0001%");
        check(10_000, "1%");
        check(999_500, "99.95%");
        check(1_000_000, "100%");
        check(0, "0%");
    }
}
