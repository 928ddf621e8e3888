//! The flags server: serves a flags document to unmodified `OpenFeature` clients over OFREP 0.3.0.
//!
//! It runs as its own process, serves on without the controller, and knows one file: the document
//! in force, replaced as a whole by whoever owns it. It must not know plans, releases, environments
//! or the ledger, and it never changes the file.
//!
//! # What it promises
//! - **A change is served at once.** The file is looked at every few milliseconds; a new document
//!   is compiled aside and put in force by the swap of a pointer. Open change streams say so.
//! - **A bad document changes nothing.** It is refused with its reason, and the last good one is
//!   served on; over a restart, too, from a copy. Without any it answers 500, never an empty set.
//! - **What is off stays off.** The server has no memory that could turn a flag on again: what it
//!   answers follows from the document and the context alone.
//! - **Nothing waits or grows without a bound**: bodies, contexts, connections, streams, clients.
//!
//! # The way of a request
//! `route` reads the path, `keys` says who asks, `request` reads the context, and `single` or
//! `bulk` answer from `served`, which keeps each answer of each flag serialised (`fragment`).
//! `source` watches the file and hands new documents to `shared`; `stream` tells the clients.

mod answer;
mod bulk;
mod clients;
mod connection;
mod counts;
mod error;
mod fragment;
mod handle;
mod keys;
mod memo;
mod options;
mod percent;
mod rate;
mod request;
mod route;
mod saved;
mod served;
mod server;
mod shared;
mod single;
mod source;
mod stall;
mod status;
mod stream;
mod tallies;
mod token;

pub use error::OfrepError;
pub use keys::{Keys, NewKey};
pub use options::{Limits, Options};
pub use server::{Running, Server, run};
