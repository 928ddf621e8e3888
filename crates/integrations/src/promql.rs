//! The names of metrics in a `PromQL` query, to find misspelt ones. It checks no syntax, which the
//! server does; where a query is not sound, what it says does not matter.

use std::collections::BTreeSet;

/// The most names of one query that are looked at.
const METRICS_MAX: usize = 32;

/// Words that are no metrics although no bracket follows them.
const KEYWORDS: [&str; 24] = [
    "and",
    "or",
    "unless",
    "atan2",
    "bool",
    "offset",
    "inf",
    "nan",
    "start",
    "end",
    "sum",
    "avg",
    "min",
    "max",
    "count",
    "group",
    "stddev",
    "stdvar",
    "topk",
    "bottomk",
    "count_values",
    "quantile",
    "limitk",
    "limit_ratio",
];

/// Words after which labels may stand in brackets.
const LABELS_FOLLOW: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

/// The metrics that a query names, each once.
pub(crate) fn metrics(query: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    let mut rest = query;
    while let Some(letter) = rest.chars().next() {
        rest = match letter {
            '"' | '\'' | '`' => after_text(rest, letter),
            '{' => after(rest, '}'),
            '[' => after(rest, ']'),
            '#' => rest.find('\n').map_or("", |end| &rest[end..]),
            letter if letter.is_ascii_digit() => word(rest).1,
            letter if letter.is_ascii_alphabetic() || letter == '_' || letter == ':' => {
                let (name, rest) = word(rest);
                let next = rest.trim_start();
                let lower = name.to_ascii_lowercase();
                if LABELS_FOLLOW.contains(&lower.as_str()) {
                    if next.starts_with('(') { after(next, ')') } else { rest }
                } else {
                    let other = next.starts_with('(') || KEYWORDS.contains(&lower.as_str());
                    if !other && found.len() < METRICS_MAX {
                        found.insert(name);
                    }
                    rest
                }
            }
            letter => &rest[letter.len_utf8()..],
        };
    }
    found
}

/// A word, and what follows it.
fn word(text: &str) -> (&str, &str) {
    let part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':';
    text.split_at(text.find(|letter| !part(letter)).unwrap_or(text.len()))
}

/// What follows a text in quotes.
fn after_text(text: &str, quote: char) -> &str {
    let mut letters = text.char_indices().skip(1);
    while let Some((index, letter)) = letters.next() {
        if letter == '\\' && quote != '`' {
            letters.next();
        } else if letter == quote {
            return &text[index + quote.len_utf8()..];
        }
    }
    ""
}

/// What follows the closing bracket, with texts in quotes skipped.
fn after(text: &str, close: char) -> &str {
    let mut rest = &text[1..];
    while let Some(letter) = rest.chars().next() {
        rest = match letter {
            '"' | '\'' | '`' => after_text(rest, letter),
            _ => &rest[letter.len_utf8()..],
        };
        if letter == close {
            return rest;
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &str, expected: &[&str]) {
        assert_eq!(metrics(query).into_iter().collect::<Vec<_>>(), expected, "{query}");
    }

    #[test]
    fn finds_metrics() {
        check("", &[]);
        check("up", &["up"]);
        check(r#"http_requests_total{job="x"}"#, &["http_requests_total"]);
        check("job:errors:rate5m offset 5m", &["job:errors:rate5m"]);
        check("sum(rate(a_total[5m])) / sum(rate(b_total[5m]))", &["a_total", "b_total"]);
        check("a or a", &["a"]);
        check("max_over_time(sum(a)[1h:5m])", &["a"]);
    }

    #[test]
    fn labels_are_no_metrics() {
        check("sum by (release, job) (a)", &["a"]);
        check("sum(a) WITHOUT(job)", &["a"]);
        check("a * on(job) group_left(team) b", &["a", "b"]);
        check("a / ignoring (code) group_right b", &["a", "b"]);
        check(r#"{__name__="x"}"#, &[]);
        check(r#"a{b="} c \" d",e='} f'} + g"#, &["a", "g"]);
    }

    #[test]
    fn words_of_the_language_are_no_metrics() {
        check("time() - a @ start() > bool 1e3", &["a"]);
        check("NaN + Inf + 0x1F + 5m", &[]);
        check("a # b\n + c", &["a", "c"]);
        check(r#"label_replace(a, "b", "$1", "c", "(.*)")"#, &["a"]);
    }

    #[test]
    fn broken_queries_end() {
        check("a{b=\"", &["a"]);
        check("sum by (a", &[]);
        check("a[", &["a"]);
        check("\u{e9} + a \u{2192}", &["a"]);
        check("'\\", &[]);
    }

    #[test]
    fn not_all_of_a_long_query_is_looked_at() {
        let query: Vec<String> = (0..1_000).map(|number| format!("m{number}")).collect();
        assert_eq!(metrics(&query.join(" + ")).len(), METRICS_MAX);
    }
}
