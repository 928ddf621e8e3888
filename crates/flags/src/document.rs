//! A flags document: the flags of a service, with variants, defaults and targeting rules.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use thiserror::Error;

/// The most bytes of a document.
const BYTES_MAX: usize = 16 << 20;

/// A document as flagd reads it. Members that are not needed here are kept as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// The flags by key.
    pub flags: BTreeMap<String, Flag>,
}

/// One flag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Flag {
    /// Whether it is evaluated at all.
    pub state: FlagState,
    /// The values by name of variant.
    pub variants: BTreeMap<String, Value>,
    /// The variant where no rule says otherwise; null leaves it to the code.
    #[serde(default)]
    pub default_variant: Option<String>,
    /// The rules, in `JsonLogic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targeting: Option<Value>,
}

/// Whether a flag is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum FlagState {
    /// It is.
    Enabled,
    /// Clients use what their code says.
    Disabled,
}

/// Why a document cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FlagsError {
    /// It is larger than any sensible document.
    #[error("it has {0} bytes, more than can be meant")]
    TooLarge(usize),
    /// It is not JSON, or not of flagd's form.
    #[error("it is not of flagd's form: {why}")]
    Form {
        /// What is wrong.
        why: String,
        /// The line, from 1; 0 when no line can be told.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// A flag contradicts itself.
    #[error("flag `{flag}` {why}")]
    Flag {
        /// Which.
        flag: String,
        /// What is wrong with it.
        why: String,
    },
}

impl Document {
    /// Reads a document.
    ///
    /// # Errors
    ///
    /// [`FlagsError`] when it is not of flagd's form, or a flag names a default variant that it
    /// does not have, or variants of different types.
    pub fn parse(bytes: &[u8]) -> Result<Document, FlagsError> {
        if bytes.len() > BYTES_MAX {
            return Err(FlagsError::TooLarge(bytes.len()));
        }
        let document: Document = serde_json::from_slice(bytes).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            FlagsError::Form { why: error.to_string(), line, column }
        })?;
        for (name, flag) in &document.flags {
            if name.is_empty() || name.chars().any(char::is_control) {
                let (flag, why) = (format!("{name:?}"), "is not the key of a flag".to_owned());
                return Err(FlagsError::Flag { flag, why });
            }
            flag.check().map_err(|why| FlagsError::Flag { flag: name.clone(), why })?;
        }
        Ok(document)
    }

    /// What each flag is where no rule says otherwise: its variant, `disabled`, or `code`.
    pub fn defaults(&self) -> BTreeMap<String, String> {
        let text = |flag: &Flag| match (flag.state, &flag.default_variant) {
            (FlagState::Disabled, _) => "disabled".to_owned(),
            (FlagState::Enabled, Some(variant)) => variant.clone(),
            (FlagState::Enabled, None) => "code".to_owned(),
        };
        self.flags.iter().map(|(name, flag)| (name.clone(), text(flag))).collect()
    }
}

impl Flag {
    fn check(&self) -> Result<(), String> {
        if self.variants.is_empty() {
            return Err("has no variants".to_owned());
        }
        if let Some(name) = &self.default_variant
            && !self.variants.contains_key(name)
        {
            let known: Vec<&str> = self.variants.keys().map(String::as_str).collect();
            let known = known.join(", ");
            return Err(format!("has the default variant `{name}`, but only: {known}"));
        }
        let kinds = self.variants.values().map(std::mem::discriminant);
        let mut kinds = kinds.collect::<Vec<_>>();
        kinds.dedup();
        if kinds.len() > 1 {
            return Err("has variants of different types".to_owned());
        }
        Ok(())
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
            }
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
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
        check("{}", Err("missing field `flags`"));
        check("", Err("EOF"));
        check(
            r#"{"flags":{"a":{"state":"ENABLED","variants":{"on":true},"defaultVariant":"of"}}}"#,
            Err("flag `a` has the default variant `of`, but only: on"),
        );
        check(
            r#"{"flags":{"a":{"state":"ENABLED","variants":{"on":true,"off":"no"}}}}"#,
            Err("different types"),
        );
        check(r#"{"flags":{"a":{"state":"ON","variants":{"on":true}}}}"#, Err("unknown variant"));
    }
}
