//! What a database says about its own soundness, and what its tables hold.

use crate::postgres::connection::Connection;
use crate::postgres::fill::tables;
use crate::postgres::own::{self, Applied};
use crate::postgres::release::failure::Trouble;
use ripcord_core::model::Digest;
use std::collections::BTreeMap;

const ABOUT: &str = "soundness";

/// Fails with what is not as it should be. The server itself sees to it that references hold; what
/// remains is what a broken-off run may have left.
pub(super) fn check(connection: &mut Connection) -> Result<(), Trouble> {
    if own::is_there(connection)? {
        let open = Applied::unfinished(connection)?;
        if !open.is_empty() {
            return Err(Trouble::refuse(format!(
                "migrations did not get through: {}; run `ripcord db up` to end them",
                open.join(", ")
            )));
        }
    }
    let broken = "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) \
        FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
        WHERE NOT i.indisvalid AND c.relkind = 'i' ORDER BY 1 LIMIT 5";
    let names: Vec<String> = connection
        .rows(ABOUT, broken)?
        .into_iter()
        .filter_map(|row| row.into_iter().next()?)
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(Trouble::refuse(format!(
        "indexes are not valid: {}; drop them, or make them anew with REINDEX",
        names.join(", ")
    )))
}

/// The fingerprint of each table's rows, whatever their order.
pub(super) fn fingerprints(
    connection: &mut Connection,
) -> Result<BTreeMap<String, Digest>, Trouble> {
    let mut found = BTreeMap::new();
    for (_, table) in tables(connection)? {
        let half = |from: u32| {
            format!(
                "coalesce(pg_catalog.sum(('x' || pg_catalog.substr(m, {from}, 16))\
                 ::pg_catalog.bit(64)::pg_catalog.int8::pg_catalog.numeric), 0)"
            )
        };
        let sql = format!(
            "SELECT pg_catalog.count(*) || ' ' || {} || ' ' || {} \
             FROM (SELECT pg_catalog.md5(t::pg_catalog.text) AS m FROM {table} t) AS rows",
            half(1),
            half(17)
        );
        let text = connection.value(ABOUT, &sql)?.unwrap_or_default();
        found.insert(table, Digest::of_bytes(text.as_bytes()));
    }
    Ok(found)
}
