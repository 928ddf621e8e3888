//! A flag at a service as it was at one moment: what a journal keeps before the flag is changed,
//! and what brings it back.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// One flag in one environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlagImage {
    /// Its key.
    pub key: String,
    /// How the service numbers this state, where it numbers states.
    pub version: Option<u64>,
    /// All that decides what users get, in the service's own form.
    pub state: Map<String, Value>,
}

/// The longest value that is shown to people, in letters.
const SHOWN_MAX: usize = 60;

impl FlagImage {
    /// Whether everybody gets what the flag gives when it is off.
    pub fn is_off(&self) -> bool {
        // Where there is no switch, off is false for everybody.
        let is_false = || {
            let rules = self.state.get("targetingRules").and_then(Value::as_array);
            let value = self.state.get("defaultValue").and_then(|value| value.get("boolValue"));
            rules.is_none_or(Vec::is_empty) && value == Some(&Value::Bool(false))
        };
        self.state.get("on").map_or_else(is_false, |on| on == &Value::Bool(false))
    }

    /// What is otherwise in another image of the same flag, in words.
    pub fn differences(&self, other: &FlagImage) -> Vec<String> {
        let names: BTreeSet<&String> = self.state.keys().chain(other.state.keys()).collect();
        let differs = |name: &String| {
            let (old, new) = (self.state.get(name), other.state.get(name));
            (old != new).then(|| format!("{name} {} -> {}", shown(old), shown(new)))
        };
        names.into_iter().filter_map(differs).collect()
    }
}

fn shown(value: Option<&Value>) -> String {
    let text = value.map_or_else(|| "none".to_owned(), Value::to_string);
    if text.chars().count() <= SHOWN_MAX {
        return text;
    }
    format!("{}…", text.chars().take(SHOWN_MAX).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn image(state: Value) -> FlagImage {
        let Value::Object(state) = state else { panic!("no object") };
        FlagImage { key: "a".into(), version: None, state }
    }

    #[test]
    fn what_is_off() {
        let check = |state, expected| assert_eq!(image(state).is_off(), expected);
        check(json!({"on": true}), false);
        check(json!({"on": false, "rules": [1]}), true);
        check(json!({"defaultValue": {"boolValue": false}, "targetingRules": []}), true);
        check(json!({"defaultValue": {"boolValue": false}, "targetingRules": [1]}), false);
        check(json!({"defaultValue": {"boolValue": true}, "targetingRules": []}), false);
        check(json!({"defaultValue": {"stringValue": ""}, "targetingRules": []}), false);
    }

    #[test]
    fn what_differs() {
        let (old, new) = (json!({"on": true, "rules": []}), json!({"on": false, "rules": []}));
        assert_eq!(image(old.clone()).differences(&image(new)), ["on true -> false"]);
        assert!(image(old.clone()).differences(&image(old)).is_empty());
    }
}
