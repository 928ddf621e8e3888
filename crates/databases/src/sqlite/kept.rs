//! What a transition set aside, row by row, in tables of its own in the same database.
//!
//! A kept row is one of three: deleted by the transition (`d`, with its old values), updated
//! (`u`, with old and new values), or inserted (`i`, with its new values). A column that the
//! transition dropped makes every row an updated one. Old values stand in columns `o0`, `o1`...,
//! new ones in `n0`..., those of added columns in `a0`..., the key in `k0`...

use crate::sql::quoted;
use ripcord_core::schema::{Counted, Unit};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

/// The description of one such table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// The table that holds it.
    pub(crate) store: String,
    /// Whose rows they were, by the name before the transition.
    pub(crate) table: String,
    /// The table's name after it, if it is still there.
    pub(crate) after: Option<String>,
    pub(crate) key: Vec<KeyPart>,
    /// Whether the key is the row's number, which is written apart from columns.
    pub(crate) by_rowid: bool,
    pub(crate) columns: Vec<KeptColumn>,
    /// The columns that the transition added.
    pub(crate) added: Vec<String>,
    pub(crate) deleted: u64,
    pub(crate) updated: u64,
    pub(crate) inserted: u64,
    /// Whether values return only where there is none now, since another script has been at work.
    #[serde(skip)]
    pub(crate) only_missing: bool,
}

/// One column of the key by which rows are found again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeyPart {
    pub(crate) before: String,
    /// The same as before where the table is gone afterwards.
    pub(crate) after: String,
    /// A declared type of the column's affinity, without which no index would be used.
    pub(crate) affinity: String,
}

/// One column of the table before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptColumn {
    pub(crate) name: String,
    pub(crate) after: Option<String>,
    /// How many updated rows have another value after than before; for a dropped column, how
    /// many values there were.
    pub(crate) values: u64,
    /// For a dropped column, how many of the values were not its default.
    pub(crate) written: u64,
}

/// Which side of the transition a table stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Before,
    After,
}

impl Kept {
    /// `t."id" = k.k0 AND …`: finds the row of `t` for a row of `k`.
    pub(crate) fn finds(&self, side: Side, table: &str, kept: &str) -> String {
        let equal = |(at, part): (usize, &KeyPart)| {
            let name = quoted(part.on(side));
            format!("{table}.{name} = {kept}.k{at}")
        };
        self.key.iter().enumerate().map(equal).collect::<Vec<_>>().join(" AND ")
    }

    /// `k.k0 = t."id" AND …`: finds the row of `k` for a row of `t`.
    pub(crate) fn found_by(&self, side: Side, table: &str, kept: &str) -> String {
        let equal = |(at, part): (usize, &KeyPart)| {
            let name = quoted(part.on(side));
            format!("{kept}.k{at} = {table}.{name}")
        };
        self.key.iter().enumerate().map(equal).collect::<Vec<_>>().join(" AND ")
    }

    /// `k.k0, k.k1, …`
    pub(crate) fn key_of(&self, kept: &str) -> String {
        (0..self.key.len()).map(|at| format!("{kept}.k{at}")).collect::<Vec<_>>().join(", ")
    }

    /// The definition of a table of this key with these further columns.
    pub(crate) fn table_like(&self, name: &str, further: &[String]) -> String {
        let is_number =
            self.by_rowid || matches!(self.key.as_slice(), [one] if one.affinity == "INTEGER");
        let mut columns: Vec<String> = if is_number {
            vec!["k0 INTEGER PRIMARY KEY".to_owned()]
        } else {
            let part = |(at, part): (usize, &KeyPart)| format!("k{at} {}", part.affinity);
            self.key.iter().enumerate().map(part).collect()
        };
        columns.extend_from_slice(further);
        if is_number {
            return format!("CREATE TABLE {name}({})", columns.join(", "));
        }
        let key = (0..self.key.len()).map(|at| format!("k{at}")).collect::<Vec<_>>().join(", ");
        format!("CREATE TABLE {name}({}, PRIMARY KEY({key})) WITHOUT ROWID", columns.join(", "))
    }

    /// Whether the transition did nothing but drop columns here.
    pub(crate) fn is_only_columns(&self) -> bool {
        let changed = |column: &KeptColumn| column.after.is_some() && column.values > 0;
        self.deleted == 0 && self.inserted == 0 && !self.columns.iter().any(changed)
    }

    /// What was set aside, for people: rows deleted, values overwritten or dropped.
    pub(crate) fn counted(&self) -> Vec<Counted> {
        let mut counted = Vec::new();
        if self.deleted > 0 {
            let what = self.table.clone();
            counted.push(Counted { what, unit: Unit::Rows, count: self.deleted });
        }
        for column in self.columns.iter().filter(|column| column.values > 0) {
            let what = format!("{}.{}", self.table, column.name);
            counted.push(Counted { what, unit: Unit::Values, count: column.values });
        }
        counted
    }

    /// What the transition put out of sight: dropped columns and tables, but not the rows and
    /// values that it changed in what stays in sight.
    pub(crate) fn out_of_sight(&self) -> Vec<Counted> {
        let mut kept = self.clone();
        if kept.after.is_some() {
            kept.deleted = 0;
            kept.columns.retain(|column| column.after.is_none());
            for column in &mut kept.columns {
                column.values = column.written;
            }
        }
        kept.counted()
    }

    /// What returns when a migration is applied anew: what went out of sight, but not the rows
    /// and values that its script now makes again itself.
    pub(crate) fn for_script(mut self, is_same: bool) -> Kept {
        self.only_missing = !is_same;
        if self.after.is_some() {
            self.deleted = 0;
            self.inserted = 0;
            for column in self.columns.iter_mut().filter(|column| column.after.is_some()) {
                column.values = 0;
            }
        }
        self
    }

    /// Removes the table.
    pub(crate) fn drop(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection.execute_batch(&format!("DROP TABLE IF EXISTS main.{}", quoted(&self.store)))
    }
}

impl KeyPart {
    pub(crate) fn on(&self, side: Side) -> &str {
        match side {
            Side::Before => &self.before,
            Side::After => &self.after,
        }
    }
}

/// Whether two values are the same to the bit: neither collation nor affinity makes them so.
pub(crate) fn same(left: &str, right: &str) -> String {
    format!("({left} IS {right} COLLATE BINARY AND typeof({left}) = typeof({right}))")
}

/// Adds to a list of counts, one entry per name and unit.
pub(crate) fn add_counts(total: &mut Vec<Counted>, more: impl IntoIterator<Item = Counted>) {
    for counted in more.into_iter().filter(|counted| counted.count > 0) {
        let same = |have: &&mut Counted| have.what == counted.what && have.unit == counted.unit;
        match total.iter_mut().find(same) {
            Some(have) => have.count += counted.count,
            None => total.push(counted),
        }
    }
}
