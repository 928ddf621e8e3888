//! What a run set aside: a description of each piece, from which it can be put back without the
//! script that made it necessary.

use crate::postgres::connection::Connection;
use crate::postgres::trouble::PostgresError;
use crate::sql::literal;
use ripcord_core::schema::Direction;
use serde::{Deserialize, Serialize};

/// One piece, as the manifest has it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "they are called as in the table")]
pub(crate) struct Kept {
    /// Its number.
    pub(crate) id: i64,
    /// The run that set it aside, by its number in `ripcord.applied`.
    pub(crate) applied: i64,
    /// Whether the run went forward or back.
    pub(crate) direction: Direction,
    /// Its place among the pieces of that run: they are put back in the opposite order.
    pub(crate) ordinal: i32,
    /// The table it is from, qualified and quoted, as it was called when it was kept.
    pub(crate) relation: String,
    /// What it is.
    pub(crate) item: KeptItem,
    /// How many rows are kept.
    pub(crate) rows: u64,
    /// Their size on disk.
    pub(crate) bytes: u64,
    /// When it was kept, when put back, and when purged.
    pub(crate) kept_at: String,
    /// When it was put back last.
    pub(crate) restored_at: Option<String>,
    /// When it was purged; then `store` is gone.
    pub(crate) purged_at: Option<String>,
}

/// The sorts of pieces. Tables that hold them are named qualified and quoted; a column whose type
/// belongs to no schema of the server's own is stored as text, so that nothing kept hangs on what
/// users may drop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub(crate) enum KeptItem {
    /// All rows of a table that was dropped or emptied.
    Rows {
        /// The table that holds them.
        store: String,
        /// The columns, in order; generated ones are left out.
        columns: Vec<KeptColumn>,
        /// Whether the table itself was dropped, not only emptied.
        dropped: bool,
    },
    /// Values of columns that were dropped, or whose type loses them, with the keys of their rows.
    Values {
        /// The table that holds them.
        store: String,
        /// The columns by which a row is found again: a primary key, or a unique index over NOT
        /// NULL columns. Empty when there is none: then whole rows are kept.
        key: Vec<KeptColumn>,
        /// The columns whose values are kept.
        columns: Vec<KeptColumn>,
        /// Whether only the rows are there whose values do not survive the change of type.
        lossy: bool,
    },
    /// Rows that were inserted, updated or deleted: old values in columns `o0`, `o1`…, new ones in
    /// `n0`…, the key in `k0`…, what happened (`i`, `u` or `d`) in `what`.
    Changes {
        /// The table that holds them.
        store: String,
        /// As above; empty means that rows are found by all their columns.
        key: Vec<KeptColumn>,
        /// All columns of the table but generated ones.
        columns: Vec<KeptColumn>,
    },
    /// Where a sequence stood.
    Position {
        /// Its last value.
        last_value: i64,
        /// Whether that value was given out already.
        is_called: bool,
    },
    /// A table or column that is hidden in place, under another name.
    Hidden {
        /// What it is called meanwhile, qualified and quoted.
        place: String,
        /// The column, if it is one: its name before and meanwhile, quoted.
        column: Option<(String, String)>,
        /// What else bears another name meanwhile.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        names: Vec<HiddenName>,
    },
    /// A statement that waits to be run.
    Deferred {
        /// On which line of its script it stands.
        line: u32,
        /// The statement.
        text: String,
    },
}

/// Something that went aside with its table, under a name of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HiddenName {
    /// `TABLE`, `INDEX` or `SEQUENCE`.
    pub(crate) kind: String,
    /// Its own name before, quoted.
    pub(crate) before: String,
    /// Its own name meanwhile.
    pub(crate) meanwhile: String,
}

/// One column of a kept piece.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeptColumn {
    /// Its name in the table, quoted where SQL needs it.
    pub(crate) name: String,
    /// Its name in the store: `k0`, `c0`, …
    pub(crate) store: String,
    /// Its type, qualified, with modifiers.
    pub(crate) type_name: String,
    /// Whether it is stored as text.
    pub(crate) as_text: bool,
    /// The number of its table at the server, which outlives every change of name; nought where it
    /// is not known.
    #[serde(default)]
    pub(crate) table: u32,
    /// The number of the column in that table, which no other column of it ever has. [`AS_AFTER`]
    /// where the name is the one that it has after the run, though something else bore it before.
    #[serde(default)]
    pub(crate) number: i32,
}

/// In place of a column's number: it is called as after the run that made it. Without the number
/// of a table the same holds for the table's name.
pub(crate) const AS_AFTER: i32 = -1;

impl KeptItem {
    /// The table that holds it, if one does.
    pub(crate) fn store(&self) -> Option<&str> {
        match self {
            KeptItem::Rows { store, .. }
            | KeptItem::Values { store, .. }
            | KeptItem::Changes { store, .. } => Some(store),
            KeptItem::Position { .. } | KeptItem::Hidden { .. } | KeptItem::Deferred { .. } => None,
        }
    }

    /// The columns of the table that it is from, as far as they are kept.
    pub(crate) fn columns(&self) -> &[KeptColumn] {
        match self {
            KeptItem::Rows { columns, .. }
            | KeptItem::Values { columns, .. }
            | KeptItem::Changes { columns, .. } => columns,
            KeptItem::Position { .. } | KeptItem::Hidden { .. } | KeptItem::Deferred { .. } => &[],
        }
    }

    /// Gives columns other names or numbers.
    pub(crate) fn rename(&mut self, mut each: impl FnMut(&mut KeptColumn)) {
        match self {
            KeptItem::Rows { columns, .. } => columns.iter_mut().for_each(each),
            KeptItem::Values { key, columns, .. } | KeptItem::Changes { key, columns, .. } => {
                key.iter_mut().chain(columns).for_each(&mut each);
            }
            KeptItem::Position { .. } | KeptItem::Hidden { .. } | KeptItem::Deferred { .. } => {}
        }
    }
}

impl KeptItem {
    /// Whether the table it is from was without rows afterwards, so that nobody can have changed
    /// what it had before.
    pub(crate) fn is_whole_table(&self) -> bool {
        matches!(self, KeptItem::Rows { .. } | KeptItem::Hidden { column: None, .. })
    }
}

impl Kept {
    /// Writes a piece into the manifest, as part of the open transaction, and gives its number.
    pub(crate) fn record(
        connection: &mut Connection,
        applied: i64,
        direction: Direction,
        relation: &str,
        item: &KeptItem,
        rows: u64,
    ) -> Result<i64, PostgresError> {
        let about = "kept data";
        let json = serde_json::to_string(item).map_err(|error| PostgresError::Answer {
            place: connection.place().to_owned(),
            about,
            what: error.to_string(),
        })?;
        let bytes = item.store().map_or_else(
            || "0".to_owned(),
            |store| format!("pg_catalog.pg_total_relation_size({})", literal(store)),
        );
        let way = word(direction);
        let sql = format!(
            "INSERT INTO ripcord.kept (applied, direction, ordinal, relation, item, rows, bytes) \
             SELECT {applied}, '{way}', pg_catalog.count(*) + 1, {}, {}, {rows}, {bytes} \
             FROM ripcord.kept WHERE applied = {applied} AND direction = '{way}' RETURNING id",
            literal(relation),
            literal(&json),
        );
        let rows = connection.rows(about, &sql)?;
        let id = rows.first().and_then(|row| row.first()?.as_deref()?.parse().ok());
        id.ok_or_else(|| PostgresError::Answer {
            place: connection.place().to_owned(),
            about,
            what: "no number".to_owned(),
        })
    }

    /// Writes down that a piece is described otherwise.
    pub(crate) fn describe(
        connection: &mut Connection,
        id: i64,
        relation: &str,
        item: &KeptItem,
    ) -> Result<(), PostgresError> {
        let about = "kept data";
        let json = serde_json::to_string(item).map_err(|error| PostgresError::Answer {
            place: connection.place().to_owned(),
            about,
            what: error.to_string(),
        })?;
        let (relation, json) = (literal(relation), literal(&json));
        let sql =
            format!("UPDATE ripcord.kept SET relation = {relation}, item = {json} WHERE id = {id}");
        connection.run(about, &sql)
    }

    /// What a run set aside in a direction, in the order in which it did.
    pub(crate) fn of(
        connection: &mut Connection,
        applied: i64,
        direction: Direction,
    ) -> Result<Vec<Kept>, PostgresError> {
        let way = word(direction);
        Kept::read(connection, &format!("WHERE applied = {applied} AND direction = '{way}'"))
    }

    /// Everything that was ever set aside, oldest first.
    pub(crate) fn all(connection: &mut Connection) -> Result<Vec<Kept>, PostgresError> {
        Kept::read(connection, "")
    }

    fn read(connection: &mut Connection, which: &str) -> Result<Vec<Kept>, PostgresError> {
        let about = "kept data";
        let sql = format!(
            "SELECT id, applied, direction, ordinal, relation, item, rows, bytes, kept_at, \
             restored_at, purged_at FROM ripcord.kept {which} ORDER BY applied, kept_at, ordinal"
        );
        let rows = connection.rows(about, &sql)?;
        let place = connection.place().to_owned();
        let kept = |row: Vec<Option<String>>| -> Option<Kept> {
            let text = |at: usize| row.get(at).cloned().flatten();
            Some(Kept {
                id: text(0)?.parse().ok()?,
                applied: text(1)?.parse().ok()?,
                direction: if text(2)? == "up" { Direction::Up } else { Direction::Down },
                ordinal: text(3)?.parse().ok()?,
                relation: text(4)?,
                item: serde_json::from_str(&text(5)?).ok()?,
                rows: text(6)?.parse().ok()?,
                bytes: text(7)?.parse().ok()?,
                kept_at: text(8)?,
                restored_at: text(9),
                purged_at: text(10),
            })
        };
        let read: Option<Vec<Kept>> = rows.into_iter().map(kept).collect();
        read.ok_or_else(|| PostgresError::Answer { place, about, what: "not as written".into() })
    }
}

/// How the tables spell a direction.
fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "up",
        Direction::Down => "down",
    }
}
