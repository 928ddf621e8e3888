//! A fingerprint of a table's content that does not depend on the order of rows: the SHA-256 of
//! each row, summed modulo 2^256, with the number of rows and the names of columns.

use crate::sql::quoted;
use crate::sqlite::catalogue::{Catalogue, Table};
use crate::sqlite::trouble::Result;
use ripcord_core::model::{Digest, digest_of};
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// The fingerprint of each table of the user's.
pub(crate) fn fingerprints(connection: &Connection) -> Result<BTreeMap<String, Digest>> {
    let catalogue = Catalogue::read(connection)?;
    let tables = catalogue.tables.iter().filter(|table| !table.is_virtual);
    tables.map(|table| Ok((table.name.clone(), fingerprint(connection, table)?))).collect()
}

fn fingerprint(connection: &Connection, table: &Table) -> Result<Digest> {
    let names: Vec<&str> = table.stored().map(|column| column.name.as_str()).collect();
    let columns = names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
    let sql = format!("SELECT {columns} FROM main.{}", quoted(&table.name));
    let mut query = connection.prepare(&sql)?;
    let mut rows = query.query([])?;
    let mut sum = [0_u8; 32];
    let mut count = 0_u64;
    while let Some(row) = rows.next()? {
        let mut hash = Sha256::new();
        for at in 0..names.len() {
            feed(&mut hash, row.get_ref(at)?);
        }
        add(&mut sum, &hash.finalize());
        count += 1;
    }
    Ok(digest_of(&(names, count, sum)))
}

/// Type, length and bytes, so that no two values look alike.
fn feed(hash: &mut Sha256, value: ValueRef<'_>) {
    let (kind, bytes): (u8, &[u8]) = match value {
        ValueRef::Null => (0, &[]),
        ValueRef::Integer(number) => {
            hash.update([1]);
            hash.update(number.to_le_bytes());
            return;
        }
        ValueRef::Real(number) => {
            hash.update([2]);
            hash.update(number.to_bits().to_le_bytes());
            return;
        }
        ValueRef::Text(text) => (3, text),
        ValueRef::Blob(blob) => (4, blob),
    };
    hash.update([kind]);
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

fn add(sum: &mut [u8; 32], hash: &[u8]) {
    let mut carry = 0_u16;
    for (sum, byte) in sum.iter_mut().zip(hash) {
        let total = u16::from(*sum) + u16::from(*byte) + carry;
        *sum = total.to_le_bytes()[0];
        carry = total >> 8;
    }
}
