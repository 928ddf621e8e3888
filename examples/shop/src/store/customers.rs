//! Customers. An address is stored as given by V1 and V2, in lower case by V3.

use rusqlite::{Connection, OptionalExtension as _};
use serde::{Deserialize, Serialize};

use super::StoreError;
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

pub(crate) fn customer(connection: &Connection, id: i64) -> Result<Customer, StoreError> {
    connection
        .query_row("SELECT id, name, email FROM customers WHERE id = ?1", [id], |row| {
            Ok(Customer { id: row.get(0)?, name: row.get(1)?, email: row.get(2)? })
        })
        .optional()?
        .ok_or(StoreError::NotFound("customer"))
}

pub(crate) fn insert_customer(
    connection: &Connection,
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
    connection
        .execute("INSERT INTO customers (name, email) VALUES (?1, ?2)", (&new.name, &email))?;
    customer(connection, connection.last_insert_rowid())
}
