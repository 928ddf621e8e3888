//! Products: read only, whoever sets prices does so in migrations.

use serde::Serialize;

use super::{Cell, Connection, StoreError};

/// A product as answered.
#[derive(Debug, Serialize)]
pub(crate) struct Product {
    id: i64,
    name: String,
    price_cents: i64,
    stock: i64,
}

pub(crate) fn product(connection: &mut Connection, id: i64) -> Result<Product, StoreError> {
    let found = connection
        .row("SELECT id, name, price_cents, stock FROM products WHERE id = $1", &[id.into()])?;
    found.as_deref().map(read_product).ok_or(StoreError::NotFound("product"))
}

pub(crate) fn list_products(
    connection: &mut Connection,
    limit: u32,
) -> Result<Vec<Product>, StoreError> {
    let sql = "SELECT id, name, price_cents, stock FROM products ORDER BY id LIMIT $1";
    let rows = connection.rows(sql, &[i64::from(limit).into()])?;
    Ok(rows.iter().map(|row| read_product(row)).collect())
}

fn read_product(row: &[Cell]) -> Product {
    Product {
        id: row[0].integer(),
        name: row[1].text().unwrap_or_default(),
        price_cents: row[2].integer(),
        stock: row[3].integer(),
    }
}
