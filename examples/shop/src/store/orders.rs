//! Orders: the table on which the three generations differ most.
//!
//! V1 and V2 read and write `note`; V2 and V3 `channel`; V3 `gift`, and it ignores a note.

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, TransactionBehavior};
use serde::{Deserialize, Serialize};

use super::{StoreError, customer, product};
use crate::Schema;

const QUANTITY_MAX: i64 = 1000;

/// An order as answered. `note` is null where the code knows none; `channel` and `gift` are absent.
#[derive(Debug, Serialize)]
pub(crate) struct Order {
    id: i64,
    customer: i64,
    product: i64,
    quantity: i64,
    note: Option<String>,
    client_key: String,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gift: Option<bool>,
}

/// An order as sent. Fields that this generation does not know are ignored.
#[derive(Debug, Deserialize)]
pub(crate) struct NewOrder {
    customer: i64,
    product: i64,
    quantity: i64,
    #[serde(default)]
    note: Option<String>,
    client_key: String,
    #[serde(default)]
    channel: Option<String>,
    #[serde(default)]
    gift: bool,
}

/// What a client changes about an order; what is absent or null stays.
#[derive(Debug, Deserialize)]
pub(crate) struct Change {
    #[serde(default)]
    quantity: Option<i64>,
    #[serde(default)]
    note: Option<String>,
}

/// What became of an order that was sent.
#[derive(Debug)]
pub(crate) enum Placed {
    New(Order),
    /// The same `client_key` was here before; this is the row it made then.
    Known(Order),
}

pub(crate) fn place_order(
    connection: &mut Connection,
    schema: Schema,
    new: &NewOrder,
) -> Result<Placed, StoreError> {
    check_quantity(new.quantity)?;
    if new.client_key.is_empty() || new.client_key.len() > 200 {
        return Err(StoreError::Invalid("client_key must have 1 to 200 bytes"));
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if let Some(known) = find(&transaction, schema, "client_key = ?1", &new.client_key)? {
        return Ok(Placed::Known(known));
    }
    customer(&transaction, new.customer)?;
    product(&transaction, new.product)?;
    insert(&transaction, schema, new)?;
    let id = transaction.last_insert_rowid();
    audit(&transaction, id, "placed")?;
    let order = order(&transaction, schema, id)?;
    transaction.commit()?;
    Ok(Placed::New(order))
}

pub(crate) fn change_order(
    connection: &mut Connection,
    schema: Schema,
    id: i64,
    change: &Change,
) -> Result<Order, StoreError> {
    if change.quantity.is_none() && change.note.is_none() {
        return Err(StoreError::Invalid("a change names a quantity or a note"));
    }
    change.quantity.map_or(Ok(()), check_quantity)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if let Some(quantity) = change.quantity {
        transaction.execute("UPDATE orders SET quantity = ?2 WHERE id = ?1", (id, quantity))?;
    }
    if let (Some(note), true) = (&change.note, schema.has_note()) {
        transaction.execute("UPDATE orders SET note = ?2 WHERE id = ?1", (id, note))?;
    }
    let order = order(&transaction, schema, id)?;
    audit(&transaction, id, "changed")?;
    transaction.commit()?;
    Ok(order)
}

pub(crate) fn order(connection: &Connection, schema: Schema, id: i64) -> Result<Order, StoreError> {
    find(connection, schema, "id = ?1", id)?.ok_or(StoreError::NotFound("order"))
}

/// The newest orders.
pub(crate) fn list_orders(
    connection: &Connection,
    schema: Schema,
    limit: u32,
) -> Result<Vec<Order>, StoreError> {
    let columns = columns(schema);
    let mut statement =
        connection.prepare(&format!("SELECT {columns} FROM orders ORDER BY id DESC LIMIT ?1"))?;
    let orders = statement.query_map([limit], read_order)?;
    Ok(orders.collect::<rusqlite::Result<_>>()?)
}

fn check_quantity(quantity: i64) -> Result<(), StoreError> {
    if (1..=QUANTITY_MAX).contains(&quantity) {
        return Ok(());
    }
    Err(StoreError::Invalid("quantity must be 1 to 1000"))
}

fn insert(transaction: &Transaction<'_>, schema: Schema, new: &NewOrder) -> rusqlite::Result<()> {
    let order = (new.customer, new.product, new.quantity, &new.client_key);
    let channel = new.channel.as_deref().unwrap_or("web");
    match schema {
        Schema::V1 => transaction.execute(
            "INSERT INTO orders (customer_id, product_id, quantity, client_key, note)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            (order.0, order.1, order.2, order.3, &new.note),
        ),
        Schema::V2 => transaction.execute(
            "INSERT INTO orders (customer_id, product_id, quantity, client_key, note, channel)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            (order.0, order.1, order.2, order.3, &new.note, channel),
        ),
        Schema::V3 => transaction.execute(
            "INSERT INTO orders (customer_id, product_id, quantity, client_key, channel, gift)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            (order.0, order.1, order.2, order.3, channel, new.gift),
        ),
    }?;
    Ok(())
}

fn audit(transaction: &Transaction<'_>, order: i64, message: &str) -> rusqlite::Result<()> {
    transaction
        .execute("INSERT INTO audit_log (order_id, message) VALUES (?1, ?2)", (order, message))?;
    Ok(())
}

fn find(
    connection: &Connection,
    schema: Schema,
    condition: &str,
    value: impl rusqlite::ToSql,
) -> rusqlite::Result<Option<Order>> {
    let columns = columns(schema);
    connection
        .query_row(&format!("SELECT {columns} FROM orders WHERE {condition}"), [value], read_order)
        .optional()
}

/// The same nine columns for every generation, with NULL for what it does not know.
fn columns(schema: Schema) -> String {
    let note = if schema.has_note() { "note" } else { "NULL" };
    let channel = if schema.has_channel() { "channel" } else { "NULL" };
    let gift = if schema.has_gift() { "gift" } else { "NULL" };
    format!(
        "id, customer_id, product_id, quantity, {note}, client_key, created_at, {channel}, {gift}"
    )
}

fn read_order(row: &Row<'_>) -> rusqlite::Result<Order> {
    Ok(Order {
        id: row.get(0)?,
        customer: row.get(1)?,
        product: row.get(2)?,
        quantity: row.get(3)?,
        note: row.get(4)?,
        client_key: row.get(5)?,
        created_at: row.get(6)?,
        channel: row.get(7)?,
        gift: row.get(8)?,
    })
}
