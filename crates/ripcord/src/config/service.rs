//! Flags at other people's services, as `ripcord.toml` says it: which belong to a release, and
//! where an environment finds them. Nothing is asked here, and no secret is read.

use crate::config::quantity::PositiveDuration;
use crate::config::query::Url;
use crate::config::text::Words;
use crate::config::variable::Secret;
use ripcord_core::flag::ServiceKind;
use ripcord_core::model::ids::Millis;
use schemars::JsonSchema;
use serde::Deserialize;
use std::ops::Range;
use toml::Spanned;

/// The longest that a service may take to answer.
const TIMEOUT_MS: Millis = 5_000;

/// A flag at a service that comes with this release.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FlagAtService {
    /// What a deploy makes it. Default: as it is. Since 0.3.
    pub(crate) want: Option<Switch>,
    /// The version of the migration without which it must not be on. Since 0.3.
    pub(crate) requires_schema: Option<u64>,
}

/// What a flag can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Switch {
    /// Switched on; at `ConfigCat`, true for everybody.
    On,
    /// Off for everybody.
    Off,
}

/// Where an environment's flags are at somebody else's service.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServiceTable {
    /// Which service it is. Since 0.3.
    #[serde(rename = "type")]
    pub(crate) kind: ServiceWord,
    /// The address of its interface. Default: `https://app.launchdarkly.com` or
    /// `https://api.configcat.com`. Since 0.3.
    pub(crate) url: Option<Url>,
    /// The key of the project at `launchdarkly`. Since 0.3.
    #[schemars(with = "Option<Words>")]
    pub(crate) project: Option<Spanned<Words>>,
    /// The key of the environment at `launchdarkly`. Since 0.3.
    #[schemars(with = "Option<Words>")]
    pub(crate) environment: Option<Spanned<Words>>,
    /// The personal or service token for `launchdarkly`, as a reference to a secret. Since 0.3.
    #[schemars(with = "Option<Secret>")]
    pub(crate) token: Option<Spanned<Secret>>,
    /// The credentials of the public interface of `configcat`, `user:password`, as a reference to a
    /// secret. Since 0.3.
    #[schemars(with = "Option<Secret>")]
    pub(crate) credentials: Option<Spanned<Secret>>,
    /// The SDK key of the environment at `configcat`, as a reference to a secret. Since 0.3.
    #[schemars(with = "Option<Secret>")]
    pub(crate) sdk_key: Option<Spanned<Secret>>,
    /// How long until clients have a change; waited for before a schema goes from under a flag.
    /// Default "2s" for `launchdarkly`, "60s" for `configcat`. Since 0.3.
    pub(crate) settle: Option<PositiveDuration>,
    /// The longest that an answer may take. Default "5s". Since 0.3.
    pub(crate) timeout: Option<PositiveDuration>,
}

/// The services that Ripcord knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ServiceWord {
    /// `LaunchDarkly`.
    LaunchDarkly,
    /// `ConfigCat`.
    ConfigCat,
}

/// A service, with every default filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServiceSettings {
    /// Where its interface is.
    pub(crate) url: String,
    /// Whose flags, with references to the secrets that it takes.
    pub(crate) account: Account,
    /// How long until clients have a change.
    pub(crate) settle_ms: Millis,
    /// The longest that an answer may take.
    pub(crate) timeout_ms: Millis,
}

/// Whose flags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Account {
    /// An environment of a project.
    LaunchDarkly { project: String, environment: String, token: String },
    /// An environment of a configuration.
    ConfigCat { credentials: String, sdk_key: String },
}

impl ServiceSettings {
    /// Which service it is.
    pub(crate) fn kind(&self) -> ServiceKind {
        match self.account {
            Account::LaunchDarkly { .. } => ServiceKind::LaunchDarkly,
            Account::ConfigCat { .. } => ServiceKind::ConfigCat,
        }
    }
}

impl ServiceTable {
    /// The service with its defaults; an error names the key that is missing.
    pub(super) fn resolve(&self) -> Result<ServiceSettings, &'static str> {
        let words = |words: &Option<Spanned<Words>>, key| {
            let found = words.as_ref().map(|words| words.get_ref().as_str().to_owned());
            found.ok_or(key)
        };
        let secret = |secret: &Option<Spanned<Secret>>, key| {
            let found = secret.as_ref().map(|secret| secret.get_ref().reference().to_owned());
            found.ok_or(key)
        };
        let (url, account) = match self.kind {
            ServiceWord::LaunchDarkly => (
                "https://app.launchdarkly.com",
                Account::LaunchDarkly {
                    project: words(&self.project, "project")?,
                    environment: words(&self.environment, "environment")?,
                    token: secret(&self.token, "token")?,
                },
            ),
            ServiceWord::ConfigCat => (
                "https://api.configcat.com",
                Account::ConfigCat {
                    credentials: secret(&self.credentials, "credentials")?,
                    sdk_key: secret(&self.sdk_key, "sdk_key")?,
                },
            ),
        };
        let url = self.url.as_ref().map_or(url, Url::as_str).trim_end_matches('/').to_owned();
        let mut settings = ServiceSettings { url, account, settle_ms: 0, timeout_ms: TIMEOUT_MS };
        settings.settle_ms = settings.kind().settles_ms();
        if let Some(settle) = self.settle {
            settings.settle_ms = settle.ms;
        }
        if let Some(timeout) = self.timeout {
            settings.timeout_ms = timeout.ms;
        }
        Ok(settings)
    }

    /// The references to the secrets that it needs.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        let written = [&self.token, &self.credentials, &self.sdk_key].into_iter().flatten();
        written.map(|secret| secret.get_ref().reference())
    }

    /// The first key that a service of this kind does not have, with its place.
    pub(super) fn foreign_key(&self) -> Option<(&'static str, Range<usize>)> {
        let words = |one: &Option<Spanned<Words>>| one.as_ref().map(Spanned::span);
        let secret = |one: &Option<Spanned<Secret>>| one.as_ref().map(Spanned::span);
        let keys = match self.kind {
            ServiceWord::LaunchDarkly => {
                vec![("credentials", secret(&self.credentials)), ("sdk_key", secret(&self.sdk_key))]
            }
            ServiceWord::ConfigCat => vec![
                ("project", words(&self.project)),
                ("environment", words(&self.environment)),
                ("token", secret(&self.token)),
            ],
        };
        keys.into_iter().find_map(|(key, span)| Some((key, span?)))
    }
}
