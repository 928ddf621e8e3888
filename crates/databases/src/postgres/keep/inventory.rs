//! Which tables, columns and sequences there are, by the server's numbers: what a statement
//! destroyed is what is missing after it. Names play no part, so that renaming destroys nothing.

use crate::postgres::connection::Connection;
use crate::postgres::trouble::PostgresError;
use std::collections::BTreeMap;

/// Everything that holds data of users.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Inventory {
    relations: BTreeMap<u32, Relation>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Relation {
    name: String,
    kind: String,
    /// The table of which it is a partition.
    partition_of: Option<u32>,
    /// Types by the number of the column.
    columns: BTreeMap<i32, String>,
}

/// Something that is missing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lost {
    /// A table whose rows were its own, with its number.
    Table(u32),
    /// Columns of a table.
    Columns(u32, Vec<i32>),
    /// Another type of a column.
    Type(u32, i32),
    /// A sequence.
    Sequence(u32),
}

const ABOUT: &str = "tables";

impl Inventory {
    /// What there is now. Temporary tables, and what belongs to an extension, are left out.
    pub(crate) fn read(connection: &mut Connection) -> Result<Inventory, PostgresError> {
        let sql = "SELECT c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname), c.relkind, \
             CASE WHEN c.relispartition THEN (SELECT i.inhparent FROM pg_catalog.pg_inherits i \
               WHERE i.inhrelid = c.oid) END, \
             (SELECT pg_catalog.string_agg(a.attnum || ' ' || a.atttypid || ':' || a.atttypmod, ',') \
              FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 \
              AND NOT a.attisdropped AND c.relkind <> 'S') \
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind IN ('r', 'p', 'S', 'c') AND c.relpersistence <> 't' \
             AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'ripcord') \
             AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e \
               WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.objid = c.oid \
               AND e.deptype = 'e')";
        let mut relations = BTreeMap::new();
        for row in connection.rows(ABOUT, sql)? {
            let text = |at: usize| row.get(at).cloned().flatten();
            let Some(oid) = text(0).and_then(|oid| oid.parse().ok()) else { continue };
            let columns = text(4).unwrap_or_default();
            let column = |text: &str| {
                let (number, kind) = text.split_once(' ')?;
                Some((number.parse().ok()?, kind.to_owned()))
            };
            let relation = Relation {
                name: text(1).unwrap_or_default(),
                kind: text(2).unwrap_or_default(),
                partition_of: text(3).and_then(|oid| oid.parse().ok()),
                columns: columns.split(',').filter_map(column).collect(),
            };
            relations.insert(oid, relation);
        }
        Ok(Inventory { relations })
    }

    /// What is in this and no longer in the other. Of a partitioned table only the leaves are
    /// named when rows are lost, and only the root when a column is.
    pub(crate) fn lost(&self, now: &Inventory) -> Vec<Lost> {
        let mut lost = Vec::new();
        for (oid, relation) in &self.relations {
            match (now.relations.get(oid), relation.kind.as_str()) {
                (None, "r") => lost.push(Lost::Table(*oid)),
                (None, "S") => lost.push(Lost::Sequence(*oid)),
                (None, _) | (_, "S") => {}
                (Some(other), _) => {
                    if !self.with_root(relation, now) {
                        lost.extend(columns(*oid, relation, other));
                    }
                }
            }
        }
        lost
    }

    /// The tables of this that the other has no longer, a partitioned one before its parts.
    pub(crate) fn tables_missing(&self, now: &Inventory) -> Vec<u32> {
        let gone = |(oid, relation): &(&u32, &Relation)| {
            matches!(relation.kind.as_str(), "r" | "p") && !now.relations.contains_key(oid)
        };
        self.relations.iter().filter(gone).map(|(oid, _)| *oid).collect()
    }

    /// Whether what happens to its columns happens to those of the table that it is a part of.
    fn with_root(&self, relation: &Relation, now: &Inventory) -> bool {
        let parent = relation.partition_of.filter(|parent| now.relations.contains_key(parent));
        parent.is_some_and(|parent| self.relations.contains_key(&parent))
    }

    /// Whether something was there as a table.
    pub(crate) fn is_table(&self, oid: u32) -> bool {
        self.relations.get(&oid).is_some_and(|relation| relation.kind != "S")
    }

    /// Whether what is lost was there.
    pub(crate) fn concerns(&self, lost: &Lost) -> bool {
        match lost {
            Lost::Table(oid) | Lost::Sequence(oid) => self.relations.contains_key(oid),
            // A column that came since is none of its own script's concern.
            Lost::Columns(oid, numbers) => self.relations.get(oid).is_some_and(|relation| {
                numbers.iter().any(|number| relation.columns.contains_key(number))
            }),
            Lost::Type(oid, number) => {
                self.relations.get(oid).is_some_and(|r| r.columns.contains_key(number))
            }
        }
    }

    /// Whether it is a composite type and no table.
    pub(crate) fn is_composite(&self, oid: u32) -> bool {
        self.relations.get(&oid).is_some_and(|relation| relation.kind == "c")
    }

    /// What something was called, qualified and quoted.
    pub(crate) fn name(&self, oid: u32) -> &str {
        self.relations.get(&oid).map_or("?", |relation| &relation.name)
    }
}

fn columns(oid: u32, before: &Relation, now: &Relation) -> Vec<Lost> {
    let gone = |number: &&i32| !now.columns.contains_key(number);
    let gone: Vec<i32> = before.columns.keys().filter(gone).copied().collect();
    let other = before
        .columns
        .iter()
        .filter(|(number, kind)| now.columns.get(number).is_some_and(|found| found != *kind));
    let other = other.map(|(number, _)| Lost::Type(oid, *number));
    let gone = (!gone.is_empty()).then_some(Lost::Columns(oid, gone));
    gone.into_iter().chain(other).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relation(kind: &str, parent: Option<u32>, columns: &[(i32, &str)]) -> Relation {
        Relation {
            name: "t".into(),
            kind: kind.into(),
            partition_of: parent,
            columns: columns.iter().map(|(number, kind)| (*number, (*kind).to_owned())).collect(),
        }
    }

    fn inventory(relations: &[(u32, Relation)]) -> Inventory {
        Inventory { relations: relations.iter().cloned().collect() }
    }

    #[test]
    fn what_is_missing() {
        let (a, b) = (&[(1, "23:-1"), (2, "25:-1")][..], &[(1, "20:-1")][..]);
        let before = inventory(&[
            (1, relation("r", None, a)),
            (2, relation("p", None, a)),
            (3, relation("r", Some(2), a)),
            (4, relation("S", None, &[])),
            (5, relation("r", None, a)),
        ]);
        let after = inventory(&[
            (1, relation("r", None, b)),
            (2, relation("p", None, b)),
            (3, relation("r", Some(2), b)),
        ]);
        let expected = [
            Lost::Columns(1, vec![2]),
            Lost::Type(1, 1),
            Lost::Columns(2, vec![2]),
            Lost::Type(2, 1),
            Lost::Sequence(4),
            Lost::Table(5),
        ];
        assert_eq!(before.lost(&after), expected);
        assert!(before.lost(&before).is_empty());
        // On the way back nothing is missing but the type that it had.
        assert_eq!(after.lost(&before), [Lost::Type(1, 1), Lost::Type(2, 1)]);
        let leaf = inventory(&[(2, relation("p", None, a))]);
        assert_eq!(
            inventory(&[(2, relation("p", None, a)), (3, relation("r", Some(2), a))]).lost(&leaf),
            [Lost::Table(3)]
        );
    }
}
