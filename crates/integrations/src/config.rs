//! What a source is, as the configuration says it. Nothing is resolved or asked here.

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// One source of metrics. It is read but never written, since it holds secrets.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SourceConfig {
    /// A Prometheus server, or what speaks its query interface: Thanos, Mimir, `VictoriaMetrics`.
    Prometheus {
        /// The address, with the path before `/api/v1` if there is one.
        url: String,
        /// Headers of each request.
        #[serde(default)]
        headers: Headers,
        /// The longest that an answer may take, to its last byte.
        #[serde(default = "timeout_default")]
        timeout_ms: u64,
    },
    /// A service that answers with JSON.
    Web {
        /// The address. `{query}` stands for the query, encoded for an address.
        url: String,
        /// How it is asked.
        #[serde(default)]
        method: Method,
        /// Headers of each request.
        #[serde(default)]
        headers: Headers,
        /// What is sent, as JSON. `{query}` within its strings stands for the query.
        #[serde(default)]
        body: Option<Value>,
        /// Where in the answer the number is, as a JSON pointer: `/data/0/value`.
        pointer: String,
        /// The longest that an answer may take, to its last byte.
        #[serde(default = "timeout_default")]
        timeout_ms: u64,
    },
    /// A command that prints a number.
    Command {
        /// Program and arguments; no shell reads them. `{query}` in an argument stands for the
        /// query, which is also in `RIPCORD_QUERY`.
        argv: Vec<String>,
        /// The longest that it may run; then it is killed with all that it started.
        #[serde(default = "timeout_default")]
        timeout_ms: u64,
    },
}

/// How a web source is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Without a body.
    #[default]
    Get,
    /// With a body.
    Post,
}

/// Headers with their secrets filled in. Their values are never shown.
#[derive(Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub struct Headers(BTreeMap<String, String>);

impl Headers {
    /// Name and value of each.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl From<BTreeMap<String, String>> for Headers {
    fn from(headers: BTreeMap<String, String>) -> Headers {
        Headers(headers)
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

fn timeout_default() -> u64 {
    10_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> Result<SourceConfig, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_left_out_has_a_default() {
        let config = read(json!({"prometheus": {"url": "http://p"}})).unwrap();
        let expected = SourceConfig::Prometheus {
            url: "http://p".into(),
            headers: Headers::default(),
            timeout_ms: 10_000,
        };
        assert_eq!(config, expected);
        let config = read(json!({"web": {"url": "http://w/{query}", "pointer": "/x"}})).unwrap();
        assert!(matches!(config, SourceConfig::Web { method: Method::Get, body: None, .. }));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let check = |value, part: &str| {
            let error = read(value).unwrap_err();
            assert!(error.contains(part), "{error}");
        };
        check(json!({"prometheus": {"url": "http://p", "tokn": "x"}}), "tokn");
        check(json!({"command": {"argv": ["a"], "shell": true}}), "shell");
        check(json!({"datadog": {}}), "datadog");
        let delete = json!({"web": {"url": "http://w", "pointer": "", "method": "DELETE"}});
        check(delete, "DELETE");
    }

    #[test]
    fn secrets_are_not_shown() {
        let config = read(json!({"prometheus": {
            "url": "http://p", "headers": {"Authorization": "Bearer hush"},
        }}));
        let shown = format!("{config:?}");
        assert!(shown.contains("Authorization") && !shown.contains("hush"), "{shown}");
    }
}
