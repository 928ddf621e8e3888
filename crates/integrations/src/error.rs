//! Everything that can be wrong with a source, a query or an answer.

use thiserror::Error;

/// Why there is no number, and what to do about it. `at` is the address without its query, or the
/// program: no secret is in it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SourceError {
    /// Nobody answers there.
    #[error("{at} cannot be reached: {why}")]
    Unreachable {
        /// Where.
        at: String,
        /// What the system says.
        why: String,
    },
    /// The answer did not come in time.
    #[error(
        "{at} did not answer within {timeout_ms} ms; ask it for less, or set a longer `timeout`"
    )]
    Slow {
        /// Where.
        at: String,
        /// How long was waited.
        timeout_ms: u64,
    },
    /// The source asks to be left alone for a while, and is.
    #[error("{at} is asked too often, and not again for {retry_after_ms} ms")]
    TooManyRequests {
        /// Where.
        at: String,
        /// How long it is not asked.
        retry_after_ms: u64,
    },
    /// The source answered with a status that is no success.
    #[error("{at} refused with status {status}{}", after_colon(said))]
    Refused {
        /// Where.
        at: String,
        /// The status.
        status: u16,
        /// How the answer begins, or where it points.
        said: String,
    },
    /// A command did not do its work.
    #[error("{at} failed: {how}{}", after_colon(said))]
    Failed {
        /// The program.
        at: String,
        /// How it ended.
        how: String,
        /// The end of what it said on standard error.
        said: String,
    },
    /// The answer is not what was asked for.
    #[error("{at} answered with no number: {why}")]
    Nonsense {
        /// Where.
        at: String,
        /// What is wrong with the answer.
        why: String,
    },
    /// The query has more than one answer.
    #[error(
        "{at} has {count} series for the query, which must have one: {}; aggregate them with \
         sum() or name more labels", series.join(", ")
    )]
    Ambiguous {
        /// Where.
        at: String,
        /// How many there are.
        count: usize,
        /// The first of them, by the labels in which they differ.
        series: Vec<String>,
    },
    /// The source does not understand the query, or cannot compute it.
    #[error("{at} refuses the query: {why}")]
    Query {
        /// Where.
        at: String,
        /// What it says, with the place.
        why: String,
    },
    /// No series has such a metric.
    #[error("{at} has no metric {metric}{}", meant(near.as_ref()))]
    NoSuchMetric {
        /// Where.
        at: String,
        /// The name.
        metric: String,
        /// The name that was probably meant.
        near: Option<String>,
    },
    /// The query is sound, but nothing answers it.
    #[error("{at} has no data for {query}; check its labels, or whether they are collected yet")]
    NoData {
        /// Where.
        at: String,
        /// The query.
        query: String,
    },
    /// No such source is configured.
    #[error("there is no source {name}{}", meant(near.as_ref()))]
    NoSuchSource {
        /// The name.
        name: String,
        /// The name that was probably meant.
        near: Option<String>,
    },
    /// A query has a placeholder that nothing fills.
    #[error(
        "there is no placeholder {{{name}}}{}; to mean the text {{{name}}}, write {{{{{name}}}}}",
        meant(near.as_ref())
    )]
    NoSuchPlaceholder {
        /// What stands in the braces.
        name: String,
        /// The placeholder that was probably meant.
        near: Option<String>,
    },
    /// A name could change the meaning of the query that it is put into.
    #[error("{{{placeholder}}} is {value:?}, which could change the meaning of a query")]
    UnsafeName {
        /// The placeholder.
        placeholder: String,
        /// Its value.
        value: String,
    },
    /// The configuration of a source cannot work.
    #[error("the source {name} cannot be used: {why}")]
    Setup {
        /// The source.
        name: String,
        /// What must be changed.
        why: String,
    },
}

impl SourceError {
    /// Whether the same question may have an answer later, with nothing changed by people.
    pub fn may_pass(&self) -> bool {
        match self {
            SourceError::Unreachable { .. }
            | SourceError::Slow { .. }
            | SourceError::TooManyRequests { .. }
            | SourceError::Failed { .. }
            | SourceError::Nonsense { .. }
            | SourceError::NoData { .. } => true,
            SourceError::Refused { status, .. } => *status >= 500,
            SourceError::Ambiguous { .. }
            | SourceError::Query { .. }
            | SourceError::NoSuchMetric { .. }
            | SourceError::NoSuchSource { .. }
            | SourceError::NoSuchPlaceholder { .. }
            | SourceError::UnsafeName { .. }
            | SourceError::Setup { .. } => false,
        }
    }
}

fn after_colon(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said}") }
}

fn meant(near: Option<&String>) -> String {
    near.map(|near| format!("; did you mean {near}?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(error: &SourceError, may_pass: bool, expected: &str) {
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.may_pass(), may_pass, "{error}");
    }

    #[test]
    fn says_what_where_and_what_to_do() {
        let at = || "http://p".to_owned();
        let refused = |status| SourceError::Refused { at: at(), status, said: String::new() };
        check(&refused(401), false, "http://p refused with status 401");
        check(&refused(502), true, "http://p refused with status 502");
        let near = Some("release".to_owned());
        check(
            &SourceError::NoSuchPlaceholder { name: "relase".into(), near },
            false,
            "there is no placeholder {relase}; did you mean release?; to mean the text {relase}, \
             write {{relase}}",
        );
        check(
            &SourceError::NoSuchMetric { at: at(), metric: "x".into(), near: None },
            false,
            "http://p has no metric x",
        );
        let series = vec!["{a=\"1\"}".to_owned(), "{a=\"2\"}".to_owned()];
        check(
            &SourceError::Ambiguous { at: at(), count: 2, series },
            false,
            "http://p has 2 series for the query, which must have one: {a=\"1\"}, {a=\"2\"}; \
             aggregate them with sum() or name more labels",
        );
    }
}
