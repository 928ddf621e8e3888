//! Customers. An address is stored as given by V1 and V2, in lower case by V3.

use serde::{Deserialize, Serialize};

use super::{Connection, StoreError};
use crate::Schema;

/// A customer as answered.
#[derive(Debug, Serialize)]
pub(crate) struct Customer {
    id: i64,
    name: String,
    email: String,
}

/// A customer as sent.
#[derive(Debug, Deserialize)]
pub(crate) struct NewCustomer {
    name: String,
    email: String,
}

pub(crate) fn customer(connection: &mut Connection, id: i64) -> Result<Customer, StoreError> {
    let found =
        connection.row("SELECT id, name, email FROM customers WHERE id = $1", &[id.into()])?;
    let row = found.ok_or(StoreError::NotFound("customer"))?;
    let text = |at: usize| row[at].text().unwrap_or_default();
    Ok(Customer { id: row[0].integer(), name: text(1), email: text(2) })
}

pub(crate) fn insert_customer(
    connection: &mut Connection,
    schema: Schema,
    new: &NewCustomer,
) -> Result<Customer, StoreError> {
    if new.name.trim().is_empty() {
        return Err(StoreError::Invalid("a customer needs a name"));
    }
    if !new.email.contains('@') {
        return Err(StoreError::Invalid("an email address needs an @"));
    }
    let email = schema.normalise_email(&new.email);
    let made = connection.row(
        "INSERT INTO customers (name, email) VALUES ($1, $2) RETURNING id",
        &[new.name.as_str().into(), email.as_str().into()],
    )?;
    customer(connection, made.map_or(0, |row| row[0].integer()))
}
