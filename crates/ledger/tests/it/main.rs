//! Tests of the ledger against real files, real processes and a store that must never lie.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod child;
mod conformance;
mod controllers;
mod disk;
mod support;
mod tamper;
