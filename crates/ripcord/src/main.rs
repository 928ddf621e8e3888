//! The binary: reads the command line and the configuration, owns the wire types, and wires the
//! crates together. Nothing below it knows of any of these.

mod api;
mod check;
mod cli;
mod config;
mod controller;
mod demo;
mod failure;
mod flags;
mod init;
mod store;
mod terminal;
mod world;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
