//! One request over HTTP within bounds: of time, of size, to the configured host alone.
//!
//! It follows no redirect, since that would carry tokens to hosts that nobody configured. It keeps
//! no connection, since one that went stale would look like a source that went away. It uses no
//! proxy from environment variables and never retries.

use crate::config::Headers;
use crate::error::SourceError;
use jiff::fmt::rfc2822::DateTimeParser;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use ureq::http::uri::{Authority, Uri};
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Response};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body};

/// The largest answer that is read.
pub(crate) const ANSWER_BYTES_MAX: u64 = 1_000_000;

/// How long a source is left alone that does not say how long it wants to be.
const RETRY_AFTER_DEFAULT_MS: u64 = 60_000;

/// The longest that a source is left alone, whatever it says.
const RETRY_AFTER_MAX_MS: u64 = 3_600_000;

/// How much of an answer an error shows.
const EXCERPT_CHARS: usize = 200;

/// The shortest header value that is looked for in what an error shows.
const SECRET_BYTES_MIN: usize = 6;

/// Asks one host.
#[derive(Debug)]
pub(crate) struct Http {
    agent: Agent,
    headers: Headers,
    place: String,
    timeout_ms: u64,
}

/// What was answered, whatever the status.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    location: Option<String>,
}

impl Http {
    /// A client of the host of this address, or what is wrong with the settings.
    pub(crate) fn new(url: &str, headers: Headers, timeout_ms: u64) -> Result<Http, String> {
        let uri: Uri = url.parse().map_err(|error| format!("`url` is no address: {error}"))?;
        authority(&uri)?;
        for (name, value) in headers.iter() {
            let sound = HeaderName::from_bytes(name.as_bytes()).is_ok()
                && HeaderValue::from_str(value).is_ok();
            if !sound {
                return Err(format!("the header {name} has a character that none may have"));
            }
        }
        let mut config = Agent::config_builder()
            .timeout_global(Some(Duration::from_millis(timeout_ms)))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_connections(0)
            .proxy(None)
            .user_agent("ripcord");
        if uri.scheme_str() == Some("https") {
            config = config.tls_config(trust()?);
        }
        let place = place(url);
        Ok(Http { agent: config.build().into(), headers, place, timeout_ms })
    }

    /// The address without its query, for errors.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// Asks without a body.
    pub(crate) fn get(&self, url: &str, bytes_max: u64) -> Result<Answer, SourceError> {
        let mut request = self.agent.get(url);
        for (name, value) in self.headers.iter() {
            request = request.header(name, value);
        }
        self.read(request.call(), bytes_max)
    }

    /// Asks with JSON.
    pub(crate) fn post(&self, url: &str, body: &Value) -> Result<Answer, SourceError> {
        let mut request = self.agent.post(url);
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in self.headers.iter() {
            request = request.header(name, value);
        }
        self.read(request.send(body.to_string()), ANSWER_BYTES_MAX)
    }

    /// Changes something: a body of the type given, with the method given.
    pub(crate) fn change(
        &self,
        method: &str,
        url: &str,
        content_type: &str,
        body: &Value,
    ) -> Result<Answer, SourceError> {
        let mut request = match method {
            "PUT" => self.agent.put(url),
            _ => self.agent.patch(url),
        };
        request = request.header("content-type", content_type);
        for (name, value) in self.headers.iter() {
            request = request.header(name, value);
        }
        self.read(request.send(body.to_string()), ANSWER_BYTES_MAX)
    }

    /// What is wrong with an answer that is no success.
    pub(crate) fn refused(&self, answer: &Answer) -> SourceError {
        let said = match &answer.location {
            Some(location) => {
                let to = place(location);
                format!("it points to {to}, and redirects are not followed; set `url` to that")
            }
            None => self.excerpt(&answer.body),
        };
        SourceError::Refused { at: self.place.clone(), status: answer.status, said }
    }

    /// An answer that is not what was asked for.
    pub(crate) fn nonsense(&self, why: impl Into<String>) -> SourceError {
        SourceError::Nonsense { at: self.place.clone(), why: why.into() }
    }

    /// How an answer begins, in one line and without the secrets that were sent.
    pub(crate) fn excerpt(&self, body: &[u8]) -> String {
        // A secret that the cut would halve must be found whole, so the cut comes last.
        let mut text = String::from_utf8_lossy(body).into_owned();
        for (_, value) in self.headers.iter() {
            for secret in [value, value.rsplit(' ').next().unwrap_or_default()] {
                if secret.len() >= SECRET_BYTES_MIN {
                    text = text.replace(secret, "***");
                }
            }
        }
        let words: Vec<&str> =
            text.split(|letter: char| letter.is_whitespace() || letter.is_control()).collect();
        let line = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        line.chars().take(EXCERPT_CHARS).collect()
    }

    fn read(
        &self,
        answer: Result<Response<Body>, ureq::Error>,
        bytes_max: u64,
    ) -> Result<Answer, SourceError> {
        let mut answer = answer.map_err(|error| self.trouble(error))?;
        let status = answer.status().as_u16();
        if status == 429 {
            let retry_after_ms = retry_after_ms(answer.headers());
            return Err(SourceError::TooManyRequests { at: self.place.clone(), retry_after_ms });
        }
        let location = answer.headers().get("location").filter(|_| (300..400).contains(&status));
        let location = location.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let body = answer.body_mut().with_config().limit(bytes_max).read_to_vec();
        let body = body.map_err(|error| self.trouble(error))?;
        Ok(Answer { status, body, location })
    }

    fn trouble(&self, error: ureq::Error) -> SourceError {
        let at = self.place.clone();
        match error {
            ureq::Error::Timeout(_) => SourceError::Slow { at, timeout_ms: self.timeout_ms },
            ureq::Error::BodyExceedsLimit(bytes) => {
                SourceError::Nonsense { at, why: format!("it is larger than {bytes} bytes") }
            }
            ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..) => {
                SourceError::Nonsense { at, why: format!("it is no sound HTTP: {error}") }
            }
            ureq::Error::Http(_) | ureq::Error::BadUri(_) => {
                SourceError::Query { at, why: format!("it makes no address: {error}") }
            }
            error => SourceError::Unreachable { at, why: error.to_string() },
        }
    }
}

/// The host and port of an address that may be asked.
pub(crate) fn authority(uri: &Uri) -> Result<&Authority, String> {
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err("`url` must begin with http:// or https://".into());
    }
    let authority = uri.authority().ok_or("`url` names no host")?;
    if authority.as_str().contains('@') {
        return Err("`url` must hold no password; put it into `headers`".into());
    }
    Ok(authority)
}

/// The certificates that this machine trusts.
fn trust() -> Result<TlsConfig, String> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let why = found.errors.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        return Err(format!("this machine trusts no certificates for https; {why}"));
    }
    let certificates: Vec<_> =
        found.certs.iter().map(|found| Certificate::from_der(found).to_owned()).collect();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&certificates))
        .unversioned_rustls_crypto_provider(provider)
        .build())
}

/// An address without its query, where secrets may be.
fn place(url: &str) -> String {
    url.split(['?', '#']).next().unwrap_or_default().to_owned()
}

/// How long the source wants to be left alone. A moment is told against the source's own clock,
/// which need not be ours.
fn retry_after_ms(headers: &HeaderMap) -> u64 {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let moment = |name| DateTimeParser::new().parse_timestamp(text(name)?).ok();
    let seconds = text("retry-after").and_then(|value| value.trim().parse::<u64>().ok());
    let until = || {
        let ms = moment("retry-after")?.as_millisecond() - moment("date")?.as_millisecond();
        Some(u64::try_from(ms).unwrap_or(0))
    };
    // Some say until when, in milliseconds since 1970, by their own clock.
    let reset = || {
        let until: i64 = text("x-ratelimit-reset")?.trim().parse().ok()?;
        Some(u64::try_from(until - moment("date")?.as_millisecond()).unwrap_or(0))
    };
    seconds
        .map(|seconds| seconds.saturating_mul(1_000))
        .or_else(until)
        .or_else(reset)
        .unwrap_or(RETRY_AFTER_DEFAULT_MS)
        .min(RETRY_AFTER_MAX_MS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn reads_how_long_to_wait() {
        let check = |headers: &[(&'static str, &str)], expected| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.insert(*name, HeaderValue::from_str(value).unwrap());
            }
            assert_eq!(retry_after_ms(&map), expected, "{headers:?}");
        };
        let date = ("date", "Wed, 21 Oct 2015 07:28:00 GMT");
        check(&[("retry-after", "7")], 7_000);
        check(&[("retry-after", "0")], 0);
        check(&[("retry-after", "Wed, 21 Oct 2015 07:28:30 GMT"), date], 30_000);
        check(&[("retry-after", "Wed, 21 Oct 2015 07:27:30 GMT"), date], 0);
        check(&[("retry-after", "Wed, 21 Oct 2015 07:28:30 GMT")], 60_000);
        check(&[("retry-after", "soon"), date], 60_000);
        check(&[("retry-after", "-5")], 60_000);
        check(&[("x-ratelimit-reset", "1445412487500"), date], 7_500);
        check(&[("x-ratelimit-reset", "1445412487500")], 60_000);
        check(&[], 60_000);
        check(&[("retry-after", "99999999999999999999")], 60_000);
        check(&[("retry-after", "18446744073709551615")], 3_600_000);
    }

    #[test]
    fn refuses_addresses_that_cannot_be_asked() {
        let check = |url: &str, part: &str| {
            let error = Http::new(url, Headers::default(), 1_000).unwrap_err();
            assert!(error.contains(part), "{url}: {error}");
        };
        check("", "no address");
        check("ftp://h/", "http://");
        check("/metrics", "http://");
        check("http://me:hush@h/", "password");
        let headers = BTreeMap::from([("a".to_owned(), "b\r\nc: d".to_owned())]);
        assert!(Http::new("http://h", headers.into(), 1).unwrap_err().contains("header a"));
    }

    #[test]
    fn shows_no_secrets() {
        let headers = BTreeMap::from([("Authorization".to_owned(), "Bearer hush-hush".to_owned())]);
        let http = Http::new("http://h/a?key=hush", headers.into(), 1_000).unwrap();
        assert_eq!(http.place(), "http://h/a");
        let check = |body: &[u8], expected: &str| assert_eq!(http.excerpt(body), expected);
        check(b"you sent Bearer hush-hush", "you sent ***");
        check(b"token=hush-hush;\n\x1b[31m  red", "token=***; [31m red");
        check(&[b'x'; 500], &"x".repeat(200));
        check(
            &[b"x".repeat(195), b"hush-hush".to_vec()].concat(),
            &format!("{}***", "x".repeat(195)),
        );
        assert!(!format!("{http:?}").contains("hush"), "{http:?}");
    }
}
