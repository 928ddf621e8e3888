//! `ripcord flags stale`.

use crate::cli::context::Context;
use crate::controller::FlagsView;
use crate::failure::{Code, Failure};
use crate::flags::parts;
use crate::terminal;
use jiff::Timestamp;
use serde_json::{Value, json};

/// List flags that could go: past their expiry, never asked for, or always the same answer
///
/// What was asked for is known since the flags server started.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args, context: &Context) -> Result<(), Failure> {
    let view = context.client()?.flags(&context.environment()?)?;
    let rows = stale(&view, Timestamp::now())?;
    if context.json {
        let list: Vec<Value> =
            rows.iter().map(|row| json!({ "flag": row[0], "because": row[1] })).collect();
        terminal::print(&Value::from(list).to_string());
        return Ok(());
    }
    terminal::print(&terminal::table(&["flag", "because"], &rows));
    match &view.heard {
        Some(heard) => {
            let ms = i64::try_from(heard.started_at_ms).unwrap_or(0);
            let since = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
            terminal::say(&format!("counted since {}", since.strftime("%Y-%m-%d %H:%M")));
        }
        None => terminal::say("no flags server answers here, so only expiry dates were looked at"),
    }
    Ok(())
}

/// Each flag that could go, and why.
fn stale(view: &FlagsView, now: Timestamp) -> Result<Vec<Vec<String>>, Failure> {
    let mut rows = Vec::new();
    if view.in_force.is_empty() {
        return Ok(rows);
    }
    for (part, text) in parts(&view.in_force)? {
        let Some(key) = part.flag() else { continue };
        let flag: Value = serde_json::from_str(&text)
            .map_err(|error| Failure::new(Code::FlagsInvalid, error.to_string()))?;
        let expires = flag.pointer("/metadata/expires").and_then(Value::as_str);
        if let Some(day) = expires.filter(|day| is_past(day, now)) {
            rows.push(vec![key.to_owned(), format!("it expired on {day}")]);
            continue;
        }
        let Some(heard) = &view.heard else { continue };
        let asked = heard.flags.get(key);
        let variants: Vec<(&String, u64)> = asked
            .into_iter()
            .flat_map(|asked| &asked.variants)
            .map(|(name, times)| (name, times.single + times.bulk))
            .filter(|(_, times)| *times > 0)
            .collect();
        match variants.as_slice() {
            [] => rows.push(vec![key.to_owned(), "nobody has asked for it".to_owned()]),
            [(variant, times)] => {
                rows.push(vec![key.to_owned(), format!("always {variant}, {times} times")]);
            }
            _ => {}
        }
    }
    Ok(rows)
}

/// Whether a day such as `2026-12-31` is over.
fn is_past(day: &str, now: Timestamp) -> bool {
    let today = now.strftime("%Y-%m-%d").to_string();
    let is_day = day.len() >= 10 && day.as_bytes()[4] == b'-' && day.as_bytes()[7] == b'-';
    is_day && day.is_char_boundary(10) && day[..10] < today[..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::Heard;
    use ripcord_core::flag::FlagState;

    #[test]
    fn what_could_go_and_why() {
        let heard: Heard = serde_json::from_value(json!({
            "digest": null,
            "flags": {
                "same": { "variants": { "on": { "single": 2, "bulk": 3 } } },
                "both": { "variants": { "on": { "single": 1 }, "off": { "bulk": 1 } } },
            }
        }))
        .unwrap();
        let view = FlagsView {
            environment: "test".into(),
            state: FlagState::default(),
            document: String::new(),
            in_force: r#"{"flags":{"old":{"metadata":{"expires":"2020-01-31"}},"same":{},
                "both":{"metadata":{"expires":"9999-01-31"}},"never":{}}}"#
                .to_owned(),
            heard: Some(heard),
        };
        let rows = stale(&view, Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(500_000));
        let rows: Vec<String> = rows.unwrap().iter().map(|row| row.join(": ")).collect();
        assert_eq!(
            rows,
            [
                "never: nobody has asked for it",
                "old: it expired on 2020-01-31",
                "same: always on, 5 times"
            ]
        );
    }
}
