//! Target databases: reading migrations, judging them, running them so that nothing is lost, and
//! taking them back.
//!
//! Every change of a target database happens in one transaction with its marker and its fence.
//! This crate decides nothing about releases and reads no configuration; what it is to do comes
//! in as a plan's [`SchemaChange`](ripcord_core::schema::SchemaChange).

mod error;
pub mod formats;
pub mod migrations;
pub mod postgres;
pub mod review;
mod sql;
pub mod sqlite;
mod statement;

pub use error::MigrationError;
