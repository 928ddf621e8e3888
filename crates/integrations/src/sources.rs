//! All sources by name. The one place that remembers which of them asked to be left alone.

use crate::command::Script;
use crate::config::SourceConfig;
use crate::error::SourceError;
use crate::near::nearest;
use crate::prometheus::Prometheus;
use crate::web::Web;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// The longest that a source may be waited for.
const TIMEOUT_MS_MAX: u64 = 60_000;

/// The configured sources. They may be asked from several threads at once.
#[derive(Debug, Default)]
pub struct Sources {
    by_name: BTreeMap<String, Entry>,
}

/// Which times of the past are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Past {
    /// The latest of them, in seconds since 1970.
    pub end_s: u64,
    /// How far they are apart, in seconds.
    pub step_s: u64,
    /// How many there are.
    pub count: u64,
}

#[derive(Debug)]
struct Entry {
    source: Source,
    /// Before this moment of the caller's clock it is not asked.
    quiet_until_ms: AtomicU64,
}

#[derive(Debug)]
enum Source {
    Prometheus(Prometheus),
    Web(Web),
    Command(Script),
}

impl Sources {
    /// Prepares the sources; asks none.
    ///
    /// # Errors
    ///
    /// [`SourceError::Setup`] when one of them could never answer.
    pub fn new(configs: BTreeMap<String, SourceConfig>) -> Result<Sources, SourceError> {
        let entry = |(name, config): (String, SourceConfig)| match Source::new(config) {
            Ok(source) => Ok((name, Entry { source, quiet_until_ms: AtomicU64::new(0) })),
            Err(why) => Err(SourceError::Setup { name, why }),
        };
        Ok(Sources { by_name: configs.into_iter().map(entry).collect::<Result<_, _>>()? })
    }

    /// Asks a source once, for as long as its timeout allows. `Ok(None)` says that it answered and
    /// has no data. `now_ms` is any clock of the caller's that never goes back; it is only used to
    /// leave a source alone that asked for it.
    ///
    /// # Errors
    ///
    /// When there is no such source, or no usable answer.
    pub fn read(&self, source: &str, query: &str, now_ms: u64) -> Result<Option<f64>, SourceError> {
        self.ask(source, now_ms, |source| match source {
            Source::Prometheus(prometheus) => prometheus.read(query),
            Source::Web(web) => web.read(query),
            Source::Command(command) => command.read(query),
        })
    }

    /// Asks a source while a plan is made, when a person can still mend the query: a misspelt
    /// metric or an empty answer is an error. `Ok(None)` is left to Prometheus alone, for a series
    /// that has no number yet, such as a share of no requests. Ask for a release that serves.
    ///
    /// # Errors
    ///
    /// When there is no such source, no usable answer, or no data.
    pub fn try_out(
        &self,
        source: &str,
        query: &str,
        now_ms: u64,
    ) -> Result<Option<f64>, SourceError> {
        self.ask(source, now_ms, |source| {
            let number = match source {
                Source::Prometheus(prometheus) => return prometheus.try_out(query),
                Source::Web(web) => web.read(query)?,
                Source::Command(command) => command.read(query)?,
            };
            let no_data =
                || SourceError::NoData { at: source.place().to_owned(), query: query.to_owned() };
            number.map(Some).ok_or_else(no_data)
        })
    }

    /// What a source remembers of the answers to a query, oldest first; `Ok(None)` says that a
    /// source of this kind remembers nothing. Times without a number are left out.
    ///
    /// # Errors
    ///
    /// As [`Sources::read`].
    pub fn history(
        &self,
        source: &str,
        query: &str,
        now_ms: u64,
        past: Past,
    ) -> Result<Option<Vec<f64>>, SourceError> {
        self.ask(source, now_ms, |source| match source {
            Source::Prometheus(prometheus) => prometheus.history(query, past).map(Some),
            Source::Web(_) | Source::Command(_) => Ok(None),
        })
    }

    fn ask<T>(
        &self,
        name: &str,
        now_ms: u64,
        question: impl FnOnce(&Source) -> Result<T, SourceError>,
    ) -> Result<T, SourceError> {
        let entry = self.by_name.get(name).ok_or_else(|| {
            let near = nearest(name, self.by_name.keys().map(String::as_str)).map(str::to_owned);
            SourceError::NoSuchSource { name: name.to_owned(), near }
        })?;
        let quiet_ms = entry.quiet_until_ms.load(Ordering::Acquire).saturating_sub(now_ms);
        if quiet_ms > 0 {
            let at = entry.source.place().to_owned();
            return Err(SourceError::TooManyRequests { at, retry_after_ms: quiet_ms });
        }
        let began = Instant::now();
        let answer = question(&entry.source);
        if let Err(SourceError::TooManyRequests { retry_after_ms, .. }) = &answer {
            // It asked for this at the end of the request, which may have taken a while.
            let spent_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            let until_ms = now_ms.saturating_add(spent_ms).saturating_add(*retry_after_ms);
            entry.quiet_until_ms.fetch_max(until_ms, Ordering::AcqRel);
        }
        answer
    }
}

impl Source {
    fn new(config: SourceConfig) -> Result<Source, String> {
        let (SourceConfig::Prometheus { timeout_ms, .. }
        | SourceConfig::Web { timeout_ms, .. }
        | SourceConfig::Command { timeout_ms, .. }) = &config;
        if !(1..=TIMEOUT_MS_MAX).contains(timeout_ms) {
            return Err(format!("`timeout_ms` must be 1 to {TIMEOUT_MS_MAX}, not {timeout_ms}"));
        }
        Ok(match config {
            SourceConfig::Prometheus { url, headers, timeout_ms } => {
                Source::Prometheus(Prometheus::new(&url, headers, timeout_ms)?)
            }
            SourceConfig::Web { url, method, headers, body, pointer, timeout_ms } => {
                Source::Web(Web::new(url, method, headers, body, pointer, timeout_ms)?)
            }
            SourceConfig::Command { argv, timeout_ms } => {
                Source::Command(Script::new(argv, timeout_ms)?)
            }
        })
    }

    fn place(&self) -> &str {
        match self {
            Source::Prometheus(prometheus) => prometheus.place(),
            Source::Web(web) => web.place(),
            Source::Command(command) => command.place(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Headers;

    fn script(argv: &[&str], timeout_ms: u64) -> SourceConfig {
        SourceConfig::Command { argv: argv.iter().map(ToString::to_string).collect(), timeout_ms }
    }

    #[test]
    fn names_what_is_not_configured() {
        let sources =
            Sources::new(BTreeMap::from([("metrics".to_owned(), script(&["true"], 1))])).unwrap();
        let check = |name: &str, near: Option<&str>| {
            let (name_owned, near) = (name.to_owned(), near.map(str::to_owned));
            let expected = SourceError::NoSuchSource { name: name_owned, near };
            assert_eq!(sources.read(name, "q", 0), Err(expected.clone()));
            assert_eq!(sources.try_out(name, "q", 0), Err(expected));
        };
        check("metrcs", Some("metrics"));
        check("datadog", None);
    }

    #[test]
    fn what_could_never_answer_is_refused() {
        let check = |config: SourceConfig, part: &str| {
            let error = Sources::new(BTreeMap::from([("m".to_owned(), config)])).unwrap_err();
            assert!(error.to_string().starts_with("the source m cannot be used: "), "{error}");
            assert!(error.to_string().contains(part), "{error}");
        };
        check(script(&["true"], 0), "timeout_ms");
        check(script(&["true"], 60_001), "timeout_ms");
        check(script(&[], 1_000), "argv");
        let prometheus = |url: &str| SourceConfig::Prometheus {
            url: url.into(),
            headers: Headers::default(),
            timeout_ms: 1,
        };
        check(prometheus("http://p/?a=b"), "/api/v1");
        check(prometheus("p:9090"), "http://");
    }

    #[test]
    fn may_be_shared_between_threads() {
        fn shared<T: Send + Sync>() {}
        shared::<Sources>();
    }
}
