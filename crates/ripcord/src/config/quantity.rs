//! Quantities with units: `"10m"`, `"0.5%"`, `"512MiB"`, `"127.0.0.1:8080"`.

use crate::config::problem::value_error;
use crate::config::proportion::{digits, percent};
use crate::config::text::shown;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use std::net::SocketAddr;

/// The longest duration: a year.
const DURATION_MS_MAX: u64 = 365 * 86_400_000;

/// The units of a duration in milliseconds. `ms` stands before `s`, of which it is no case.
const DURATION_UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// The units of an amount of memory in bytes.
const BYTE_UNITS: [(&str, u64); 3] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

/// The least memory that is a limit and not a mistake.
const BYTES_MIN: u64 = 1 << 20;

/// A duration: a whole number and `ms`, `s`, `m`, `h` or `d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(with = "DurationText")]
pub(crate) struct Duration {
    /// In milliseconds.
    pub(crate) ms: u64,
}

/// A duration that is not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(with = "DurationText")]
pub(crate) struct PositiveDuration {
    /// In milliseconds.
    pub(crate) ms: u64,
}

/// A share of requests: a number with at most two decimals and `%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(with = "PercentageText")]
pub(crate) struct Percentage {
    /// In hundredths of a percent.
    pub(crate) hundredths: u16,
}

/// An amount of memory: a whole number and `KiB`, `MiB` or `GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(with = "BytesText")]
pub(crate) struct Bytes {
    /// In bytes.
    pub(crate) bytes: u64,
}

/// An address to listen on: IP address and port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(with = "AddressText")]
pub(crate) struct Address(pub(crate) SocketAddr);

/// How many instances of a release serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
pub(crate) struct InstanceCount(#[schemars(range(min = 1, max = 100))] pub(crate) u32);

/// How many of something: 1 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
pub(crate) struct Count(#[schemars(range(min = 1, max = 100))] pub(crate) u32);

/// The status of an HTTP answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
pub(crate) struct Status(#[schemars(range(min = 100, max = 599))] pub(crate) u16);

/// A number and one of these units, such as "30s", "10m" or "7d".
#[derive(JsonSchema)]
#[schemars(transparent, rename = "Duration")]
#[expect(dead_code, reason = "stands for its schema alone")]
struct DurationText(#[schemars(regex(pattern = "^[0-9]+(ms|s|m|h|d)$"))] String);

/// A share, such as "0.5%".
#[derive(JsonSchema)]
#[schemars(transparent, rename = "Percentage")]
#[expect(dead_code, reason = "stands for its schema alone")]
struct PercentageText(#[schemars(regex(pattern = "^[0-9]+([.][0-9]{1,2})?%$"))] String);

/// An amount of memory, such as "512MiB".
#[derive(JsonSchema)]
#[schemars(transparent, rename = "Bytes")]
#[expect(dead_code, reason = "stands for its schema alone")]
struct BytesText(#[schemars(regex(pattern = "^[0-9]+(KiB|MiB|GiB)$"))] String);

/// IP address and port, such as "127.0.0.1:8080".
#[derive(JsonSchema)]
#[schemars(transparent, rename = "Address")]
#[expect(dead_code, reason = "stands for its schema alone")]
struct AddressText(#[schemars(regex(pattern = "^.+:[0-9]+$"))] String);

impl Duration {
    /// The duration that a text means; none for anything else.
    pub(super) fn parse(text: &str) -> Option<Duration> {
        let ms = with_unit(text, &DURATION_UNITS)?;
        (ms <= DURATION_MS_MAX).then_some(Duration { ms })
    }
}

impl Percentage {
    /// The largest share of failed answers that can be tolerated.
    const HUNDREDTHS_MAX: u16 = 5_000;

    fn parse(text: &str) -> Option<Percentage> {
        let hundredths = u16::try_from(percent(text, 2)?).ok()?;
        (hundredths <= Percentage::HUNDREDTHS_MAX).then_some(Percentage { hundredths })
    }
}

fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, factor) = units
        .iter()
        .find_map(|(unit, factor)| text.strip_suffix(unit).map(|number| (number, factor)))?;
    digits(number)?.checked_mul(*factor)
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        Duration::parse(&text).ok_or_else(|| {
            value_error(
                format!("`{}` is not a duration", shown(&text)),
                "write a whole number and ms, s, m, h or d, such as \"10m\"; at most \"365d\""
                    .to_owned(),
            )
        })
    }
}

impl<'de> Deserialize<'de> for PositiveDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PositiveDuration, D::Error> {
        let duration = Duration::deserialize(deserializer)?;
        if duration.ms > 0 {
            return Ok(PositiveDuration { ms: duration.ms });
        }
        let what = "nothing happens in no time".to_owned();
        Err(value_error(what, "give it some, such as \"30s\"".to_owned()))
    }
}

impl<'de> Deserialize<'de> for Percentage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Percentage, D::Error> {
        let text = String::deserialize(deserializer)?;
        Percentage::parse(&text).ok_or_else(|| {
            value_error(
                format!("`{}` is not a share that can be tolerated", shown(&text)),
                "write 0% to 50% with at most two decimals, such as \"0.5%\"".to_owned(),
            )
        })
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = with_unit(&text, &BYTE_UNITS).filter(|bytes| *bytes >= BYTES_MIN);
        bytes.map(|bytes| Bytes { bytes }).ok_or_else(|| {
            value_error(
                format!("`{}` is not an amount of memory", shown(&text)),
                "write a whole number and KiB, MiB or GiB, such as \"512MiB\"; at least \"1MiB\""
                    .to_owned(),
            )
        })
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Address, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.parse::<SocketAddr>() {
            Ok(address) if address.port() != 0 => Ok(Address(address)),
            Ok(_) => Err(value_error(
                format!("`{text}` has port 0, which means any port"),
                "name the port under which users find the service".to_owned(),
            )),
            Err(_) => Err(value_error(
                format!("`{}` is not an address", shown(&text)),
                "write IP address and port, such as \"127.0.0.1:8080\" or \"[::1]:8080\""
                    .to_owned(),
            )),
        }
    }
}

impl<'de> Deserialize<'de> for InstanceCount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<InstanceCount, D::Error> {
        let count = i64::deserialize(deserializer)?;
        match u32::try_from(count) {
            Ok(count @ 1..=100) => Ok(InstanceCount(count)),
            _ => Err(value_error(
                format!("{count} instances cannot serve"),
                "write 1 to 100".to_owned(),
            )),
        }
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Count, D::Error> {
        let count = i64::deserialize(deserializer)?;
        match u32::try_from(count) {
            Ok(count @ 1..=100) => Ok(Count(count)),
            _ => Err(value_error(format!("{count} is not possible here"), "write 1 to 100")),
        }
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Status, D::Error> {
        let status = i64::deserialize(deserializer)?;
        match u16::try_from(status) {
            Ok(status @ 100..=599) => Ok(Status(status)),
            _ => Err(value_error(
                format!("{status} is not the status of an HTTP answer"),
                "write 100 to 599, such as 200".to_owned(),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let check = |text: &str, ms: Option<u64>| {
            assert_eq!(Duration::parse(text).map(|duration| duration.ms), ms, "{text}");
        };
        check("0s", Some(0));
        check("500ms", Some(500));
        check("10m", Some(600_000));
        check("7d", Some(604_800_000));
        check("365d", Some(DURATION_MS_MAX));
        check("366d", None);
        check("99999999999999999999d", None);
        check("213503982335d", None);
        check("m", None);
        check("10", None);
        check("-1s", None);
        check("+1s", None);
        check("1.5h", None);
        check("10 m", None);
        check("1h30m", None);
    }

    #[test]
    fn percentages() {
        let check = |text: &str, hundredths: Option<u16>| {
            let found = Percentage::parse(text).map(|share| share.hundredths);
            assert_eq!(found, hundredths, "{text}");
        };
        check("0%", Some(0));
        check("0.5%", Some(50));
        check("0.05%", Some(5));
        check("1.25%", Some(125));
        check("50%", Some(5_000));
        check("50.01%", None);
        check("0.005%", None);
        check(".5%", None);
        check("5.%", None);
        check("5", None);
        check("-1%", None);
        check("99999999999999999999%", None);
    }
}
