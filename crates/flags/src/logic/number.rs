//! Numbers as JavaScript reads and writes them.

use serde_json::Value as Json;

/// Up to here every whole number is a double.
pub(crate) const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// The number that a whole text is: "" is 0, "x" is none.
pub(crate) fn of_text(text: &str) -> f64 {
    let text = text.trim();
    let radix = |digits: &str, radix: u32| {
        // More digits than a double has room for would be rounded; nobody writes them.
        u64::from_str_radix(digits, radix).map_or(f64::NAN, rounded)
    };
    match text.as_bytes() {
        [] => 0.0,
        [b'0', b'x' | b'X', ..] => radix(&text[2..], 16),
        [b'0', b'o' | b'O', ..] => radix(&text[2..], 8),
        [b'0', b'b' | b'B', ..] => radix(&text[2..], 2),
        _ => match text {
            "Infinity" | "+Infinity" => f64::INFINITY,
            "-Infinity" => f64::NEG_INFINITY,
            _ if is_decimal(text) => text.parse().unwrap_or(f64::NAN),
            _ => f64::NAN,
        },
    }
}

/// The number at the beginning of a text; NaN where there is none.
pub(crate) fn leading(text: &str) -> f64 {
    let text = text.trim_start();
    // Only so much of the text can belong to a number.
    let end = text
        .bytes()
        .position(|byte| !matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    let longest = end.unwrap_or(text.len()).min(400);
    let found = (1..=longest).rev().map(|end| &text[..end]).find(|part| is_decimal(part));
    found.and_then(|part| part.parse().ok()).unwrap_or(f64::NAN)
}

/// Whether a text is a decimal number. Rust reads more: "inf", "nan".
fn is_decimal(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'))
        && text.parse::<f64>().is_ok()
}

/// The number as JavaScript writes it.
pub(crate) fn text(number: f64) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    if !number.is_finite() {
        return "null".to_owned();
    }
    // The shortest digits that read back as the same number, and where the point stands.
    let shown = format!("{number:e}");
    let (mantissa, exponent) = shown.split_once('e').unwrap_or((&shown, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-6..21).contains(&exponent) {
        return format!("{number}");
    }
    format!("{mantissa}e{exponent:+}")
}

/// The number as JSON: whole ones without a point.
pub(crate) fn to_json(number: f64) -> Json {
    match whole(number) {
        Some(whole) => Json::from(whole),
        None => Json::from(number),
    }
}

/// The number as a whole one, where it is one that a double holds exactly.
#[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
pub(crate) fn whole(number: f64) -> Option<i64> {
    let exact = number.fract() == 0.0 && number.abs() <= EXACT_MAX;
    exact.then_some(number as i64)
}

#[expect(clippy::cast_precision_loss, reason = "JavaScript rounds as well")]
fn rounded(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(found: f64, expected: f64, text: &str) {
        assert_eq!(found.to_bits(), expected.to_bits(), "{text}: {found}");
    }

    #[test]
    fn whole_texts() {
        let check = |text: &str, expected: f64| same(of_text(text), expected, text);
        check("", 0.0);
        check("  12 ", 12.0);
        check("-1.5e3", -1500.0);
        check(".5", 0.5);
        check("5.", 5.0);
        check("0x1F", 31.0);
        check("0b101", 5.0);
        check("Infinity", f64::INFINITY);
        for text in ["x", "1x", "inf", "nan", "1 2", "0x", "--1", "+", "e1"] {
            check(text, f64::NAN);
        }
    }

    #[test]
    fn leading_numbers() {
        let check = |text: &str, expected: f64| same(leading(text), expected, text);
        check("3 apples", 3.0);
        check(" -1.5e2x", -150.0);
        check("1e", 1.0);
        check("1.2.3", 1.2);
        check("5-3", 5.0);
        check("0x10", 0.0);
        check("", f64::NAN);
        check("x1", f64::NAN);
        check(&"9".repeat(100_000), 1e308 * f64::INFINITY);
    }

    #[test]
    fn texts() {
        let check = |number: f64, expected: &str| assert_eq!(text(number), expected);
        check(1.0, "1");
        check(-0.0, "0");
        check(0.1, "0.1");
        check(-2.5, "-2.5");
        check(1e20, "100000000000000000000");
        check(1e21, "1e+21");
        check(1.5e300, "1.5e+300");
        check(0.000_001, "0.000001");
        check(1e-7, "1e-7");
        check(1.25e-9, "1.25e-9");
        check(123_456_789.125, "123456789.125");
    }
}
