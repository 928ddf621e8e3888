//! The controller's HTTP interface on the loopback address: wire types, server and client.
//! The token in the state directory, readable by its owner alone, is asked of every request.

mod client;
mod server;
mod wire;

pub(crate) use client::Client;
pub(crate) use server::serve;
pub(crate) use wire::{Contact, MaintenanceRequest, WishKind};
