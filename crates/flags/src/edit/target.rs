//! Variants for single users, or for those who share an attribute. These rules stand first.

use crate::document::Document;
use crate::edit::chain::{Chain, OneOf};
use crate::edit::flag::find;
use crate::error::FlagsError;
use crate::text::quote;

/// Who gets a variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The attribute that is looked at, mostly `targetingKey`.
    pub attribute: String,
    /// Its values.
    pub values: Vec<String>,
    /// The variant for those who have one of them.
    pub variant: String,
}

impl Document {
    /// Gives those with certain values of an attribute a variant. Where another rule of this kind
    /// gave one of them another variant, it does no longer.
    ///
    /// # Errors
    ///
    /// [`FlagsError`] when there is no such flag or variant, or no value is given.
    pub fn target_add(&self, key: &str, target: &Target) -> Result<Document, FlagsError> {
        let form = self.form();
        let flag = find(&form, key)?;
        let variant = quote(flag.known(&target.variant)?);
        if target.values.is_empty() || target.attribute.is_empty() {
            return Err(FlagsError::refused(
                key,
                "needs an attribute and at least one value of it",
            ));
        }
        let mut chain = Chain::read(flag.targeting, self.text());
        let values: Vec<String> = target.values.iter().map(|value| quote(value)).collect();
        take(&mut chain, &target.attribute, |value| values.iter().any(|it| it == value));
        let mut rule = OneOf { attribute: target.attribute.clone(), values };
        // Values for one variant are gathered in one rule.
        let first = chain.branches.first();
        let gathered = first.filter(|(_, consequence)| *consequence == variant);
        let gathered = gathered.and_then(|(condition, _)| OneOf::read(condition));
        if let Some(known) = gathered.filter(|known| known.attribute == rule.attribute) {
            chain.branches.remove(0);
            rule.values.splice(0..0, known.values);
        }
        chain.branches.insert(0, (rule.show(), variant));
        self.set_targeting(key, chain.show().as_deref())
    }

    /// Takes a value of an attribute out of the rules, or all of its values.
    ///
    /// # Errors
    ///
    /// [`FlagsError`] when there is no such flag, or no rule for this.
    pub fn target_remove(
        &self,
        key: &str,
        attribute: &str,
        value: Option<&str>,
    ) -> Result<Document, FlagsError> {
        let form = self.form();
        let flag = find(&form, key)?;
        let mut chain = Chain::read(flag.targeting, self.text());
        let quoted = value.map(quote);
        // A number may have been written without quotes.
        let meant = |found: &str| match (&quoted, value) {
            (Some(quoted), Some(value)) => found == quoted || found == value,
            _ => true,
        };
        if take(&mut chain, attribute, meant) == 0 {
            let what = value.map_or(String::new(), |value| format!(" = `{value}`"));
            let why = format!("has no rule for {attribute}{what} that a command could take out");
            return Err(FlagsError::refused(key, why));
        }
        self.set_targeting(key, chain.show().as_deref())
    }
}

/// Takes values of an attribute out of all rules, and rules that have none left. Says how many.
fn take(chain: &mut Chain, attribute: &str, meant: impl Fn(&str) -> bool) -> usize {
    let mut taken = 0;
    chain.branches.retain_mut(|(condition, _)| {
        let Some(mut rule) = OneOf::read(condition).filter(|it| it.attribute == attribute) else {
            return true;
        };
        let before = rule.values.len();
        rule.values.retain(|value| !meant(value));
        if rule.values.len() < before {
            taken += before - rule.values.len();
            *condition = rule.show();
        }
        !rule.values.is_empty()
    });
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(targeting: &str) -> Document {
        let targeting = if targeting.is_empty() {
            String::new()
        } else {
            format!(",\"targeting\":{targeting}")
        };
        let text = format!(
            r#"{{"flags":{{"f":{{"state":"ENABLED","variants":{{"on":true,"off":false}},"defaultVariant":"off"{targeting}}}}}}}"#
        );
        Document::parse(text.as_bytes()).expect("a good document")
    }

    fn rules(document: Result<Document, FlagsError>) -> String {
        match document {
            Ok(document) => document.flag("f").and_then(|flag| flag.targeting).unwrap_or_default(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn targets_stand_first() {
        let check = |before: &str, values: &[&str], variant: &str, expected: &str| {
            let values = values.iter().map(|value| (*value).to_owned()).collect();
            let target =
                Target { attribute: "targetingKey".into(), values, variant: variant.into() };
            let found = rules(document(before).target_add("f", &target));
            assert!(found.contains(expected), "{expected} is not in {found}");
        };
        let u1 = r#"{"if": [{"in": [{"var": "targetingKey"}, ["u1"]]}, "on"]}"#;
        check("", &["u1"], "on", u1);
        check(u1, &["u1"], "on", u1);
        check(
            u1,
            &["u2"],
            "on",
            r#"{"if": [{"in": [{"var": "targetingKey"}, ["u1", "u2"]]}, "on"]}"#,
        );
        check(u1, &["u1"], "off", r#"{"if": [{"in": [{"var": "targetingKey"}, ["u1"]]}, "off"]}"#);
        check(
            r#"{"fractional":[["on",1.0],["off",9]]}"#,
            &["u1"],
            "on",
            r#"{"if": [{"in": [{"var": "targetingKey"}, ["u1"]]}, "on", {"fractional":[["on",1.0],["off",9]]}]}"#,
        );
        check(
            r#"{"if":[{"in":[{"var":"plan"},["gold"]]},"on"]}"#,
            &["u1"],
            "on",
            r#"{"if": [{"in": [{"var": "targetingKey"}, ["u1"]]}, "on", {"in":[{"var":"plan"},["gold"]]}, "on"]}"#,
        );
        check("", &[], "on", "at least one value");
        check("", &["u1"], "of", "has no variant `of`");
    }

    #[test]
    fn targets_are_taken_out() {
        let check = |before: &str, value: Option<&str>, expected: &str| {
            assert_eq!(
                rules(document(before).target_remove("f", "k", value)),
                expected,
                "{before}"
            );
        };
        check(r#"{"if":[{"==":[{"var":"k"},"a"]},"on"]}"#, Some("a"), "");
        check(
            r#"{"if":[{"in":[{"var":"k"},["a","b"]]},"on"]}"#,
            Some("a"),
            r#"{"if": [{"in": [{"var": "k"}, ["b"]]}, "on"]}"#,
        );
        check(
            r#"{"if":[{"in":[{"var":"k"},["a","b"]]},"on",{"fractional":[["on"]]}]}"#,
            None,
            r#"{"fractional":[["on"]]}"#,
        );
        check(r#"{"if":[{"==":[{"var":"k"},7]},"on"]}"#, Some("7"), "");
        check(
            r#"{"if":[{"==":[{"var":"z"},"a"]},"on"]}"#,
            Some("a"),
            "flag `f` has no rule for k = `a` that a command could take out",
        );
        check("", None, "flag `f` has no rule for k that a command could take out");
    }
}
