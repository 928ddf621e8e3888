//! Numbers as people read them, beside those that the judge says itself.

pub(crate) use ripcord_core::analysis::explain::{thousands, time};

/// A number that may be tiny or huge, in a few characters.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is in range")]
pub(crate) fn number(number: f64) -> String {
    match number {
        n if n >= 1e7 => format!("{n:.1e}"),
        n if n >= 100.0 => thousands(n.round() as u64),
        n if n >= 10.0 => format!("{n:.0}"),
        n if n >= 0.1 => format!("{n:.1}"),
        n if n >= 0.001 => format!("{n:.3}"),
        0.0 => "0".to_owned(),
        _ => "under 0.001".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let check = |value: f64, expected: &str| assert_eq!(number(value), expected);
        check(0.0, "0");
        check(0.000_4, "under 0.001");
        check(0.023, "0.023");
        check(1.0, "1.0");
        check(60.4, "60");
        check(1_234.5, "1,235");
        check(3.2e19, "3.2e19");
    }
}
