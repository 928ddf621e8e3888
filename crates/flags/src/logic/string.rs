//! Operators on texts.

use crate::logic::Value;
use std::borrow::Cow;

/// A part of a text: from a place, counted from the end where it is negative, so many letters, or
/// up to so many before the end where that is negative.
pub(crate) fn part<'a>(source: &Value<'a>, start: f64, length: Option<f64>) -> Value<'a> {
    let text = source.text();
    let letters = text.chars().count();
    let start = if start < 0.0 { letters.saturating_sub(size(-start)) } else { size(start) };
    let rest = letters.saturating_sub(start);
    let taken = match length {
        None => rest,
        Some(length) if length < 0.0 => rest.saturating_sub(size(-length)),
        Some(length) => size(length).min(rest),
    };
    let found: String = text.chars().skip(start).take(taken).collect();
    Value::Text(Cow::Owned(found))
}

/// Whether a text begins or ends with another; nothing where they are not both texts.
pub(crate) fn affix<'a>(
    text: &Value<'a>,
    part: &Value<'a>,
    has: fn(&str, &str) -> bool,
) -> Value<'a> {
    match (text, part) {
        (Value::Text(text), Value::Text(part)) => Value::Bool(has(text, part)),
        _ => Value::Null,
    }
}

/// A count of letters. What is no number counts as none, what is too large as very many.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
fn size(number: f64) -> usize {
    number as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn parts() {
        let check = |start: f64, length: Option<f64>, expected: &str| {
            let source = json!("füjson");
            let found = part(&Value::from(&source), start, length);
            assert_eq!(found.text(), expected, "{start} {length:?}");
        };
        check(2.0, None, "json");
        check(-4.0, None, "json");
        check(0.0, Some(2.0), "fü");
        check(1.0, Some(-2.0), "üjs");
        check(-100.0, None, "füjson");
        check(100.0, None, "");
        check(f64::NAN, Some(f64::NAN), "");
        check(1e300, Some(1e300), "");
        check(0.0, Some(-1e300), "");
    }
}
