//! The ledger in a `SQLite` file: the append-only, hash-chained store of everything that happened.
//!
//! It keeps entries and guards them; it does not know what they mean, and it never changes or
//! drops one. One controller writes at a time: a lock on the state directory keeps a second one
//! out, and a fence in every entry keeps out one that was replaced and wakes up again.

mod database;
mod error;
mod head;
mod lock;
mod process;
mod reader;
mod reserve;
mod sqlite;
mod verify;
mod write;

pub use error::OpenError;
pub use reader::LedgerReader;
pub use sqlite::{OpenOptions, SqliteLedger};
pub use verify::{Anchor, Verified};
