//! A value of the service's environment: plain text with placeholders, or a reference to a
//! secret. The secret itself is never read here, and never frozen.

use crate::config::placeholder;
use crate::config::problem::{NO_REFERENCE, value_error};
use crate::config::text::shown;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::fmt;

/// What releases write before a reference to a secret.
const SECRET: &str = "secret:";

/// A value of the service's environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Variable {
    /// Text with placeholders.
    Plain(String),
    /// Where the secret is: `file:/path` or `env:NAME`.
    Secret(String),
}

impl Variable {
    /// The text as it stands in a release.
    pub(crate) fn frozen(&self) -> String {
        match self {
            Variable::Plain(text) => text.clone(),
            Variable::Secret(reference) => format!("{SECRET}{reference}"),
        }
    }
}

/// A value that is always a secret, by its reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    /// Where it is: `file:/path` or `env:NAME`.
    pub(crate) fn reference(&self) -> &str {
        &self.0
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretTable {
    secret: Reference,
}

struct Reference(String);

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Reference, D::Error> {
        let text = String::deserialize(deserializer)?;
        let fits = match text.split_once(':') {
            Some(("file", path)) => path.starts_with('/') && !path.chars().any(char::is_control),
            Some(("env", name)) => {
                let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
                !name.is_empty() && name.chars().all(letter)
            }
            _ => false,
        };
        if fits {
            return Ok(Reference(text));
        }
        Err(value_error(
            NO_REFERENCE.to_owned(),
            "write \"file:/path/to/secret\" with an absolute path, or \"env:NAME\" for a variable \
             of the controller; never the secret itself"
                .to_owned(),
        ))
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
        match Variable::deserialize(deserializer)? {
            Variable::Secret(reference) => Ok(Secret(reference)),
            Variable::Plain(_) => Err(value_error(
                NO_REFERENCE,
                "write { secret = \"file:/path/to/secret\" } or { secret = \"env:NAME\" }",
            )),
        }
    }
}

impl<'de> Deserialize<'de> for Variable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Variable, D::Error> {
        deserializer.deserialize_any(VariableVisitor)
    }
}

struct VariableVisitor;

impl<'de> Visitor<'de> for VariableVisitor {
    type Value = Variable;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or { secret = \"...\" }")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Variable, E> {
        if let Some(reference) = text.strip_prefix(SECRET) {
            return Err(value_error(
                format!("`{SECRET}` at the beginning is kept for references to secrets"),
                format!("write {{ secret = \"{}\" }}", shown(reference)),
            ));
        }
        if text.contains('\0') {
            return Err(E::custom("an environment variable cannot contain the character NUL"));
        }
        placeholder::known(text)?;
        Ok(Variable::Plain(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Variable, A::Error> {
        let table = SecretTable::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Variable::Secret(table.secret.0))
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A reference to a secret.",
            "type": "object",
            "properties": {
                "secret": { "type": "string", "pattern": "^(file:/.+|env:[A-Za-z0-9_]+)$" }
            },
            "required": ["secret"],
            "additionalProperties": false
        })
    }
}

impl JsonSchema for Variable {
    fn schema_name() -> Cow<'static, str> {
        "Variable".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Text with placeholders, or a reference to a secret.",
            "oneOf": [
                { "type": "string" },
                {
                    "type": "object",
                    "properties": {
                        "secret": { "type": "string", "pattern": "^(file:/.+|env:[A-Za-z0-9_]+)$" }
                    },
                    "required": ["secret"],
                    "additionalProperties": false
                }
            ]
        })
    }
}
