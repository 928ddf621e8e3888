//! Any service that answers with JSON in which a number stands at a known place.
//!
//! `null` there, and an element of a list that is shorter, mean that the service has no data. A
//! missing field does not, since a misspelt pointer would look the same.

use crate::config::{Headers, Method};
use crate::error::SourceError;
use crate::http::{ANSWER_BYTES_MAX, Http, authority};
use serde_json::Value;
use std::fmt::Write;
use ureq::http::uri::Uri;

/// What stands for the query in an address, a body, an argument.
pub(crate) const QUERY: &str = "{query}";

/// A service.
#[derive(Debug)]
pub(crate) struct Web {
    http: Http,
    url: String,
    method: Method,
    body: Option<Value>,
    pointer: String,
}

impl Web {
    /// A service, or what is wrong with the settings.
    pub(crate) fn new(
        url: String,
        method: Method,
        headers: Headers,
        body: Option<Value>,
        pointer: String,
        timeout_ms: u64,
    ) -> Result<Web, String> {
        same_host(&url.replace(QUERY, "x"), &url.replace(QUERY, "y"))?;
        let sent = body.as_ref().is_some_and(|body| body.to_string().contains(QUERY));
        if !sent && !url.contains(QUERY) {
            return Err("neither `url` nor `body` has {query} in it, so it is never asked".into());
        }
        if body.is_some() && method == Method::Get {
            return Err("a `body` is sent only with `method = \"POST\"`".into());
        }
        if !pointer.is_empty() && !pointer.starts_with('/') {
            return Err(format!("`pointer` must begin with a slash: /{pointer}"));
        }
        let http = Http::new(&url, headers, timeout_ms)?;
        Ok(Web { http, url, method, body, pointer })
    }

    /// Where it is, for errors.
    pub(crate) fn place(&self) -> &str {
        self.http.place()
    }

    /// The number that the service answers with; none when it says that it has none.
    pub(crate) fn read(&self, query: &str) -> Result<Option<f64>, SourceError> {
        let url = self.url.replace(QUERY, &encode(query));
        let answer = match self.method {
            Method::Get => self.http.get(&url, ANSWER_BYTES_MAX)?,
            Method::Post => self
                .http
                .post(&url, &with_query(self.body.as_ref().unwrap_or(&Value::Null), query))?,
        };
        if !(200..300).contains(&answer.status) {
            return Err(self.http.refused(&answer));
        }
        let value: Value = serde_json::from_slice(&answer.body).map_err(|error| {
            let excerpt = self.http.excerpt(&answer.body);
            self.http.nonsense(format!("it is no JSON ({error}): {excerpt}"))
        })?;
        number_at(&value, &self.pointer).map_err(|why| {
            let excerpt = self.http.excerpt(&answer.body);
            self.http.nonsense(format!("{why}: {excerpt}"))
        })
    }
}

/// Encodes all that could have a meaning of its own in an address.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// A query must not choose who is asked, since tokens are sent along.
fn same_host(one: &str, other: &str) -> Result<(), String> {
    let parse = |url: &str| url.parse::<Uri>().map_err(|error| format!("`url`: {error}"));
    let (one, other) = (parse(one)?, parse(other)?);
    if authority(&one)? != authority(&other)? {
        return Err("{query} must not be part of the host in `url`".into());
    }
    Ok(())
}

/// The body with the query in its strings.
fn with_query(body: &Value, query: &str) -> Value {
    match body {
        Value::String(text) => Value::String(text.replace(QUERY, query)),
        Value::Array(items) => items.iter().map(|item| with_query(item, query)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), with_query(value, query))).collect()
        }
        other => other.clone(),
    }
}

/// The number at a JSON pointer.
fn number_at(value: &Value, pointer: &str) -> Result<Option<f64>, String> {
    let mut place = value;
    let mut walked = String::new();
    for part in pointer.split('/').skip(1) {
        let name = part.replace("~1", "/").replace("~0", "~");
        place = match place {
            Value::Null => return Ok(None),
            Value::Array(items) => {
                let index: usize =
                    name.parse().map_err(|_| format!("at {walked:?} is a list, not {name:?}"))?;
                match items.get(index) {
                    Some(item) => item,
                    None => return Ok(None),
                }
            }
            Value::Object(fields) => fields
                .get(&name)
                .ok_or_else(|| format!("there is no field {name:?} at {walked:?}"))?,
            _ => return Err(format!("there is nothing below {walked:?}")),
        };
        walked.push('/');
        walked.push_str(part);
    }
    let number = match place {
        Value::Null => return Ok(None),
        Value::Number(number) => number.as_f64(),
        // Many services write numbers as text, to keep all digits.
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    match number {
        Some(number) if number.is_finite() => Ok(Some(number)),
        _ => Err(format!("at {pointer:?} is no number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn finds_the_number() {
        let check = |value: Value, pointer: &str, expected: Result<Option<f64>, &str>| {
            let found = number_at(&value, pointer);
            assert_eq!(found, expected.map_err(str::to_owned), "{value} {pointer}");
        };
        check(json!(1), "", Ok(Some(1.0)));
        check(json!({"a": [{"b": "2.5"}]}), "/a/0/b", Ok(Some(2.5)));
        check(json!({"a/b": {"~": -3}}), "/a~1b/~0", Ok(Some(-3.0)));
        check(json!({"": 4}), "/", Ok(Some(4.0)));
        check(json!({"a": null}), "/a", Ok(None));
        check(json!({"a": null}), "/a/b", Ok(None));
        check(json!({"a": []}), "/a/0/b", Ok(None));
        check(json!({"a": {}}), "/a/b", Err("there is no field \"b\" at \"/a\""));
        check(json!({"a": []}), "/a/b", Err("at \"/a\" is a list, not \"b\""));
        check(json!({"a": 1}), "/a/b", Err("there is nothing below \"/a\""));
        for odd in [json!("NaN"), json!("inf"), json!("many"), json!(true), json!([1]), json!({})] {
            check(json!({ "a": odd }), "/a", Err("at \"/a\" is no number"));
        }
    }

    #[test]
    fn the_query_stays_one_value() {
        assert_eq!(encode("a b&c=d/\u{e9}%"), "a%20b%26c%3Dd%2F%C3%A9%25");
        let body = json!({"q": "say {query}", "n": [1, "{query}"], "{query}": true});
        let expected = json!({"q": "say a\"b", "n": [1, "a\"b"], "{query}": true});
        assert_eq!(with_query(&body, "a\"b"), expected);
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        let check = |url: &str, method, body: Option<Value>, pointer: &str, part: &str| {
            let headers = Headers::default();
            let error =
                Web::new(url.into(), method, headers, body, pointer.into(), 1_000).unwrap_err();
            assert!(error.contains(part), "{error}");
        };
        check("http://{query}.h/", Method::Get, None, "/a", "host");
        check("http://h{query}/", Method::Get, None, "/a", "host");
        check("http://h/", Method::Get, None, "/a", "never asked");
        check("http://h/{query}", Method::Get, Some(json!(1)), "/a", "POST");
        check("http://h/{query}", Method::Get, None, "a", "/a");
        check("h/{query}", Method::Get, None, "/a", "`url`");
    }
}
