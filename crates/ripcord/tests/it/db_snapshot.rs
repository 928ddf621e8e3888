//! `ripcord db snapshot` and `ripcord db diff`: what people, scripts and machines get. That the
//! schemas are read rightly is tested against a real server beside the library.

use crate::site::RIPCORD;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// A snapshot of a table with these columns.
fn snapshot(dir: &Path, file: &str, columns: &[&str]) {
    let mut objects = vec![serde_json::json!([
        {"kind": "table", "name": "public.orders"},
        {"local": "orders", "facts": {"owner": "ann"}},
    ])];
    for (at, column) in columns.iter().enumerate() {
        objects.push(serde_json::json!([
            {"kind": "column", "name": format!("public.orders.{column}")},
            {
                "of": "public.orders", "local": column,
                "facts": {"position": at + 1, "type": "text"},
                "requires": [{"kind": "table", "name": "public.orders"}],
            },
        ]));
    }
    let whole = serde_json::json!({
        "format": 1, "server": "15.0", "schemas": [], "objects": objects, "unseen": [],
    });
    fs::write(dir.join(file), whole.to_string()).unwrap();
}

fn run(dir: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(RIPCORD);
    command.current_dir(dir).arg("db").args(arguments).env_remove("RIPCORD_DATABASE_URL");
    command.output().unwrap()
}

fn check(dir: &Path, arguments: &[&str], code: i32, expected: &str) {
    let output = run(dir, arguments);
    let text = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
    assert!(text.contains(expected), "{arguments:?}: {text}");
    assert!(!text.contains("swordfish"), "{arguments:?} tells a password: {text}");
}

#[test]
fn differences_and_exit_codes() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    snapshot(dir, "one.json", &["id", "note"]);
    snapshot(dir, "two.json", &["id"]);
    check(dir, &["diff", "one.json", "one.json"], 0, "the schemas are the same");
    check(dir, &["diff", "one.json", "two.json"], 3, "-  column orders.note text: dropped");
    check(dir, &["diff", "two.json", "one.json"], 3, "+  column orders.note text: created");
    let way = "ALTER TABLE public.orders ADD COLUMN note text;";
    check(dir, &["diff", "one.json", "two.json", "--inverse"], 3, way);
    let left = "-- not done: column orders.note: it comes back without its values";
    check(dir, &["diff", "one.json", "two.json", "--inverse"], 3, left);
}

#[test]
fn for_machines() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    snapshot(dir, "one.json", &["id", "note"]);
    snapshot(dir, "two.json", &["id"]);
    let output = run(dir, &["diff", "one.json", "two.json", "--json", "--inverse"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["same"], false);
    assert_eq!(json["changes"][0]["object"]["name"], "public.orders.note");
    assert_eq!(json["changes"][0]["change"], "dropped");
    assert_eq!(json["inverse"]["left"][0]["what"], "column orders.note");
    assert_ne!(json["before"], json["after"]);
}

#[test]
fn bad_input() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    snapshot(dir, "one.json", &["id"]);
    fs::write(dir.join("newer.json"), r#"{"format": 99}"#).unwrap();
    fs::write(dir.join("text.json"), b"\xff\xfe").unwrap();
    check(dir, &["diff", "one.json", "none.json"], 2, "none.json is no snapshot");
    check(dir, &["diff", "one.json", "newer.json"], 2, "its format is 99");
    check(dir, &["diff", "one.json", "text.json"], 2, "text.json is no snapshot");
    check(dir, &["diff", "one.json", "."], 2, ". is no snapshot");
    check(dir, &["snapshot"], 2, "--url");
    let closed = "postgresql://u:swordfish@127.0.0.1:1/shop";
    check(dir, &["snapshot", "--url", closed], 6, "cannot reach shop at 127.0.0.1:1");
    check(dir, &["diff", "one.json", closed], 6, "RC0412");
    let odd = "postgresql://u:swordfish@127.0.0.1:1/shop?sslmode=perhaps";
    check(dir, &["snapshot", "--url", odd], 2, "sslmode is one of");
    check(dir, &["snapshot", "--url", "swordfish"], 2, "not the address of a database");
}
