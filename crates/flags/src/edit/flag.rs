//! Changes of single flags that do not touch rules beyond dropping them: on, off, default, state,
//! the whole flag.

use crate::document::Document;
use crate::edit::splice::Splices;
use crate::error::{FlagsError, Problem};
use crate::form::{FlagForm, FlagState, Form};
use crate::text::{Kind, parse, quote};
use std::collections::HashSet;

/// What becomes of the rules of a flag that is turned on or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetRules {
    /// A flag with rules is not changed: its default alone would not reach everybody.
    Refuse,
    /// They go: everybody gets the same.
    Drop,
}

impl Document {
    /// Turns a flag on for everybody: its default becomes the variant `on`, or the one that is
    /// true, or the only one that is not off.
    ///
    /// # Errors
    ///
    /// [`FlagsError`] when there is no such flag, it has rules that are not to be dropped, or it
    /// cannot be told which variant is meant.
    pub fn on(&self, key: &str, rules: TargetRules) -> Result<Document, FlagsError> {
        let form = self.form();
        let flag = find(&form, key)?;
        let variant = flag.on_variant().map_err(|why| FlagsError::refused(key, why))?;
        self.fixed(flag, variant, rules)
    }

    /// Turns a flag off for everybody: its default becomes the variant that `metadata.offVariant`
    /// names, or `off`, or the one that is false.
    ///
    /// # Errors
    ///
    /// As of [`Document::on`].
    pub fn off(&self, key: &str, rules: TargetRules) -> Result<Document, FlagsError> {
        let form = self.form();
        let flag = find(&form, key)?;
        let variant = flag.off_variant().map_err(|why| FlagsError::refused(key, why))?;
        self.fixed(flag, variant, rules)
    }

    /// Sets the variant where no rule says otherwise; none leaves it to the code.
    ///
    /// # Errors
    ///
    /// [`FlagsError`] when there is no such flag or variant.
    pub fn set_default(&self, key: &str, variant: Option<&str>) -> Result<Document, FlagsError> {
        let form = self.form();
        let flag = find(&form, key)?;
        let value = match variant {
            Some(name) => quote(flag.known(name)?),
            None => "null".to_owned(),
        };
        let mut splices = Splices::new(self.text());
        splices.set(flag.node, "defaultVariant", &value);
        Document::from_text(splices.apply())
    }

    /// Sets whether a flag is evaluated. Disabled means what the code says, which may be on.
    ///
    /// # Errors
    ///
    /// [`FlagsError`] when there is no such flag.
    pub fn set_state(&self, key: &str, state: FlagState) -> Result<Document, FlagsError> {
        let form = self.form();
        let mut splices = Splices::new(self.text());
        splices.set(find(&form, key)?.node, "state", &quote(state.as_str()));
        Document::from_text(splices.apply())
    }

    /// Sets the rules of a flag, given as JSON; none takes them out.
    ///
    /// # Errors
    ///
    /// [`FlagsError`] when there is no such flag, or the rules are not an object.
    pub fn set_targeting(&self, key: &str, rules: Option<&str>) -> Result<Document, FlagsError> {
        let form = self.form();
        let mut splices = Splices::new(self.text());
        let flag = find(&form, key)?;
        match rules {
            Some(rules) => {
                well_formed(rules)?;
                splices.set(flag.node, "targeting", rules);
            }
            None => splices.remove(flag.node, "targeting"),
        }
        Document::from_text(splices.apply())
    }

    /// Adds a flag, or replaces the one of this key, by its JSON.
    ///
    /// # Errors
    ///
    /// [`FlagsError`] when the JSON is not that of a flag.
    pub fn with_flag(&self, key: &str, json: &str) -> Result<Document, FlagsError> {
        let mut splices = Splices::new(self.text());
        self.place_flag(&mut splices, &self.form(), key, json)?;
        Document::from_text(splices.apply())
    }

    /// Takes a flag out.
    ///
    /// # Errors
    ///
    /// [`FlagsError`] when there is no such flag.
    pub fn without_flag(&self, key: &str) -> Result<Document, FlagsError> {
        find(&self.form(), key)?;
        self.without_flags(&[key])
    }

    /// Takes several flags out; those that are not there are passed over.
    pub(crate) fn without_flags(&self, keys: &[&str]) -> Result<Document, FlagsError> {
        let Some(flags) = self.source.root.get("flags") else { return Ok(self.clone()) };
        let gone: HashSet<&str> = keys.iter().copied().collect();
        let mut splices = Splices::new(self.text());
        // The form has the flags in the order in which they are written.
        let places =
            self.form().flags.iter().map(|flag| gone.contains(flag.key)).collect::<Vec<_>>();
        splices.remove_where(flags, &places);
        Document::from_text(splices.apply())
    }

    /// The JSON of a flag, as it was written.
    pub fn flag_text(&self, key: &str) -> Option<&str> {
        let form = self.form();
        let span = form.find(key)?.node.span();
        Some(&self.text()[span])
    }

    pub(crate) fn place_flag(
        &self,
        splices: &mut Splices<'_>,
        form: &Form<'_>,
        key: &str,
        json: &str,
    ) -> Result<(), FlagsError> {
        let flag = well_formed(json)?;
        let Some(flags) = self.source.root.get("flags") else { return Ok(()) };
        match (&flags.kind, form.find(key)) {
            (Kind::List(_), known) => {
                // In a list the key is a member of the flag.
                let mut keyed = Splices::new(json);
                keyed.set(&flag, "key", &quote(key));
                let json = keyed.apply();
                match known {
                    Some(known) => splices.replace(known.node, &json),
                    None => splices.append(flags, &json),
                }
            }
            (_, Some(known)) => splices.replace(known.node, json),
            (_, None) => splices.set(flags, key, json),
        }
        Ok(())
    }

    fn fixed(
        &self,
        flag: &FlagForm<'_>,
        variant: &str,
        rules: TargetRules,
    ) -> Result<Document, FlagsError> {
        if flag.targeting.is_some() && rules == TargetRules::Refuse {
            let why =
                "has rules, so a default would not reach everybody; drop the rules, or change them";
            return Err(FlagsError::refused(flag.key, why));
        }
        let mut splices = Splices::new(self.text());
        fix(&mut splices, flag, variant);
        Document::from_text(splices.apply())
    }
}

/// Gives everybody one variant of a flag.
pub(crate) fn fix(splices: &mut Splices<'_>, flag: &FlagForm<'_>, variant: &str) {
    splices.set(flag.node, "state", &quote(FlagState::Enabled.as_str()));
    splices.set(flag.node, "defaultVariant", &quote(variant));
    splices.remove(flag.node, "targeting");
}

/// The flag of this key.
pub(crate) fn find<'f, 'a>(form: &'f Form<'a>, key: &str) -> Result<&'f FlagForm<'a>, FlagsError> {
    form.find(key).ok_or_else(|| {
        let mut known: Vec<&str> = form.flags.iter().map(|flag| flag.key).take(21).collect();
        if known.len() == 21 {
            known[20] = "...";
        }
        FlagsError::NoFlag { key: key.to_owned(), known: known.join(", ") }
    })
}

/// The tree of a JSON object that somebody gives.
fn well_formed(json: &str) -> Result<crate::text::Node, FlagsError> {
    let root = parse(json).map_err(|(what, span)| Problem::new(json, &span, what))?;
    if root.members().is_none() {
        let what = format!("this is {} instead of an object", root.kind_name());
        return Err(Problem::new(json, &root.span(), what).into());
    }
    Ok(root)
}

impl<'a> FlagForm<'a> {
    /// The variant that is off.
    pub(crate) fn off_variant(&self) -> Result<&'a str, String> {
        if let Some(named) = self.metadata.iter().find(|member| &*member.key == "offVariant") {
            let name = named.value.as_str().unwrap_or_default();
            return self.named(name).ok_or_else(|| {
                format!("has `metadata.offVariant` {}, which is none of its variants", quote(name))
            });
        }
        self.named("off").or_else(|| self.valued(false)).ok_or_else(|| {
            "has no variant that is off: name one in `metadata.offVariant`".to_owned()
        })
    }

    /// The variant that is on.
    fn on_variant(&self) -> Result<&'a str, String> {
        if let Some(name) = self.named("on").or_else(|| self.valued(true)) {
            return Ok(name);
        }
        let off = self.off_variant().ok();
        let mut others = self.variants.iter().map(|variant| &*variant.key);
        let mut others = others.by_ref().filter(|name| Some(*name) != off);
        match (others.next(), others.next()) {
            (Some(only), None) => Ok(only),
            _ => {
                Err("has several variants that may be meant: set the default to one of them"
                    .to_owned())
            }
        }
    }

    /// The variant of this name.
    pub(crate) fn named(&self, name: &str) -> Option<&'a str> {
        let found = self.variants.iter().find(|variant| &*variant.key == name);
        found.map(|variant| &*variant.key)
    }

    fn valued(&self, value: bool) -> Option<&'a str> {
        let found = self.variants.iter().find(|variant| variant.value.kind == Kind::Bool(value));
        found.map(|variant| &*variant.key)
    }

    /// The variant of this name, or the refusal.
    pub(crate) fn known(&self, name: &str) -> Result<&'a str, FlagsError> {
        self.named(name).ok_or_else(|| {
            let known: Vec<&str> = self.variants.iter().map(|variant| &*variant.key).collect();
            let why = format!("has no variant `{name}`; there are: {}", known.join(", "));
            FlagsError::refused(self.key, why)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{
  "$schema": "x", "flags": {
    "a": { "state": "DISABLED", "variants": { "on": true, "off": false }, "own": 1.0 },
    "b": {"state":"ENABLED","variants":{"x":1,"y":2.50},"defaultVariant":"x","targeting":{"var":"v"}},
    "c": {"state":"ENABLED","variants":{"x":1,"y":2,"z":3},"metadata":{"offVariant":"z"}}
  }
}"#;

    type Edit = fn(&Document) -> Result<Document, FlagsError>;

    fn check(edit: Edit, expected: Result<(&str, &str), &str>) {
        let document = Document::parse(TEXT.as_bytes()).expect("a good document");
        match (edit(&document), expected) {
            (Ok(changed), Ok((from, to))) => {
                assert!(TEXT.contains(from), "{from}");
                assert_eq!(changed.text(), TEXT.replacen(from, to, 1));
            }
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (found, expected) => {
                panic!("{:?} instead of {expected:?}", found.map(|d| d.text().to_owned()))
            }
        }
    }

    #[test]
    fn only_what_was_meant_changes() {
        let own =
            r#"{ "state": "DISABLED", "variants": { "on": true, "off": false }, "own": 1.0 }"#;
        check(
            |d| d.on("a", TargetRules::Refuse),
            Ok((
                own,
                r#"{ "state": "ENABLED", "variants": { "on": true, "off": false }, "own": 1.0, "defaultVariant": "on" }"#,
            )),
        );
        check(
            |d| d.off("a", TargetRules::Refuse),
            Ok((
                own,
                r#"{ "state": "ENABLED", "variants": { "on": true, "off": false }, "own": 1.0, "defaultVariant": "off" }"#,
            )),
        );
        check(
            |d| d.off("c", TargetRules::Refuse),
            Ok((r#""offVariant":"z"}"#, r#""offVariant":"z"}, "defaultVariant": "z""#)),
        );
        check(|d| d.set_default("b", Some("y")), Ok((r#"Variant":"x""#, r#"Variant":"y""#)));
        check(|d| d.set_default("b", None), Ok((r#"Variant":"x""#, r#"Variant":null"#)));
        check(|d| d.set_state("a", FlagState::Enabled), Ok(("DISABLED", "ENABLED")));
        check(|d| d.set_targeting("b", None), Ok((r#","targeting":{"var":"v"}"#, "")));
        check(
            |d| d.set_targeting("b", Some(r#"{"var":"w"}"#)),
            Ok((r#"{"var":"v"}"#, r#"{"var":"w"}"#)),
        );
        check(
            |d| d.with_flag("a", r#"{"state":"ENABLED","variants":{"x":1.50}}"#),
            Ok((own, r#"{"state":"ENABLED","variants":{"x":1.50}}"#)),
        );
        check(
            |d| d.with_flag("d", r#"{"state":"ENABLED","variants":{"x":1}}"#),
            Ok((
                "\"offVariant\":\"z\"}}",
                "\"offVariant\":\"z\"}},\n    \"d\": {\"state\":\"ENABLED\",\"variants\":{\"x\":1}}",
            )),
        );
        check(
            |d| d.without_flag("c"),
            Ok((
                ",\n    \"c\": {\"state\":\"ENABLED\",\"variants\":{\"x\":1,\"y\":2,\"z\":3},\"metadata\":{\"offVariant\":\"z\"}}",
                "",
            )),
        );
    }

    #[test]
    fn what_is_not_clear_is_refused() {
        check(|d| d.on("x", TargetRules::Drop), Err("there is no flag `x`; there are: a, b, c"));
        check(|d| d.off("b", TargetRules::Drop), Err("no variant that is off"));
        check(|d| d.on("b", TargetRules::Drop), Err("several variants"));
        check(|d| d.on("c", TargetRules::Drop), Err("several variants"));
        check(|d| d.set_default("a", Some("o")), Err("has no variant `o`; there are: on, off"));
        check(|d| d.set_targeting("a", Some("[]")), Err("a list instead of an object"));
        check(|d| d.with_flag("a", "{"), Err("name of a member"));
        check(|d| d.with_flag("a", "{}"), Err("flag `a` has no `state`"));
        check(|d| d.without_flag("x"), Err("there is no flag"));
        let text = r#"{"flags":{"a":{"state":"ENABLED","variants":{"on":true,"off":false},"targeting":{"var":"x"}}}}"#;
        let document = Document::parse(text.as_bytes()).expect("a good document");
        let refused = document.off("a", TargetRules::Refuse).expect_err("rules stay");
        assert!(refused.to_string().contains("has rules"), "{refused}");
        let off = document.off("a", TargetRules::Drop).expect("rules go");
        assert_eq!(off.flag("a").and_then(|flag| flag.targeting), None);
    }

    #[test]
    fn flags_in_a_list() {
        let text =
            r#"{"flags":[{"key":"a","state":"ENABLED","variants":{"on":true,"off":false}}]}"#;
        let document = Document::parse(text.as_bytes()).expect("a good document");
        let added =
            document.with_flag("b", r#"{"state":"ENABLED","variants":{"x":1}}"#).expect("added");
        assert_eq!(added.keys().collect::<Vec<_>>(), ["a", "b"]);
        let again =
            added.with_flag("b", r#"{"state":"DISABLED","variants":{"x":1}}"#).expect("replaced");
        assert_eq!(again.flag("b").map(|flag| flag.state), Some(FlagState::Disabled));
        assert_eq!(again.without_flag("b").expect("removed"), document);
    }
}
