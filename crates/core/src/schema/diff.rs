//! The difference between two snapshots, object by object.

use crate::schema::snapshot::{Object, ObjectName, Snapshot};
use std::collections::BTreeSet;
use std::fmt;

/// One object that is not the same in both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// Only in the second.
    Added(ObjectName, Object),
    /// Only in the first.
    Removed(ObjectName, Object),
    /// In both, but not alike.
    Changed {
        /// Which.
        name: ObjectName,
        /// As in the first.
        before: Object,
        /// As in the second.
        after: Object,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Added(name, _) => write!(f, "+ {name}"),
            Difference::Removed(name, _) => write!(f, "- {name}"),
            Difference::Changed { name, before, after } => {
                write!(f, "~ {name}")?;
                let names = |object: &Object| -> BTreeSet<String> {
                    object.columns.iter().map(|column| column.name.clone()).collect()
                };
                let (old, new) = (names(before), names(after));
                for column in new.difference(&old) {
                    write!(f, " +{column}")?;
                }
                for column in old.difference(&new) {
                    write!(f, " -{column}")?;
                }
                Ok(())
            }
        }
    }
}

/// What changed from `before` to `after`, in the order of kinds and names.
pub fn diff(before: &Snapshot, after: &Snapshot) -> Vec<Difference> {
    let names: BTreeSet<&ObjectName> = before.objects.keys().chain(after.objects.keys()).collect();
    let compare = |name: &ObjectName| match (before.objects.get(name), after.objects.get(name)) {
        (None, Some(object)) => Some(Difference::Added(name.clone(), object.clone())),
        (Some(object), None) => Some(Difference::Removed(name.clone(), object.clone())),
        (Some(old), Some(new)) if old != new => Some(Difference::Changed {
            name: name.clone(),
            before: old.clone(),
            after: new.clone(),
        }),
        _ => None,
    };
    names.into_iter().filter_map(compare).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Column, ObjectKind};

    fn table(name: &str, columns: &[&str]) -> (ObjectName, Object) {
        let column = |name: &&str| Column {
            name: (*name).to_owned(),
            declared: "TEXT".into(),
            not_null: false,
            default: None,
            primary_key: 0,
            generated: false,
        };
        let object = Object {
            table: name.into(),
            definition: format!("CREATE TABLE {name} ({})", columns.join(", ")),
            columns: columns.iter().map(column).collect(),
        };
        (ObjectName { kind: ObjectKind::Table, name: name.into() }, object)
    }

    fn snapshot(tables: &[(&str, &[&str])]) -> Snapshot {
        Snapshot { objects: tables.iter().map(|(name, columns)| table(name, columns)).collect() }
    }

    #[test]
    fn names_what_changed() {
        let before = snapshot(&[("orders", &["id", "note"]), ("old", &["id"])]);
        let after = snapshot(&[("orders", &["id", "gift"]), ("new", &["id"])]);
        let shown: Vec<String> = diff(&before, &after).iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["+ table new", "- table old", "~ table orders +gift -note"]);
        assert!(diff(&before, &before).is_empty());
        assert_ne!(before.digest(), after.digest());
    }

    #[test]
    fn survives_json() {
        let before = snapshot(&[("orders", &["id", "note"])]);
        let json = serde_json::to_string(&before).unwrap();
        let after: Snapshot = serde_json::from_str(&json).unwrap();
        assert_eq!(before.digest(), after.digest());
    }
}
