//! A column that changes its type: of its values only those are kept that do not come back by
//! converting the new ones. Which these are is asked beforehand where the server can tell, or else
//! found out afterwards from a copy of all.

use crate::postgres::connection::Connection;
use crate::postgres::inverse::converted;
use crate::postgres::keep::keeper::{Keeper, copy, lock, selected, short};
use crate::postgres::keep::table::{Table, TableColumn, kept};
use crate::postgres::own::KeptItem;
use crate::postgres::trouble::PostgresError;
use ripcord_core::schema::Unit;

/// A change of type that is about to happen, with what was copied before it.
#[derive(Debug)]
pub(crate) struct Retyping {
    oid: u32,
    number: i32,
    /// The column as it was.
    column: TableColumn,
    /// All that is stored of a row, when it has no key.
    columns: Vec<TableColumn>,
    key: Vec<TableColumn>,
    /// None when no value can be lost.
    store: Option<String>,
}

const ABOUT: &str = "kept data";

impl Retyping {
    /// Copies what may be lost. None when there is no such column.
    pub(crate) fn before(
        keeper: &mut Keeper,
        connection: &mut Connection,
        oid: u32,
        column: &str,
        to: &str,
        using: bool,
    ) -> Result<Option<Retyping>, PostgresError> {
        let Some(table) = Table::read(connection, oid)? else { return Ok(None) };
        let wanted = crate::sql::quoted(column);
        let found = table.stored().into_iter().find(|one| one.name == column || one.name == wanted);
        let Some(column) = found.cloned() else { return Ok(None) };
        let number = column.number;
        if !using && column.fits(to) {
            let (columns, key, store) = (Vec::new(), Vec::new(), None);
            return Ok(Some(Retyping { oid, number, column, columns, key, store }));
        }
        lock(connection, &table.name)?;
        let key = table.key_without(&[column.number]);
        let columns = if key.is_empty() { table.stored() } else { vec![&column] };
        let values = selected(&[('k', &key), ('c', &columns)], "t");
        let store = keeper.store();
        let told = !using && told(connection, &store, &values, &table, &column, to)?;
        if !told {
            keeper.afford(&table, connection)?;
            let condition = format!("t.{} IS NOT NULL", column.name);
            copy(connection, &store, &values, &table.rows(), &condition)?;
        }
        let owned = |columns: Vec<&TableColumn>| columns.into_iter().cloned().collect();
        let (key, columns) = (owned(key), owned(columns));
        let store = Some(store);
        Ok(Some(Retyping { oid, number, column, columns, key, store }))
    }

    /// The table and the column, by their numbers.
    pub(crate) fn column(&self) -> (u32, i32) {
        (self.oid, self.number)
    }

    /// Sees what became of the values, and keeps those that would not come back.
    pub(crate) fn after(
        self,
        keeper: &mut Keeper,
        connection: &mut Connection,
    ) -> Result<(), PostgresError> {
        let Some(mut store) = self.store.clone() else { return Ok(()) };
        let Some(table) = Table::read(connection, self.oid)? else { return Ok(()) };
        let now = table.columns.iter().find(|column| column.number == self.number);
        if let Some(now) = now.filter(|_| !self.key.is_empty()) {
            let sifted = keeper.store();
            let lossy = self.sift(connection, &table, now, (&store, &sifted))?;
            if !lossy {
                return Ok(());
            }
            store = sifted;
        }
        let rows = connection.number(ABOUT, &format!("SELECT pg_catalog.count(*) FROM {store}"))?;
        if rows == 0 {
            return connection.run(ABOUT, &format!("DROP TABLE {store}"));
        }
        let rows = u64::try_from(rows).unwrap_or(0);
        let refer =
            |columns: &[TableColumn], letter| kept(&columns.iter().collect::<Vec<_>>(), letter);
        let (key, columns) = (refer(&self.key, 'k'), refer(&self.columns, 'c'));
        keeper.measure(connection, &table.name, &store)?;
        let what = format!("{}.{}", short(&table.name), self.column.name);
        keeper.count(&what, Unit::Values, rows);
        let item = KeptItem::Values { store, key, columns, lossy: true };
        keeper.record(connection, &table.name, &item, rows)
    }

    /// Copies from the store those rows whose value is another after the way there and back, with
    /// what stands in the table now. False when there are none.
    fn sift(
        &self,
        connection: &mut Connection,
        table: &Table,
        now: &TableColumn,
        (all, store): (&str, &str),
    ) -> Result<bool, PostgresError> {
        let same = self.key.iter().enumerate().map(|(at, column)| {
            let text = if column.as_text { "::text" } else { "" };
            format!("(t.{}){text} = s.k{at}", column.name)
        });
        let same = same.collect::<Vec<_>>().join(" AND ");
        let back = converted(&format!("(t.{})", now.name), &now.type_name, &self.column.type_name);
        let from = format!("{all} AS s JOIN {} AS t ON {same}", table.rows());
        let sift = |condition: &str| {
            format!(
                "CREATE TABLE {store} AS SELECT s.*, (t.{})::text COLLATE pg_catalog.\"default\" \
                 AS l0 FROM {from} WHERE {condition}",
                now.name
            )
        };
        let lossy =
            format!("s.c0::text COLLATE \"C\" IS DISTINCT FROM ({back})::text COLLATE \"C\"");
        let rows = match attempt(connection, &sift(&lossy))? {
            Some(rows) => rows,
            // The way back does not even run for all of them.
            None => connection.count(ABOUT, &sift("true"))?,
        };
        connection.run(ABOUT, &format!("DROP TABLE {all}"))?;
        if rows == 0 {
            connection.run(ABOUT, &format!("DROP TABLE {store}"))?;
        }
        Ok(rows > 0)
    }
}

/// Asks the server which values do not survive the way there and back, and keeps those. False
/// when it cannot tell.
fn told(
    connection: &mut Connection,
    store: &str,
    values: &str,
    table: &Table,
    column: &TableColumn,
    to: &str,
) -> Result<bool, PostgresError> {
    let sql = format!(
        "CREATE TABLE {store} AS SELECT {values} FROM {} AS t WHERE {}",
        table.rows(),
        column.lossy(to)
    );
    Ok(attempt(connection, &sql)?.is_some())
}

/// Runs a statement that may fail without harm. None when it did.
fn attempt(connection: &mut Connection, sql: &str) -> Result<Option<u64>, PostgresError> {
    connection.run(ABOUT, "SAVEPOINT ripcord_attempt")?;
    match connection.count(ABOUT, sql) {
        Ok(rows) => {
            connection.run(ABOUT, "RELEASE SAVEPOINT ripcord_attempt")?;
            Ok(Some(rows))
        }
        // Data and definitions may stand against it; locks and broken connections are no answer.
        Err(error)
            if ["22", "42", "23", "0A", "2F"].contains(&error.code().get(..2).unwrap_or("")) =>
        {
            connection.run(
                ABOUT,
                "ROLLBACK TO SAVEPOINT ripcord_attempt; RELEASE SAVEPOINT ripcord_attempt",
            )?;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
