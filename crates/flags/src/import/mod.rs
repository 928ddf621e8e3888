//! Flags of other services as documents in flagd's format, each with a word on how faithful it is:
//! exact, approximate, or refused, and why. Pure: it reads a text and makes a text.
//!
//! What cannot be said in flagd's format is refused rather than guessed. Percentages are always
//! approximate: every service divides users in a way of its own, so some get another variant, and
//! how many is counted.

mod configcat;
mod launchdarkly;
mod logic;
mod moved;
mod notes;
mod variants;

use serde::Serialize;
use serde_json::{Map, Value, json};
use std::fmt;
use thiserror::Error;

/// Where flags come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// `LaunchDarkly`: what `/sdk/latest-all` answers, JSON.
    LaunchDarkly,
    /// `ConfigCat`: a `config_v6.json`.
    ConfigCat,
}

/// What became of a set of flags.
#[derive(Debug, Clone, PartialEq)]
pub struct Import {
    /// The document in flagd's format, without the flags that were refused.
    pub document: Value,
    /// Each flag of the source, by key.
    pub flags: Vec<Imported>,
}

/// What became of one flag.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Imported {
    /// Its key.
    pub key: String,
    /// How faithful it is.
    pub fidelity: Fidelity,
    /// Why it is not exact.
    pub because: Vec<String>,
    /// Of the users whom a percentage decides about, how many of 10,000 get another variant than
    /// from the source; of several percentages the largest. None where no percentage decides.
    pub moved_per_10_000: Option<u32>,
}

/// How faithful a flag is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fidelity {
    /// Every user gets what they got.
    Exact,
    /// Most users get what they got; why not all is said.
    Approximate,
    /// It was left out.
    Refused,
}

impl fmt::Display for Fidelity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fidelity::Exact => "exact",
            Fidelity::Approximate => "approximate",
            Fidelity::Refused => "refused",
        })
    }
}

/// Why nothing could be imported.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ImportError {
    /// It is no JSON.
    #[error("line {line}, column {column}: it is no JSON: {why}; export it as JSON")]
    NotJson {
        /// What is wrong.
        why: String,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// It is JSON of another form.
    #[error("it is not what {service} exports: {why}")]
    OtherForm {
        /// The service.
        service: &'static str,
        /// What is missing.
        why: &'static str,
    },
}

/// Turns what a service exports into a document in flagd's format.
///
/// # Errors
///
/// [`ImportError`] when the text is not such an export. A single flag that cannot be imported is
/// no error: it is refused, with its reason, in [`Import::flags`].
pub fn import(source: Source, text: &str) -> Result<Import, ImportError> {
    let export: Value = serde_json::from_str(text).map_err(|error| ImportError::NotJson {
        why: error.to_string(),
        line: error.line(),
        column: error.column(),
    })?;
    let flags = match source {
        Source::LaunchDarkly => launchdarkly::flags(&export)?,
        Source::ConfigCat => configcat::flags(&export)?,
    };
    let mut written = Map::new();
    let mut report = Vec::new();
    for (key, outcome) in flags {
        let imported = match outcome {
            Ok(flag) => {
                let moved_per_10_000 = flag.splits.iter().map(moved::moved).max();
                let approximate = !flag.because.is_empty();
                let fidelity = if approximate { Fidelity::Approximate } else { Fidelity::Exact };
                written.insert(key.clone(), flag.written());
                Imported { key, fidelity, because: flag.because, moved_per_10_000 }
            }
            Err(why) => {
                let (fidelity, because) = (Fidelity::Refused, vec![why]);
                Imported { key, fidelity, because, moved_per_10_000: None }
            }
        };
        report.push(imported);
    }
    let document = json!({
        "$schema": "https://flagd.dev/schema/v0/flags.json",
        "metadata": {"bucketing": "v3"},
        "flags": written,
    });
    Ok(Import { document, flags: report })
}

/// Each flag, or why it is refused.
type Flags = Vec<(String, Result<Flag, String>)>;

/// One flag on its way into a document.
struct Flag {
    variants: variants::Variants,
    default_variant: Option<String>,
    targeting: Option<Value>,
    /// Why it is only approximate.
    because: Vec<String>,
    splits: Vec<moved::Split>,
}

impl Flag {
    fn written(&self) -> Value {
        let mut flag = json!({
            "state": "ENABLED",
            "variants": self.variants.written(),
            "defaultVariant": self.default_variant,
        });
        if let Some(targeting) = &self.targeting {
            flag["targeting"] = targeting.clone();
        }
        if let Some(off) = self.variants.off() {
            flag["metadata"] = json!({"offVariant": off});
        }
        flag
    }
}

#[cfg(test)]
mod tests;
