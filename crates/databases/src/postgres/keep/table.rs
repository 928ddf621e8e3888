//! What has to be known of a table to copy from it: its columns with their types, which of them
//! can be stored as they are, and by which a row is found again.

use crate::postgres::connection::{Connection, Row};
use crate::postgres::inverse::converted;
use crate::postgres::own::KeptColumn;
use crate::postgres::trouble::PostgresError;
use crate::statement::{TypeChange, type_change};

/// A table as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    /// Its number at the server.
    pub(crate) oid: u32,
    /// Its name, qualified and quoted.
    pub(crate) name: String,
    /// Whether its rows are in its partitions.
    pub(crate) partitioned: bool,
    /// Its size on disk with its partitions, indexes left out.
    pub(crate) bytes: u64,
    /// Its columns in their order.
    pub(crate) columns: Vec<TableColumn>,
    /// The numbers of the columns by which a row is found; empty when there are none.
    pub(crate) key: Vec<i32>,
}

/// A column as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableColumn {
    /// The number of the table that it is in.
    pub(crate) table: u32,
    /// Its number, which no other column of the table ever had.
    pub(crate) number: i32,
    /// Its name, quoted where SQL needs it.
    pub(crate) name: String,
    /// Its type, qualified, with modifiers.
    pub(crate) type_name: String,
    /// Whether its type belongs to users, so that values are stored as text.
    pub(crate) as_text: bool,
    /// Whether it has a collation of its own.
    pub(crate) collated: bool,
    /// Whether it is computed from others.
    pub(crate) generated: bool,
}

const ABOUT: &str = "tables";

impl Table {
    /// The table of this number; none when it is no more.
    pub(crate) fn read(
        connection: &mut Connection,
        oid: u32,
    ) -> Result<Option<Table>, PostgresError> {
        let sql = format!(
            "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), c.relkind = 'p', \
             (SELECT pg_catalog.sum(pg_catalog.pg_table_size(t.relid)) FROM \
              (SELECT relid FROM pg_catalog.pg_partition_tree(c.oid) UNION SELECT c.oid) AS t) \
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.oid = {oid} AND c.relkind IN ('r', 'p', 'm', 'f')"
        );
        let Some(row) = connection.rows(ABOUT, &sql)?.into_iter().next() else { return Ok(None) };
        let columns = columns(connection, oid)?;
        let key = key(connection, oid)?;
        let text = |at: usize| row.get(at).cloned().flatten().unwrap_or_default();
        Ok(Some(Table {
            oid,
            name: text(0),
            partitioned: text(1) == "t",
            bytes: text(2).parse().unwrap_or(0),
            columns,
            key,
        }))
    }

    /// The columns whose values are stored: all but computed ones.
    pub(crate) fn stored(&self) -> Vec<&TableColumn> {
        self.columns.iter().filter(|column| !column.generated).collect()
    }

    /// The columns of these numbers.
    pub(crate) fn only(&self, numbers: &[i32]) -> Vec<&TableColumn> {
        let wanted = |column: &&TableColumn| numbers.contains(&column.number);
        self.stored().into_iter().filter(wanted).collect()
    }

    /// The columns by which rows are found again once those of `without` are lost. A key that
    /// needs one of them is none.
    pub(crate) fn key_without(&self, without: &[i32]) -> Vec<&TableColumn> {
        if self.key.iter().any(|number| without.contains(number)) {
            return Vec::new();
        }
        let column = |number: &i32| self.columns.iter().find(|column| column.number == *number);
        self.key.iter().filter_map(column).collect()
    }

    /// Leaves columns out of account, as if they were not there.
    pub(crate) fn leave_out(&mut self, numbers: &[i32]) {
        if self.key.iter().any(|number| numbers.contains(number)) {
            self.key.clear();
        }
        self.columns.retain(|column| !numbers.contains(&column.number));
    }

    /// Its name for people.
    pub(crate) fn short(&self) -> &str {
        self.name.strip_prefix("public.").unwrap_or(&self.name)
    }

    /// What to select from: rows of children by inheritance are kept with the children.
    pub(crate) fn rows(&self) -> String {
        if self.partitioned { self.name.clone() } else { format!("ONLY {}", self.name) }
    }
}

impl TableColumn {
    /// The column under a name in a store.
    pub(crate) fn kept(&self, letter: char, at: usize) -> KeptColumn {
        KeptColumn {
            name: self.name.clone(),
            store: format!("{letter}{at}"),
            type_name: self.type_name.clone(),
            as_text: self.as_text,
            table: self.table,
            number: self.number,
        }
    }

    /// Its value as it is stored. `row` is what the row is called.
    pub(crate) fn value(&self, row: &str) -> String {
        let text = if self.as_text { "::text" } else { "" };
        let collation = if self.collated { " COLLATE pg_catalog.\"default\"" } else { "" };
        format!("({row}.{}){text}{collation}", self.name)
    }

    /// Whether no value can change with the type: the server does not even look at them, or only
    /// makes them wider.
    pub(crate) fn fits(&self, to: &str) -> bool {
        let wider = |name: &str| match name {
            "smallint" | "int2" => Some(2),
            "integer" | "int" | "int4" => Some(4),
            "bigint" | "int8" => Some(8),
            _ => None,
        };
        let widens = wider(&self.type_name)
            .zip(wider(&to.to_ascii_lowercase()))
            .is_some_and(|(from, to)| from <= to);
        let change = type_change(Some(&self.type_name), to);
        widens || matches!(change, TypeChange::Same | TypeChange::Catalogue)
    }

    /// What holds for the rows `t` whose value is another after it was converted to a type and
    /// back, as the derived way back converts it.
    pub(crate) fn lossy(&self, to: &str) -> String {
        let value = format!("(t.{})", self.name);
        let back = converted(&format!("({value}::{to})"), to, &self.type_name);
        format!("{value}::text COLLATE \"C\" IS DISTINCT FROM ({back})::text COLLATE \"C\"")
    }

    /// The type of its values as they are stored.
    pub(crate) fn stored_type(&self) -> &str {
        if self.as_text { "text" } else { &self.type_name }
    }
}

/// Names in the store for columns, letter by letter.
pub(crate) fn kept(columns: &[&TableColumn], letter: char) -> Vec<KeptColumn> {
    columns.iter().enumerate().map(|(at, column)| column.kept(letter, at)).collect()
}

fn columns(connection: &mut Connection, oid: u32) -> Result<Vec<TableColumn>, PostgresError> {
    let sql = format!(
        "SELECT a.attnum, pg_catalog.quote_ident(a.attname), \
         pg_catalog.format_type(a.atttypid, a.atttypmod), \
         coalesce(e.typnamespace, t.typnamespace) <> 'pg_catalog'::pg_catalog.regnamespace \
           OR t.typnamespace <> 'pg_catalog'::pg_catalog.regnamespace, \
         a.attcollation <> 0 AND a.attcollation <> 'pg_catalog.\"default\"'::pg_catalog.regcollation, \
         a.attgenerated <> '' \
         FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
         LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typlen = -1 \
         WHERE a.attrelid = {oid} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
    );
    let read = |row: Row| {
        let text = |at: usize| row.get(at).cloned().flatten().unwrap_or_default();
        TableColumn {
            table: oid,
            number: text(0).parse().unwrap_or(0),
            name: text(1),
            type_name: text(2),
            as_text: text(3) == "t",
            collated: text(4) == "t",
            generated: text(5) == "t",
        }
    };
    Ok(connection.rows(ABOUT, &sql)?.into_iter().map(read).collect())
}

/// The columns of the primary key, or else of the narrowest unique index in which no value can be
/// missing.
fn key(connection: &mut Connection, oid: u32) -> Result<Vec<i32>, PostgresError> {
    let sql = format!(
        "SELECT pg_catalog.array_to_string((i.indkey::pg_catalog.int2[])[0:i.indnkeyatts - 1], ' ') \
         FROM pg_catalog.pg_index i WHERE i.indrelid = {oid} AND i.indisunique AND i.indisvalid \
         AND i.indexprs IS NULL AND i.indpred IS NULL \
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = i.indrelid \
           AND a.attnum = ANY ((i.indkey::pg_catalog.int2[])[0:i.indnkeyatts - 1]) \
           AND (NOT a.attnotnull OR a.attgenerated <> '')) \
         ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid LIMIT 1"
    );
    let key = connection.value(ABOUT, &sql)?.unwrap_or_default();
    Ok(key.split_whitespace().filter_map(|number| number.parse().ok()).collect())
}
