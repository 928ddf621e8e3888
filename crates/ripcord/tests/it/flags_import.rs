//! Exports of other services become documents, on the real binary, without a controller.

use crate::site::RIPCORD;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn ripcord(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(RIPCORD);
    command.args(words).current_dir(folder).output().unwrap()
}

fn export() -> Value {
    json!({"segments": {}, "flags": {
        "plain": {"on": true, "variations": [true, false], "fallthrough": {"variation": 0},
            "offVariation": 1},
        "half": {"on": true, "variations": [true, false], "salt": "x", "offVariation": 1,
            "fallthrough": {"rollout": {"variations": [{"variation": 0, "weight": 50_000},
                {"variation": 1, "weight": 50_000}]}}},
        "odd": {"on": true, "variations": [true, false], "fallthrough": {"variation": 1},
            "rules": [{"variation": 0, "clauses": [
                {"attribute": "email", "op": "matches", "values": [".*"]}]}]},
    }})
}

#[test]
fn an_export_becomes_a_document_with_a_report() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ld.json"), export().to_string()).unwrap();
    let words = ["flags", "import", "--from", "launchdarkly", "ld.json", "--out", "flags.json"];
    let output = ripcord(folder.path(), &[&words[..], &["--json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let of = |key: &str| {
        let flags = report["flags"].as_array().unwrap();
        flags.iter().find(|flag| flag["key"] == key).unwrap().clone()
    };
    assert_eq!(of("plain")["fidelity"], "exact");
    assert_eq!(of("half")["fidelity"], "approximate");
    let moved = of("half")["moved_per_10_000"].as_u64().unwrap();
    assert!((4_800..5_200).contains(&moved), "{moved}");
    assert_eq!(of("odd")["fidelity"], "refused");
    assert!(of("odd")["because"][0].as_str().unwrap().contains("matches"));
    let document: Value =
        serde_json::from_slice(&fs::read(folder.path().join("flags.json")).unwrap()).unwrap();
    let mut keys: Vec<&String> = document["flags"].as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(keys, ["half", "plain"]);
    // Nothing that is there is written over.
    let again = ripcord(folder.path(), &words);
    assert!(!again.status.success());
    assert!(String::from_utf8_lossy(&again.stderr).contains("flags.json"));
}

#[test]
fn what_is_refused_is_never_put_in_force_in_silence() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ld.json"), export().to_string()).unwrap();
    let check = |words: &[&str], part: &str| {
        let output = ripcord(folder.path(), &[&["flags", "import"], words].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(part), "{said}");
    };
    check(&["--from", "launchdarkly", "ld.json", "--reason", "move"], "cannot be imported: odd");
    check(&["--from", "configcat", "ld.json", "--out", "x.json"], "ConfigCat");
    check(&["--from", "launchdarkly", "none.json", "--out", "x.json"], "none.json");
    check(&["--from", "launchdarkly", "ld.json"], "--reason");
    assert!(!folder.path().join("x.json").exists());
}
