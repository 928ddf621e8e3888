//! A flag at somebody else's service as it was at one moment: what a journal keeps before the flag
//! is changed, and what brings it back. The service's own form is compared, hardly interpreted.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// One flag in one environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlagImage {
    /// Its key.
    pub key: String,
    /// How the service numbers this state, where it numbers states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// All that decides what users get, in the service's own form.
    pub state: Map<String, Value>,
}

/// The member that is the switch, where a service has one.
const SWITCH: &str = "on";

/// Where there is no switch: the rules by which some users get another value.
const RULES: &str = "targetingRules";

/// Where there is no switch: what everybody else gets.
const DEFAULT: &str = "defaultValue";

/// The member of that which a flag has that can be on or off.
const BOOLEAN: &str = "boolValue";

/// The longest value that is shown to people, in letters.
const SHOWN_MAX: usize = 60;

impl FlagImage {
    /// Whether everybody gets what the flag gives when it is off.
    pub fn is_off(&self) -> bool {
        // Where there is no switch, off is false for everybody.
        let is_false = || {
            let rules = self.state.get(RULES).and_then(Value::as_array);
            rules.is_none_or(Vec::is_empty) && self.value() == Some(&Value::Bool(false))
        };
        self.state.get(SWITCH).map_or_else(is_false, |on| on == &Value::Bool(false))
    }

    /// Whether it is on: by its switch, or true for everybody where there is none.
    pub fn is_on(&self) -> bool {
        let is_true = || {
            let rules = self.state.get(RULES).and_then(Value::as_array);
            rules.is_none_or(Vec::is_empty) && self.value() == Some(&Value::Bool(true))
        };
        self.state.get(SWITCH).map_or_else(is_true, |on| on == &Value::Bool(true))
    }

    /// Its state in a word or two.
    pub fn in_a_word(&self) -> &'static str {
        match (self.is_on(), self.is_off()) {
            (true, _) => "on",
            (_, true) => "off",
            (false, false) => "on for some",
        }
    }

    /// It with its switch put; where there is none, with one value for everybody.
    #[must_use]
    pub fn switched(&self, on: bool) -> FlagImage {
        let mut image = FlagImage { version: None, ..self.clone() };
        if let Some(switch) = image.state.get_mut(SWITCH) {
            *switch = Value::Bool(on);
            return image;
        }
        if let Some(value) = image.state.get_mut(DEFAULT).and_then(|all| all.get_mut(BOOLEAN)) {
            *value = Value::Bool(on);
        }
        if let Some(rules) = image.state.get_mut(RULES) {
            *rules = Value::Array(Vec::new());
        }
        image
    }

    fn value(&self) -> Option<&Value> {
        self.state.get(DEFAULT).and_then(|value| value.get(BOOLEAN))
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
    fn what_a_switch_does() {
        let check = |state: Value, on: bool, expected: Value| {
            let switched = image(state).switched(on);
            assert_eq!(Value::Object(switched.state.clone()), expected);
            assert_eq!((switched.is_on(), switched.is_off()), (on, !on));
        };
        let rules = json!([{"conditions": []}]);
        check(json!({"on": true, "rules": [1]}), false, json!({"on": false, "rules": [1]}));
        check(json!({"on": false, "rules": [1]}), true, json!({"on": true, "rules": [1]}));
        let switchless = |value: bool, rules: &Value| json!({"defaultValue": {"boolValue": value}, "targetingRules": rules});
        check(switchless(true, &rules), false, switchless(false, &json!([])));
        check(switchless(false, &rules), true, switchless(true, &json!([])));
    }

    #[test]
    fn what_differs() {
        let (old, new) = (json!({"on": true, "rules": []}), json!({"on": false, "rules": []}));
        assert_eq!(image(old.clone()).differences(&image(new)), ["on true -> false"]);
        assert!(image(old.clone()).differences(&image(old)).is_empty());
    }
}
