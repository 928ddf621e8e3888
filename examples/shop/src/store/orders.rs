//! Orders: the table on which the three generations differ most.
//!
//! V1 and V2 read and write `note`; V2 and V3 `channel`; V3 `gift`, and it ignores a note.

use serde::{Deserialize, Serialize};

use super::{Cell, Connection, StoreError, customer, product};
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
    connection.transaction(|connection| {
        let key = Cell::from(new.client_key.as_str());
        if let Some(known) = find(connection, schema, "client_key = $1", key.clone())? {
            return Ok(Placed::Known(known));
        }
        customer(connection, new.customer)?;
        product(connection, new.product)?;
        let Some(id) = insert(connection, schema, new)? else {
            // Another instance was faster with the same order.
            let known = find(connection, schema, "client_key = $1", key)?;
            return known.map(Placed::Known).ok_or(StoreError::Busy);
        };
        audit(connection, id, "placed")?;
        Ok(Placed::New(order(connection, schema, id)?))
    })
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
    connection.transaction(|connection| {
        if let Some(quantity) = change.quantity {
            let sql = "UPDATE orders SET quantity = $1 WHERE id = $2";
            connection.rows(sql, &[quantity.into(), id.into()])?;
        }
        if let (Some(note), true) = (&change.note, schema.has_note()) {
            let sql = "UPDATE orders SET note = $1 WHERE id = $2";
            connection.rows(sql, &[note.as_str().into(), id.into()])?;
        }
        let order = order(connection, schema, id)?;
        audit(connection, id, "changed")?;
        Ok(order)
    })
}

pub(crate) fn order(
    connection: &mut Connection,
    schema: Schema,
    id: i64,
) -> Result<Order, StoreError> {
    find(connection, schema, "id = $1", id.into())?.ok_or(StoreError::NotFound("order"))
}

/// The newest orders.
pub(crate) fn list_orders(
    connection: &mut Connection,
    schema: Schema,
    limit: u32,
) -> Result<Vec<Order>, StoreError> {
    let columns = columns(schema);
    let sql = format!("SELECT {columns} FROM orders ORDER BY id DESC LIMIT $1");
    let rows = connection.rows(&sql, &[i64::from(limit).into()])?;
    Ok(rows.iter().map(|row| read_order(row)).collect())
}

fn check_quantity(quantity: i64) -> Result<(), StoreError> {
    if (1..=QUANTITY_MAX).contains(&quantity) {
        return Ok(());
    }
    Err(StoreError::Invalid("quantity must be 1 to 1000"))
}

/// The new order's id; none when there is one of this key already.
fn insert(
    connection: &mut Connection,
    schema: Schema,
    new: &NewOrder,
) -> Result<Option<i64>, StoreError> {
    let mut columns = vec!["customer_id", "product_id", "quantity", "client_key"];
    let mut values: Vec<Cell> = vec![
        new.customer.into(),
        new.product.into(),
        new.quantity.into(),
        new.client_key.as_str().into(),
    ];
    if schema.has_note() {
        columns.push("note");
        values.push(new.note.as_deref().into());
    }
    if schema.has_channel() {
        columns.push("channel");
        values.push(new.channel.as_deref().unwrap_or("web").into());
    }
    if schema.has_gift() {
        columns.push("gift");
        values.push(i64::from(new.gift).into());
    }
    let places: Vec<String> = (1..=values.len()).map(|at| format!("${at}")).collect();
    let sql = format!(
        "INSERT INTO orders ({}) VALUES ({}) ON CONFLICT (client_key) DO NOTHING RETURNING id",
        columns.join(", "),
        places.join(", ")
    );
    Ok(connection.row(&sql, &values)?.map(|row| row[0].integer()))
}

fn audit(connection: &mut Connection, order: i64, message: &str) -> Result<(), StoreError> {
    let sql = "INSERT INTO audit_log (order_id, message) VALUES ($1, $2)";
    connection.rows(sql, &[order.into(), message.into()]).map(|_| ())
}

fn find(
    connection: &mut Connection,
    schema: Schema,
    condition: &str,
    value: Cell,
) -> Result<Option<Order>, StoreError> {
    let columns = columns(schema);
    let sql = format!("SELECT {columns} FROM orders WHERE {condition}");
    Ok(connection.row(&sql, &[value])?.as_deref().map(read_order))
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

fn read_order(row: &[Cell]) -> Order {
    let text = |at: usize| row[at].text();
    Order {
        id: row[0].integer(),
        customer: row[1].integer(),
        product: row[2].integer(),
        quantity: row[3].integer(),
        note: text(4),
        client_key: text(5).unwrap_or_default(),
        created_at: text(6).unwrap_or_default(),
        channel: text(7),
        gift: row[8].flag(),
    }
}
