//! The HTTP service: routes, the answers they share, and an orderly end.
//!
//! Handlers parse and answer; rows come from `store`. Nothing here decides to be bad: that is the
//! `guard`, which asks the configured faults before a handler runs.

mod answer;
mod catalogue;
mod guard;
mod orders;
mod server;
mod transfer;
mod user;

pub use server::Server;
pub(crate) use server::stop_signal;
