//! Dates in metadata.

use crate::text::{Kind, Node};

/// The moment a value names, in seconds since 1970: a number of seconds, or a date, of which the
/// whole day still counts.
pub(crate) fn read(node: &Node, text: &str) -> Option<i64> {
    match &node.kind {
        Kind::Number(_) => node.lexeme(text).parse().ok(),
        Kind::Text(date) => {
            // A time behind the date does not matter for an expiry.
            let (date, time) = date.split_once('T').map_or((&**date, None), |(a, b)| (a, Some(b)));
            let plain = |time: &str| {
                time.bytes()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b':' | b'.' | b'Z' | b'+' | b'-'))
            };
            if !time.is_none_or(plain) {
                return None;
            }
            let mut parts = date.split('-').map(str::parse::<i64>);
            let (year, month, day) =
                (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
            let valid = parts.next().is_none() && (1970..=9999).contains(&year);
            if !valid || !(1..=12).contains(&month) || !(1..=days_of(year, month)).contains(&day) {
                return None;
            }
            Some((days(year, month, day) + 1) * 86_400)
        }
        _ => None,
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since the first of January 1970.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let before = year - 1;
    let leaps = before / 4 - before / 100 + before / 400 - 477;
    let months: i64 = (1..month).map(|month| days_of(year, month)).sum();
    (year - 1970) * 365 + leaps + months + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::parse;

    #[test]
    fn dates() {
        let check = |text: &str, expected: Option<i64>| {
            let node = parse(text).expect("good JSON");
            assert_eq!(read(&node, text), expected, "{text}");
        };
        check("1700000000", Some(1_700_000_000));
        check("\"1970-01-01\"", Some(86_400));
        check("\"2000-03-01\"", Some(951_955_200));
        check("\"2026-11-21\"", Some(1_795_305_600));
        check("\"2026-11-21T10:00:00Z\"", Some(1_795_305_600));
        for wrong in [
            "\"2026-02-29\"",
            "\"2026-13-01\"",
            "\"2026-00-01\"",
            "\"soon\"",
            "\"2026-1\"",
            "\"2026-01-01-01\"",
            "true",
            "1.5",
            "\"2026-01-01T x\"",
        ] {
            check(wrong, None);
        }
        check("\"2028-02-29\"", Some(1_835_481_600));
    }
}
