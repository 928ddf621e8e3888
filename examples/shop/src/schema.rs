//! The generations of the tables, and what code written for each of them reads and writes.
//!
//! One binary carries all three; each release's command says `--schema N`, as if N were compiled
//! in. The code never looks at the database to find out: real code does not either, and breaks.

use serde::{Deserialize, Serialize};

use crate::ShopError;

/// The generation of the tables that a release's code was written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub enum Schema {
    /// Orders carry a note.
    V1,
    /// Adds `orders.channel` and reviews; code of V1 still works on it.
    V2,
    /// Drops `orders.note`, adds `orders.gift`; code of V1 and V2 does not survive it.
    V3,
}

impl Schema {
    /// The number on the command line and in answers.
    pub fn number(self) -> u8 {
        match self {
            Schema::V1 => 1,
            Schema::V2 => 2,
            Schema::V3 => 3,
        }
    }

    /// Whether orders have a note.
    pub fn has_note(self) -> bool {
        self < Schema::V3
    }

    /// Whether orders have a channel.
    pub fn has_channel(self) -> bool {
        self >= Schema::V2
    }

    /// Whether there are reviews.
    pub fn has_reviews(self) -> bool {
        self >= Schema::V2
    }

    /// Whether orders can be gifts.
    pub fn has_gift(self) -> bool {
        self >= Schema::V3
    }

    /// How code of this generation stores an address: V3 folds it to lower case.
    pub fn normalise_email(self, email: &str) -> String {
        if self >= Schema::V3 { email.to_ascii_lowercase() } else { email.to_owned() }
    }
}

impl From<Schema> for u8 {
    fn from(schema: Schema) -> u8 {
        schema.number()
    }
}

impl TryFrom<u8> for Schema {
    type Error = ShopError;

    fn try_from(number: u8) -> Result<Self, ShopError> {
        match number {
            1 => Ok(Schema::V1),
            2 => Ok(Schema::V2),
            3 => Ok(Schema::V3),
            other => Err(ShopError::Usage(format!("schema {other} is none of 1, 2, 3"))),
        }
    }
}
