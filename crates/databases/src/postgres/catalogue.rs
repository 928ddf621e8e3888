//! A schema as data: its objects by kind and name, without anything that another server would
//! number or order otherwise.

use crate::postgres::kind::Kind;
use ripcord_core::model::{Digest, digest_of};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The version of the serialised form. It grows when old readers would misunderstand.
pub const FORMAT: u32 = 1;

/// All objects of a schema that belong to its users; Ripcord's own schema is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// The version of this form.
    pub format: u32,
    /// The server's version, for people; it decides nothing.
    pub server: String,
    /// The schemas that were looked at; empty when all were.
    pub schemas: Vec<String>,
    /// The objects.
    #[serde(with = "as_list")]
    pub objects: BTreeMap<Name, Object>,
    /// What could not be seen, or is not read on purpose, in words.
    pub unseen: Vec<String>,
}

impl Catalogue {
    /// The digest of what the objects are. What they need follows from that and is left out.
    pub fn digest(&self) -> Digest {
        let facts: Vec<_> =
            self.objects.iter().map(|(name, object)| (name, &object.facts)).collect();
        digest_of(&facts)
    }

    /// The object of this kind and name.
    pub fn get(&self, kind: Kind, name: &str) -> Option<&Object> {
        self.objects.get(&Name { kind, name: name.to_owned() })
    }
}

/// Kind and qualified name of an object, as a statement would write it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Name {
    /// Its kind.
    pub kind: Kind,
    /// Its name, quoted where SQL needs it: `public.orders`, `public.total(integer)`.
    pub name: String,
}

impl Name {
    /// The name for people: without the schema that everybody has.
    pub fn short(&self) -> &str {
        self.name.strip_prefix("public.").unwrap_or(&self.name)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.short())
    }
}

/// One object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Object {
    /// What it is part of or hangs on: the table of a column, an index, a trigger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// Its own name within that, quoted where SQL needs it.
    pub local: String,
    /// All that is not as it is by default.
    pub facts: BTreeMap<String, Value>,
    /// The objects without which it cannot be.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub requires: BTreeSet<Name>,
}

impl Object {
    /// A fact that is text.
    pub(crate) fn text(&self, fact: &str) -> Option<&str> {
        self.facts.get(fact)?.as_str()
    }

    /// A fact that is a text that every object of its kind has.
    pub(crate) fn word(&self, fact: &str) -> &str {
        self.text(fact).unwrap_or_default()
    }

    /// A fact that is a number.
    pub(crate) fn number(&self, fact: &str) -> Option<i64> {
        self.facts.get(fact)?.as_i64()
    }

    /// A fact that holds or does not.
    pub(crate) fn flag(&self, fact: &str) -> bool {
        self.facts.get(fact).and_then(Value::as_bool).unwrap_or(false)
    }

    /// A fact that is a list of texts.
    pub(crate) fn list(&self, fact: &str) -> Vec<&str> {
        let list = self.facts.get(fact).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// A fact that gives values to names.
    pub(crate) fn pairs(&self, fact: &str) -> BTreeMap<&str, String> {
        let pairs = self.facts.get(fact).and_then(Value::as_object);
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        pairs.into_iter().flatten().map(|(name, value)| (name.as_str(), text(value))).collect()
    }
}

/// Serialises the map as a list, since JSON has only text as keys.
mod as_list {
    use super::{BTreeMap, Name, Object};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        objects: &BTreeMap<Name, Object>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(objects)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<Name, Object>, D::Error> {
        Ok(Vec::<(Name, Object)>::deserialize(deserializer)?.into_iter().collect())
    }
}
