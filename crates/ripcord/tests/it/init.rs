//! `ripcord init` from outside: what it writes, what it says where, and what it never overwrites.

use crate::site::RIPCORD;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// A small service that is built.
fn project() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("shop");
    fs::create_dir_all(root.join("src")).unwrap();
    fs::create_dir_all(root.join("target/release")).unwrap();
    fs::write(root.join("Cargo.toml"), "[package]\nname = \"shop\"\n").unwrap();
    fs::write(root.join("src/main.rs"), "listen(env(\"PORT\")); get(\"/healthz\");\n").unwrap();
    fs::write(root.join("Procfile"), "web: target/release/shop serve\nworker: sh work.sh\n")
        .unwrap();
    let binary = root.join("target/release/shop");
    fs::write(&binary, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).unwrap();
    (directory, root)
}

fn ripcord(root: &Path, words: &[&str]) -> Output {
    Command::new(RIPCORD).args(words).current_dir(root).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_new_project_gets_a_configuration_that_passes_the_check() {
    let (_directory, root) = project();
    let output = ripcord(&root, &["init"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(output.stdout.is_empty(), "talk on standard output");
    assert!(said.contains("found    service: the package in Cargo.toml"), "{said}");
    assert!(said.contains("guessed  health.path: \"/healthz\" stands in src/main.rs:1"), "{said}");
    assert!(said.contains("`ripcord serve`"), "{said}");
    let written = fs::read_to_string(root.join("ripcord.toml")).unwrap();
    assert!(written.contains("command = [\"./shop\", \"serve\"]"), "{written}");
    assert!(written.contains("[roles.worker]"), "{written}");
    let output = ripcord(&root, &["check"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
}

#[test]
fn a_file_that_is_there_is_kept() {
    let (_directory, root) = project();
    let path = root.join("ripcord.toml");
    fs::write(&path, "mine").unwrap();
    let output = ripcord(&root, &["init"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("RC0012") && said.contains("--force"), "{said}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    let output = ripcord(&root, &["init", "--print"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("service = \"shop\""), "{}", text(&output.stdout));
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    assert_eq!(ripcord(&root, &["init", "--force"]).status.code(), Some(0));
    assert!(fs::read_to_string(&path).unwrap().contains("service = \"shop\""));
    // A link that leads nowhere is a file that is there, too.
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("elsewhere.toml", &path).unwrap();
    assert_eq!(ripcord(&root, &["init"]).status.code(), Some(2));
    assert!(!root.join("elsewhere.toml").exists());
}

#[test]
fn machines_read_json_and_nothing_is_printed_beside_it() {
    let (_directory, root) = project();
    let read = |output: &Output| -> Value { serde_json::from_slice(&output.stdout).unwrap() };
    let printed = read(&ripcord(&root, &["init", "--print", "--json"]));
    assert_eq!(printed["written"], Value::Null);
    assert!(!root.join("ripcord.toml").exists());
    let notes = printed["notes"].as_array().unwrap();
    assert!(notes.iter().any(|note| note["about"] == "service" && note["how"] == "found"));
    let written = read(&ripcord(&root, &["init", "--json"]));
    assert_eq!(written["written"], "ripcord.toml");
    assert_eq!(written["text"], printed["text"]);
    assert_eq!(fs::read_to_string(root.join("ripcord.toml")).unwrap(), printed["text"]);
    let refused = ripcord(&root, &["init", "--json"]);
    assert_eq!(read(&refused)["error"]["code"], "RC0012");
}

#[test]
fn a_project_that_is_not_built_is_no_failure() {
    let (_directory, root) = project();
    fs::remove_dir_all(root.join("target")).unwrap();
    let elsewhere = root.parent().unwrap();
    let output = ripcord(elsewhere, &["init", "--config", "shop/ripcord.toml"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("wrong    artifact") && said.contains("`ripcord check`"), "{said}");
    assert!(root.join("ripcord.toml").exists());
    let output = ripcord(elsewhere, &["init", "--config", "nowhere/ripcord.toml"]);
    assert_eq!(output.status.code(), Some(2));
}
