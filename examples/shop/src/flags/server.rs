//! Feature flags from a server, through the SDK of `OpenFeature` and its provider for OFREP.
//!
//! Nothing is kept: each question is a request, so a change is seen with the next question. Where
//! the server does not answer in time, the caller's default holds, as the SDK has it.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use open_feature::{Client, EvaluationContext, OpenFeature};
use open_feature_ofrep::{OfrepOptions, OfrepProvider};
use tokio::time::timeout;

use crate::ShopError;
use crate::settings::FlagServer;

/// How long a question may take. The provider itself only bounds the making of a connection.
const ANSWER_MAX: Duration = Duration::from_millis(500);

/// A client of a flag server.
pub(crate) struct FlagClient {
    client: Client,
}

impl FlagClient {
    /// Prepares the client; nothing is asked yet.
    pub(super) async fn new(server: &FlagServer) -> Result<Option<Self>, ShopError> {
        let options = OfrepOptions {
            base_url: server.endpoint.clone(),
            headers: headers(&server.headers)?,
            connect_timeout: ANSWER_MAX,
            ..OfrepOptions::default()
        };
        let provider = OfrepProvider::new(options)
            .await
            .map_err(|error| wrong("OFREP_ENDPOINT", error.to_string()))?;
        // An instance of its own instead of the global one, so that a process can hold several
        // shops. The client shares what it needs of it.
        let mut openfeature = OpenFeature::default();
        openfeature.set_provider(provider).await;
        Ok(Some(Self { client: openfeature.create_client() }))
    }

    /// Whether a flag is on for a user; nothing where the server does not know it or is silent.
    pub(super) async fn is_on(&self, key: &str, user: Option<&str>) -> Option<bool> {
        let context = match user {
            Some(user) => EvaluationContext::default().with_targeting_key(user),
            None => EvaluationContext::default(),
        };
        let answer = self.client.get_bool_value(key, Some(&context), None);
        timeout(ANSWER_MAX, answer).await.ok()?.ok()
    }
}

/// The headers of `OFREP_HEADERS`: `NAME=VALUE`, several with commas between them.
fn headers(text: &str) -> Result<HeaderMap, ShopError> {
    let mut headers = HeaderMap::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        // What is wrong may be a key, so it is not shown.
        let problem = || wrong("OFREP_HEADERS", "is not of the form NAME=VALUE,...".to_owned());
        let (name, value) = pair.split_once('=').ok_or_else(problem)?;
        let name: HeaderName = name.trim().parse().map_err(|_| problem())?;
        let mut value = HeaderValue::from_str(value.trim()).map_err(|_| problem())?;
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Ok(headers)
}

fn wrong(name: &'static str, problem: String) -> ShopError {
    ShopError::Setting { name, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_and_never_shown() {
        let check = |text: &str, expected: Option<&[(&str, &str)]>| {
            let found = headers(text);
            let Some(expected) = expected else {
                let error = found.expect_err("must be refused").to_string();
                return assert!(error.contains("OFREP_HEADERS") && !error.contains("secret"));
            };
            let found = found.expect("headers");
            let found: Vec<_> =
                found.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
            let expected: Vec<_> =
                expected.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
            assert_eq!(found, expected, "{text}");
        };
        check("", Some(&[]));
        check("X-API-Key=rck_1=", Some(&[("x-api-key", "rck_1=")]));
        check(" A=1, B = 2,", Some(&[("a", "1"), ("b", "2")]));
        check("secret", None);
        check("a b=secret", None);
        check("a=secret\n", Some(&[("a", "secret")]));
        check("a=sec\nret", None);
    }
}
