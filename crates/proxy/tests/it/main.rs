//! The proxy from outside: real sockets, real backends, the real control socket.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests, too")]

mod backend;
mod child;
mod client;
mod control;
mod cutover;
mod division;
mod forwarding;
mod health;
mod hold;
mod lease;
mod restart;
mod run;
mod upgrades;
mod world;
