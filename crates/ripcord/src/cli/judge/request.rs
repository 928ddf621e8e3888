//! One recorded request: a line of JSON, and what makes it impossible. A line that is not
//! understood is refused, never skipped: a judge that leaves out what it cannot read is biased.

use ripcord_core::model::Share;
use ripcord_core::model::traffic::WHOLE;
use ripcord_proxy::Histogram;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

/// The latest time: the year 5138. Times in milliseconds since 1970 are above it.
const SECONDS_MAX: f64 = 1e11;

/// The longest latency: a day.
const LATENCY_MS_MAX: f64 = 86_400_000.0;

/// How far the chance may be from a hundredth of a percent, as a part of the smaller of it and
/// its rest. A chance that is wrong by a tenth triples the false alarms.
const ROUNDING_MAX: f64 = 0.002;

/// The last status of HTTP.
const STATUS_MAX: u16 = 599;

/// A request, as it is written down.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<'a> {
    t: f64,
    arm: Arm,
    w: f64,
    status: u16,
    #[serde(default)]
    latency_ms: Option<f64>,
    #[serde(default, borrow)]
    user: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    route: Option<Cow<'a, str>>,
    /// Whatever tells two requests apart that are alike otherwise.
    #[serde(default)]
    #[expect(dead_code, reason = "it makes lines differ, and is for no other use")]
    id: Option<IgnoredAny>,
}

/// Who answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Arm {
    Canary,
    Stable,
}

/// A request that may be true.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Request<'a> {
    /// When, in seconds of any clock.
    pub(super) t: f64,
    pub(super) arm: Arm,
    /// The chance with which it went to the canary; 0 and the whole compare nothing.
    pub(super) weight: Share,
    pub(super) failed: bool,
    /// The bucket of its latency; none when there was no answer or nobody measured.
    pub(super) bucket: Option<u16>,
    /// Who asked, as a hash.
    pub(super) user: Option<u64>,
    pub(super) route: Option<Cow<'a, str>>,
}

/// What is wrong with a line, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) what: String,
    pub(super) hint: String,
}

fn wrong<T>(what: impl Into<String>, hint: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong { what: what.into(), hint: hint.into() })
}

impl Request<'_> {
    /// Reads a line. Latency may be left out where it is not judged or nothing was answered.
    pub(super) fn parse(line: &[u8], needs_latency: bool) -> Result<Request<'_>, Wrong> {
        let written: Written<'_> = serde_json::from_slice(line).map_err(|error| syntax(&error))?;
        let Written { t, arm, w, status, latency_ms, user, route, .. } = written;
        if !(0.0..=SECONDS_MAX).contains(&t) {
            return wrong(
                format!("`t` is {t}, which is no time in seconds"),
                "write seconds since any beginning, such as 1764000000.25; divide milliseconds by 1000",
            );
        }
        if status != 0 && !(100..=STATUS_MAX).contains(&status) {
            return wrong(
                format!("`status` is {status}, which HTTP does not have"),
                "write the status of the answer, or 0 where there was none",
            );
        }
        let weight = weight(w)?;
        match (weight, arm) {
            (0, Arm::Canary) => {
                return wrong(
                    "the canary answered with a chance `w` of 0",
                    "`w` is the chance of the canary that was in force for this request, also on \
                     the lines of stable",
                );
            }
            (WHOLE, Arm::Stable) => {
                return wrong(
                    "stable answered with a chance `w` of 1 for the canary",
                    "`w` is the chance of the canary that was in force for this request, also on \
                     the lines of stable",
                );
            }
            _ => {}
        }
        let bucket = match latency_ms {
            Some(ms) if !(0.0..=LATENCY_MS_MAX).contains(&ms) => {
                return wrong(
                    format!("`latency_ms` is {ms}, which no request takes"),
                    "write milliseconds from 0 to 86400000",
                );
            }
            Some(ms) => Some(bucket(ms)),
            None if needs_latency && status != 0 => {
                return wrong(
                    "`latency_ms` is missing",
                    "add it, or judge errors alone with --metric errors",
                );
            }
            None => None,
        };
        let failed = status == 0 || status >= 500;
        let user = user.map(|name| hash(&name));
        Ok(Request { t, arm, weight, failed, bucket, user, route })
    }
}

/// The same for the same name on every machine.
fn hash(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

/// The chance in hundredths of a percent, which is what weights have.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it was just seen to be between 0 and the whole"
)]
fn weight(w: f64) -> Result<Share, Wrong> {
    if !(0.0..=1.0).contains(&w) {
        return wrong(
            format!("`w` is {w}, which is no chance"),
            "write the chance of the canary between 0 and 1; divide percent by 100",
        );
    }
    let whole = f64::from(WHOLE);
    let rounded = (w * whole).round();
    let error = (w * whole - rounded).abs();
    if error > ROUNDING_MAX * rounded.min(whole - rounded) + 1e-9 {
        return wrong(
            format!("`w` is {w}, which is finer than hundredths of a percent"),
            "the judge knows chances like 0.0125; a chance that is only about right raises false \
             alarms",
        );
    }
    Ok(rounded as Share)
}

/// What the reader of JSON says, without its own line number, which is always 1.
fn syntax(error: &serde_json::Error) -> Wrong {
    let said = error.to_string();
    let what = match said.rsplit_once(" at line ") {
        Some((what, _)) => format!("{what} (column {})", error.column()),
        None => said,
    };
    let shape = "each line is like {\"t\":12.5,\"arm\":\"canary\",\"w\":0.05,\"status\":200,\"latency_ms\":12.3}";
    let hint = match () {
        () if error.is_eof() => format!("the line ends too early; {shape}"),
        () if error.is_data() => format!("{shape}; `user`, `route` and `id` may be added"),
        () => format!("write one JSON object for each line, no NaN and no comments; {shape}"),
    };
    Wrong { what, hint }
}

/// Where buckets of latency end, in microseconds; the last has no end.
static ENDS: LazyLock<Vec<u64>> =
    LazyLock::new(|| (0..Histogram::BUCKETS).map_while(Histogram::upper_us).collect());

/// The bucket of a latency, as the proxy counts it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it was just seen to be between 0 and a day"
)]
fn bucket(ms: f64) -> u16 {
    let us = (ms * 1e3) as u64;
    u16::try_from(ENDS.partition_point(|end| *end < us)).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(line: &str, expected: &Expect) {
        let said = match Request::parse(line.as_bytes(), true) {
            // A hash may be another one with another compiler.
            Ok(request) => {
                let user = request.user.map(|_| 1);
                format!("{:?}", Request { user, ..request })
            }
            Err(Wrong { what, hint }) => format!("{what}\n{hint}"),
        };
        expected.assert_eq(&said);
    }

    fn with(key: &str, value: &str) -> String {
        let mut fields = vec![
            ("t", "1.5"),
            ("arm", "\"canary\""),
            ("w", "0.05"),
            ("status", "200"),
            ("latency_ms", "12.3"),
        ];
        fields.retain(|(name, _)| *name != key);
        fields.push((key, value));
        let fields: Vec<String> =
            fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", fields.join(","))
    }

    #[test]
    fn requests() {
        check(
            &with("status", "200"),
            &expect![
                "Request { t: 1.5, arm: Canary, weight: 500, failed: false, bucket: Some(99), user: None, route: None }"
            ],
        );
        check(
            &with("status", "503"),
            &expect![
                "Request { t: 1.5, arm: Canary, weight: 500, failed: true, bucket: Some(99), user: None, route: None }"
            ],
        );
        check(
            r#"{"t":0,"arm":"stable","w":0,"status":0,"user":"a\nb","route":"/x","id":[1]}"#,
            &expect![[
                r#"Request { t: 0.0, arm: Stable, weight: 0, failed: true, bucket: None, user: Some(1), route: Some("/x") }"#
            ]],
        );
    }

    #[test]
    fn times_that_cannot_be() {
        check(
            &with("t", "-1"),
            &expect![[r"
            `t` is -1, which is no time in seconds
            write seconds since any beginning, such as 1764000000.25; divide milliseconds by 1000"]],
        );
        check(
            &with("t", "1764000000000"),
            &expect![[r"
            `t` is 1764000000000, which is no time in seconds
            write seconds since any beginning, such as 1764000000.25; divide milliseconds by 1000"]],
        );
        check(
            &with("t", "1e999"),
            &expect![[r#"
            number out of range (column 65)
            write one JSON object for each line, no NaN and no comments; each line is like {"t":12.5,"arm":"canary","w":0.05,"status":200,"latency_ms":12.3}"#]],
        );
        check(
            &with("t", "NaN"),
            &expect![[r#"
            expected value (column 61)
            write one JSON object for each line, no NaN and no comments; each line is like {"t":12.5,"arm":"canary","w":0.05,"status":200,"latency_ms":12.3}"#]],
        );
    }

    #[test]
    fn chances_that_cannot_be() {
        check(
            &with("arm", "\"beta\""),
            &expect![[r#"
            unknown variant `beta`, expected `canary` or `stable` (column 61)
            each line is like {"t":12.5,"arm":"canary","w":0.05,"status":200,"latency_ms":12.3}; `user`, `route` and `id` may be added"#]],
        );
        check(
            &with("w", "5"),
            &expect![[r"
            `w` is 5, which is no chance
            write the chance of the canary between 0 and 1; divide percent by 100"]],
        );
        check(
            &with("w", "-0.1"),
            &expect![[r"
            `w` is -0.1, which is no chance
            write the chance of the canary between 0 and 1; divide percent by 100"]],
        );
        check(
            &with("w", "0.00123"),
            &expect![[r"
            `w` is 0.00123, which is finer than hundredths of a percent
            the judge knows chances like 0.0125; a chance that is only about right raises false alarms"]],
        );
        check(
            &with("w", "0"),
            &expect![[r"
            the canary answered with a chance `w` of 0
            `w` is the chance of the canary that was in force for this request, also on the lines of stable"]],
        );
    }

    #[test]
    fn answers_that_cannot_be() {
        check(
            &with("status", "-200"),
            &expect![[r#"
            invalid value: integer `-200`, expected u16 (column 64)
            each line is like {"t":12.5,"arm":"canary","w":0.05,"status":200,"latency_ms":12.3}; `user`, `route` and `id` may be added"#]],
        );
        check(
            &with("status", "2000"),
            &expect![[r"
            `status` is 2000, which HTTP does not have
            write the status of the answer, or 0 where there was none"]],
        );
        check(
            &with("latency_ms", "-3"),
            &expect![[r"
            `latency_ms` is -3, which no request takes
            write milliseconds from 0 to 86400000"]],
        );
        check(
            &with("latency_ms", "1e12"),
            &expect![[r"
            `latency_ms` is 1000000000000, which no request takes
            write milliseconds from 0 to 86400000"]],
        );
        check(
            &with("latency_ms", "null"),
            &expect![[r"
            `latency_ms` is missing
            add it, or judge errors alone with --metric errors"]],
        );
    }

    #[test]
    fn lines_that_are_no_requests() {
        check(
            &with("usr", "\"a\""),
            &expect![[r#"
            unknown field `usr`, expected one of `t`, `arm`, `w`, `status`, `latency_ms`, `user`, `route`, `id` (column 69)
            each line is like {"t":12.5,"arm":"canary","w":0.05,"status":200,"latency_ms":12.3}; `user`, `route` and `id` may be added"#]],
        );
        check(
            r#"{"t":1,"arm":"canary","w":0.05}"#,
            &expect![[r#"
            missing field `status` (column 31)
            each line is like {"t":12.5,"arm":"canary","w":0.05,"status":200,"latency_ms":12.3}; `user`, `route` and `id` may be added"#]],
        );
        check(
            r#"{"t":1,"t":2}"#,
            &expect![[r#"
            duplicate field `t` (column 10)
            each line is like {"t":12.5,"arm":"canary","w":0.05,"status":200,"latency_ms":12.3}; `user`, `route` and `id` may be added"#]],
        );
        check(
            r#"{"t":1"#,
            &expect![[r#"
            EOF while parsing an object (column 6)
            the line ends too early; each line is like {"t":12.5,"arm":"canary","w":0.05,"status":200,"latency_ms":12.3}"#]],
        );
        check(
            "[]",
            &expect![[r#"
            invalid length 0, expected struct Written with 8 elements (column 2)
            each line is like {"t":12.5,"arm":"canary","w":0.05,"status":200,"latency_ms":12.3}; `user`, `route` and `id` may be added"#]],
        );
        check(
            "t=1",
            &expect![[r#"
            expected ident (column 2)
            write one JSON object for each line, no NaN and no comments; each line is like {"t":12.5,"arm":"canary","w":0.05,"status":200,"latency_ms":12.3}"#]],
        );
    }

    #[test]
    fn chances_are_hundredths_of_a_percent() {
        assert_eq!(weight(1.0 / 3.0), Ok(3_333));
        assert_eq!(weight(0.05), Ok(500));
        assert_eq!(weight(0.999_9), Ok(9_999));
        assert_eq!((weight(0.0), weight(1.0)), (Ok(0), Ok(WHOLE)));
        assert!(weight(0.000_05).is_err() && weight(0.999_99).is_err());
    }
}
