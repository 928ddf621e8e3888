//! Flags in words, for plans and histories: what a flag is, and how two documents differ.

use crate::flag::merge::{Part, Parts, changed};
use serde_json::Value;

/// The most lines that a revision or a plan tells.
pub const LINES_MAX: usize = 20;

/// What a flag is where no rule decides, in a word or two.
pub fn state_of(text: Option<&String>) -> String {
    let Some(text) = text else { return "not there".to_owned() };
    let Ok(Value::Object(flag)) = serde_json::from_str(text) else {
        return text.chars().take(20).collect();
    };
    if flag.get("state").and_then(Value::as_str) == Some("DISABLED") {
        return "disabled".to_owned();
    }
    let default = flag.get("defaultVariant").and_then(Value::as_str).unwrap_or("left to the code");
    let has_rules = flag.get("targeting").is_some_and(|rules| {
        !rules.is_null() && rules.as_object().is_none_or(|rules| !rules.is_empty())
    });
    if has_rules { format!("{default} with rules") } else { default.to_owned() }
}

/// One part from one state to another: `flag checkout: off → on`.
pub fn step_of(part: &Part, from: &Parts, to: &Parts) -> String {
    if matches!(part, Part::Member(_)) {
        return format!("{part}: changed");
    }
    let (old, new) = (state_of(from.get(part)), state_of(to.get(part)));
    if old == new {
        return format!("{part}: {old}, its definition changes");
    }
    format!("{part}: {old} → {new}")
}

/// Everything in which two documents differ, bounded.
pub fn differences(from: &Parts, to: &Parts) -> Vec<String> {
    bounded(changed(from, to).iter().map(|part| step_of(part, from, to)).collect())
}

/// The first lines, and how many more there are.
pub fn bounded(mut lines: Vec<String>) -> Vec<String> {
    let more = lines.len().saturating_sub(LINES_MAX);
    if more > 0 {
        lines.truncate(LINES_MAX);
        lines.push(format!("and {more} more"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states() {
        let check = |text: &str, expected: &str| {
            assert_eq!(state_of(Some(&text.to_owned())), expected, "{text}");
        };
        check(r#"{"state":"ENABLED","defaultVariant":"on"}"#, "on");
        check(r#"{"state":"ENABLED","defaultVariant":"on","targeting":{}}"#, "on");
        check(
            r#"{"state":"ENABLED","defaultVariant":"on","targeting":{"if":[]}}"#,
            "on with rules",
        );
        check(r#"{"state":"DISABLED","defaultVariant":"on"}"#, "disabled");
        check(r#"{"state":"ENABLED","defaultVariant":null}"#, "left to the code");
        check("7", "7");
        assert_eq!(state_of(None), "not there");
    }

    #[test]
    fn differences_are_bounded() {
        let parts = |count: usize| -> Parts {
            let flag =
                |n| (Part::Flag(format!("f{n:02}")), r#"{"defaultVariant":"on"}"#.to_owned());
            (0..count).map(flag).collect()
        };
        assert_eq!(differences(&parts(0), &parts(1)), ["flag f00: not there → on"]);
        let many = differences(&parts(30), &parts(0));
        assert_eq!((many.len(), many[20].as_str()), (21, "and 10 more"));
    }
}
