//! The `JSONLogic` suite that all engines share, and flagd's own operators.

use crate::suites;
use ripcord_flags::{Bucketing, try_rule};
use serde_json::Value;
use std::fs;

fn check(file: &str, bucketing: Bucketing, expected: usize) {
    let text = fs::read_to_string(suites().join("datalogic").join(file)).expect("a suite");
    let entries: Vec<Value> = serde_json::from_str(&text).expect("JSON of the suite");
    let mut passed = 0;
    let mut failed = Vec::new();
    // Texts between the cases are headings.
    for case in entries.iter().filter(|entry| entry.is_object()) {
        let found = try_rule(&case["rule"].to_string(), &case["data"], bucketing);
        match found {
            Ok(found) if same(&found, &case["result"]) => passed += 1,
            other => failed.push(format!(
                "{} over {}: {other:?} instead of {}",
                case["rule"], case["data"], case["result"]
            )),
        }
    }
    assert_eq!(failed, Vec::<String>::new());
    assert_eq!(passed, expected, "{file}");
}

/// Whether two values are the same; 1 and 1.0 are.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}

#[test]
fn compatible() {
    check("compatible.json", Bucketing::V3, 278);
}

#[test]
fn versions() {
    check("sem_ver.json", Bucketing::V3, 43);
}

#[test]
fn shares_of_the_second_generation() {
    check("fractional.json", Bucketing::V2, 47);
}
