//! The suites' documents with bytes changed, over changed contexts: nothing may panic, and what is
//! read must be consistent. Seeded: the same cases every time, more of them when soaking.

use crate::runner::{Level, documents};
use crate::suites;
use ripcord_flags::{
    BrokenRules, Context, Document, FlagSet, Known, Options, Rollout, Schema, TargetRules,
    check_schema, diff, lint,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Numbers that look like chance and are always the same.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % end.max(1)
    }
}

/// Words that rules and documents are made of.
const WORDS: [&str; 24] = [
    "{",
    "}",
    "[",
    "]",
    "\"",
    ",",
    ":",
    "null",
    "true",
    "1e308",
    "-0.0",
    "\"var\"",
    "\"if\"",
    "\"fractional\"",
    "\"reduce\"",
    "\"$ref\"",
    "\"cat\"",
    "\"map\"",
    "{\"var\":\"\"}",
    "\"state\"",
    "\"defaultVariant\"",
    "é",
    "\\u0000",
    "99999999999999999999",
];

fn mutated(text: &str, numbers: &mut Numbers) -> String {
    let mut text = text.to_owned();
    for _ in 0..=numbers.below(4) {
        let mut at = numbers.below(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        let mut end = (at + numbers.below(12)).min(text.len());
        while !text.is_char_boundary(end) {
            end += 1;
        }
        match numbers.below(3) {
            0 => text.replace_range(at..end, ""),
            1 => text.insert_str(at, WORDS[numbers.below(WORDS.len())]),
            _ => text.replace_range(at..end, WORDS[numbers.below(WORDS.len())]),
        }
    }
    text
}

/// Small documents of one flag each: most changes of a large one break its form only.
fn seeds() -> Vec<String> {
    let mut seeds = Vec::new();
    for level in [Level::Evaluator, Level::Provider] {
        for text in documents(&suites(), level).values() {
            let whole: Value = serde_json::from_str(text).expect("JSON of the suite");
            for (key, flag) in whole["flags"].as_object().expect("an object") {
                let one = json!({"flags": {key: flag}, "$evaluators": whole["$evaluators"].as_object().cloned().unwrap_or_default()});
                seeds.push(one.to_string());
            }
        }
    }
    seeds
}

fn contexts() -> Vec<Value> {
    vec![
        json!({}),
        json!({"targetingKey": "u1", "email": "ballmer@macrosoft.com", "version": "2.0.0", "id": "abcxyz", "time": 1}),
        json!({"targetingKey": 1, "user": {"name": ["a", {"b": null}]}, "hashing_input": {"b": [1.5, -0.0]}, "tier": [], "color": {}}),
    ]
}

/// Does everything with a text; says whether it was a document.
fn exercise(text: &str, contexts: &[Value]) -> bool {
    let _ = check_schema(text, Schema::Flagd);
    let Ok(document) = Document::parse(text.as_bytes()) else { return false };
    let options = Options { broken_rules: BrokenRules::Serve, ..Options::default() };
    // Metadata may name an unknown generation.
    let Ok(set) = FlagSet::parse_with(text, &options) else { return false };
    assert_eq!(FlagSet::parse(text).is_ok(), set.problems().is_empty());
    let _ = lint(&document, &Known::default());
    for attributes in contexts {
        let context = Context::new(attributes, 1_700_000_000).expect("a good context");
        for (key, found) in set.evaluate_all(&context) {
            assert_eq!(found.variant.is_some(), found.value.is_some());
            let value = found.value.map(serde_json::from_str::<Value>);
            assert!(value.is_none_or(|value| value.is_ok()), "{text}");
            assert!(serde_json::from_str::<Value>(found.metadata).is_ok(), "{text}");
            assert_eq!(set.evaluate(key, &context), found);
        }
    }
    for key in document.keys() {
        let changes = [
            document.on(key, TargetRules::Drop),
            document.rollout(key, &Rollout { variant: "one".into(), rest: None, percent: 12.5 }),
            document.without_flag(key),
        ];
        for changed in changes.into_iter().flatten() {
            let others = diff(&document, &changed).into_iter().filter(|change| change.key != key);
            assert_eq!(others.count(), 0, "{text}");
        }
    }
    true
}

#[test]
fn soak_changed_documents() {
    let minutes: u64 =
        std::env::var("RIPCORD_SOAK_MINUTES").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let until = Instant::now() + Duration::from_secs(minutes * 60);
    let (seeds, contexts) = (seeds(), contexts());
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let (mut read, mut tried) = (0, 0);
    while tried < 3_000 || Instant::now() < until {
        let seed = &seeds[numbers.below(seeds.len())];
        let text = mutated(seed, &mut numbers);
        read += usize::from(exercise(&text, &contexts));
        tried += 1;
    }
    // Otherwise it would try only what the parser refuses.
    assert!(read * 20 > tried, "only {read} of {tried} were documents");
}
