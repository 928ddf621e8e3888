//! Numbers as people read them.

use ripcord_core::model::ids::Millis;

/// 1234567 as "1,234,567".
pub(crate) fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

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

/// A stretch of time in the unit that suits it.
#[expect(clippy::cast_precision_loss, reason = "a few digits are shown")]
pub(crate) fn time(ms: Millis) -> String {
    match ms as f64 / 1e3 {
        s if s < 1.0 => "a second".to_owned(),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3_600.0),
        s => format!("{:.0} days", s / 86_400.0),
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
        assert_eq!([0, 999, 7_981].map(thousands), ["0", "999", "7,981"]);
        let times = [0, 59_000, 600_000, 7_200_000, 864_000_000].map(time);
        assert_eq!(times, ["a second", "59 s", "10 min", "2 h", "10 days"]);
    }
}
