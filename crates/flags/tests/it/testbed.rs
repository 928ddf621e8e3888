//! flagd-testbed, in this process, once for each generation of bucketing.

use crate::runner::{Answer, Evaluate, Level, Outcome, documents, run, scenarios};
use crate::suites;
use ripcord_flags::{BrokenRules, Bucketing, Context, EvaluationError, FlagSet, Options};
use serde_json::Value;
use std::collections::BTreeMap;

/// The sets of a level, compiled.
struct InProcess {
    sets: BTreeMap<String, FlagSet>,
}

impl InProcess {
    fn new(level: Level, bucketing: Bucketing) -> InProcess {
        let options = Options { bucketing: Some(bucketing), broken_rules: BrokenRules::Serve };
        let compiled =
            |text: &str| FlagSet::parse_with(text, &options).expect("a document of the suite");
        let documents = documents(&suites(), level);
        InProcess {
            sets: documents.iter().map(|(name, text)| (name.clone(), compiled(text))).collect(),
        }
    }
}

impl Evaluate for InProcess {
    fn evaluate(&mut self, set: &str, key: &str, context: &Value) -> Answer {
        let context = Context::new(context, 1_700_000_000).expect("a context of the suite");
        let found = self.sets[set].evaluate(key, &context);
        let json = |text: &str| serde_json::from_str(text).expect("JSON of ours");
        Answer {
            value: found.value.map(|text| serde_json::from_str(text).expect("JSON of ours")),
            reason: found.reason.as_str().to_owned(),
            error: found.error.as_ref().map(EvaluationError::code).map(str::to_owned),
            metadata: json(found.metadata),
        }
    }
}

fn outcome(level: Level, bucketing: Bucketing) -> Outcome {
    let other = match bucketing {
        Bucketing::V2 => "fractional-v3",
        Bucketing::V3 => "fractional-v2",
    };
    // The first generation is not supported; what is deprecated contradicts what replaced it.
    let without = ["fractional-v1", "deprecated", other];
    run(&scenarios(&suites(), level), &without, &mut InProcess::new(level, bucketing))
}

fn check(level: Level, bucketing: Bucketing, passed: usize, left_out: usize) {
    let outcome = outcome(level, bucketing);
    assert_eq!(outcome.failed, Vec::<String>::new());
    assert_eq!(
        (outcome.passed, outcome.left_out.len()),
        (passed, left_out),
        "{:#?}",
        outcome.left_out
    );
}

#[test]
fn evaluator() {
    check(Level::Evaluator, Bucketing::V2, 125, 15);
    check(Level::Evaluator, Bucketing::V3, 104, 36);
}

#[test]
fn provider() {
    check(Level::Provider, Bucketing::V2, 137, 154);
    check(Level::Provider, Bucketing::V3, 248, 43);
}

/// What is left out above is run too: it must fail for no other reason than its generation.
#[test]
fn what_fails_is_of_another_generation() {
    let check = |level: Level, bucketing: Bucketing, expected: usize| {
        let cases = scenarios(&suites(), level);
        let outcome = run(&cases, &["deprecated"], &mut InProcess::new(level, bucketing));
        let tagged: Vec<&str> = cases
            .iter()
            .filter(|case| case.tags.iter().any(|tag| tag.starts_with("fractional-v")))
            .map(|case| case.name.as_str())
            .collect();
        for failed in &outcome.failed {
            assert!(tagged.iter().any(|name| failed.starts_with(name)), "{failed}");
        }
        assert_eq!(outcome.failed.len(), expected, "{:#?}", outcome.failed);
    };
    check(Level::Evaluator, Bucketing::V3, 21);
    check(Level::Provider, Bucketing::V3, 21);
    check(Level::Evaluator, Bucketing::V2, 9);
    check(Level::Provider, Bucketing::V2, 132);
}
