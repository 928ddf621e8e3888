//! A flags document as it was written: its text, and what each flag is without targeting. It is
//! changed only by making another one; what it does not know it leaves alone.

use crate::error::FlagsError;
use crate::form::{FlagForm, FlagState, Form, Source};
use crate::text::Member;
use std::collections::BTreeMap;

/// A document as flagd reads it. Its text is kept to the byte.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    pub(crate) source: Source,
}

/// One flag of a document, read out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlagView {
    /// Its key.
    pub key: String,
    /// Whether it is evaluated.
    pub state: FlagState,
    /// The variant where no rule says otherwise; none leaves it to the code.
    pub default_variant: Option<String>,
    /// Names and values of its variants, in their order, values as they were written.
    pub variants: Vec<(String, String)>,
    /// Its rules as they were written.
    pub targeting: Option<String>,
    /// What is said of it: names and values, strings without quotes.
    pub metadata: BTreeMap<String, String>,
}

impl Document {
    /// Reads a document.
    ///
    /// # Errors
    ///
    /// [`FlagsError`] when it is not of flagd's form, or a flag names a default variant that it
    /// does not have, or variants of different types.
    pub fn parse(bytes: &[u8]) -> Result<Document, FlagsError> {
        let text = std::str::from_utf8(bytes).map_err(|_| FlagsError::Encoding)?;
        Document::from_text(text.to_owned())
    }

    /// The same from a text.
    pub(crate) fn from_text(text: String) -> Result<Document, FlagsError> {
        let source = Source::parse(text)?;
        source.form()?;
        Ok(Document { source })
    }

    /// The document, as it was written.
    pub fn text(&self) -> &str {
        &self.source.text
    }

    /// The keys of its flags, in their order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.form().flags.into_iter().map(|flag| flag.key)
    }

    /// A flag, read out.
    pub fn flag(&self, key: &str) -> Option<FlagView> {
        let form = self.form();
        Some(self.view(form.find(key)?))
    }

    /// All flags, read out, in their order.
    pub fn flags(&self) -> Vec<FlagView> {
        self.form().flags.iter().map(|flag| self.view(flag)).collect()
    }

    /// What each flag is where no rule says otherwise: its variant, `disabled`, or `code`.
    pub fn defaults(&self) -> BTreeMap<String, String> {
        let text = |flag: &FlagForm<'_>| match (flag.state, flag.default) {
            (FlagState::Disabled, _) => "disabled".to_owned(),
            (FlagState::Enabled, Some(variant)) => variant.to_owned(),
            (FlagState::Enabled, None) => "code".to_owned(),
        };
        self.form().flags.iter().map(|flag| (flag.key.to_owned(), text(flag))).collect()
    }

    pub(crate) fn form(&self) -> Form<'_> {
        self.source.form().expect("its form was checked when it was read")
    }

    fn view(&self, flag: &FlagForm<'_>) -> FlagView {
        let text = &self.source.text;
        let lexeme =
            |member: &Member| (member.key.to_string(), member.value.lexeme(text).to_owned());
        let plain = |member: &Member| {
            let value = member.value.as_str().unwrap_or_else(|| member.value.lexeme(text));
            (member.key.to_string(), value.to_owned())
        };
        FlagView {
            key: flag.key.to_owned(),
            state: flag.state,
            default_variant: flag.default.map(str::to_owned),
            variants: flag.variants.iter().map(lexeme).collect(),
            targeting: flag.targeting.map(|rules| rules.lexeme(text).to_owned()),
            metadata: flag.metadata.iter().map(plain).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&[(&str, &str)], &str>) {
        match (Document::parse(text.as_bytes()), expected) {
            (Ok(document), Ok(expected)) => {
                let expected: BTreeMap<String, String> =
                    expected.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
                assert_eq!(document.defaults(), expected);
                assert_eq!(document.text(), text);
            }
            (Err(error), Err(part)) => {
                assert!(format!("{error:#}").contains(part), "{part} is not in: {error:#}");
            }
            (found, expected) => panic!("{found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn documents() {
        check(r#"{"flags":{}}"#, Ok(&[]));
        check(
            r#"{"$schema":"x","flags":{
                "a":{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on"},
                "b":{"state":"DISABLED","variants":{"x":1},"defaultVariant":"x","targeting":{}},
                "c":{"state":"ENABLED","variants":{"x":"y"},"defaultVariant":null}}}"#,
            Ok(&[("a", "on"), ("b", "disabled"), ("c", "code")]),
        );
        check(
            r#"{"flags":[{"key":"a","state":"ENABLED","variants":{"on":true}}]}"#,
            Ok(&[("a", "code")]),
        );
    }

    #[test]
    fn what_is_not_of_the_form_is_shown() {
        check("{}", Err("the document has no member `flags`"));
        check("", Err("the document ends where a value was expected"));
        check("[]", Err("is a list instead of an object"));
        check(r#"{"flags":1}"#, Err("`flags` is a number instead of an object"));
        check(r#"{"flags":[{"state":"ENABLED"}]}"#, Err("needs a `key`"));
        check(r#"{"flags":{"":{}}}"#, Err("cannot be the key"));
        check(r#"{"flags":{"a":1}}"#, Err("flag `a` is a number"));
        check(r#"{"flags":{"a":{"variants":{"x":1}}}}"#, Err("hint: add \"state\": \"ENABLED\""));
        check(r#"{"flags":{"a":{"state":"ENABLED"}}}"#, Err("has no `variants`"));
        check(r#"{"flags":{"a":{"state":"ENABLED","variants":{}}}}"#, Err("has no variants"));
        check(r#"{"flags":{"a":{"state":"ENABLED","variants":{"x":[1]}}}}"#, Err("is a list"));
        check(
            r#"{"flags":{"a":{"state":"ENABLED","variants":{"on":true},"defaultVariant":"of"}}}"#,
            Err("flag `a` has the default variant `of`, but only: on"),
        );
        check(
            r#"{"flags":{"a":{"state":"ENABLED","variants":{"on":true,"off":"no"}}}}"#,
            Err("hint: `on` is a boolean, `off` is a string"),
        );
        check(r#"{"flags":{"a":{"state":"ON","variants":{"on":true}}}}"#, Err("^^^^"));
        check(
            r#"{"flags":{"a":{"state":"ENABLED","variants":{"x":1},"targeting":[]}}}"#,
            Err("{} means none"),
        );
        check(
            r#"{"flags":{"a":{"state":"ENABLED","variants":{"x":1},"metadata":{"y":{}}}}}"#,
            Err("`y` in `metadata` is an object"),
        );
        check(r#"{"flags":{},"metadata":{"y":null}}"#, Err("`y` in `metadata` is null"));
    }
}
