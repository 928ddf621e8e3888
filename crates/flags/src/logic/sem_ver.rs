//! `sem_ver`: comparing versions by semver.org, as flagd reads them: a leading v is dropped, parts
//! may be missing at the end, numbers count as texts, build metadata does not matter.

use crate::logic::{Value, number};
use std::borrow::Cow;
use std::cmp::Ordering;

/// Whether the first version stands to the second as the operator says; none where one of the
/// three cannot be read.
pub(crate) fn compare(left: &Value<'_>, operator: &Value<'_>, right: &Value<'_>) -> Option<bool> {
    let (left, right) = (shown(left)?, shown(right)?);
    let (left, right) = (Version::read(&left)?, Version::read(&right)?);
    let Value::Text(operator) = operator else { return None };
    let order = left.order(&right);
    Some(match &**operator {
        "=" => order == Ordering::Equal,
        "!=" => order != Ordering::Equal,
        "<" => order == Ordering::Less,
        "<=" => order != Ordering::Greater,
        ">" => order == Ordering::Greater,
        ">=" => order != Ordering::Less,
        "^" => left.parts[0] == right.parts[0],
        "~" => left.parts[..2] == right.parts[..2],
        _ => return None,
    })
}

/// Whether a text is a version exactly as semver.org writes it: no v, nothing left out.
pub(crate) fn is_strict(text: &str) -> bool {
    let build = text.split_once('+').map(|(_, build)| build);
    let letters = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let core = text.split(['-', '+']).next().unwrap_or_default();
    text.starts_with(|first: char| first.is_ascii_digit())
        && core.split('.').count() == 3
        && core.split('.').all(|part| !part.is_empty())
        && build.is_none_or(|build| build.split('.').all(letters))
        && Version::read(text).is_some()
}

/// The operators that there are.
pub(crate) const OPERATORS: [&str; 8] = ["=", "!=", "<", "<=", ">", ">=", "^", "~"];

/// The text of a version; a number may stand for one.
fn shown<'v>(value: &'v Value<'_>) -> Option<Cow<'v, str>> {
    match value {
        Value::Text(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number::text(*number))),
        _ => None,
    }
}

#[derive(Debug, PartialEq)]
struct Version<'a> {
    parts: [u64; 3],
    before: Option<&'a str>,
}

impl<'a> Version<'a> {
    fn read(text: &'a str) -> Option<Version<'a>> {
        let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
        let text = text.split_once('+').map_or(text, |(version, _)| version);
        let (core, before) = match text.split_once('-') {
            Some((core, before)) => (core, Some(before)),
            None => (text, None),
        };
        if !before.is_none_or(|before| before.split('.').all(is_identifier)) {
            return None;
        }
        let mut parts = [0; 3];
        for (at, part) in core.split('.').enumerate() {
            let digits = part.bytes().all(|byte| byte.is_ascii_digit());
            if !digits || part.len() > 1 && part.starts_with('0') {
                return None;
            }
            *parts.get_mut(at)? = part.parse().ok()?;
        }
        Some(Version { parts, before })
    }

    fn order(&self, other: &Version<'_>) -> Ordering {
        let before = match (self.before, other.before) {
            (None, None) => Ordering::Equal,
            // A version comes after all that lead to it.
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(a), Some(b)) => identifiers(a, b),
        };
        self.parts.cmp(&other.parts).then(before)
    }
}

fn is_identifier(text: &str) -> bool {
    let letters = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let padded = text.len() > 1 && text.starts_with('0') && is_digits(text);
    !text.is_empty() && letters && !padded
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn identifiers(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.split('.'), b.split('.'));
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => match (is_digits(a), is_digits(b)) {
                // Without leading zeros the longer number is the larger one.
                (true, true) => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
                (true, false) => Ordering::Less,
                (false, true) => Ordering::Greater,
                (false, false) => a.cmp(b),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value<'_> {
        Value::Text(Cow::Borrowed(text))
    }

    #[test]
    fn the_order_of_the_standard() {
        let ordered = [
            "1.0.0-0",
            "1.0.0-9",
            "1.0.0-10",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.1",
            "1.2",
            "v1.10.0",
            "2",
        ];
        for (at, left) in ordered.iter().enumerate() {
            for (other, right) in ordered.iter().enumerate() {
                let check = |operator: &str, expected: bool| {
                    let found = compare(&text(left), &text(operator), &text(right));
                    assert_eq!(found, Some(expected), "{left} {operator} {right}");
                };
                check("<", at < other);
                check("<=", at <= other);
                check(">", at > other);
                check(">=", at >= other);
                check("=", at == other);
                check("!=", at != other);
            }
        }
    }

    #[test]
    fn what_is_no_version() {
        for wrong in [
            "",
            "x",
            "1.2.3.4",
            "01.2.3",
            "1..2",
            "1.2.",
            "1.2.3-",
            "1.2.3-01",
            "-1",
            "1.2.3-a..b",
            "1.2.3-ü",
            "99999999999999999999999",
        ] {
            assert_eq!(compare(&text(wrong), &text("="), &text("1")), None, "{wrong}");
            assert_eq!(compare(&text("1"), &text("="), &text(wrong)), None, "{wrong}");
        }
        assert_eq!(compare(&text("1"), &text("=="), &text("1")), None);
        assert_eq!(compare(&text("1"), &Value::Null, &text("1")), None);
        assert_eq!(compare(&Value::Bool(true), &text("="), &text("1")), None);
    }

    #[test]
    fn ranges_numbers_and_builds() {
        let check = |left: Value<'_>, operator: &str, right: &str, expected: bool| {
            assert_eq!(compare(&left, &text(operator), &text(right)), Some(expected), "{left:?}");
        };
        check(text("1.9.1"), "^", "1.0.0", true);
        check(text("2.0.0"), "^", "1.0.0", false);
        check(text("1.9.1"), "~", "1.9.7", true);
        check(text("1.8.1"), "~", "1.9.7", false);
        check(Value::Number(1.2), "=", "1.2.0", true);
        check(Value::Number(3.0), "=", "v3", true);
        check(text("1.0.0+a"), "=", "1.0.0+b", true);
        check(text("1.0.0+a-b"), "=", "1.0.0", true);
    }
}
