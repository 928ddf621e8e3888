//! Prometheus, by its interface for instant queries.
//!
//! Not a number is what 0/0 gives, a share of no requests: no data. Infinity is nonsense. A query
//! must have one answer; which of several is meant is not guessed. An answer that the server
//! itself calls partial is no answer.

use crate::config::Headers;
use crate::error::SourceError;
use crate::http::{ANSWER_BYTES_MAX, Answer, Http};
use crate::near::nearest;
use crate::promql;
use crate::sources::Past;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use std::collections::{BTreeMap, BTreeSet};

/// The largest list of metrics that is read to find a misspelt one.
const NAMES_BYTES_MAX: u64 = 4_000_000;

/// How many series an error shows.
const SERIES_SHOWN: usize = 3;

/// How much of a query is shown on each side of an error in it.
const CONTEXT_CHARS: usize = 60;

/// A server.
#[derive(Debug)]
pub(crate) struct Prometheus {
    http: Http,
    base: String,
}

/// What a query found.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Found {
    /// A number.
    Number(f64),
    /// A series whose value is none, such as a share of no requests.
    NotANumber,
    /// No series.
    Nothing,
}

impl Prometheus {
    /// A server at this address, or what is wrong with the settings.
    pub(crate) fn new(url: &str, headers: Headers, timeout_ms: u64) -> Result<Prometheus, String> {
        if url.contains(['?', '#']) {
            return Err("`url` must end with the path before /api/v1".into());
        }
        let base = url.trim_end_matches('/').to_owned();
        Ok(Prometheus { http: Http::new(&base, headers, timeout_ms)?, base })
    }

    /// Where it is, for errors.
    pub(crate) fn place(&self) -> &str {
        self.http.place()
    }

    /// The number that answers a query; none when there is no series, or it is no number.
    pub(crate) fn read(&self, query: &str) -> Result<Option<f64>, SourceError> {
        Ok(match self.ask(query)? {
            Found::Number(number) => Some(number),
            Found::NotANumber | Found::Nothing => None,
        })
    }

    /// Like [`Prometheus::read`], but a query without an answer is an error, and so is a metric
    /// that looks misspelt even where the rest of the query has an answer: `erors or vector(0)`
    /// would say for ever that there are no errors.
    pub(crate) fn try_out(&self, query: &str) -> Result<Option<f64>, SourceError> {
        let found = self.ask(query)?;
        for (metric, near) in self.unknown(query)? {
            let misspelt = near.as_ref().is_some_and(|near| !siblings(metric, near));
            if misspelt || found == Found::Nothing {
                let (at, metric) = (self.place().to_owned(), metric.to_owned());
                return Err(SourceError::NoSuchMetric { at, metric, near });
            }
        }
        match found {
            Found::Number(number) => Ok(Some(number)),
            Found::NotANumber => Ok(None),
            Found::Nothing => {
                let (at, query) = (self.place().to_owned(), query.to_owned());
                Err(SourceError::NoData { at, query })
            }
        }
    }

    /// The numbers that answered a query in the past, oldest first; empty when there is no series.
    pub(crate) fn history(&self, query: &str, past: Past) -> Result<Vec<f64>, SourceError> {
        let Past { end_s, step_s, count } = past;
        let start_s = end_s.saturating_sub(step_s.saturating_mul(count.saturating_sub(1)));
        let query_encoded = crate::web::encode(query);
        let url = format!(
            "{}/api/v1/query_range?query={query_encoded}&start={start_s}&end={end_s}&step={step_s}",
            self.base
        );
        let answer = self.http.get(&url, ANSWER_BYTES_MAX)?;
        let reply: Reply<Matrix> = self.parse(&answer, query)?;
        let matrix = reply.data.ok_or_else(|| self.http.nonsense("there is no data in it"))?;
        let Some(series) = matrix.result.first() else { return Ok(Vec::new()) };
        if matrix.result.len() > 1 {
            return Err(self.ambiguous(&matrix.result));
        }
        let numbers = series.values.iter().filter_map(|(_, text)| text.parse::<f64>().ok());
        Ok(numbers.filter(|number| number.is_finite()).collect())
    }

    fn ask(&self, query: &str) -> Result<Found, SourceError> {
        let url = format!("{}/api/v1/query?query={}", self.base, crate::web::encode(query));
        let answer = self.http.get(&url, ANSWER_BYTES_MAX)?;
        let reply: Reply<Data> = self.parse(&answer, query)?;
        // Notes on a query begin with this word; other warnings say that a part is missing.
        if let Some(warning) = reply.warnings.iter().find(|text| !text.starts_with("PromQL")) {
            return Err(self.http.nonsense(format!("the answer is partial: {warning}")));
        }
        let text = match reply.data {
            Some(Data::Vector(series)) => match series.as_slice() {
                [] => return Ok(Found::Nothing),
                [Series { value: Some((_, value)), .. }] => value.clone(),
                [_] => return Err(self.http.nonsense("it is a histogram; ask for a number of it")),
                several => return Err(self.ambiguous(several)),
            },
            Some(Data::Scalar((_, value))) => value,
            Some(Data::Matrix(_) | Data::String(_)) | None => {
                return Err(self.http.nonsense("the query asks for a range or a text"));
            }
        };
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Found::Number(number)),
            Ok(number) if number.is_nan() => Ok(Found::NotANumber),
            _ => Err(self.http.nonsense(format!("the value is {text}"))),
        }
    }

    /// The metrics of a query that the server does not know, each with the one probably meant.
    fn unknown<'a>(&self, query: &'a str) -> Result<Vec<(&'a str, Option<String>)>, SourceError> {
        let url = format!("{}/api/v1/label/__name__/values", self.base);
        let names = self.http.get(&url, NAMES_BYTES_MAX).and_then(|answer| {
            let reply: Reply<Vec<String>> = self.parse(&answer, query)?;
            Ok(reply.data.unwrap_or_default())
        });
        let names = match names {
            Ok(names) => names,
            Err(error @ SourceError::TooManyRequests { .. }) => return Err(error),
            // The list only helps to explain: a server that gives none, or one too long, has
            // answered the query all the same.
            Err(_) => return Ok(Vec::new()),
        };
        let unknown = |metric: &&str| !names.iter().any(|name| name == metric);
        let near = |metric| nearest(metric, names.iter().map(String::as_str)).map(str::to_owned);
        let metrics = promql::metrics(query).into_iter().filter(unknown);
        Ok(metrics.map(|metric| (metric, near(metric))).collect())
    }

    fn parse<T: DeserializeOwned>(
        &self,
        answer: &Answer,
        query: &str,
    ) -> Result<Reply<T>, SourceError> {
        let success = answer.status == 200;
        let reply: Reply<T> = match serde_json::from_slice(&answer.body) {
            Ok(reply) => reply,
            Err(error) if success => {
                let excerpt = self.http.excerpt(&answer.body);
                let why = format!("it is not what Prometheus says ({error}): {excerpt}");
                return Err(self.http.nonsense(why));
            }
            Err(_) => return Err(self.http.refused(answer)),
        };
        let at = self.place().to_owned();
        match (reply.status.as_str(), reply.error_type.as_deref()) {
            ("success", _) if success => Ok(reply),
            (_, Some("bad_data" | "execution")) => {
                Err(SourceError::Query { at, why: quote(query, &reply.error) })
            }
            _ => Err(self.http.refused(answer)),
        }
    }

    fn ambiguous(&self, series: &[Series]) -> SourceError {
        let first = &series[0].metric;
        let differs = |label: &&String| {
            series.iter().any(|other| other.metric.get(*label) != first.get(*label))
        };
        let labels: BTreeSet<&String> =
            series.iter().flat_map(|one| one.metric.keys()).filter(differs).collect();
        let shown = series.iter().take(SERIES_SHOWN).map(|one| {
            let pairs = labels.iter().filter_map(|label| {
                one.metric.get(*label).map(|value| format!("{label}={value:?}"))
            });
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
        });
        let at = self.place().to_owned();
        SourceError::Ambiguous { at, count: series.len(), series: shown.collect() }
    }
}

#[derive(Deserialize)]
struct Reply<T> {
    status: String,
    data: Option<T>,
    #[serde(rename = "errorType")]
    error_type: Option<String>,
    #[serde(default)]
    error: String,
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum Data {
    Vector(Vec<Series>),
    Scalar((f64, String)),
    Matrix(IgnoredAny),
    String(IgnoredAny),
}

#[derive(Deserialize)]
struct Series {
    metric: BTreeMap<String, String>,
    value: Option<(f64, String)>,
    #[serde(default)]
    values: Vec<(f64, String)>,
}

#[derive(Deserialize)]
struct Matrix {
    result: Vec<Series>,
}

/// Whether names differ in digits alone. Then neither is a misspelling of the other: `http_4xx`
/// may be absent while there is `http_5xx`.
fn siblings(one: &str, other: &str) -> bool {
    let letters = |name: &str| name.replace(|letter: char| letter.is_ascii_digit(), "");
    letters(one) == letters(other)
}

/// What the server says about a query, with the place that it means.
fn quote(query: &str, error: &str) -> String {
    let error = error.strip_prefix("invalid parameter \"query\": ").unwrap_or(error);
    let place = error.split_once(": ").and_then(|(place, _)| place.split_once(':'));
    let place = place.and_then(|(line, column)| {
        Some((line.parse::<usize>().ok()?.checked_sub(1)?, column.parse::<usize>().ok()?))
    });
    let Some((line, column)) = place else { return error.to_owned() };
    // The server counts bytes, and may mean the place behind the last one.
    let text = query.lines().nth(line).unwrap_or_default();
    let byte = (0..=text.len().min(column.saturating_sub(1)))
        .rev()
        .find(|byte| text.is_char_boundary(*byte))
        .unwrap_or(0);
    let before: Vec<char> = text[..byte].chars().rev().take(CONTEXT_CHARS).collect();
    let gap = " ".repeat(before.len());
    let before: String = before.into_iter().rev().collect();
    let behind: String = text[byte..].chars().take(CONTEXT_CHARS).collect();
    format!("{error}\n  | {before}{behind}\n  | {gap}^")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_the_place() {
        let check = |query: &str, error: &str, expected: &str| {
            assert_eq!(quote(query, error), expected);
        };
        check(
            "sum(a))",
            "invalid parameter \"query\": 1:7: parse error: unexpected right parenthesis",
            "1:7: parse error: unexpected right parenthesis\n  | sum(a))\n  |       ^",
        );
        check("a\n+ )", "2:3: parse error: no", "2:3: parse error: no\n  | + )\n  |   ^");
        check("a", "9:9: parse error: no", "9:9: parse error: no\n  | \n  | ^");
        check("sum(", "1:5: parse error: end", "1:5: parse error: end\n  | sum(\n  |     ^");
        check("\u{e9}", "1:2: no", "1:2: no\n  | \u{e9}\n  | ^");
        check("a", "found duplicate series: many", "found duplicate series: many");
        check("a", "0:0: odd", "0:0: odd");
        let long = format!("{})", "a".repeat(500));
        let shown = quote(&long, "1:501: parse error: no");
        assert!(shown.ends_with(&format!("| {})\n  | {}^", "a".repeat(60), " ".repeat(60))));
    }

    #[test]
    fn digits_make_siblings() {
        assert!(siblings("http_4xx_total", "http_5xx_total"));
        assert!(!siblings("http_request_total", "http_requests_total"));
    }
}
