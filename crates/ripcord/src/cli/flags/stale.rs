//! `ripcord flags stale`.

use crate::cli::context::Context;
use crate::controller::FlagsView;
use crate::failure::{Code, Failure};
use crate::flags::{Asked, parts};
use crate::terminal;
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};

/// List flags that could go: past their expiry, not asked for, or always the same answer for days
///
/// The flags server counts by flag and variant, over changes and restarts. A flag that has been
/// counted for fewer days than asked for is not listed. Without an environment, all are looked at.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// For how many days nothing has changed
    #[arg(long, default_value_t = 30, value_name = "DAYS")]
    days: u64,
}

/// A flag that could go, where, and why.
#[derive(Debug, PartialEq, Eq)]
struct Stale {
    flag: String,
    because: Because,
}

#[derive(Debug, PartialEq, Eq)]
enum Because {
    Expired { day: String, days: u64 },
    NotEvaluated { days: u64 },
    OneVariant { variant: String, days: u64, times: u64 },
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    let names = match context.environment_named() {
        Some(name) => vec![name.to_owned()],
        None => client.environments()?,
    };
    let now = Timestamp::now();
    let (mut rows, mut list, mut uncounted) = (Vec::new(), Vec::new(), Vec::new());
    for name in names {
        let view = client.flags(&name)?;
        if view.heard.is_none() {
            uncounted.push(name.clone());
        }
        for one in stale(&view, now, args.days)? {
            list.push(one.json(&name));
            rows.push(vec![one.flag, name.clone(), one.because.to_string()]);
        }
    }
    if context.json {
        terminal::print(&Value::from(list).to_string());
        return Ok(());
    }
    terminal::print(&terminal::table(&["flag", "environment", "because"], &rows));
    for name in uncounted {
        terminal::say(&format!(
            "{name}: no flags server answers, so only expiry dates were looked at"
        ));
    }
    Ok(())
}

/// Each flag of an environment that could go, and why.
fn stale(view: &FlagsView, now: Timestamp, days: u64) -> Result<Vec<Stale>, Failure> {
    let mut stale = Vec::new();
    if view.in_force.is_empty() {
        return Ok(stale);
    }
    for (part, text) in parts(&view.in_force)? {
        let Some(key) = part.flag() else { continue };
        let flag: Value = serde_json::from_str(&text)
            .map_err(|error| Failure::new(Code::FlagsInvalid, error.to_string()))?;
        let last_day = flag.pointer("/metadata/expires").and_then(Value::as_str);
        let expired = last_day.and_then(|day| expired(day, now));
        let asked = view.heard.as_ref().and_then(|heard| heard.flags.get(key));
        let idle = || idle(asked?, now).into_iter().find(|because| because.days() >= days);
        let because = expired.or_else(idle);
        stale.extend(because.map(|because| Stale { flag: key.to_owned(), because }));
    }
    Ok(stale)
}

/// What can be said of a flag by how it was evaluated, what matters more first.
fn idle(asked: &Asked, now: Timestamp) -> Vec<Because> {
    let given = || asked.variants.iter().filter(|(_, times)| times.single + times.bulk > 0);
    let last = given().filter_map(|(name, times)| Some((times.last_ms?, name))).max();
    let Some((last_ms, variant)) = last else {
        // Errors and answers without a variant are questions too.
        let asked_ms = asked.no_variant.last_ms.or(asked.last_single_at_ms);
        let silent = days_since(asked_ms.unwrap_or(asked.since_ms), now);
        // A server of an earlier version does not say since when it counts.
        let known = asked.since_ms > 0;
        return known.then_some(Because::NotEvaluated { days: silent }).into_iter().collect();
    };
    let silent = days_since(last_ms.max(asked.last_single_at_ms.unwrap_or(0)), now);
    let others = given().filter(|(name, _)| *name != variant);
    let other_ms = others.filter_map(|(_, times)| times.last_ms).max();
    let other_ms = other_ms.max(asked.no_variant.last_ms);
    let times = asked.variants.get(variant).map_or(0, |times| times.single + times.bulk);
    let days = days_since(other_ms.unwrap_or(asked.since_ms), now);
    let variant = variant.clone();
    vec![Because::NotEvaluated { days: silent }, Because::OneVariant { variant, days, times }]
}

/// Whole days from a moment until now.
fn days_since(ms: u64, now: Timestamp) -> u64 {
    let now_ms = u64::try_from(now.as_millisecond()).unwrap_or(0);
    now_ms.saturating_sub(ms) / (24 * 60 * 60 * 1_000)
}

/// Whether a day such as `2026-12-31` is over, and since when.
fn expired(day: &str, now: Timestamp) -> Option<Because> {
    let date: Date = day.get(..10)?.parse().ok()?;
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let days = u64::try_from(today.since(date).ok()?.get_days()).ok().filter(|days| *days > 0)?;
    Some(Because::Expired { day: date.to_string(), days })
}

impl Because {
    fn days(&self) -> u64 {
        match self {
            Because::Expired { days, .. }
            | Because::NotEvaluated { days }
            | Because::OneVariant { days, .. } => *days,
        }
    }
}

impl std::fmt::Display for Because {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let days = |days: u64| if days == 1 { "1 day".to_owned() } else { format!("{days} days") };
        match self {
            Because::Expired { day, days: over } => {
                write!(f, "past its expiry on {day}, for {}", days(*over))
            }
            Because::NotEvaluated { days: silent } => {
                write!(f, "not evaluated for {}", days(*silent))
            }
            Because::OneVariant { variant, days: same, times } => {
                write!(f, "one variant, {variant}, for {}: {times} times", days(*same))
            }
        }
    }
}

impl Stale {
    fn json(&self, environment: &str) -> Value {
        let kind = match &self.because {
            Because::Expired { .. } => "expired",
            Because::NotEvaluated { .. } => "not_evaluated",
            Because::OneVariant { .. } => "one_variant",
        };
        json!({
            "flag": self.flag,
            "environment": environment,
            "kind": kind,
            "days": self.because.days(),
            "because": self.because.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::Heard;
    use ripcord_core::flag::FlagState;

    const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

    /// Today is day 100.
    fn found(flags: &Value, heard: &Value, days: u64) -> Vec<String> {
        let heard: Heard =
            serde_json::from_value(json!({ "digest": null, "flags": heard })).unwrap();
        let view = FlagsView {
            environment: "test".into(),
            state: FlagState::default(),
            document: String::new(),
            in_force: json!({ "flags": flags }).to_string(),
            heard: Some(heard),
        };
        let now = Timestamp::from_millisecond(100 * DAY_MS + 7).unwrap();
        let rows = stale(&view, now, days).unwrap();
        rows.iter().map(|one| format!("{}: {}", one.flag, one.because)).collect()
    }

    fn at(day: i64) -> i64 {
        day * DAY_MS
    }

    #[test]
    fn what_could_go_and_why() {
        let heard = json!({
            "never": { "since_ms": at(50), "variants": {} },
            "silent": { "since_ms": at(1), "variants":
                { "on": { "single": 2, "last_ms": at(60) }, "off": { "bulk": 1, "last_ms": at(3) } } },
            "same": { "since_ms": at(40), "variants": { "on": { "single": 2, "bulk": 3, "last_ms": at(100) } } },
            "turned": { "since_ms": at(1), "variants":
                { "on": { "single": 2, "last_ms": at(100) }, "off": { "bulk": 1, "last_ms": at(69) } } },
            "both": { "since_ms": at(1), "variants":
                { "on": { "single": 2, "last_ms": at(100) }, "off": { "bulk": 1, "last_ms": at(99) } } },
            "young": { "since_ms": at(99), "variants": {} },
        });
        let flags = json!({
            "never": {}, "silent": {}, "same": {}, "turned": {}, "both": {}, "young": {},
            "old": { "metadata": { "expires": "1970-04-01" } },
            "good": { "metadata": { "expires": "1970-04-11" } },
            "odd": { "metadata": { "expires": "soon, perhaps" } },
        });
        let rows = found(&flags, &heard, 30);
        assert_eq!(
            rows,
            [
                "never: not evaluated for 50 days",
                "old: past its expiry on 1970-04-01, for 10 days",
                "same: one variant, on, for 60 days: 5 times",
                "silent: not evaluated for 40 days",
                "turned: one variant, on, for 31 days: 2 times",
            ]
        );
        assert_eq!(found(&json!({ "young": {} }), &heard, 1), ["young: not evaluated for 1 day"]);
    }
}
