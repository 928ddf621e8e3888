//! Tests of sources with a real Prometheus, with servers that misbehave, with real processes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod command;
mod flag_servers;
mod prometheus;
mod real;
mod server;
mod services;
mod support;
mod tls;
mod trouble;
mod web;
