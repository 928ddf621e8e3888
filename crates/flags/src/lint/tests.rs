//! One check for each thing that is said, and that it is not said of what is fine.

use super::*;

fn check_with(flag: &str, known: &Known, expected: &[&str]) {
    let text = format!(
        r#"{{"flags":{{"f":{flag}}},"$evaluators":{{"beta":{{"in":[{{"var":"plan"}},["beta"]]}}}}}}"#
    );
    let document = Document::parse(text.as_bytes()).expect("a good document");
    let found: Vec<String> = lint(&document, known).iter().map(|it| format!("{it:#}")).collect();
    assert_eq!(found.len(), expected.len(), "{flag}: {found:#?}");
    for (found, part) in found.iter().zip(expected) {
        assert!(found.contains(part), "«{part}» is not in: {found}");
    }
}

fn check(rest: &str, expected: &[&str]) {
    let flag = format!(
        r#"{{"state":"ENABLED","variants":{{"on":true,"off":false}},"defaultVariant":"off"{rest}}}"#
    );
    check_with(&flag, &Known::default(), expected);
}

#[test]
fn good_flags_are_passed_over() {
    check("", &[]);
    check(r#","targeting":{"if":[{"$ref":"beta"},"on"]}"#, &[]);
    check(r#","targeting":{"fractional":[["on",10],["off",90]]}"#, &[]);
    check(r#","targeting":{"var":"variant"}"#, &[]);
    check(r#","metadata":{"owner":"me","expires":"2030-01-01"}"#, &[]);
}

#[test]
fn variants() {
    check(
        r#","targeting":{"if":[{"$ref":"beta"},"off"]}"#,
        &["warning: variant `on` of flag `f` is never served"],
    );
    check(
        r#","targeting":{"if":[{"$ref":"beta"},"onn","on"]}"#,
        &["error: the rules of flag `f` may choose `onn`"],
    );
    check(
        r#","targeting":{"==":[{"var":"a"},1]}"#,
        &["never served", "choose `false`", "choose `true`"],
    );
    let bare = r#"{"state":"ENABLED","variants":{"x":1,"y":2}}"#;
    check_with(bare, &Known::default(), &["has no variant that is off", "the code always decides"]);
    let rules = r#"{"state":"ENABLED","variants":{"on":true,"off":false},"targeting":{"if":[{"$ref":"beta"},"on"]}}"#;
    check_with(rules, &Known::default(), &["note: flag `f` has no default variant"]);
    let off = r#"{"state":"DISABLED","variants":{"on":true,"off":false},"defaultVariant":"off"}"#;
    check_with(off, &Known::default(), &["note: flag `f` is disabled"]);
}

#[test]
fn shares() {
    check(r#","targeting":{"fractional":[["on",0],["off",0]]}"#, &["has no weight at all"]);
    check(
        r#","targeting":{"fractional":[["on",2147483647],["off",1]]}"#,
        &["not whole numbers up to"],
    );
    check(r#","targeting":{"fractional":[["on",0.5],["off",1]]}"#, &["not whole numbers up to"]);
    let flag = |shares: &str| {
        format!(
            r#"{{"state":"ENABLED","variants":{{"a":1,"b":2,"old":3}},"defaultVariant":"old","metadata":{{"offVariant":"old"}},"targeting":{{"fractional":{shares}}}}}"#
        )
    };
    check_with(
        &flag(r#"[["old",80],["a",10],["b",10]]"#),
        &Known::default(),
        &["with its default variant before others"],
    );
    check_with(&flag(r#"[["a",10],["b",10],["old",80]]"#), &Known::default(), &[]);
}

#[test]
fn what_is_known_beside_the_document() {
    let flag = |rest: &str| {
        format!(
            r#"{{"state":"ENABLED","variants":{{"on":true,"off":false}},"defaultVariant":"off"{rest}}}"#
        )
    };
    let sent = Known {
        attributes: Some(["plan".to_owned(), "user.mail".to_owned()].into()),
        ..Known::default()
    };
    let rules = |path: &str| {
        flag(&format!(r#","targeting":{{"if":[{{"==":[{{"var":"{path}"}},"x"]}},"on"]}}"#))
    };
    check_with(&rules("plan"), &sent, &[]);
    check_with(&rules("plan.name"), &sent, &[]);
    check_with(&rules("user.mail"), &sent, &[]);
    check_with(&rules("targetingKey"), &sent, &[]);
    check_with(&rules("$flagd.timestamp"), &sent, &[]);
    check_with(&rules("paln"), &sent, &["look at `paln`, which no client was seen to send"]);
    let schemas = Known { schemas: Some(["v4".to_owned()].into()), ..Known::default() };
    check_with(&flag(r#","metadata":{"requires_schema":"v4"}"#), &schemas, &[]);
    check_with(
        &flag(r#","metadata":{"requires_schema":"v5"}"#),
        &schemas,
        &["error: flag `f` requires schema `v5`"],
    );
    let now = Known { unix_seconds: Some(1_795_305_600), ..Known::default() };
    check_with(
        &flag(r#","metadata":{"expires":"2026-11-21"}"#),
        &now,
        &["warning: flag `f` has expired"],
    );
    check_with(&flag(r#","metadata":{"expires":"2026-11-22"}"#), &now, &[]);
    check_with(&flag(r#","metadata":{"expires":"soon"}"#), &Known::default(), &["is no date"]);
}

#[test]
fn rules_that_cannot_be_read_are_said_once() {
    check(r#","targeting":{"iff":[1]}"#, &["error: there is no operator `iff`"]);
    check(
        r#","targeting":{"if":[{"fractional":[[true,1],[false,1]]},"on"]}"#,
        &["note: this must be the name", "note: this must be the name"],
    );
}
