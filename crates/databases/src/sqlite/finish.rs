//! The end of a capture: what became of the rows whose images were taken.

use crate::sql::quoted;
use crate::sqlite::capture::{Extent, Watched, bare_key, equal_keys};
use crate::sqlite::catalogue::{Catalogue, Table};
use crate::sqlite::kept::{Kept, KeptColumn, Side, same};
use crate::sqlite::mapping::Pair;
use crate::sqlite::records;
use crate::sqlite::trouble::Result;
use ripcord_core::schema::{Counted, Unit};
use rusqlite::Connection;

/// Keeps the difference between the image of a table and the table that it became. None when
/// there is none.
pub(crate) fn keep(
    connection: &Connection,
    watched: &Watched,
    at: usize,
    pair: Option<&Pair>,
    after: &Catalogue,
) -> Result<Option<Kept>> {
    let mut kept = watched.shape.clone();
    let became = pair.and_then(|pair| became(&mut kept, pair, after));
    kept.store = records::next_store(connection)?;
    create(connection, &kept)?;
    let fill = Fill { connection, kept: &kept, image: format!("temp.ripcord_image_{at}"), at };
    let (deleted, updated, inserted) = match became {
        None => (fill.deleted(None)?, 0, 0),
        Some(table) => {
            let table = quoted(&table.name);
            let deleted =
                if watched.extent == Extent::Columns { 0 } else { fill.deleted(Some(&table))? };
            let inserted = match watched.extent {
                Extent::Whole => fill.inserted_beside(&table)?,
                Extent::Touched => fill.inserted(&table)?,
                Extent::Columns => 0,
            };
            (deleted, fill.updated(&table)?, inserted)
        }
    };
    if deleted + updated + inserted == 0 {
        kept.drop(connection)?;
        return Ok(None);
    }
    kept.deleted = deleted;
    kept.updated = updated;
    kept.inserted = inserted;
    if updated > 0 {
        count_values(connection, &mut kept, &watched.table)?;
    }
    Ok(Some(kept))
}

/// The rows that were destroyed as asked.
pub(crate) fn destroyed(
    connection: &Connection,
    watched: &Watched,
    at: usize,
) -> Result<Option<Counted>> {
    let sql = format!("SELECT count(*) FROM temp.ripcord_gone_{at}");
    let count = connection.query_row(&sql, [], |row| row.get(0))?;
    let what = watched.table.name.clone();
    Ok((count > 0).then_some(Counted { what, unit: Unit::Rows, count }))
}

/// Completes the description by the names afterwards. None when rows cannot be found again there,
/// which is the same as if the table were gone.
fn became<'a>(kept: &mut Kept, pair: &Pair, after: &'a Catalogue) -> Option<&'a Table> {
    let table = after.table(&pair.after)?;
    let mut names = Vec::with_capacity(kept.key.len());
    for part in &kept.key {
        let name = if kept.by_rowid { table.rowid()? } else { pair.after_of(&part.before)? };
        names.push(name.to_owned());
    }
    for (part, name) in kept.key.iter_mut().zip(names) {
        part.after = name;
    }
    for column in &mut kept.columns {
        column.after = pair.after_of(&column.name).map(str::to_owned);
    }
    let added = table.stored().filter(|column| pair.before_of(&column.name).is_none());
    kept.added = added.map(|column| column.name.clone()).collect();
    kept.after = Some(table.name.clone());
    Some(table)
}

fn create(connection: &Connection, kept: &Kept) -> Result<()> {
    let columns = |prefix: char, count: usize| (0..count).map(move |n| format!("{prefix}{n}"));
    let mut further = vec!["state TEXT NOT NULL".to_owned()];
    further.extend(columns('o', kept.columns.len()));
    if kept.after.is_some() {
        further.extend(columns('n', kept.columns.len()));
        further.extend(columns('a', kept.added.len()));
    }
    let table = kept.table_like(&format!("main.{}", quoted(&kept.store)), &further);
    connection.execute_batch(&table)?;
    Ok(())
}

fn count_values(connection: &Connection, kept: &mut Kept, table: &Table) -> Result<()> {
    let count = |at: usize, column: &KeptColumn| {
        if column.after.is_some() {
            let same = same(&format!("o{at}"), &format!("n{at}"));
            return format!("sum(NOT {same}), 0");
        }
        let default = table.column(&column.name).and_then(|c| c.default.as_deref());
        // Only a plain literal can be compared; with other defaults every value counts.
        let literal = default.filter(|text| is_literal(text)).unwrap_or("NULL");
        format!("sum(o{at} IS NOT NULL), sum(o{at} IS NOT NULL AND o{at} IS NOT {literal})")
    };
    let counts: Vec<String> =
        kept.columns.iter().enumerate().map(|(at, column)| count(at, column)).collect();
    if counts.is_empty() {
        return Ok(());
    }
    let sql =
        format!("SELECT {} FROM main.{} WHERE state = 'u'", counts.join(", "), quoted(&kept.store));
    connection.query_row(&sql, [], |row| {
        for (at, column) in kept.columns.iter_mut().enumerate() {
            column.values = row.get::<_, Option<u64>>(2 * at)?.unwrap_or(0);
            column.written = row.get::<_, Option<u64>>(2 * at + 1)?.unwrap_or(0);
        }
        Ok(())
    })?;
    Ok(())
}

fn is_literal(text: &str) -> bool {
    text.parse::<f64>().is_ok() || (text.starts_with('\'') && text.ends_with('\''))
}

/// Fills one store from one image.
struct Fill<'a> {
    connection: &'a Connection,
    kept: &'a Kept,
    image: String,
    at: usize,
}

impl Fill<'_> {
    fn deleted(&self, table: Option<&str>) -> Result<u64> {
        let (join, absent) = match table {
            None => (String::new(), String::new()),
            Some(table) => (
                format!(
                    "LEFT JOIN main.{table} AS t ON {}",
                    self.kept.finds(Side::After, "t", "i")
                ),
                format!("AND t.{} IS NULL", quoted(&self.kept.key[0].after)),
            ),
        };
        self.insert(
            "'d'",
            &[('o', self.old())],
            &format!(
                "{} AS i {join} WHERE i.present = 1 {absent} AND {}",
                self.image,
                self.spared("i")
            ),
        )
    }

    fn updated(&self, table: &str) -> Result<u64> {
        let mut differs = Vec::new();
        for (at, column) in self.kept.columns.iter().enumerate() {
            match &column.after {
                Some(after) => {
                    differs.push(format!(
                        "NOT {}",
                        same(&format!("i.o{at}"), &format!("t.{}", quoted(after)))
                    ));
                }
                None => differs.push("1".to_owned()),
            }
        }
        if differs.is_empty() {
            return Ok(0);
        }
        self.insert(
            "'u'",
            &[('o', self.old()), ('n', self.left())],
            &format!(
                "{} AS i JOIN main.{table} AS t ON {} WHERE i.present = 1 AND ({}) AND {}",
                self.image,
                self.kept.finds(Side::After, "t", "i"),
                differs.join(" OR "),
                self.spared("i"),
            ),
        )
    }

    /// Rows that were seen being inserted.
    fn inserted(&self, table: &str) -> Result<u64> {
        self.insert(
            "'i'",
            &[('n', self.left()), ('a', self.added())],
            &format!(
                "{} AS i JOIN main.{table} AS t ON {} WHERE i.present = 0",
                self.image,
                self.kept.finds(Side::After, "t", "i"),
            ),
        )
    }

    /// Rows that are not in an image of the whole.
    fn inserted_beside(&self, table: &str) -> Result<u64> {
        let key = self.kept.key.iter().map(|part| format!("t.{}", quoted(&part.after)));
        let key = key.collect::<Vec<_>>().join(", ");
        self.insert_keyed(
            &key,
            "'i'",
            &[('n', self.left()), ('a', self.added())],
            &format!(
                "main.{table} AS t WHERE NOT EXISTS (SELECT 1 FROM {} AS i WHERE {})",
                self.image,
                self.kept.found_by(Side::After, "t", "i"),
            ),
        )
    }

    fn insert(&self, state: &str, values: &[(char, Vec<String>)], from: &str) -> Result<u64> {
        self.insert_keyed(&self.kept.key_of("i"), state, values, from)
    }

    fn insert_keyed(
        &self,
        key: &str,
        state: &str,
        values: &[(char, Vec<String>)],
        from: &str,
    ) -> Result<u64> {
        let mut names = Vec::new();
        let mut sources = Vec::new();
        for (prefix, columns) in values {
            for (at, column) in columns.iter().enumerate() {
                names.push(format!(", {prefix}{at}"));
                sources.push(format!(", {column}"));
            }
        }
        let sql = format!(
            "INSERT INTO main.{}({}, state{}) SELECT {key}, {state}{} FROM {from}",
            quoted(&self.kept.store),
            bare_key(self.kept),
            names.concat(),
            sources.concat(),
        );
        Ok(self.connection.execute(&sql, [])? as u64)
    }

    fn old(&self) -> Vec<String> {
        (0..self.kept.columns.len()).map(|at| format!("i.o{at}")).collect()
    }

    fn left(&self) -> Vec<String> {
        let value = |column: &KeptColumn| match &column.after {
            Some(after) => format!("t.{}", quoted(after)),
            None => "NULL".to_owned(),
        };
        self.kept.columns.iter().map(value).collect()
    }

    fn added(&self) -> Vec<String> {
        self.kept.added.iter().map(|name| format!("t.{}", quoted(name))).collect()
    }

    /// Not a row that shall be destroyed.
    fn spared(&self, image: &str) -> String {
        let equal = equal_keys(self.kept, "g", image);
        format!("NOT EXISTS (SELECT 1 FROM temp.ripcord_gone_{} AS g WHERE {equal})", self.at)
    }
}
