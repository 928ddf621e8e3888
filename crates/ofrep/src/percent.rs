//! Percent-decoding of paths and queries.

use std::borrow::Cow;

/// The text that was encoded; nothing when it is not text or an escape is broken.
pub(crate) fn decode(encoded: &str) -> Option<Cow<'_, str>> {
    if !encoded.contains('%') {
        return Some(Cow::Borrowed(encoded));
    }
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let [high, low, after @ ..] = rest else { return None };
        bytes.push(digit(*high)? << 4 | digit(*low)?);
        rest = after;
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

/// The value of a parameter of a query.
pub(crate) fn parameter<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let pair = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    decode(pair)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(encoded: &str, expected: Option<&str>) {
        assert_eq!(decode(encoded).as_deref(), expected, "{encoded}");
    }

    #[test]
    fn escapes() {
        check("plain", Some("plain"));
        check("a%20b", Some("a b"));
        check("%e2%82%AC", Some("€"));
        check("100%25", Some("100%"));
        check("%", None);
        check("%4", None);
        check("%zz", None);
        check("%80", None);
    }

    #[test]
    fn parameters() {
        assert_eq!(parameter("a=1&t=x%3D", "t").as_deref(), Some("x="));
        assert_eq!(parameter("at=1", "t"), None);
        assert_eq!(parameter("", "t"), None);
    }
}
