//! The independent record: every write that clients sent, and what they were told about it.
//!
//! It is a log in the order of the answers. A row has at most one write open at a time, so the
//! order of its writes here is the order in which the service made them.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Schema, ShopError};

/// All writes of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// In the order in which their outcome became known.
    pub writes: Vec<Write>,
}

/// One write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Write {
    /// The id of the request.
    pub request: String,
    /// What the client sent.
    pub sent: Sent,
    /// What it learned.
    pub told: Told,
}

/// What a client sends to change something. Keys, names and bodies are unique.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sent {
    /// `POST /orders`.
    Order {
        /// Finds the row again.
        client_key: String,
        /// Customer id.
        customer: i64,
        /// Product id.
        product: i64,
        /// How many.
        quantity: i64,
        /// Ignored by code of schema 3.
        note: Option<String>,
        /// Ignored by code before schema 3.
        gift: bool,
    },
    /// `PATCH /orders/{id}` of an order of this run.
    Change {
        /// The order's id as answered.
        id: i64,
        /// The order's key.
        client_key: String,
        /// The new value.
        change: Change,
    },
    /// `POST /customers`.
    Customer {
        /// Finds the row again.
        name: String,
        /// In mixed case; code of schema 3 stores it in lower case.
        email: String,
    },
    /// `POST /reviews`.
    Review {
        /// Product id.
        product: i64,
        /// 1 to 5.
        stars: i64,
        /// Finds the row again.
        body: String,
    },
}

/// What is changed about an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// A new quantity.
    Quantity(i64),
    /// A new note; ignored by code of schema 3.
    Note(String),
}

/// What the client learned about its write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// 2xx: the service promised to keep it.
    Acknowledged {
        /// The row's id.
        id: i64,
        /// Who answered.
        release: String,
        /// The schema generation of the code that answered.
        schema: Schema,
    },
    /// Nothing was written: the shop said so, or the request never left.
    Refused {
        /// Why.
        because: String,
    },
    /// It may or may not have been written.
    Unknown {
        /// Why nobody knows.
        because: String,
    },
}

impl Record {
    /// Writes whose outcome nobody knows.
    pub fn ambiguous(&self) -> impl Iterator<Item = &Write> {
        self.writes.iter().filter(|write| matches!(write.told, Told::Unknown { .. }))
    }

    /// Writes that the service promised to keep.
    pub fn acknowledged(&self) -> impl Iterator<Item = &Write> {
        self.writes.iter().filter(|write| matches!(write.told, Told::Acknowledged { .. }))
    }

    /// Reads the lines that a run wrote to its record file.
    ///
    /// # Errors
    /// When the file cannot be read or a line is no write.
    pub fn read(path: &Path) -> Result<Self, ShopError> {
        let text = fs::read_to_string(path).map_err(|source| ShopError::File {
            doing: "read",
            path: path.to_owned(),
            source,
        })?;
        let writes = text.lines().map(serde_json::from_str).collect::<Result<_, _>>();
        writes.map(|writes| Self { writes }).map_err(|source| ShopError::Json {
            what: "record of writes",
            path: path.to_owned(),
            source,
        })
    }
}

impl Sent {
    /// Where it is sent to.
    pub fn path(&self) -> String {
        match self {
            Sent::Order { .. } => "/orders".to_owned(),
            Sent::Change { id, .. } => format!("/orders/{id}"),
            Sent::Customer { .. } => "/customers".to_owned(),
            Sent::Review { .. } => "/reviews".to_owned(),
        }
    }

    /// The request body.
    pub fn body(&self) -> Value {
        match self {
            Sent::Order { client_key, customer, product, quantity, note, gift } => json!({
                "client_key": client_key, "customer": customer, "product": product,
                "quantity": quantity, "note": note, "gift": gift,
            }),
            Sent::Change { change: Change::Quantity(quantity), .. } => {
                json!({ "quantity": quantity })
            }
            Sent::Change { change: Change::Note(note), .. } => json!({ "note": note }),
            Sent::Customer { name, email } => json!({ "name": name, "email": email }),
            Sent::Review { product, stars, body } => {
                json!({ "product": product, "stars": stars, "body": body })
            }
        }
    }
}
