//! Where metrics beside the requests come from, as `ripcord.toml` says it. Nothing is asked here,
//! and no secret is read: whoever asks gives a way to read them.

use crate::config::quantity::PositiveDuration;
use crate::config::query::{Argv, Url};
use crate::config::text::{Name, UrlPath};
use crate::config::variable::{Secret, Variable};
use ripcord_integrations::{Method as Asked, SourceConfig};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ops::Range;
use toml::Spanned;

/// The longest that an answer may take when nobody says.
const TIMEOUT_MS: u64 = 10_000;

/// Reads the secret that a reference stands for; an error says why it cannot.
pub(crate) type ReadSecret<'a> = &'a dyn Fn(&str) -> Result<String, String>;

/// Where metrics beside the requests come from.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Metrics {
    /// The sources, by name. Since 0.2.
    #[schemars(with = "BTreeMap<Name, Source>")]
    pub(crate) sources: BTreeMap<Name, Spanned<Source>>,
}

/// A source of metrics.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Source {
    /// What it is. Since 0.2.
    #[serde(rename = "type")]
    pub(crate) kind: SourceKind,
    /// The address of a `prometheus` server, or of a `web` service, where `{query}` stands for the
    /// query. Since 0.2.
    #[schemars(with = "Option<Url>")]
    pub(crate) url: Option<Spanned<Url>>,
    /// The token of a `Authorization: Bearer` header, as a reference to a secret. Since 0.2.
    #[schemars(with = "Option<Secret>")]
    pub(crate) bearer: Option<Spanned<Secret>>,
    /// Headers of each request; a secret is written as a reference. Since 0.2.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, Variable>,
    /// How a `web` service is asked. Default "GET". Since 0.2.
    #[schemars(with = "Option<Method>")]
    pub(crate) method: Option<Spanned<Method>>,
    /// What a `web` service is sent, as JSON; `{query}` in it stands for the query. Since 0.2.
    #[schemars(with = "Option<serde_json::Value>")]
    pub(crate) body: Option<Spanned<serde_json::Value>>,
    /// Where in the answer of a `web` service the number is, as a JSON pointer: "/data/0/value".
    /// Since 0.2.
    #[schemars(with = "Option<UrlPath>")]
    pub(crate) pointer: Option<Spanned<UrlPath>>,
    /// The program and arguments of a `command`, run without a shell; `{query}` stands for the
    /// query. Its first number on standard output is the answer. Since 0.2.
    #[schemars(with = "Option<Argv>")]
    pub(crate) command: Option<Spanned<Argv>>,
    /// The longest that an answer may take, at most "60s". Default "10s". Since 0.2.
    #[schemars(with = "Option<PositiveDuration>")]
    pub(crate) timeout: Option<Spanned<PositiveDuration>>,
}

/// What a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SourceKind {
    /// A Prometheus server, or what speaks its query interface.
    Prometheus,
    /// A service that answers with JSON.
    Web,
    /// A command that prints a number.
    Command,
}

/// How a web service is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Method {
    /// Without a body.
    Get,
    /// With a body.
    Post,
}

impl Source {
    /// What it is, for those who ask it.
    pub(crate) fn resolve(&self, secret: ReadSecret<'_>) -> Result<SourceConfig, String> {
        let timeout_ms = self.timeout.as_ref().map_or(TIMEOUT_MS, |timeout| timeout.get_ref().ms);
        let missing = |key: &str| format!("the key `{key}` is missing");
        let url = || self.url.as_ref().map(|url| url.get_ref().as_str().to_owned());
        Ok(match self.kind {
            SourceKind::Prometheus => SourceConfig::Prometheus {
                url: url().ok_or_else(|| missing("url"))?,
                headers: self.all_headers(secret)?.into(),
                timeout_ms,
            },
            SourceKind::Web => SourceConfig::Web {
                url: url().ok_or_else(|| missing("url"))?,
                method: match self.method.as_ref().map(Spanned::get_ref) {
                    Some(Method::Post) => Asked::Post,
                    Some(Method::Get) | None => Asked::Get,
                },
                headers: self.all_headers(secret)?.into(),
                body: self.body.as_ref().map(|body| body.get_ref().clone()),
                pointer: match &self.pointer {
                    Some(pointer) => pointer.get_ref().as_str().to_owned(),
                    None => return Err(missing("pointer")),
                },
                timeout_ms,
            },
            SourceKind::Command => SourceConfig::Command {
                argv: match &self.command {
                    Some(command) => command.get_ref().words().to_vec(),
                    None => return Err(missing("command")),
                },
                timeout_ms,
            },
        })
    }

    /// The references to the secrets that it needs.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        let headers = self.headers.values().filter_map(|value| match value {
            Variable::Secret(reference) => Some(reference.as_str()),
            Variable::Plain(_) => None,
        });
        headers.chain(self.bearer.iter().map(|bearer| bearer.get_ref().reference()))
    }

    fn all_headers(&self, secret: ReadSecret<'_>) -> Result<BTreeMap<String, String>, String> {
        let mut headers = BTreeMap::new();
        for (name, value) in &self.headers {
            let value = match value {
                Variable::Plain(text) => text.clone(),
                Variable::Secret(reference) => secret(reference)?,
            };
            headers.insert(name.clone(), value);
        }
        if let Some(bearer) = &self.bearer {
            let token = secret(bearer.get_ref().reference())?;
            headers.insert("Authorization".to_owned(), format!("Bearer {token}"));
        }
        Ok(headers)
    }

    /// The first key that a source of this kind does not have, with its place.
    pub(super) fn foreign_key(&self) -> Option<(&'static str, Range<usize>)> {
        let web = self.kind == SourceKind::Web;
        let command = self.kind == SourceKind::Command;
        let span = |foreign: bool, span: Option<Range<usize>>| span.filter(|_| foreign);
        let keys = [
            ("url", span(command, self.url.as_ref().map(Spanned::span))),
            ("bearer", span(command, self.bearer.as_ref().map(Spanned::span))),
            ("method", span(!web, self.method.as_ref().map(Spanned::span))),
            ("body", span(!web, self.body.as_ref().map(Spanned::span))),
            ("pointer", span(!web, self.pointer.as_ref().map(Spanned::span))),
            ("command", span(!command, self.command.as_ref().map(Spanned::span))),
        ];
        keys.into_iter().find_map(|(key, span)| Some((key, span?)))
    }
}
