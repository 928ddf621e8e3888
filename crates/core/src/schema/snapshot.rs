//! A catalogue snapshot: what a schema consists of, in one canonical form per database.

use crate::model::{Digest, digest_of};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// All objects of a schema that belong to the user; Ripcord's own tables are left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Snapshot {
    /// The objects by kind and name.
    #[serde(with = "as_list")]
    pub objects: BTreeMap<ObjectName, Object>,
}

impl Snapshot {
    /// The digest of the canonical form.
    pub fn digest(&self) -> Digest {
        digest_of(self)
    }

    /// The object of this kind and name.
    pub fn get(&self, kind: ObjectKind, name: &str) -> Option<&Object> {
        self.objects.get(&ObjectName { kind, name: name.to_owned() })
    }
}

/// Kind and name of an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectName {
    /// Its kind.
    pub kind: ObjectKind,
    /// Its name.
    pub name: String,
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            ObjectKind::Table => "table",
            ObjectKind::Index => "index",
            ObjectKind::View => "view",
            ObjectKind::Trigger => "trigger",
        };
        write!(f, "{kind} {}", self.name)
    }
}

/// The kinds of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectKind {
    /// A table.
    Table,
    /// An index.
    Index,
    /// A view.
    View,
    /// A trigger.
    Trigger,
}

/// One object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// The table it belongs to; its own name for tables and views.
    pub table: String,
    /// Its definition in the database's own words, in canonical white space and quoting.
    pub definition: String,
    /// Its columns in order, for tables and views.
    pub columns: Vec<Column>,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its declared type.
    pub declared: String,
    /// Whether it refuses NULL.
    pub not_null: bool,
    /// Its default expression.
    pub default: Option<String>,
    /// Its place in the primary key, from 1; 0 when it is not part of it.
    pub primary_key: u32,
    /// Whether it is computed.
    pub generated: bool,
}

/// Serialises the map as a list, since JSON has only text as keys.
mod as_list {
    use super::{BTreeMap, Object, ObjectName};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        objects: &BTreeMap<ObjectName, Object>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(objects)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<ObjectName, Object>, D::Error> {
        Ok(Vec::<(ObjectName, Object)>::deserialize(deserializer)?.into_iter().collect())
    }
}
