//! Runs flagd-testbed's scenarios against anything that answers for flags: the evaluator in this
//! process, or a server over HTTP. It plays the client: typed flags with a fallback value. Included
//! by path from the test crates that need it.

mod gherkin;

pub(crate) use gherkin::{Case, Step, cases};

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Something that answers for flags.
pub(crate) trait Evaluate {
    /// The answer for one flag of a set, named as the suites name sets.
    fn evaluate(&mut self, set: &str, key: &str, context: &Value) -> Answer;
}

/// What was answered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    /// The value; none leaves it to the code.
    pub(crate) value: Option<Value>,
    /// Why.
    pub(crate) reason: String,
    /// The code of the error, where there is one.
    pub(crate) error: Option<String>,
    /// What is said of the flag.
    pub(crate) metadata: Map<String, Value>,
}

/// The set that is asked where a scenario selects none.
pub(crate) const ALL: &str = "flags/allFlags.json";

/// The documents of the suite at one level, by the names under which scenarios select them.
pub(crate) fn documents(root: &Path, level: Level) -> BTreeMap<String, String> {
    let read = |path: &str| {
        let path = root.join(path);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    if level == Level::Evaluator {
        let text = read("flagd-testbed/evaluator/flags/testkit-flags.json");
        return BTreeMap::from([(ALL.to_owned(), text)]);
    }
    // One document of all, as the suite's own server makes it, and two that are selected.
    let mut whole = json!({"flags": {}, "$evaluators": {}});
    let together = [
        "changing-flag",
        "custom-ops",
        "disabled-flags",
        "edge-case-flags",
        "evaluator-refs",
        "metadata-flags",
        "testing-flags",
        "zero-flags",
    ];
    for name in together {
        let text = read(&format!("flagd-testbed/provider/flags/{name}.json"));
        let part: Value = serde_json::from_str(&text).expect("JSON of the suite");
        for member in ["flags", "$evaluators"] {
            let from = part[member].as_object().cloned().unwrap_or_default();
            whole[member].as_object_mut().expect("an object").extend(from);
        }
    }
    let mut documents = BTreeMap::from([(ALL.to_owned(), whole.to_string())]);
    for name in ["selector-flags", "selector-flag-combined-metadata"] {
        let text = read(&format!("flagd-testbed/provider/flags/{name}.json"));
        documents.insert(format!("rawflags/{name}.json"), text);
    }
    documents
}

/// Which part of the suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// What an evaluator answers.
    Evaluator,
    /// What a provider answers, together with its server.
    Provider,
}

/// The scenarios of a level, in the order of their files.
pub(crate) fn scenarios(root: &Path, level: Level) -> Vec<Case> {
    let folder = match level {
        Level::Evaluator => root.join("flagd-testbed/evaluator/gherkin"),
        Level::Provider => root.join("flagd-testbed/provider/gherkin"),
    };
    let entries = fs::read_dir(&folder).expect("the folder of the suite");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "no suite in {}", folder.display());
    let mut found = Vec::new();
    for file in files {
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        found.extend(cases(&name, &fs::read_to_string(&file).expect("a file of the suite")));
    }
    found
}

/// What came of all scenarios.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// How many hold.
    pub(crate) passed: usize,
    /// Names of those that were left out, in order.
    pub(crate) left_out: Vec<String>,
    /// Names and reasons of those that do not hold.
    pub(crate) failed: Vec<String>,
}

/// Runs all scenarios but those that carry one of the tags.
pub(crate) fn run(cases: &[Case], without: &[&str], evaluator: &mut dyn Evaluate) -> Outcome {
    let mut outcome = Outcome::default();
    for case in cases {
        if without.iter().any(|tag| case.tags.contains(*tag)) {
            outcome.left_out.push(case.name.clone());
            continue;
        }
        match play(case, evaluator) {
            Ok(()) => outcome.passed += 1,
            Err(why) => outcome.failed.push(format!("{}: {why}", case.name)),
        }
    }
    outcome
}

/// What a scenario has said and seen so far.
#[derive(Default)]
struct Scene {
    set: Option<String>,
    kind: String,
    key: String,
    fallback: Value,
    context: Map<String, Value>,
    resolved: Option<Resolved>,
}

/// What the code of the client gets.
struct Resolved {
    value: Value,
    reason: String,
    error: String,
    metadata: Map<String, Value>,
}

fn play(case: &Case, evaluator: &mut dyn Evaluate) -> Result<(), String> {
    let mut scene = Scene::default();
    for step in &case.steps {
        let words = quoted(&step.text);
        let arguments: Vec<&str> = words.iter().map(String::as_str).collect();
        let shape = shape(&step.text);
        match (shape.as_str(), arguments.as_slice()) {
            ("an option _ of type _ with value _", [option, _, value]) => {
                if *option == "selector" {
                    scene.set = Some((*value).to_owned());
                }
            }
            ("a stable flagd provider" | "a metadata flagd provider" | "an evaluator", []) => {}
            (given, [key, fallback])
                if given.ends_with(" value _") && given.contains("-flag with key _") =>
            {
                let kind = given.trim_start_matches("a ").split('-').next().unwrap_or_default();
                kind.clone_into(&mut scene.kind);
                (*key).clone_into(&mut scene.key);
                scene.fallback = typed(kind, fallback)?;
            }
            ("a context containing a key _, with type _ and with value _", [key, kind, value]) => {
                let value = typed(kind, value)?;
                scene.context.insert((*key).to_owned(), value);
            }
            ("a context containing a targeting key with value _", [value]) => {
                scene.context.insert("targetingKey".to_owned(), json!(value));
            }
            (
                "a context containing a nested property with outer key _ and inner key _, with value _",
                [outer, inner, value],
            ) => {
                scene.context.insert((*outer).to_owned(), json!({ *inner: value }));
            }
            ("the flag was evaluated with details", []) => {
                let set = scene.set.as_deref().unwrap_or(ALL);
                let answer =
                    evaluator.evaluate(set, &scene.key, &Value::Object(scene.context.clone()));
                scene.resolved = Some(resolve(&scene, answer));
            }
            _ => check(&scene, &shape, &arguments, step)?,
        }
    }
    Ok(())
}

fn check(scene: &Scene, shape: &str, arguments: &[&str], step: &Step) -> Result<(), String> {
    let unknown = || Err(format!("the runner does not know the step `{}`", step.text));
    let Some(resolved) = &scene.resolved else { return unknown() };
    let expect = |what: &str, expected: &Value, found: &Value| {
        let same = match (expected.as_f64(), found.as_f64()) {
            (Some(a), Some(b)) => a.to_bits() == b.to_bits() || (a - b).abs() < f64::EPSILON,
            _ => expected == found,
        };
        if same { Ok(()) } else { Err(format!("{what} is {found} instead of {expected}")) }
    };
    match (shape, arguments) {
        ("the resolved details value should be _", [value]) => {
            expect("the value", &typed(&scene.kind, value)?, &resolved.value)
        }
        ("the reason should be _", [reason]) => {
            expect("the reason", &json!(reason), &json!(resolved.reason))
        }
        ("the error-code should be _", [code]) => {
            expect("the error", &json!(code), &json!(resolved.error))
        }
        ("the resolved metadata should contain", []) => {
            for row in step.table.iter().skip(1) {
                let [key, kind, value] = row.as_slice() else { return unknown() };
                let found = resolved.metadata.get(key).unwrap_or(&Value::Null);
                expect(&format!("metadata `{key}`"), &typed(kind, value)?, found)?;
            }
            Ok(())
        }
        ("the resolved metadata is empty", []) => {
            expect("the metadata", &json!({}), &Value::Object(resolved.metadata.clone()))
        }
        _ => unknown(),
    }
}

/// What a client makes of an answer: the fallback where there is no value of the right type.
fn resolve(scene: &Scene, answer: Answer) -> Resolved {
    let Answer { value, reason, error, metadata } = answer;
    let fallback = |reason: String, error: Option<String>| Resolved {
        value: scene.fallback.clone(),
        reason,
        error: error.unwrap_or_default(),
        metadata: metadata.clone(),
    };
    let Some(value) = value.filter(|_| error.is_none()) else { return fallback(reason, error) };
    let fits = match scene.kind.as_str() {
        "Boolean" => value.is_boolean(),
        "String" => value.is_string(),
        "Integer" | "Float" => value.is_number(),
        _ => value.is_object(),
    };
    if !fits {
        return fallback("ERROR".to_owned(), Some("TYPE_MISMATCH".to_owned()));
    }
    Resolved { value, reason, error: String::new(), metadata: metadata.clone() }
}

/// A value as the suites write values of a type.
fn typed(kind: &str, text: &str) -> Result<Value, String> {
    let parsed =
        |text: &str| serde_json::from_str(text).map_err(|error| format!("`{text}`: {error}"));
    match kind {
        "String" => Ok(json!(text)),
        "Float" => {
            text.parse::<f64>().map(Value::from).map_err(|error| format!("`{text}`: {error}"))
        }
        "Boolean" | "Integer" => parsed(text),
        "Object" => parsed(&text.replace("\\\"", "\"")),
        _ => Err(format!("the runner does not know the type `{kind}`")),
    }
}

/// The parts of a step in double quotes; a quote inside is escaped, or there is one part only.
fn quoted(text: &str) -> Vec<String> {
    split(text).1
}

/// A step with its quoted parts taken out.
fn shape(text: &str) -> String {
    split(text).0
}

fn split(text: &str) -> (String, Vec<String>) {
    // A value of JSON is the last part and may have quotes inside: it ends where the step ends.
    let (text, last) = match text.split_once("value \"") {
        Some((before, value)) => (format!("{before}value "), value.strip_suffix('"')),
        None => match text.split_once("value should be \"") {
            Some((before, value)) => (format!("{before}value should be "), value.strip_suffix('"')),
            None => (text.to_owned(), None),
        },
    };
    let mut shape = String::new();
    let mut parts = Vec::new();
    for (at, part) in text.split('"').enumerate() {
        if at % 2 == 0 {
            shape.push_str(part);
        } else {
            shape.push('_');
            parts.push(part.to_owned());
        }
    }
    if let Some(last) = last {
        shape.push('_');
        parts.push(last.to_owned());
    }
    (shape, parts)
}
