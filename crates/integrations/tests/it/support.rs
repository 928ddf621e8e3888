//! What several tests use.

use ripcord_integrations::{SourceConfig, SourceError, Sources};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

/// The name of the one source of [`sources`].
pub(crate) const NAME: &str = "metrics";

/// One source, as its configuration is written.
pub(crate) fn sources(config: Value) -> Sources {
    let config: SourceConfig = serde_json::from_value(config).unwrap();
    Sources::new(BTreeMap::from([(NAME.to_owned(), config)])).unwrap()
}

/// A Prometheus at this address.
pub(crate) fn prometheus(url: &str) -> Sources {
    sources(json!({"prometheus": {"url": url, "timeout_ms": 5_000}}))
}

/// Asks it.
pub(crate) fn read(sources: &Sources, query: &str) -> Result<Option<f64>, SourceError> {
    sources.read(NAME, query, 0)
}

/// Tries it out.
pub(crate) fn try_out(sources: &Sources, query: &str) -> Result<Option<f64>, SourceError> {
    sources.try_out(NAME, query, 0)
}

/// Waits until something holds, for ten seconds at most.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(10), "waited in vain: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
