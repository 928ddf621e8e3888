//! Which question a path asks. Pure; what clients of all languages send ends up here.

use crate::percent::decode;
use std::borrow::Cow;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    /// One flag.
    Single(Cow<'a, str>),
    /// All flags.
    Bulk,
    /// The change stream.
    Events,
    /// Who serves what to whom; for this machine alone.
    Status,
    /// The same as numbers for Prometheus; for this machine alone.
    Metrics,
    /// Whether the server is well.
    Health,
    /// A key that is no text.
    BadKey,
    /// Nothing that is known here.
    Unknown,
}

const FLAGS: &str = "/ofrep/v1/evaluate/flags";

/// Reads a path. Some clients join their base address and the path with two slashes, and send
/// keys with slashes in them raw.
pub(crate) fn route(path: &str) -> Route<'_> {
    let slashes = path.len() - path.trim_start_matches('/').len();
    let path = if slashes > 1 { &path[slashes - 1..] } else { path };
    if let Some(rest) = path.strip_prefix(FLAGS) {
        return match rest.strip_prefix('/') {
            None if rest.is_empty() => Route::Bulk,
            Some("") => Route::Bulk,
            None => Route::Unknown,
            Some(key) => decode(key).map_or(Route::BadKey, Route::Single),
        };
    }
    match path {
        "/ofrep/v1/events" => Route::Events,
        "/ripcord/v1/flags/status" => Route::Status,
        "/metrics" => Route::Metrics,
        "/healthz" => Route::Health,
        _ => Route::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: &Route<'_>) {
        assert_eq!(&route(path), expected, "{path}");
    }

    #[test]
    fn paths() {
        let single = |key: &str| Route::Single(key.to_owned().into());
        check("/ofrep/v1/evaluate/flags", &Route::Bulk);
        check("/ofrep/v1/evaluate/flags/", &Route::Bulk);
        check("//ofrep/v1/evaluate/flags", &Route::Bulk);
        check("/ofrep/v1/evaluate/flags/a", &single("a"));
        check("//ofrep/v1/evaluate/flags/a", &single("a"));
        check("/ofrep/v1/evaluate/flags/a/b%20c", &single("a/b c"));
        check("/ofrep/v1/evaluate/flags/a%2Fb", &single("a/b"));
        check("/ofrep/v1/evaluate/flags/%C3%A9", &single("é"));
        check("/ofrep/v1/evaluate/flags/a+b", &single("a+b"));
        check("/ofrep/v1/evaluate/flags//", &single("/"));
        check("/ofrep/v1/evaluate/flags/%FF", &Route::BadKey);
        check("/ofrep/v1/evaluate/flags/%2", &Route::BadKey);
        check("/ofrep/v1/evaluate/flagsx", &Route::Unknown);
        check("/ofrep/v1/configuration", &Route::Unknown);
        check("/ofrep/v1/events", &Route::Events);
        check("/ripcord/v1/flags/status", &Route::Status);
        check("/healthz", &Route::Health);
        check("/metrics", &Route::Metrics);
        check("/", &Route::Unknown);
        check("", &Route::Unknown);
        check("*", &Route::Unknown);
    }
}
