//! The control socket: one JSON line asks, one JSON line answers.
//!
//! Whoever can open the socket may say where traffic goes; the file's mode (0600) is the only
//! guard. The client is synchronous, because the controller is.

mod client;
mod listener;
pub(crate) mod path;
pub(crate) mod wire;

pub use client::Control;
pub(crate) use listener::ControlListener;
