//! Products: read only, whoever sets prices does so in migrations.

use rusqlite::{Connection, OptionalExtension as _, Row};
use serde::Serialize;

use super::StoreError;

/// A product as answered.
#[derive(Debug, Serialize)]
pub(crate) struct Product {
    id: i64,
    name: String,
    price_cents: i64,
    stock: i64,
}

pub(crate) fn product(connection: &Connection, id: i64) -> Result<Product, StoreError> {
    connection
        .query_row(
            "SELECT id, name, price_cents, stock FROM products WHERE id = ?1",
            [id],
            read_product,
        )
        .optional()?
        .ok_or(StoreError::NotFound("product"))
}

pub(crate) fn list_products(
    connection: &Connection,
    limit: u32,
) -> Result<Vec<Product>, StoreError> {
    let mut statement = connection
        .prepare("SELECT id, name, price_cents, stock FROM products ORDER BY id LIMIT ?1")?;
    let products = statement.query_map([limit], read_product)?;
    Ok(products.collect::<rusqlite::Result<_>>()?)
}

fn read_product(row: &Row<'_>) -> rusqlite::Result<Product> {
    Ok(Product { id: row.get(0)?, name: row.get(1)?, price_cents: row.get(2)?, stock: row.get(3)? })
}
