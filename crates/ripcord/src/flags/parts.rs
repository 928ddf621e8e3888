//! A document taken apart and put together: members keep their order and their text, so that what
//! Ripcord does not know survives, and `1.0` stays `1.0`.

use crate::failure::{Code, Failure};
use ripcord_core::flag::{Part, Parts};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// The document that there is where there is none.
const EMPTY: &str = "{\"flags\":{}}";

/// The member that holds the flags.
const FLAGS: &str = "flags";

/// The parts of a document.
pub(crate) fn parts(text: &str) -> Result<Parts, Failure> {
    Ok(in_order(text)?.into_iter().collect())
}

/// A document made of these parts, those of `now` in their order and the others after them.
pub(crate) fn compose(now: &str, wanted: &Parts) -> Result<String, Failure> {
    let mut order: Vec<Part> = in_order(if now.is_empty() { EMPTY } else { now })?
        .into_iter()
        .map(|(part, _)| part)
        .filter(|part| wanted.contains_key(part))
        .collect();
    order.extend(wanted.keys().filter(|part| !order.contains(part)).cloned().collect::<Vec<_>>());
    let (mut members, mut flags) = (Vec::new(), Vec::new());
    for part in &order {
        let text = &wanted[part];
        match part {
            Part::Member(name) => members.push(format!("  {}: {text}", quoted(name))),
            Part::Flag(key) => flags.push(format!("    {}: {text}", quoted(key))),
        }
    }
    if !wanted.contains_key(&Part::Member(FLAGS.to_owned())) {
        let flags = flags.join(",\n");
        let flags = if flags.is_empty() { "{}".to_owned() } else { format!("{{\n{flags}\n  }}") };
        members.push(format!("  \"{FLAGS}\": {flags}"));
    }
    Ok(format!("{{\n{}\n}}\n", members.join(",\n")))
}

/// The parts in the order of the document. Flags that are written as a list have an order that
/// matters to nobody and keys that a part cannot name: they are one part, as a whole.
fn in_order(text: &str) -> Result<Vec<(Part, String)>, Failure> {
    let mut parts = Vec::new();
    for (name, value) in members(text)? {
        if name == FLAGS && value.trim_start().starts_with('{') {
            let flags = members(&value)?.into_iter();
            parts.extend(flags.map(|(key, flag)| (Part::Flag(key), compact(&flag))));
        } else {
            parts.push((Part::Member(name), compact(&value)));
        }
    }
    Ok(parts)
}

fn members(text: &str) -> Result<Vec<(String, String)>, Failure> {
    let members: Members = serde_json::from_str(text).map_err(|error| {
        Failure::new(Code::FlagsInvalid, format!("the flags document is not JSON: {error}"))
    })?;
    Ok(members.0)
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The text without the spaces that mean nothing.
fn compact(text: &str) -> String {
    let mut compact = String::with_capacity(text.len());
    let (mut inside, mut escaped) = (false, false);
    for letter in text.chars() {
        if inside || !matches!(letter, ' ' | '\t' | '\r' | '\n') {
            compact.push(letter);
        }
        inside ^= letter == '"' && !escaped;
        escaped = inside && letter == '\\' && !escaped;
    }
    compact
}

/// The members of an object in their order.
struct Members(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    members.push((name, value.get().to_owned()));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{
  "$schema": "x",
  "flags": {
    "b": { "state": "ENABLED", "variants": { "x": 1.0, "y z": 1 }, "new \" member": [ 1e2 ] },
    "a": {}
  },
  "metadata": { "version": "7" }
}"#;

    #[test]
    fn there_and_back() {
        let found = parts(TEXT).unwrap();
        assert_eq!(found.len(), 4);
        let b = &found[&Part::Flag("b".into())];
        assert_eq!(b, r#"{"state":"ENABLED","variants":{"x":1.0,"y z":1},"new \" member":[1e2]}"#);
        let again = compose(TEXT, &found).unwrap();
        assert_eq!(parts(&again).unwrap(), found);
        assert!(again.find("\"b\"") < again.find("\"a\""), "{again}");
        assert_eq!(compose(&again, &found).unwrap(), again);
    }

    #[test]
    fn added_and_removed() {
        let mut wanted = parts(TEXT).unwrap();
        wanted.remove(&Part::Flag("b".into()));
        wanted.insert(Part::Flag("c\"".into()), "{}".into());
        let text = compose(TEXT, &wanted).unwrap();
        assert_eq!(parts(&text).unwrap(), wanted, "{text}");
        assert_eq!(parts(&compose("", &Parts::new()).unwrap()).unwrap(), Parts::new());
    }

    #[test]
    fn a_list_of_flags_is_one_part() {
        let text = r#"{"flags": [ {"key": "a"} ]}"#;
        let found = parts(text).unwrap();
        assert_eq!(found[&Part::Member("flags".into())], r#"[{"key":"a"}]"#);
        assert_eq!(parts(&compose(text, &found).unwrap()).unwrap(), found);
    }

    #[test]
    fn spaces_in_strings_stay() {
        let check = |text: &str, expected: &str| assert_eq!(compact(text), expected);
        check(r#" { "a b" : " c " } "#, r#"{"a b":" c "}"#);
        check(r#""a\" b" , "c\\" , 1"#, r#""a\" b","c\\",1"#);
    }
}
