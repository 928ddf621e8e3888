//! Reading the catalogue: the user's objects, in canonical form for comparison and in `SQLite`'s
//! own words for making them again.

use crate::sql::{Kind, Token, tokens};
use crate::sqlite::canonical::canonical;
use crate::sqlite::trouble::Result;
use ripcord_core::model::Digest;
use ripcord_core::schema::{Column, Object, ObjectKind, ObjectName, Snapshot};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

/// All that belongs to the user.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Catalogue {
    pub(crate) snapshot: Snapshot,
    /// The definitions as `SQLite` keeps them.
    pub(crate) sql: Vec<(ObjectName, String)>,
    /// The tables, with what their definitions mean.
    pub(crate) tables: Vec<Table>,
}

/// A table as undo needs to know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) without_rowid: bool,
    pub(crate) strict: bool,
    /// Virtual tables are seen and left alone.
    pub(crate) is_virtual: bool,
}

impl Catalogue {
    pub(crate) fn read(connection: &Connection) -> Result<Catalogue> {
        let mut facts = connection.prepare_cached(
            "SELECT name, type, wr, strict FROM pragma_table_list WHERE schema = 'main'",
        )?;
        let facts = facts
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
            .collect::<rusqlite::Result<Vec<(String, String, bool, bool)>>>()?;
        let mut rows = connection.prepare_cached(
            "SELECT type, name, tbl_name, sql FROM main.sqlite_schema WHERE sql IS NOT NULL
             AND lower(substr(name, 1, 7)) <> 'sqlite_' AND lower(substr(name, 1, 8)) <> 'ripcord_'
             AND lower(substr(tbl_name, 1, 8)) <> 'ripcord_' ORDER BY rowid",
        )?;
        let rows = rows
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
            .collect::<rusqlite::Result<Vec<(String, String, String, String)>>>()?;
        let mut catalogue = Catalogue::default();
        for (kind, name, table, sql) in rows {
            let fact = facts.iter().find(|(found, ..)| found == &name);
            if fact.is_some_and(|(_, kind, ..)| kind == "shadow") {
                continue;
            }
            let kind = match kind.as_str() {
                "table" => ObjectKind::Table,
                "index" => ObjectKind::Index,
                "view" => ObjectKind::View,
                _ => ObjectKind::Trigger,
            };
            let columns = match kind {
                ObjectKind::Table => columns(connection, &name)?,
                // A view over something that is gone has no columns to tell.
                ObjectKind::View => columns(connection, &name).unwrap_or_default(),
                ObjectKind::Index | ObjectKind::Trigger => Vec::new(),
            };
            if let (ObjectKind::Table, Some((_, kind, without_rowid, strict))) = (kind, fact) {
                catalogue.tables.push(Table {
                    name: name.clone(),
                    columns: columns.clone(),
                    without_rowid: *without_rowid,
                    strict: *strict,
                    is_virtual: kind == "virtual",
                });
            }
            let object = Object { table, definition: canonical(&sql), columns };
            let name = ObjectName { kind, name };
            catalogue.snapshot.objects.insert(name.clone(), object);
            catalogue.sql.push((name, sql));
        }
        Ok(catalogue)
    }

    pub(crate) fn digest(&self) -> Digest {
        self.snapshot.digest()
    }

    /// The table of this name, as `SQLite` compares names.
    pub(crate) fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name.eq_ignore_ascii_case(name))
    }

    /// Whether anything in it resolves conflicts by replacing rows.
    pub(crate) fn replaces(&self) -> bool {
        self.sql.iter().any(|(_, sql)| {
            let words: Vec<Token<'_>> =
                tokens(sql).into_iter().filter(|token| token.kind != Kind::Comment).collect();
            crate::sqlite::statement::replaces(&words)
        })
    }
}

impl Table {
    /// The columns that hold values of their own.
    pub(crate) fn stored(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| !column.generated)
    }

    /// The column of this name, as `SQLite` compares names.
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// The columns of the primary key in its order.
    pub(crate) fn primary_key(&self) -> Vec<&Column> {
        let mut key: Vec<&Column> = self.columns.iter().filter(|c| c.primary_key > 0).collect();
        key.sort_by_key(|column| column.primary_key);
        key
    }

    /// Whether the primary key is the row's number itself.
    pub(crate) fn key_is_number(&self) -> bool {
        matches!(self.primary_key().as_slice(), [one] if !self.without_rowid
            && one.declared.eq_ignore_ascii_case("integer"))
    }

    /// The name under which the row's number can be had, unless columns took all its names.
    pub(crate) fn rowid(&self) -> Option<&'static str> {
        if self.without_rowid {
            return None;
        }
        ["rowid", "_rowid_", "oid"].into_iter().find(|name| self.column(name).is_none())
    }

    /// A declared type with the affinity of this column, for columns that hold copies of it.
    pub(crate) fn affinity(&self, column: &Column) -> &'static str {
        let declared = column.declared.to_ascii_uppercase();
        let has = |part: &str| declared.contains(part);
        if self.strict && declared == "ANY" {
            "BLOB"
        } else if has("INT") {
            "INT"
        } else if has("CHAR") || has("CLOB") || has("TEXT") {
            "TEXT"
        } else if has("BLOB") || declared.is_empty() {
            "BLOB"
        } else if has("REAL") || has("FLOA") || has("DOUB") {
            "REAL"
        } else {
            "NUMERIC"
        }
    }
}

fn columns(connection: &Connection, table: &str) -> Result<Vec<Column>> {
    let mut rows = connection.prepare_cached(
        "SELECT name, type, \"notnull\", dflt_value, pk, hidden
         FROM pragma_table_xinfo(?1, 'main') WHERE hidden <> 1",
    )?;
    let columns = rows.query_map([table], |row| {
        Ok(Column {
            name: row.get(0)?,
            declared: row.get(1)?,
            not_null: row.get(2)?,
            default: row.get(3)?,
            primary_key: row.get(4)?,
            generated: row.get::<_, u32>(5)? >= 2,
        })
    })?;
    Ok(columns.collect::<rusqlite::Result<_>>()?)
}
