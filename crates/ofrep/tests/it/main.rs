//! The flags server from outside: a process of its own, real sockets, real files.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests, too")]

#[path = "../../../flags/tests/conformance/runner/mod.rs"]
mod runner;

mod bulk;
mod client;
mod conformance;
mod hostile;
mod keys;
mod limits;
mod pages;
mod reload;
mod restart;
mod single;
mod site;
mod slow;
mod status;
mod stream;
mod unmodified;
