//! A small web shop over `SQLite` or `PostgreSQL`: an ordinary service with several releases, some of them bad.
//!
//! It knows nothing of the tool that releases it. `service` answers requests, `store` talks to the
//! database, `faults` makes a release bad on purpose, and only when its configuration says so.
//! `load` is the shop's own load generator and the independent bookkeeper of what clients were told.

mod cli;
mod error;
mod faults;
mod flags;
pub mod load;
mod place;
mod schema;
pub mod service;
mod settings;
mod store;

pub use cli::main_with;
pub use error::ShopError;
pub use faults::Faults;
pub use place::Place;
pub use schema::Schema;
pub use settings::{FlagServer, Settings, ShopConfig};
