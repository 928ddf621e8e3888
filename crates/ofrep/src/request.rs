//! What a client asks with: who it is, and the context in the body, bounded in size and time.

use crate::answer::{self, Answer, Problem};
use crate::keys::Found;
use crate::shared::Shared;
use bytes::{Bytes, BytesMut};
use hyper::StatusCode;
use hyper::body::{Body, Incoming};
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::future::poll_fn;
use std::pin::Pin;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::time::timeout;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const SELECTOR: HeaderName = HeaderName::from_static("flagd-selector");

/// How many times as much as a body may have is read and thrown away before it is refused.
const READ_FACTOR: usize = 16;

/// A question as it is sent. What else is in it is for other servers.
#[derive(Deserialize)]
struct Question {
    context: Option<Value>,
}

/// The number of the client's key; 0 where no keys are asked for.
pub(crate) fn key(shared: &Shared, headers: &HeaderMap) -> Result<u64, Box<Answer>> {
    let Some(keys) = &shared.keys else { return Ok(0) };
    let bearer = headers.get(AUTHORIZATION).and_then(|value| {
        let (scheme, secret) = value.as_bytes().split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then_some(secret)
    });
    let secret = bearer.or_else(|| headers.get(API_KEY).map(HeaderValue::as_bytes));
    let refused = |status, details| Err(Box::new(answer::refused(status, details)));
    let Some(secret) = secret else {
        return refused(
            StatusCode::UNAUTHORIZED,
            "no key; send it as `Authorization: Bearer KEY` or `X-API-Key: KEY`",
        );
    };
    match keys.load().find(secret.trim_ascii()) {
        Found::Known(number) => Ok(number),
        Found::Revoked => refused(StatusCode::FORBIDDEN, "this key was revoked"),
        Found::Unknown => refused(StatusCode::UNAUTHORIZED, "this key is not known here"),
    }
}

/// Whether the set that is served is the one that is asked for, if one is.
pub(crate) fn selects(headers: &HeaderMap, set_id: Option<&str>) -> Result<(), Box<Answer>> {
    let Some(selector) = headers.get(SELECTOR).and_then(|value| value.to_str().ok()) else {
        return Ok(());
    };
    let wanted = selector.trim().strip_prefix("flagSetId=").unwrap_or(selector.trim());
    if wanted.is_empty() || set_id == Some(wanted) {
        return Ok(());
    }
    let details = format!("the flag set `{wanted}` is not served here");
    Err(Box::new(answer::refused(StatusCode::FORBIDDEN, &details)))
}

/// The body, if it is not too large and comes in time.
pub(crate) async fn body(shared: &Shared, body: Incoming) -> Result<Bytes, Box<Answer>> {
    let max = shared.limits.body_bytes_max;
    let too_large = || {
        let details = format!("the body has more than {max} bytes");
        Box::new(answer::refused(StatusCode::PAYLOAD_TOO_LARGE, &details))
    };
    if body.size_hint().lower() > max.saturating_mul(READ_FACTOR) as u64 {
        return Err(too_large());
    }
    match timeout(shared.limits.body_within, collect(body, max)).await {
        Ok(Ok(Some(bytes))) => Ok(bytes),
        Ok(Ok(None)) => Err(too_large()),
        Ok(Err(error)) => {
            let details = format!("the body broke off: {error}");
            Err(Box::new(answer::problem(None, Problem::Parse, &details)))
        }
        Err(_) => {
            let status = StatusCode::REQUEST_TIMEOUT;
            Err(Box::new(answer::refused(status, "the body did not come in time")))
        }
    }
}

/// The bytes of a body; nothing when there are more than `max`. What is too much is read for a
/// while and thrown away: a client that is still sending would see a broken connection instead of
/// the answer.
async fn collect(mut body: Incoming, max: usize) -> Result<Option<Bytes>, hyper::Error> {
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    let mut read = 0;
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let Ok(data) = frame?.into_data() else { continue };
        read += data.len();
        if read > max.saturating_mul(READ_FACTOR) {
            return Ok(None);
        }
        if read > max {
            (first, all) = (Bytes::new(), BytesMut::new());
            continue;
        }
        // Nearly every body comes in one piece and is not copied.
        if first.is_empty() && all.is_empty() {
            first = data;
        } else {
            all.extend_from_slice(&std::mem::take(&mut first));
            all.extend_from_slice(&data);
        }
    }
    Ok((read <= max).then(|| if all.is_empty() { first } else { all.freeze() }))
}

/// The attributes of the one who asks.
pub(crate) fn attributes(key: Option<&str>, body: &[u8]) -> Result<Value, Box<Answer>> {
    let none = || Value::Object(Map::new());
    if body.trim_ascii().is_empty() {
        return Ok(none());
    }
    match serde_json::from_slice::<Question>(body) {
        Ok(question) => Ok(question.context.unwrap_or_else(none)),
        Err(error) => {
            let details = format!("the body is not {{\"context\": {{...}}}}: {error}");
            Err(Box::new(answer::problem(key, Problem::Parse, &details)))
        }
    }
}

/// Seconds since 1970, for rules that look at the time.
pub(crate) fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn bodies() {
        let check = |body: &str, expected: Option<Value>| {
            assert_eq!(attributes(None, body.as_bytes()).ok(), expected, "{body}");
        };
        check("", Some(json!({})));
        check(" \n", Some(json!({})));
        check("{}", Some(json!({})));
        check(r#"{"context":null}"#, Some(json!({})));
        check(r#"{"context":{"a":1},"else":2}"#, Some(json!({"a": 1})));
        check(r#"{"context":7}"#, Some(json!(7)));
        check("nonsense", None);
        check("[]", None);
        check(&format!("{{\"context\":{}", "[".repeat(10_000)), None);
    }

    #[test]
    fn selectors() {
        let check = |selector: &'static str, expected: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(SELECTOR, HeaderValue::from_static(selector));
            assert_eq!(selects(&headers, Some("shop")).is_ok(), expected, "{selector}");
        };
        check("flagSetId=shop", true);
        check("shop", true);
        check("", true);
        check("flagSetId=", true);
        check("flagSetId=other", false);
        assert!(selects(&HeaderMap::new(), None).is_ok());
    }
}
