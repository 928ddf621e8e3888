//! What was noted of changes of rows, as it lies in its stores, and what users wrote since in the
//! same places. Nothing here changes anything.

use super::place::{Place, Side, finds, value};
use super::{ABOUT, same};
use crate::postgres::connection::{Connection, Row};
use crate::postgres::outcome::Conflict;
use crate::postgres::own::KeptColumn;
use crate::postgres::trouble::PostgresError;
use crate::sql::literal;

/// Changes of rows of one table and form, in the stores that hold them.
pub(crate) struct Group<'a> {
    pub(crate) relation: &'a str,
    pub(crate) stores: Vec<&'a str>,
    pub(crate) key: &'a [KeptColumn],
    pub(crate) columns: &'a [KeptColumn],
}

impl Group<'_> {
    /// All of it, as what a query selects from.
    pub(super) fn summed(&self) -> String {
        format!("({})", summed(&self.stores, self.key.len(), self.columns.len()))
    }

    /// For each column, that its value is as the run left it.
    fn left_alone(&self, place: &Place<'_>) -> Vec<String> {
        let one = |(at, column): (usize, &KeptColumn)| match place.spot(column) {
            Some(spot) => {
                same(&format!("t.{}", spot.name), &value(&format!("k.n{at}"), column, spot))
            }
            None => "true".to_owned(),
        };
        self.columns.iter().enumerate().map(one).collect()
    }

    /// What users wrote where the run had written, without changing anything: the same as is
    /// counted when it is taken back.
    pub(crate) fn foresee(
        &self,
        connection: &mut Connection,
        side: Side<'_>,
    ) -> Result<Vec<Conflict>, PostgresError> {
        let mut list = Vec::new();
        let Some(place) = side.place(self.relation, self.columns) else { return Ok(list) };
        let Some(finds) = finds(&place, self.key) else { return Ok(list) };
        let (summed, left) = (self.summed(), self.left_alone(&place));
        let mut asked = Vec::new();
        for (at, column) in self.columns.iter().enumerate() {
            let changed = same(&format!("k.o{at}"), &format!("k.n{at}"));
            asked.push((
                format!("{}.{}", self.relation, column.name),
                EDITED,
                format!("k.before AND k.after AND NOT {changed} AND NOT {}", left[at]),
            ));
        }
        let all = left.join(" AND ");
        let edited = format!("NOT k.before AND k.after AND NOT ({all})");
        asked.push((self.relation.to_owned(), INSERTED, edited));
        let taken = "k.before AND NOT k.after".to_owned();
        asked.push((self.relation.to_owned(), TAKEN, taken));
        for (what, why, condition) in asked {
            let sql = format!(
                "SELECT pg_catalog.count(*) FROM {summed} k JOIN {} t ON {finds} WHERE {condition}",
                place.table
            );
            let count = u64::try_from(connection.number(ABOUT, &sql)?).unwrap_or(0);
            if count > 0 {
                list.push(Conflict { what, why: why.to_owned(), count });
            }
        }
        Ok(list)
    }

    /// The condition under which a row `t` is one that the run inserted and that goes again.
    pub(crate) fn goes(
        &self,
        connection: &mut Connection,
        side: Side<'_>,
    ) -> Result<Option<String>, PostgresError> {
        let Some(place) = side.place(self.relation, self.columns) else { return Ok(None) };
        let Some(finds) = finds(&place, self.key) else { return Ok(None) };
        Ok(Some(format!(
            "EXISTS (SELECT FROM {} k WHERE NOT k.before AND k.after AND {finds} AND {}{})",
            self.summed(),
            self.left_alone(&place).join(" AND "),
            unreferred(connection, &place.table)?
        )))
    }
}

pub(crate) const EDITED: &str = "users wrote another value since, which stays";
pub(super) const INSERTED: &str = "users changed rows that the script had inserted; they stay";
pub(crate) const TAKEN: &str = "users wrote rows in the place of those that return; theirs stay";

/// The query that sums stores up.
fn summed(stores: &[&str], key: usize, columns: usize) -> String {
    let list = |letter: char, many: usize| -> Vec<String> {
        (0..many).map(|at| format!("{letter}{at}")).collect()
    };
    let (keys, old, new) = (list('k', key), list('o', columns), list('n', columns));
    let all: Vec<String> = stores.iter().map(|store| format!("SELECT * FROM {store}")).collect();
    let all = all.join(" UNION ALL ");
    if key == 0 {
        let value = |at: usize| format!("CASE what WHEN 'i' THEN n{at} ELSE o{at} END AS v{at}");
        let values: Vec<String> = (0..columns).map(value).collect();
        let names = list('v', columns).join(", ");
        format!(
            "WITH a AS ({all}), b AS (SELECT what, {} FROM a), c AS (SELECT b.*, \
             ROW({names})::text AS image FROM b) SELECT DISTINCT ON (image) c.*, pg_catalog.sum(CASE what \
             WHEN 'i' THEN 1 ELSE -1 END) OVER (PARTITION BY image) AS surplus FROM c",
            values.join(", ")
        )
    } else {
        let keys = keys.join(", ");
        let from = |alias: &str, list: &[String]| {
            list.iter().map(|name| format!("{alias}.{name}")).collect::<Vec<_>>().join(", ")
        };
        format!(
            "WITH a AS ({all}), f AS (SELECT DISTINCT ON ({keys}) * FROM a \
             ORDER BY {keys}, at, what), l AS (SELECT DISTINCT ON ({keys}) * FROM a \
             ORDER BY {keys}, at DESC, what DESC) SELECT {keys}, f.what <> 'i' AS before, \
             l.what <> 'd' AS after, {}, {} FROM f JOIN l USING ({keys}) \
             WHERE f.what <> 'i' OR l.what <> 'd'",
            from("f", &old),
            from("l", &new)
        )
    }
}

/// The condition that no other row refers to the row of `t`.
pub(super) fn unreferred(
    connection: &mut Connection,
    table: &str,
) -> Result<String, PostgresError> {
    let sql = format!(
        "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), (SELECT pg_catalog.string_agg(\
         pg_catalog.format('r.%I = t.%I', a.attname, b.attname), ' AND ') FROM \
         ROWS FROM (pg_catalog.unnest(k.conkey), pg_catalog.unnest(k.confkey)) AS pair(own, their) \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = pair.own \
         JOIN pg_catalog.pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = pair.their) \
         FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE k.contype = 'f' AND k.conparentid = 0 AND k.confrelid = {}::pg_catalog.regclass",
        literal(table)
    );
    let condition = |row: &Row| {
        let [Some(child), Some(equal)] = &row[..] else { return String::new() };
        // A row that refers to itself does not stand in its own way.
        let other = if child == table { " AND r.ctid <> t.ctid" } else { "" };
        format!(" AND NOT EXISTS (SELECT FROM {child} r WHERE {equal}{other})")
    };
    Ok(connection.rows(ABOUT, &sql)?.iter().map(condition).collect())
}
