//! Cookies, as far as the proxy reads and sets them (RFC 6265): one by name, and one of its own.

use hyper::header::{COOKIE, HeaderMap, HeaderValue};

/// How long a user keeps their release at most: 30 days, longer than any rollout should take.
const MAX_AGE_SECONDS: u32 = 30 * 24 * 60 * 60;

/// Whether this is a token (RFC 9110), as the names of cookies must be.
pub(crate) fn is_token(name: &str) -> bool {
    let special = b"!#$%&'*+-.^_`|~";
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || special.contains(&b))
}

/// The value of the first cookie of this name, without quotes around it.
pub(crate) fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let lines = headers.get_all(COOKIE).iter();
    let pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    let values = pairs.filter_map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        let (found, value) = (pair[..at].trim_ascii(), pair[at + 1..].trim_ascii());
        (found == name.as_bytes()).then_some(value)
    });
    values.map(unquoted).next()
}

fn unquoted(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value)
}

/// What sets the cookie. `name` is a token and `value` hexadecimal, so this is a header value.
pub(crate) fn set(name: &str, value: &str) -> Option<HeaderValue> {
    header(name, value, MAX_AGE_SECONDS)
}

/// What takes the cookie away again.
pub(crate) fn expire(name: &str) -> Option<HeaderValue> {
    header(name, "", 0)
}

fn header(name: &str, value: &str, max_age: u32) -> Option<HeaderValue> {
    let text = format!("{name}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax");
    HeaderValue::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[&str], expected: Option<&str>) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, line.parse().unwrap());
        }
        assert_eq!(find(&headers, "id"), expected.map(str::as_bytes), "{lines:?}");
    }

    #[test]
    fn cookies_are_found_by_their_whole_name() {
        check(&[], None);
        check(&["id=1"], Some("1"));
        check(&["a=2;  id = 1 ; b=3"], Some("1"));
        check(&["a=2", "b=3; id=1"], Some("1"));
        check(&["xid=2; id2=3; Id=4; id"], None);
        check(&["id=1; id=2"], Some("1"));
        check(&["id=\"a=b\""], Some("a=b"));
        check(&["id="], Some(""));
        check(&["a=id=1; ;;=; id=\""], Some("\""));
    }

    #[test]
    fn tokens() {
        assert!(is_token("__Host-id.1"));
        for bad in ["", "a b", "a=b", "a;b", "é", "a\"", "a,b"] {
            assert!(!is_token(bad), "{bad:?}");
        }
    }

    #[test]
    fn what_is_set_and_taken_away() {
        let text = |value: Option<HeaderValue>| value.unwrap().to_str().unwrap().to_owned();
        assert_eq!(
            text(set("id", "00ff")),
            "id=00ff; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"
        );
        assert_eq!(text(expire("id")), "id=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    }
}
