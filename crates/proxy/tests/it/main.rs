//! The proxy from outside: real sockets, real backends, the real control socket.

mod backend;
mod client;
mod control;
mod cutover;
mod forwarding;
mod health;
mod hold;
mod restart;
mod upgrades;
mod world;
