//! The flags document of a release, in flagd's format: checked for what would make a service
//! fail, and summed up as the default of each flag. It is not evaluated here.

use crate::config::caret;
use crate::failure::{Code, Failure};
use ripcord_core::model::{Digest, FlagSet};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

/// The digest of a document and the default variant of each of its flags.
pub(crate) fn flag_set(path: &Path, bytes: &[u8]) -> Result<FlagSet, Failure> {
    let name = path.display().to_string();
    let wrong = |what: String| Failure::new(Code::FlagsInvalid, format!("{name}: {what}"));
    let text = std::str::from_utf8(bytes).map_err(|_| wrong("not UTF-8".to_owned()))?;
    let document: Value = serde_json::from_str(text).map_err(|error| {
        let at = offset(text, error.line(), error.column());
        wrong(format!("not JSON: {error}")).at(caret(&name, text, at..at + 1))
    })?;
    let Some(Value::Object(flags)) = document.get("flags") else {
        return Err(wrong("there is no object `flags`".to_owned())
            .hint("the format is flagd's: { \"flags\": { \"NAME\": { \"state\": ... } } }"));
    };
    let mut defaults = BTreeMap::new();
    for (key, flag) in flags {
        if key.is_empty() || key.chars().any(char::is_control) {
            return Err(wrong(format!("{key:?} is not the key of a flag")));
        }
        let default = default(flag).map_err(|what| wrong(format!("flag `{key}` {what}")))?;
        defaults.insert(key.clone(), default);
    }
    Ok(FlagSet { document: Some(Digest::of_bytes(bytes)), defaults })
}

/// The default variant: `disabled` for a flag that is off altogether, `code` for one that leaves
/// the default to the code that asks.
fn default(flag: &Value) -> Result<String, String> {
    let flag = flag.as_object().ok_or("is not an object")?;
    let disabled = match flag.get("state").and_then(Value::as_str) {
        Some("ENABLED") => false,
        Some("DISABLED") => true,
        _ => return Err("has no `state` that is \"ENABLED\" or \"DISABLED\"".to_owned()),
    };
    let variants = flag.get("variants").and_then(Value::as_object).filter(|map| !map.is_empty());
    let variants = variants.ok_or("has no `variants`")?;
    one_type(variants)?;
    match flag.get("defaultVariant") {
        None | Some(Value::Null) if disabled => Ok("disabled".to_owned()),
        None | Some(Value::Null) => Ok("code".to_owned()),
        Some(Value::String(name)) if variants.contains_key(name) => {
            Ok(if disabled { "disabled".to_owned() } else { name.clone() })
        }
        Some(Value::String(name)) => {
            let known: Vec<&str> = variants.keys().map(String::as_str).collect();
            Err(format!("has the default variant `{name}`, but only: {}", known.join(", ")))
        }
        Some(_) => Err("has a `defaultVariant` that is not a text".to_owned()),
    }
}

/// A service asks for one type; a variant of another would be an error at the worst moment.
fn one_type(variants: &Map<String, Value>) -> Result<(), String> {
    let kind = |value: &Value| match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    let mut kinds = variants.values().map(kind);
    let first = kinds.next().unwrap_or("null");
    match kinds.find(|other| *other != first) {
        Some(other) => Err(format!("has variants of two types, {first} and {other}")),
        None => Ok(()),
    }
}

/// The byte at a line and column as `serde_json` counts them.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    before + column.saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: &Expect) {
        let shown = match flag_set("flags.json".as_ref(), text.as_bytes()) {
            Ok(set) => format!("{:?}", set.defaults),
            Err(failure) => failure.to_string(),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn defaults_of_flags() {
        check(
            r#"{"flags": {
                "a": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on"},
                "b": {"state": "DISABLED", "variants": {"on": true}, "defaultVariant": "on"},
                "c": {"state": "ENABLED", "variants": {"x": "y"}}
            }}"#,
            &expect![[r#"{"a": "on", "b": "disabled", "c": "code"}"#]],
        );
        check(r#"{"flags": {}}"#, &expect!["{}"]);
    }

    #[test]
    fn what_is_no_flags_document() {
        check(
            "{\"flags\": {\n  \"a\": nope\n}}",
            &expect![[r#"
                error[RC0107]: flags.json: not JSON: expected ident at line 2 column 9
                  --> flags.json:2:9
                   |
                 2 |   "a": nope
                   |         ^"#]],
        );
        check(
            "[]",
            &expect![[r#"
            error[RC0107]: flags.json: there is no object `flags`
            hint: the format is flagd's: { "flags": { "NAME": { "state": ... } } }"#]],
        );
        check(
            r#"{"flags": {"a": {"state": "ENABLED", "variants": {"on": true}, "defaultVariant": "off"}}}"#,
            &expect![
                "error[RC0107]: flags.json: flag `a` has the default variant `off`, but only: on"
            ],
        );
        check(
            r#"{"flags": {"a": {"state": "ENABLED", "variants": {"on": true, "off": 0}, "defaultVariant": "on"}}}"#,
            &expect![
                "error[RC0107]: flags.json: flag `a` has variants of two types, a number and a boolean"
            ],
        );
        check(
            r#"{"flags": {"a": {"state": "on", "variants": {"on": true}}}}"#,
            &expect![[
                r#"error[RC0107]: flags.json: flag `a` has no `state` that is "ENABLED" or "DISABLED""#
            ]],
        );
    }
}
