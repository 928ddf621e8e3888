//! How the judge decides and what it looks at, as `ripcord.toml` says it. Defaults are not here:
//! what is left out keeps the default of the judge itself.

use crate::config::proportion::{Percent, Ratio};
use crate::config::quantity::{Count, Duration, PositiveDuration};
use crate::config::query::Query;
use crate::config::text::Name;
use schemars::JsonSchema;
use serde::Deserialize;
use std::ops::Range;
use toml::Spanned;

/// How the judge decides while two releases serve, and while one is watched alone.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Judge {
    /// Whether it takes a bad release back, only says so, or looks at nothing. Default "act". Since
    /// 0.2.
    pub(crate) mode: Mode,
    /// What it looks at; after 100 % and under blue-green only at errors. Default: both. Since 0.2.
    #[schemars(with = "Option<Vec<Compared>>")]
    pub(crate) metrics: Option<Spanned<Vec<Compared>>>,
    /// How often a release that is no worse may be taken back, over its whole rollout and all
    /// metrics. Default "1%". Since 0.2.
    #[schemars(with = "Option<Percent<1, 200_000>>")]
    pub(crate) alpha: Option<Spanned<Percent<1, 200_000>>>,
    /// How many times as many errors as the release before are no reason to go back. Default 1.25.
    /// Since 0.2.
    #[schemars(with = "Option<Ratio>")]
    pub(crate) tolerated_ratio: Option<Spanned<Ratio>>,
    /// How much slower than the release before is no reason to go back. Default "5%". Since 0.2.
    #[schemars(with = "Option<Percent<1_000, 1_000_000>>")]
    pub(crate) latency_tolerance: Option<Spanned<Percent<1_000, 1_000_000>>>,
    /// An analysis ends well once the release is shown to have fewer than this many times the
    /// errors of the one before. Default 2.0. Since 0.2.
    #[schemars(with = "Option<Ratio>")]
    pub(crate) promote_ratio: Option<Spanned<Ratio>>,
    /// How sure that must be. Default "95%". Since 0.2.
    #[schemars(with = "Option<Percent<500_000, 999_999>>")]
    pub(crate) promote_confidence: Option<Spanned<Percent<500_000, 999_999>>>,
    /// How long latency does not count after the start, since caches are cold; "0s": it counts
    /// from the first request. Default "30s". Since 0.2.
    #[schemars(with = "Option<Duration>")]
    pub(crate) burn_in: Option<Spanned<Duration>>,
    /// Whether errors do not count either for so long, for services that are known to fail while
    /// they warm up. Default false. Since 0.2.
    #[schemars(with = "bool")]
    pub(crate) burn_in_errors: Option<Spanned<bool>>,
    /// How long nothing may be known before `on_blind` happens. Default "10m". Since 0.2.
    #[schemars(with = "Option<PositiveDuration>")]
    pub(crate) blind_timeout: Option<Spanned<PositiveDuration>>,
    /// What happens when nothing is known for too long. Default "pause". Since 0.2.
    #[schemars(with = "Option<Blind>")]
    pub(crate) on_blind: Option<Spanned<Blind>>,
    /// How long both releases may fail together: then a release that may have caused it goes back,
    /// and for any other a person is asked. Default "10m". Since 0.2.
    #[schemars(with = "Option<PositiveDuration>")]
    pub(crate) outage_timeout: Option<Spanned<PositiveDuration>>,
    /// A fixed limit: the most failed answers. Default: none. Since 0.2.
    pub(crate) max_error_rate: Option<Percent<1, 1_000_000>>,
    /// A fixed limit: what at most one answer in a hundred may exceed. Default: none. Since 0.2.
    pub(crate) max_p99: Option<PositiveDuration>,
    /// An objective, such as "99.9%" of good answers, whose budget must not burn too fast. Default:
    /// none while releases are compared, and one from the release's history after that. Since 0.2.
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
    /// It looks at nothing: shares are counted out to the request, not drawn. A release that
    /// crashes goes back all the same.
    Off,
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

    /// Whether there is anything that it looks at.
    pub(super) fn looks(&self) -> bool {
        let own = self.metrics.as_ref().is_none_or(|metrics| !metrics.get_ref().is_empty());
        self.mode != Mode::Off && (own || !self.metric.is_empty() || self.has_limits())
    }

    /// The first key that only a comparison of two releases knows what to do with.
    pub(super) fn comparing_key(&self) -> Option<(&'static str, Range<usize>)> {
        fn span<T>(key: Option<&Spanned<T>>) -> Option<Range<usize>> {
            key.map(Spanned::span)
        }
        let keys = [
            ("alpha", span(self.alpha.as_ref())),
            ("tolerated_ratio", span(self.tolerated_ratio.as_ref())),
            ("latency_tolerance", span(self.latency_tolerance.as_ref())),
            ("promote_ratio", span(self.promote_ratio.as_ref())),
            ("promote_confidence", span(self.promote_confidence.as_ref())),
            ("burn_in", span(self.burn_in.as_ref())),
            ("burn_in_errors", span(self.burn_in_errors.as_ref())),
            ("blind_timeout", span(self.blind_timeout.as_ref())),
            ("on_blind", span(self.on_blind.as_ref())),
            ("outage_timeout", span(self.outage_timeout.as_ref())),
            ("metric", span(self.metric.first())),
        ];
        keys.into_iter().find_map(|(key, span)| Some((key, span?)))
    }

    /// Where it says that latency is compared, if it does.
    pub(super) fn compares_latency(&self) -> Option<Range<usize>> {
        let metrics = self.metrics.as_ref()?;
        metrics.get_ref().contains(&Compared::Latency).then(|| metrics.span())
    }

    /// Whether there is any fixed limit.
    pub(super) fn has_limits(&self) -> bool {
        self.has_windows() || self.slo.is_some()
    }
}
