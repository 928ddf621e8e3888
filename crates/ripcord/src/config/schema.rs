//! The JSON schema of `ripcord.toml`, for editors. Generated from the shape; this test keeps the
//! file in `docs` the same.

use crate::config::document::Document;
use std::fs;
use std::path::Path;

/// `UPDATE=1` in the environment rewrites the file.
#[test]
fn the_schema_in_docs_is_current() {
    let schema = schemars::schema_for!(Document);
    let generated = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/ripcord.schema.json");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &generated).unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap();
    assert!(stored == generated, "docs/ripcord.schema.json is not current; run with UPDATE=1");
}
