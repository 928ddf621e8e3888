//! How the judge decides and what it looks at, as `ripcord.toml` says it. Defaults are not here:
//! what is left out keeps the default of the judge itself.

use crate::config::proportion::{Percent, Ratio};
use crate::config::quantity::{Count, Duration, PositiveDuration};
use crate::config::query::Query;
use crate::config::text::Name;
use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

/// How the judge decides while two releases serve.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Judge {
    /// Whether it takes a bad release back, or only says so. Default "act". Since 0.2.
    pub(crate) mode: Mode,
    /// What it compares. Default: both. Since 0.2.
    #[schemars(with = "Option<Vec<Compared>>")]
    pub(crate) metrics: Option<Spanned<Vec<Compared>>>,
    /// How often a release that is no worse may be taken back, over its whole rollout and all
    /// metrics. Default "1%". Since 0.2.
    pub(crate) alpha: Option<Percent<1, 200_000>>,
    /// How many times as many errors as the release before are no reason to go back. Default 1.25.
    /// Since 0.2.
    #[schemars(with = "Option<Ratio>")]
    pub(crate) tolerated_ratio: Option<Spanned<Ratio>>,
    /// How much slower than the release before is no reason to go back. Default "5%". Since 0.2.
    pub(crate) latency_tolerance: Option<Percent<1_000, 1_000_000>>,
    /// An analysis ends well once the release is shown to have fewer than this many times the
    /// errors of the one before. Default 2.0. Since 0.2.
    #[schemars(with = "Option<Ratio>")]
    pub(crate) promote_ratio: Option<Spanned<Ratio>>,
    /// How sure that must be. Default "95%". Since 0.2.
    pub(crate) promote_confidence: Option<Percent<500_000, 999_999>>,
    /// How long latency does not count after the start, since caches are cold; "0s": it counts
    /// from the first request. Default "30s". Since 0.2.
    pub(crate) burn_in: Option<Duration>,
    /// Whether errors do not count either for so long, for services that are known to fail while
    /// they warm up. Default false. Since 0.2.
    #[schemars(with = "bool")]
    pub(crate) burn_in_errors: Option<Spanned<bool>>,
    /// How long nothing may be known before `on_blind` happens. Default "10m". Since 0.2.
    pub(crate) blind_timeout: Option<PositiveDuration>,
    /// What happens when nothing is known for too long. Default "pause". Since 0.2.
    pub(crate) on_blind: Blind,
    /// A fixed limit: the most failed answers. Default: none. Since 0.2.
    pub(crate) max_error_rate: Option<Percent<1, 1_000_000>>,
    /// A fixed limit: what at most one answer in a hundred may exceed. Default: none. Since 0.2.
    pub(crate) max_p99: Option<PositiveDuration>,
    /// An objective, such as "99.9%" of good answers, whose budget must not burn too fast.
    /// Default: none. Since 0.2.
    pub(crate) slo: Option<Percent<500_000, 999_999>>,
    /// How many windows in a row must be over `max_error_rate` or `max_p99`. Default 3. Since 0.2.
    #[schemars(with = "Option<Count>")]
    pub(crate) consecutive: Option<Spanned<Count>>,
    /// How long a window is. Default "1m". Since 0.2.
    #[schemars(with = "Option<PositiveDuration>")]
    pub(crate) window: Option<Spanned<PositiveDuration>>,
    /// Metrics from other sources. Since 0.2.
    #[schemars(with = "Vec<Metric>")]
    pub(crate) metric: Vec<Spanned<Metric>>,
}

/// Whether the judge acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    /// It takes a bad release back.
    #[default]
    Act,
    /// It shows and records what it finds; people act.
    Observe,
}

/// What the judge compares by the requests themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Compared {
    /// Failed answers.
    Errors,
    /// How long answers take.
    Latency,
}

/// What happens when nothing is known for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Blind {
    /// A person is asked.
    #[default]
    Pause,
    /// The release is taken back.
    GoBack,
}

/// A metric from another source: either `errors` and `requests`, which only grow, or `value`.
/// Queries say `{release}` where the release stands, and may say `{stable}`, `{environment}` and
/// `{window}`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Metric {
    /// Its name. Since 0.2.
    #[schemars(with = "Name")]
    pub(crate) name: Spanned<Name>,
    /// The source, one of `[metrics.sources]`. Since 0.2.
    #[schemars(with = "Name")]
    pub(crate) source: Spanned<Name>,
    /// The query for all bad events so far. Since 0.2.
    #[schemars(with = "Option<Query>")]
    pub(crate) errors: Option<Spanned<Query>>,
    /// The query for all events so far. Since 0.2.
    #[schemars(with = "Option<Query>")]
    pub(crate) requests: Option<Spanned<Query>>,
    /// The query for a value of the moment. Since 0.2.
    #[schemars(with = "Option<Query>")]
    pub(crate) value: Option<Spanned<Query>>,
    /// Which values are worse. Default "higher". Since 0.2.
    #[schemars(with = "Option<Worse>")]
    pub(crate) worse: Option<Spanned<Worse>>,
    /// How often it is read. Default "30s". Since 0.2.
    #[schemars(with = "Option<PositiveDuration>")]
    pub(crate) every: Option<Spanned<PositiveDuration>>,
}

/// Which values of a metric are worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Worse {
    /// Such as a queue that grows.
    #[default]
    Higher,
    /// Such as orders per minute.
    Lower,
}

impl Judge {
    /// Whether there is a fixed limit that is looked at window by window.
    pub(super) fn has_windows(&self) -> bool {
        self.max_error_rate.is_some() || self.max_p99.is_some()
    }

    /// Whether there is any fixed limit.
    pub(super) fn has_limits(&self) -> bool {
        self.has_windows() || self.slo.is_some()
    }
}
