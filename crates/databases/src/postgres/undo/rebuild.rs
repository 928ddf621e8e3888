//! A table made anew so that its columns stand in their old order, with all its rows. It costs a
//! copy of the table, so it is done up to a size that was agreed.

use super::place::{Side, value};
use super::{ABOUT, set_position, stands};
use crate::postgres::catalogue::{Catalogue, Name};
use crate::postgres::connection::Connection;
use crate::postgres::inverse::WayBack;
use crate::postgres::kind::Kind;
use crate::postgres::own::KeptColumn;
use crate::postgres::trouble::PostgresError;
use crate::sql::literal;
use std::collections::BTreeSet;

/// The rows of such a table, set aside for the moment.
#[derive(Debug)]
pub(crate) struct Rebuild {
    table: String,
    store: String,
    columns: Vec<KeptColumn>,
    sequences: Vec<(String, i64, bool)>,
}

/// The tables that are worth it: small enough, and nothing else's rows hang on them.
pub(crate) fn wanted(
    connection: &mut Connection,
    way: &WayBack,
    target: &Catalogue,
    now: &Catalogue,
    bytes_max: u64,
) -> Result<BTreeSet<Name>, PostgresError> {
    let mut wanted = BTreeSet::new();
    for table in &way.reordered {
        if !stands_alone(target, table) || !stands_alone(now, table) {
            continue;
        }
        let size = format!("SELECT pg_catalog.pg_total_relation_size({})", literal(&table.name));
        if u64::try_from(connection.number(ABOUT, &size)?).unwrap_or(0) <= bytes_max {
            wanted.insert(table.clone());
        }
    }
    Ok(wanted)
}

fn stands_alone(catalogue: &Catalogue, table: &Name) -> bool {
    let Some(object) = catalogue.objects.get(table) else { return false };
    let bound = ["partition_of", "partition_key", "of_type"]
        .iter()
        .any(|fact| object.facts.contains_key(*fact));
    let part = format!("{}.", table.name);
    let hangs = catalogue.objects.iter().any(|(name, other)| {
        let uses = other
            .requires
            .iter()
            .any(|need| need == table || need.kind == Kind::Column && need.name.starts_with(&part));
        let own = other.of.as_deref() == Some(table.name.as_str())
            || other.of.as_deref().is_some_and(|of| of.starts_with(&part));
        let data = matches!(
            name.kind,
            Kind::Table | Kind::ForeignTable | Kind::Column | Kind::Sequence | Kind::Publication
        );
        uses && data && !own && name != table
    });
    !bound && !hangs
}

impl Rebuild {
    /// Sets the rows of a table aside, before it goes.
    pub(crate) fn set_aside(
        connection: &mut Connection,
        side: Side<'_>,
        table: &str,
        number: usize,
    ) -> Result<Rebuild, PostgresError> {
        let store = format!("ripcord.rebuilt_{number}");
        // Nothing may be written to it between the copy and its end.
        connection.run("lock", &format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))?;
        let (mut columns, mut list) = (Vec::new(), Vec::new());
        if let Some(place) = side.here(table) {
            for (_, spot) in place.stored() {
                // What types of users hold must not hang on types that may go.
                let as_text = spot.kind.contains('.');
                let through = if as_text { "::text" } else { "" };
                let at = columns.len();
                list.push(format!("{}{through} AS c{at}", spot.name));
                columns.push(KeptColumn {
                    name: spot.name.to_owned(),
                    store: format!("c{at}"),
                    type_name: spot.kind.to_owned(),
                    as_text,
                    table: 0,
                    number: 0,
                });
            }
        }
        let sql = format!("CREATE TABLE {store} AS SELECT {} FROM ONLY {table}", list.join(", "));
        connection.run(ABOUT, &sql)?;
        let owned = side.catalogue.objects.iter().filter(|(name, object)| {
            name.kind == Kind::Sequence
                && object.of.as_deref().is_some_and(|of| of.starts_with(&format!("{table}.")))
        });
        let mut sequences = Vec::new();
        for (name, _) in owned {
            if let Some((last, called)) = stands(connection, &name.name)? {
                sequences.push((name.name.clone(), last, called));
            }
        }
        Ok(Rebuild { table: table.to_owned(), store, columns, sequences })
    }

    /// Fills the table that was made anew.
    pub(crate) fn fill(
        self,
        connection: &mut Connection,
        side: Side<'_>,
    ) -> Result<(), PostgresError> {
        if let Some(place) = side.here(&self.table) {
            let (mut names, mut values) = (Vec::new(), Vec::new());
            for column in &self.columns {
                let own = place.stored().find(|(_, spot)| spot.name == column.name);
                if let Some((_, spot)) = own {
                    names.push(spot.name);
                    values.push(value(&format!("k.{}", column.store), column, spot));
                }
            }
            let sql = format!(
                "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {} k",
                self.table,
                names.join(", "),
                values.join(", "),
                self.store
            );
            connection.run(ABOUT, &sql)?;
        }
        for (name, last, called) in &self.sequences {
            set_position(connection, name, *last, *called)?;
        }
        connection.run(ABOUT, &format!("DROP TABLE {}", self.store))
    }
}
