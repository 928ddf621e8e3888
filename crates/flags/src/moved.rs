//! How many users get another variant under another document, or another generation of bucketing:
//! counted over a fixed sample of made-up users, so that the same question has the same answer.

use crate::context::Context;
use crate::flag_set::FlagSet;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// How many users are sampled.
pub const SAMPLED: u32 = 20_000;

/// The share of users who get another variant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Share {
    /// How many of [`SAMPLED`] get another variant.
    pub moved: u32,
    /// From which variant to which, and how many; no variant is what the code says.
    pub ways: BTreeMap<(Option<String>, Option<String>), u32>,
}

impl Share {
    /// The share in percent.
    pub fn percent(&self) -> f64 {
        f64::from(self.moved) * 100.0 / f64::from(SAMPLED)
    }
}

/// Counts the users who get another variant of a flag. They differ in their targeting key and in
/// every attribute by which the flag splits users; all else is absent.
pub fn moved(before: &FlagSet, after: &FlagSet, flag: &str) -> Share {
    let mut paths = before.split_by(flag);
    paths.extend(after.split_by(flag));
    let mut share = Share::default();
    for number in 0..SAMPLED {
        let user = format!("user-{number}");
        let mut attributes = Map::new();
        attributes.insert("targetingKey".to_owned(), Value::from(user.as_str()));
        for path in &paths {
            put(&mut attributes, path, &user);
        }
        let attributes = Value::Object(attributes);
        // Paths are no deeper than a document allows, but a context may be less deep.
        let Ok(context) = Context::new(&attributes, 0) else { continue };
        let from = before.evaluate(flag, &context).variant;
        let to = after.evaluate(flag, &context).variant;
        if from != to {
            share.moved += 1;
            let way = (from.map(str::to_owned), to.map(str::to_owned));
            *share.ways.entry(way).or_default() += 1;
        }
    }
    share
}

/// Puts a text at a path, unless something stands in the way.
fn put(attributes: &mut Map<String, Value>, path: &[Box<str>], text: &str) {
    let Some((last, names)) = path.split_last() else { return };
    let mut members = attributes;
    for name in names {
        let inner = members.entry(name.to_string()).or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(inner) = inner else { return };
        members = inner;
    }
    members.entry(last.to_string()).or_insert_with(|| Value::from(text));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bucketing, Options};

    fn set(targeting: &str, bucketing: Bucketing) -> FlagSet {
        let text = format!(
            r#"{{"flags":{{"f":{{"state":"ENABLED","variants":{{"new":1,"old":2}},"defaultVariant":"old","targeting":{targeting}}}}}}}"#
        );
        let options = Options { bucketing: Some(bucketing), ..Options::default() };
        FlagSet::parse_with(&text, &options).expect("a good document")
    }

    fn check(before: &FlagSet, after: &FlagSet, least: f64, most: f64) -> Share {
        let share = moved(before, after, "f");
        assert!((least..=most).contains(&share.percent()), "{} %", share.percent());
        share
    }

    #[test]
    fn a_larger_share_moves_users_one_way() {
        let at = |percent: u32| {
            set(
                &format!(r#"{{"fractional":[["new",{percent}],["old",{}]]}}"#, 100 - percent),
                Bucketing::V3,
            )
        };
        check(&at(10), &at(10), 0.0, 0.0);
        let share = check(&at(10), &at(25), 14.0, 16.0);
        let ways: Vec<_> = share.ways.into_keys().collect();
        assert_eq!(ways, [(Some("old".to_owned()), Some("new".to_owned()))]);
    }

    #[test]
    fn another_generation_re_assigns() {
        let rules = r#"{"fractional":[["new",10],["old",90]]}"#;
        // Of the tenth that had it a tenth has it still: 18 % of all change.
        check(&set(rules, Bucketing::V2), &set(rules, Bucketing::V3), 17.0, 19.0);
    }

    #[test]
    fn users_differ_in_what_they_are_split_by() {
        let by = |path: &str, percent: u32| {
            set(
                &format!(
                    r#"{{"fractional":[{{"cat":["x",{{"var":"{path}"}}]}},["new",{percent}],["old",{}]]}}"#,
                    100 - percent
                ),
                Bucketing::V3,
            )
        };
        check(&by("user.email", 10), &by("user.email", 60), 49.0, 51.0);
        check(&by("user.email", 50), &by("user.email", 50), 0.0, 0.0);
    }
}
