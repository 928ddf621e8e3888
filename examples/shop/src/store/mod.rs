//! The shop's tables. Each function is one short transaction; none knows about HTTP.
//!
//! Statements are prepared anew every time: the schema may change beneath a running process, and
//! a cached statement would answer with columns that are no longer there.

mod connection;
mod customers;
mod orders;
mod pool;
mod products;
mod reviews;

pub(crate) use connection::{Cell, Connection};
pub(crate) use customers::{NewCustomer, customer, insert_customer};
pub(crate) use orders::{Change, NewOrder, Placed, change_order, list_orders, order, place_order};
pub(crate) use pool::Pool;
pub(crate) use products::{list_products, product};
pub(crate) use reviews::{NewReview, insert_review, list_reviews};

/// Why a request got no row.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("no {0} with this id")]
    NotFound(&'static str),
    #[error("{0}")]
    Invalid(&'static str),
    #[error("database: {0}")]
    Database(String),
    #[error("the database is busy, try again")]
    Busy,
}
