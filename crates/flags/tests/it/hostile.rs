//! Input that means harm, or went wrong: it is refused or stopped, never a crash, an overflow of
//! the stack or a slow loop.

use ripcord_flags::{
    BadContext, BrokenRules, Context, Document, FlagSet, Options, check_schema, lint,
};
use ripcord_flags::{Known, Schema};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Much longer than anything here takes, also on a machine that has other work.
const BOUND: Duration = Duration::from_secs(20);

fn document(targeting: &str, evaluators: &str) -> String {
    format!(
        r#"{{"flags":{{"f":{{"state":"ENABLED","variants":{{"on":true,"off":false}},"defaultVariant":"off","targeting":{targeting}}}}},"$evaluators":{{{evaluators}}}}}"#
    )
}

/// What a flag with these rules answers.
fn answer(text: &str, attributes: &Value) -> String {
    let began = Instant::now();
    let options = Options { broken_rules: BrokenRules::Serve, ..Options::default() };
    let found = match FlagSet::parse_with(text, &options) {
        Ok(set) => {
            let context = Context::new(attributes, 0).expect("a context in bounds");
            let found = set.evaluate("f", &context);
            found.error.map_or(format!("{:?}", found.variant), |error| error.to_string())
        }
        Err(error) => error.to_string(),
    };
    assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
    found
}

fn check(text: &str, attributes: &Value, expected: &str) {
    let found = answer(text, attributes);
    assert!(found.contains(expected), "«{expected}» is not in: {found}");
}

const WORK: &str = "the rules need more than";

#[test]
fn rules_that_are_too_much_work() {
    let many: Vec<u32> = (0..10_000).collect();
    let context = json!({"many": many, "long": "x".repeat(900_000)});
    let stopped = |rule: &str| check(&document(rule, ""), &context, WORK);
    // Inside a list only its elements are seen, so the long text stands in the rule.
    let long = "x".repeat(100_000);
    stopped(&format!(r#"{{"map":[{{"var":"many"}},{{"in":[{{"var":""}},"{long}"]}}]}}"#));
    stopped(&format!(r#"{{"map":[{{"var":"many"}},{{"starts_with":["{long}","y"]}}]}}"#));
    stopped(
        r#"{"reduce":[{"var":"many"},{"cat":[{"var":"accumulator"},{"var":"accumulator"}]},"xx"]}"#,
    );
    stopped(
        r#"{"reduce":[{"var":"many"},{"merge":[{"var":"accumulator"},{"var":"accumulator"}]},[1,2]]}"#,
    );
    stopped(
        r#"{"reduce":[{"var":"many"},{"merge":[{"var":"accumulator"},{"var":"current"}]},[]]}"#,
    );
    stopped(
        r#"{"filter":[{"map":[{"var":"many"},{"map":[[1,2,3,4,5,6,7,8],1]}]},{"map":[[1,2,3,4],2]}]}"#,
    );
    stopped(
        r#"{"cat":[{"var":"long"},{"var":"long"},{"var":"long"},{"var":"long"},{"map":[{"var":"many"},{"==":[{"cat":["x",{"var":""}]},["y",["z"]]]}]},{"map":[{"var":"many"},{"cat":[1,2,3,4,5,6,7]}]}]}"#,
    );
    let wide =
        format!("{{\"or\":[{}]}}", vec![r#"{"==":[{"var":"many"},{"var":"many"}]}"#; 50].join(","));
    stopped(&wide.replace("==", "!="));
}

#[test]
fn lists_that_nest_without_end() {
    let many: Vec<u32> = (0..5_000).collect();
    let rule = r#"{"reduce":[{"var":"many"},[{"var":"accumulator"}],1]}"#;
    check(&document(rule, ""), &json!({ "many": many }), "lists that nest too deep");
}

#[test]
fn shared_rules_that_multiply() {
    // Each of 90 rules names the next one twice: two to the ninetieth steps.
    let rules = |count: usize| {
        let rule = |at: usize| {
            format!(r#""r{at}":{{"and":[{{"$ref":"r{0}"}},{{"$ref":"r{0}"}}]}}"#, at + 1)
        };
        let mut rules: Vec<String> = (0..count).map(rule).collect();
        rules.push(format!(r#""r{count}":{{"!":[false]}}"#));
        rules.join(",")
    };
    check(&document(r#"{"if":[{"$ref":"r0"},"on"]}"#, &rules(40)), &json!({}), WORK);
    // Too deep to be evaluated on the stack: refused when it is compiled.
    check(&document(r#"{"$ref":"r0"}"#, &rules(90)), &json!({}), "nest deeper than");
    check(&document(r#"{"$ref":"r0"}"#, &rules(10_000)), &json!({}), "cannot be used");
    let document =
        Document::parse(document(r#"{"$ref":"r0"}"#, &rules(40)).as_bytes()).expect("of the form");
    assert!(!lint(&document, &Known::default()).is_empty());
}

#[test]
fn shared_rules_in_circles() {
    let circle = r#""a":{"!":{"$ref":"b"}},"b":{"!":{"$ref":"c"}},"c":{"if":[{"$ref":"a"},1]},"d":{"$ref":"d"}"#;
    for name in ["a", "b", "c", "d"] {
        let rule = format!(r#"{{"$ref":"{name}"}}"#);
        check(&document(&rule, circle), &json!({}), "refers to itself");
    }
    let long: Vec<String> = (0..5_000)
        .map(|at| format!(r#""r{at}":{{"!":{{"$ref":"r{}"}}}}"#, (at + 1) % 5_000))
        .collect();
    check(&document(r#"{"$ref":"r0"}"#, &long.join(",")), &json!({}), "refers to itself");
    // Every rule names every other one.
    let names: Vec<String> = (0..300).map(|at| format!(r#"{{"$ref":"r{at}"}}"#)).collect();
    let all: Vec<String> =
        (0..300).map(|at| format!(r#""r{at}":{{"or":[{}]}}"#, names.join(","))).collect();
    check(&document(r#"{"$ref":"r0"}"#, &all.join(",")), &json!({}), "refers to itself");
}

#[test]
fn rules_that_nest() {
    let nested = |depth: usize| format!("{}true{}", r#"{"!":"#.repeat(depth), "}".repeat(depth));
    check(&document(&nested(98), ""), &json!({}), "no variant");
    check(&document(&nested(100), ""), &json!({}), "nest deeper than");
    check(&document(&nested(10_000), ""), &json!({}), "nests deeper than");
    let iffy = |depth: usize| {
        format!("{}\"on\"{}", r#"{"if":[false,"off","#.repeat(depth), "]}".repeat(depth))
    };
    check(&document(&iffy(60), ""), &json!({}), "Some(\"on\")");
    check(
        &document(&format!("{}{}", "[".repeat(1_000_000), "]"), ""),
        &json!({}),
        "nests deeper than",
    );
}

#[test]
fn contexts_without_bounds() {
    let nested = (0..10_000).fold(json!(1), |inner, _| Value::Array(vec![inner]));
    let mut context = json!({ "a": null });
    context["a"] = nested;
    assert_eq!(Context::new(&context, 0).err(), Some(BadContext::TooDeep));
    // Dropped piece by piece: the library that holds it would do it recursively.
    let mut rest = context["a"].take();
    while let Some(inner) = rest.get_mut(0).map(Value::take) {
        rest = inner;
    }
    let large = json!({ "a": "x".repeat(10 << 20) });
    assert_eq!(Context::new(&large, 0).err(), Some(BadContext::TooLarge));
    let wide = json!({ "a": vec![1; 1_000_000] });
    assert_eq!(Context::new(&wide, 0).err(), Some(BadContext::TooLarge));
}

#[test]
fn odd_letters() {
    let odd = [
        "\u{0}",
        "\u{202e}",
        "\u{feff}",
        "e\u{301}",
        "😀",
        "\u{10ffff}",
        "\"",
        "\\",
        "a.b",
        "$flagd",
        "__proto__",
    ];
    for name in odd {
        let rule = json!({"if": [{"==": [{"var": [name]}, {"var": "x"}]}, "on"]}).to_string();
        let context = json!({ name: name, "x": name, "a": {"b": "a.b"} });
        let text = document(&rule, "");
        let expected = if name == "$flagd" { "off" } else { "on" };
        check(&text, &context, expected);
        let document = Document::parse(text.as_bytes()).expect("of the form");
        assert!(document.set_default("f", Some("on")).is_ok());
        assert_eq!(check_schema(&text, Schema::Flags), []);
    }
    let keys = json!({"flags": {"\u{202e}": {"state": "ENABLED", "variants": {"😀": 1}, "defaultVariant": "😀"}}});
    let set = FlagSet::parse(&keys.to_string()).expect("a good document");
    let empty = json!({});
    let context = Context::new(&empty, 0).expect("a good context");
    assert_eq!(set.evaluate("\u{202e}", &context).variant, Some("😀"));
}

#[test]
fn documents_without_bounds() {
    let refused = |text: &str, part: &str| {
        let error = FlagSet::parse(text).map(|_| ()).expect_err("refused");
        assert!(error.to_string().contains(part), "{error}");
    };
    refused(&format!("{{\"flags\":{{\"{}", "x".repeat(17 << 20)), "more than can be meant");
    refused(&"{\"flags\":".repeat(100_000), "nests deeper");
    let long = format!(
        r#"{{"flags":{{"f":{{"state":"{}","variants":{{"x":1}}}}}}}}"#,
        "é".repeat(1 << 20)
    );
    refused(&long, "has an unknown state");
    let shown = FlagSet::parse(&long).map(|_| ()).map_err(|error| format!("{error:#}"));
    assert!(shown.is_err_and(|shown| shown.len() < 1_000), "a long line is cut");
    let many: Vec<String> = (0..2_000)
        .map(|at| format!(r#""f{at}":{{"state":"ENABLED","variants":{{"x":{at}}}}}"#))
        .collect();
    let set =
        FlagSet::parse(&format!("{{\"flags\":{{{}}}}}", many.join(","))).expect("a good document");
    assert_eq!(set.len(), 2_000);
}
