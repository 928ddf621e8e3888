//! What is kept, for people: which pieces there are, what rows they hold, a copy of them in a
//! table of one's own, and destroying them for good. What taking a migration back does with them
//! is elsewhere.

use crate::postgres::attempt::attempt;
use crate::postgres::connection::Connection;
use crate::postgres::detach::removal;
use crate::postgres::keep::Table;
use crate::postgres::own::{self, Applied, Kept, KeptColumn, KeptItem};
use crate::postgres::session::Session;
use crate::postgres::terms::Terms;
use crate::postgres::trouble::PostgresError;
use crate::sql::{literal, quoted};
use ripcord_core::schema::Direction;
use serde::Serialize;

/// One piece.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Piece {
    /// Its number.
    pub id: i64,
    /// The version of the migration that made it necessary.
    pub version: String,
    /// Whether that ran forward or back.
    pub direction: Direction,
    /// The table it is from, as it was called then.
    pub relation: String,
    /// What it is, in words.
    pub what: String,
    /// How many rows it holds.
    pub rows: u64,
    /// Their size on disk.
    pub bytes: u64,
    /// When it was kept.
    pub kept_at: String,
    /// When it was put back last.
    pub restored_at: Option<String>,
    /// When it was destroyed for good.
    pub purged_at: Option<String>,
    /// The columns by whose values rows can be looked for.
    pub columns: Vec<String>,
}

/// Rows of a piece; a value is absent when it is NULL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// What the columns are called.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<Option<String>>>,
}

/// What to destroy for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purge<'a> {
    /// Only this piece; all of them otherwise.
    pub id: Option<i64>,
    /// Only rows in which these columns have, or had, these values. Empty for all rows.
    pub key: &'a [(String, String)],
    /// Who asks.
    pub by: &'a str,
    /// Why.
    pub why: &'a str,
}

const ABOUT: &str = "kept data";

/// All pieces, oldest first.
///
/// # Errors
///
/// The database cannot be asked.
pub fn pieces(connection: &mut Connection) -> Result<Vec<Piece>, PostgresError> {
    let versions = Applied::versions(connection)?;
    let piece = |kept: Kept| Piece {
        id: kept.id,
        version: versions.get(&kept.applied).cloned().unwrap_or_default(),
        direction: kept.direction,
        what: words(&kept.item),
        columns: all_columns(&kept.item).into_iter().map(|column| plain(&column.name)).collect(),
        relation: kept.relation,
        rows: kept.rows,
        bytes: kept.bytes,
        kept_at: kept.kept_at,
        restored_at: kept.restored_at,
        purged_at: kept.purged_at,
    };
    Ok(found(connection)?.into_iter().map(piece).collect())
}

/// The tables and columns that are hidden, with where they are meanwhile.
///
/// # Errors
///
/// The database cannot be asked.
pub fn hidden(connection: &mut Connection) -> Result<Vec<String>, PostgresError> {
    let out_of_sight = |kept: Kept| match kept.item {
        _ if kept.restored_at.is_some() || kept.purged_at.is_some() => None,
        KeptItem::Hidden { column: Some((before, meanwhile)), .. } => {
            Some(format!("column {}.{before}, meanwhile {meanwhile}", short(&kept.relation)))
        }
        KeptItem::Hidden { column: None, place, .. } => {
            Some(format!("table {}, meanwhile {place}", short(&kept.relation)))
        }
        _ => None,
    };
    Ok(found(connection)?.into_iter().filter_map(out_of_sight).collect())
}

fn short(name: &str) -> &str {
    name.strip_prefix("public.").unwrap_or(name)
}

/// The first rows of a piece. None when there is none of this number, or it holds no rows any more.
///
/// # Errors
///
/// The database cannot be asked.
pub fn sample(
    connection: &mut Connection,
    id: i64,
    limit: u32,
) -> Result<Option<Sample>, PostgresError> {
    let Some((store, fields)) = one(connection, id)? else { return Ok(None) };
    let list = fields.iter().map(|field| format!("{}::text", field.from)).collect::<Vec<_>>();
    let list = if list.is_empty() { "NULL".to_owned() } else { list.join(", ") };
    let rows = connection.rows(ABOUT, &format!("SELECT {list} FROM {store} LIMIT {limit}"))?;
    Ok(Some(Sample { columns: fields.into_iter().map(|field| field.name).collect(), rows }))
}

/// Copies a piece into a new table, and says how many rows it has. None as above.
///
/// # Errors
///
/// There is such a table, the user may not make it, or the database cannot be asked.
pub fn copy_out(session: &mut Session, id: i64, table: &str) -> Result<Option<u64>, PostgresError> {
    let table = table.split('.').map(quoted).collect::<Vec<_>>().join(".");
    let Some((store, fields)) = one(session.guard(), id)? else { return Ok(None) };
    let list = fields.iter().map(|field| {
        let cast = field.as_text.as_ref().map_or_else(String::new, |name| format!("::{name}"));
        format!("({}){cast} AS {}", field.from, quoted(&field.name))
    });
    let list = list.collect::<Vec<_>>().join(", ");
    let made = format!("CREATE TABLE {table} AS SELECT {list} FROM {store}");
    let rows = attempt(session, &Terms::default(), "copy", &mut |_| {}, |session, _| {
        session.work().run(ABOUT, &made)?;
        session.work().count(ABOUT, &format!("SELECT pg_catalog.count(*) FROM {table}"))
    })?;
    Ok(Some(rows))
}

/// Destroys rows for good, and says of which pieces how many. That and why it was done is
/// recorded, without the values by which the rows were found.
///
/// # Errors
///
/// The database cannot be asked.
pub fn purge(session: &mut Session, purge: &Purge<'_>) -> Result<Vec<(i64, u64)>, PostgresError> {
    let all = found(session.guard())?;
    let chosen: Vec<Kept> = all
        .into_iter()
        .filter(|kept| purge.id.is_none_or(|id| id == kept.id))
        .filter(|kept| kept.purged_at.is_none())
        .collect();
    attempt(session, &Terms::default(), "purge", &mut |_| {}, |session, _| {
        let mut done = Vec::new();
        for kept in &chosen {
            let rows = if purge.key.is_empty() {
                whole(session.work(), kept, purge)?
            } else {
                some(session.work(), kept, purge)?
            };
            if rows > 0 || purge.key.is_empty() {
                done.push((kept.id, rows));
            }
        }
        Ok(done)
    })
}

/// Destroys a whole piece.
fn whole(
    connection: &mut Connection,
    kept: &Kept,
    purge: &Purge<'_>,
) -> Result<u64, PostgresError> {
    if let Some(store) = kept.item.store() {
        connection.run(ABOUT, &format!("DROP TABLE IF EXISTS {store}"))?;
    }
    if let Some(removal) = removal(kept) {
        connection.run(ABOUT, &removal)?;
    }
    let sql = format!(
        "UPDATE ripcord.kept SET purged_at = pg_catalog.now(), rows = 0, bytes = 0, \
         purged_by = {}, purged_why = {} WHERE id = {}",
        literal(purge.by),
        literal(purge.why),
        kept.id
    );
    connection.run(ABOUT, &sql)?;
    Ok(kept.rows)
}

/// Destroys the rows of a piece that have the wanted values. None has them where a column lacks.
fn some(connection: &mut Connection, kept: &Kept, purge: &Purge<'_>) -> Result<u64, PostgresError> {
    let found = match &kept.item {
        KeptItem::Hidden { .. } if kept.restored_at.is_some() => None,
        KeptItem::Hidden { place, column, .. } => aside(connection, place, column.as_ref())?,
        item => item.store().map(|store| (store.to_owned(), fields(item))),
    };
    let Some((store, fields)) = found else { return Ok(0) };
    let mut wanted = Vec::with_capacity(purge.key.len());
    for (column, value) in purge.key {
        let tested: Vec<String> = fields
            .iter()
            .filter(|field| field.column == *column)
            .map(|field| format!("{}::text = {}", field.from, literal(value)))
            .collect();
        if tested.is_empty() {
            return Ok(0);
        }
        wanted.push(format!("({})", tested.join(" OR ")));
    }
    let act = match &kept.item {
        // The rows are users' own; only what is hidden of them goes.
        KeptItem::Hidden { column: Some((_, meanwhile)), .. } => {
            wanted.push(format!("{meanwhile} IS NOT NULL"));
            format!("UPDATE {store} SET {meanwhile} = NULL")
        }
        _ => format!("DELETE FROM {store}"),
    };
    let sql = format!("{act} WHERE {}", wanted.join(" AND "));
    let rows = connection.count(ABOUT, &sql)?;
    if rows > 0 {
        let by: Vec<&str> = purge.key.iter().map(|(column, _)| column.as_str()).collect();
        let why = format!("{rows} rows by {}: {}", by.join(", "), purge.why);
        let sql = format!(
            "UPDATE ripcord.kept SET rows = greatest(rows - {rows}, 0), purged_by = {}, \
             purged_why = pg_catalog.concat_ws('; ', purged_why, {}::text) WHERE id = {}",
            literal(purge.by),
            literal(&why),
            kept.id
        );
        connection.run(ABOUT, &sql)?;
    }
    Ok(rows)
}

/// A column of what a piece shows.
struct Field {
    /// What it is called there.
    name: String,
    /// The column of the table that it is, or was, of.
    column: String,
    /// The column of the store.
    from: String,
    /// The type, if it is stored as text.
    as_text: Option<String>,
}

/// A piece that holds rows: where, and what it shows of them.
fn one(
    connection: &mut Connection,
    id: i64,
) -> Result<Option<(String, Vec<Field>)>, PostgresError> {
    let kept = found(connection)?.into_iter().find(|kept| kept.id == id);
    let kept = kept.filter(|kept| kept.purged_at.is_none());
    let Some(kept) = kept else { return Ok(None) };
    if let KeptItem::Hidden { place, column, .. } = &kept.item {
        return aside(connection, place, column.as_ref());
    }
    Ok(kept.item.store().map(|store| (store.to_owned(), fields(&kept.item))))
}

/// What is hidden, and where: a table with all its columns, a column with the key of its table.
fn aside(
    connection: &mut Connection,
    place: &str,
    column: Option<&(String, String)>,
) -> Result<Option<(String, Vec<Field>)>, PostgresError> {
    let sql = format!("SELECT pg_catalog.to_regclass({})::pg_catalog.oid", literal(place));
    let oid = connection.value(ABOUT, &sql)?.and_then(|oid| oid.parse().ok());
    let Some(oid) = oid else { return Ok(None) };
    let Some(table) = Table::read(connection, oid)? else { return Ok(None) };
    let straight = |name: &str| Field {
        name: plain(name),
        column: plain(name),
        from: name.to_owned(),
        as_text: None,
    };
    let fields = match column {
        None => table.columns.iter().map(|one| straight(&one.name)).collect(),
        Some((before, meanwhile)) => {
            let key = table.key_without(&[]);
            let mut fields: Vec<Field> = key.iter().map(|one| straight(&one.name)).collect();
            let (name, from) = (plain(before), meanwhile.clone());
            fields.push(Field { column: name.clone(), name, from, as_text: None });
            fields
        }
    };
    Ok(Some((table.rows(), fields)))
}

fn found(connection: &mut Connection) -> Result<Vec<Kept>, PostgresError> {
    if own::is_there(connection)? { Kept::all(connection) } else { Ok(Vec::new()) }
}

/// What a piece shows. Of what was changed, the old and the new values.
fn fields(item: &KeptItem) -> Vec<Field> {
    let straight = |column: &KeptColumn| field(column, plain(&column.name), column.store.clone());
    match item {
        KeptItem::Rows { columns, .. } => columns.iter().map(straight).collect(),
        KeptItem::Values { key, columns, .. } => key.iter().chain(columns).map(straight).collect(),
        KeptItem::Changes { columns, .. } => {
            let what = Field {
                name: "what".to_owned(),
                column: String::new(),
                from: "what".to_owned(),
                as_text: None,
            };
            let mut all = vec![what];
            for (at, column) in columns.iter().enumerate() {
                let name = plain(&column.name);
                all.push(field(column, format!("{name} before"), format!("o{at}")));
                all.push(field(column, format!("{name} after"), format!("n{at}")));
            }
            all
        }
        KeptItem::Position { .. } | KeptItem::Hidden { .. } | KeptItem::Deferred { .. } => {
            Vec::new()
        }
    }
}

fn field(column: &KeptColumn, name: String, from: String) -> Field {
    let as_text = column.as_text.then(|| column.type_name.clone());
    Field { name, column: plain(&column.name), from, as_text }
}

fn all_columns(item: &KeptItem) -> Vec<&KeptColumn> {
    match item {
        KeptItem::Rows { columns, .. } | KeptItem::Changes { columns, .. } => {
            columns.iter().collect()
        }
        KeptItem::Values { key, columns, .. } => key.iter().chain(columns).collect(),
        KeptItem::Position { .. } | KeptItem::Hidden { .. } | KeptItem::Deferred { .. } => {
            Vec::new()
        }
    }
}

/// A name without the quotes that SQL needs.
fn plain(name: &str) -> String {
    match name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => name.to_owned(),
    }
}

fn words(item: &KeptItem) -> String {
    let names = |columns: &[KeptColumn]| {
        columns.iter().map(|column| plain(&column.name)).collect::<Vec<_>>().join(", ")
    };
    match item {
        KeptItem::Rows { dropped: true, .. } => "rows of a dropped table".to_owned(),
        KeptItem::Rows { dropped: false, .. } => "rows of an emptied table".to_owned(),
        KeptItem::Values { columns, lossy: false, .. } => format!("values of {}", names(columns)),
        KeptItem::Values { columns, lossy: true, .. } => {
            format!("values of {} that the new type cannot hold", names(columns))
        }
        KeptItem::Changes { .. } => "rows written by the migration".to_owned(),
        KeptItem::Position { last_value, .. } => format!("a sequence that stood at {last_value}"),
        KeptItem::Hidden { column: Some((before, _)), .. } => format!("hidden column {before}"),
        KeptItem::Hidden { column: None, place, .. } => format!("hidden table, now {place}"),
        KeptItem::Deferred { line, text } => {
            let text: String = text.chars().take(80).collect();
            format!("waits to be run: line {line}: {text}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn names_without_quotes() {
        let check = |name: &str, expected: &str| assert_eq!(plain(name), expected);
        check("id", "id");
        check("\"Id\"", "Id");
        check("\"a\"\"b\"", "a\"b");
        check("\"", "\"");
    }
}
