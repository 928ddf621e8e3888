//! The published suites over HTTP, against the real server: what the evaluator passes in process
//! must arrive at a client.

use crate::runner::{Answer, Evaluate, Level, documents, run, scenarios};
use crate::site::{Site, Wish};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// Where the suites are.
fn suites() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../flags/tests/conformance")
}

/// A server for each set of a level.
struct OverHttp {
    sets: BTreeMap<String, Site>,
}

impl OverHttp {
    fn new(level: Level, bucketing: &str) -> OverHttp {
        // The suites hold flags with rules that are broken on purpose.
        let wish = Wish { lenient: true, ..Wish::default() };
        let serve = |text: &str| {
            let mut document: Value = serde_json::from_str(text).unwrap();
            if !document["metadata"].is_object() {
                document["metadata"] = json!({});
            }
            document["metadata"]["bucketing"] = json!(bucketing);
            Site::wish(&document, &wish)
        };
        let sets = documents(&suites(), level);
        OverHttp { sets: sets.iter().map(|(name, text)| (name.clone(), serve(text))).collect() }
    }
}

impl Evaluate for OverHttp {
    fn evaluate(&mut self, set: &str, key: &str, context: &Value) -> Answer {
        let first = format!("POST /ofrep/v1/evaluate/flags/{key}");
        let found = self.sets[set].ask(&first, &[], &json!({ "context": context }).to_string());
        let found = found.json();
        let error = found["errorCode"].as_str().map(str::to_owned);
        let mut metadata = found["metadata"].as_object().cloned().unwrap_or_default();
        // What pins the generation is ours and not of the suite.
        metadata.remove("bucketing");
        let reason = found["reason"].as_str().unwrap_or("ERROR").to_owned();
        Answer { value: found.get("value").cloned(), reason, error, metadata }
    }
}

fn testbed(level: Level, bucketing: &str, other: &str, expected: usize) {
    let mut over_http = OverHttp::new(level, bucketing);
    let without = ["fractional-v1", "deprecated", other];
    let outcome = run(&scenarios(&suites(), level), &without, &mut over_http);
    assert_eq!(outcome.failed, Vec::<String>::new());
    assert_eq!(outcome.passed, expected, "left out: {:#?}", outcome.left_out);
}

#[test]
fn evaluator_v2() {
    testbed(Level::Evaluator, "v2", "fractional-v3", 125);
}

#[test]
fn evaluator_v3() {
    testbed(Level::Evaluator, "v3", "fractional-v2", 104);
}

#[test]
fn provider_v2() {
    testbed(Level::Provider, "v2", "fractional-v3", 137);
}

#[test]
fn provider_v3() {
    testbed(Level::Provider, "v3", "fractional-v2", 248);
}

/// One flag per case of the suite; the rule itself says whether it gave what was expected.
#[test]
fn json_logic() {
    let text = fs::read_to_string(suites().join("datalogic/compatible.json")).unwrap();
    let entries: Vec<Value> = serde_json::from_str(&text).unwrap();
    // A context is an object, so cases over other data cannot be asked for.
    let can =
        |case: &&Value| case.is_object() && (case["data"].is_object() || case["data"].is_null());
    let cases: Vec<&Value> = entries.iter().filter(can).collect();
    let flags: Map<String, Value> = cases
        .iter()
        .enumerate()
        .map(|(number, case)| {
            let same = json!({"===": [case["rule"], {"var": "expected-of-the-case"}]});
            let flag = json!({"state": "ENABLED", "variants": {"yes": true, "no": false},
                "targeting": {"if": [same, "yes", "no"]}});
            (format!("case-{number}"), flag)
        })
        .collect();
    let site = Site::of(&json!({ "flags": flags }));
    let mut failed = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let mut context = case["data"].as_object().cloned().unwrap_or_default();
        context.insert("expected-of-the-case".to_owned(), case["result"].clone());
        let first = format!("POST /ofrep/v1/evaluate/flags/case-{number}");
        let answer = site.ask(&first, &[], &json!({ "context": context }).to_string());
        if answer.json()["value"] != json!(true) {
            failed.push(format!("{case}: {}", answer.body));
        }
    }
    assert_eq!(failed, Vec::<String>::new());
    assert_eq!(cases.len(), 272);
}
