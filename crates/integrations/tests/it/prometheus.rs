//! A real Prometheus: numbers, no data, queries that are wrong, and its death.

use crate::real::{Real, shared};
use crate::support::{read, try_out, until};
use ripcord_integrations::{Names, SourceError, fill};

fn filled(template: &str) -> String {
    let names = Names {
        release: "v2".into(),
        environment: "production".into(),
        window: "10s".into(),
        stable: "v1".into(),
    };
    fill(template, &names).unwrap()
}

fn check(query: &str, expected: Option<f64>) {
    assert_eq!(read(shared(), query), Ok(expected), "{query}");
}

fn refused(result: Result<Option<f64>, SourceError>) -> SourceError {
    result.unwrap_err()
}

#[test]
fn numbers_are_read() {
    check("checkout_seconds{release=\"v1\"}", Some(0.25));
    check("1 + 1", Some(2.0));
    let arms = "http_requests_total{release=\"{stable}\"} \
                / on() http_requests_total{release=\"{release}\"}";
    check(&filled(arms), Some(9.0));
    let share = "sum(rate(http_errors_total{release=\"{release}\"}[{window}])) \
                 / sum(rate(http_requests_total{release=\"{release}\"}[{window}]))";
    check(&filled(share), Some(0.5));
    assert_eq!(try_out(shared(), &filled(share)), Ok(Some(0.5)));
}

#[test]
fn counters_grow() {
    let query = filled("http_requests_total{release=\"{release}\"}");
    let first = read(shared(), &query).unwrap().unwrap();
    assert!(first >= 30.0 && first % 10.0 == 0.0, "{first}");
    until("the counter grows", || read(shared(), &query).unwrap().unwrap() > first);
}

#[test]
fn no_data_is_no_number() {
    let share = "sum(rate(idle_errors_total[10s])) / sum(rate(idle_requests_total[10s]))";
    check(share, None);
    assert_eq!(try_out(shared(), share), Ok(None), "a share of no requests is sound");
    check("http_requests_total{release=\"v9\"}", None);
    check("no_such_metric", None);
    let odd = refused(read(shared(), "vector(1) / 0"));
    assert!(matches!(&odd, SourceError::Nonsense { why, .. } if why.contains("Inf")), "{odd}");
}

#[test]
fn no_data_is_an_error_while_a_plan_is_made() {
    let error = refused(try_out(shared(), "http_requests_total{release=\"v9\"}"));
    assert!(matches!(&error, SourceError::NoData { query, .. } if query.contains("v9")), "{error}");
}

#[test]
fn misspelt_metrics_are_found() {
    let check = |query: &str, expected: &str, meant: Option<&str>| {
        let error = refused(try_out(shared(), query));
        let SourceError::NoSuchMetric { metric, near, .. } = &error else { panic!("{error}") };
        assert_eq!((metric.as_str(), near.as_deref()), (expected, meant), "{query}");
    };
    check("http_request_total", "http_request_total", Some("http_requests_total"));
    check("sum(rate(htp_eror_total[5m]))", "htp_eror_total", Some("http_errors_total"));
    check("weather", "weather", None);
    check("http_4xx_total", "http_4xx_total", Some("http_5xx_total"));
    // A query that has an answer all the same, which would always say that nothing is wrong.
    let hidden = "sum(http_error_total{release=\"v2\"}) or vector(0)";
    assert_eq!(read(shared(), hidden), Ok(Some(0.0)));
    check(hidden, "http_error_total", Some("http_errors_total"));
}

#[test]
fn metrics_that_do_not_exist_yet_may_be_named() {
    for query in ["http_4xx_total or vector(0)", "sum(weather) or vector(0)"] {
        assert_eq!(try_out(shared(), query), Ok(Some(0.0)), "{query}");
    }
}

#[test]
fn several_answers_are_named_by_what_differs() {
    let error = refused(read(shared(), "http_requests_total"));
    let SourceError::Ambiguous { count, series, .. } = &error else { panic!("{error}") };
    assert_eq!(*count, 2);
    assert_eq!(*series, ["{release=\"v1\"}", "{release=\"v2\"}"]);
}

#[test]
fn wrong_queries_are_quoted() {
    let check = |query: &str, parts: &[&str]| {
        let error = refused(read(shared(), query));
        assert!(matches!(error, SourceError::Query { .. }), "{error:?}");
        for part in parts {
            assert!(error.to_string().contains(part), "{error}");
        }
    };
    check("sum(up) b", &["1:9", "identifier \"b\"", "\n  | sum(up) b\n  |         ^"]);
    check("rate(http_requests_total)", &["range vector"]);
    check("http_requests_total * on() http_requests_total", &["many-to-many"]);
    check("", &["no expression"]);
}

#[test]
fn ranges_and_texts_are_no_numbers() {
    for query in ["http_requests_total[1m]", "\"text\""] {
        let error = refused(read(shared(), query));
        assert!(error.to_string().contains("a range or a text"), "{error}");
    }
}

#[test]
fn a_dead_server_cannot_be_reached() {
    let mut real = Real::start();
    assert_eq!(read(&real.sources, "vector(1)"), Ok(Some(1.0)));
    real.kill();
    for error in [refused(read(&real.sources, "vector(1)")), refused(try_out(&real.sources, "a"))] {
        assert!(matches!(error, SourceError::Unreachable { .. }), "{error:?}");
    }
}
