//! Tests of the whole crate: published suites, hostile input, properties.

#[path = "../conformance/runner/mod.rs"]
mod runner;

mod fuzz;
mod golden;
mod hostile;
mod jsonlogic;
mod properties;
mod schemas;
mod testbed;

use std::path::PathBuf;

/// Where the published suites are.
fn suites() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/conformance")
}
