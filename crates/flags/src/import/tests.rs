//! Exports of other services, and what users get from them afterwards.

use super::*;
use crate::{Context, FlagSet};

/// Imports a set with one flag `f` beside what it needs.
fn imported(source: Source, export: &Value) -> Import {
    import(source, &export.to_string()).unwrap()
}

fn of_key<'a>(import: &'a Import, key: &str) -> &'a Imported {
    import.flags.iter().find(|flag| flag.key == key).unwrap()
}

/// What users get from flag `f` after an import.
fn check(import: &Import, users: &[(Value, Value)]) {
    let set = FlagSet::parse(&import.document.to_string()).unwrap();
    for (user, expected) in users {
        let context = Context::new(user, 0).unwrap();
        let found = set.evaluate("f", &context);
        let value: Option<Value> = found.value.map(|text| serde_json::from_str(text).unwrap());
        assert_eq!(value.unwrap_or(Value::Null), *expected, "{user}: {:?}", found.error);
    }
}

fn launchdarkly(flag: &Value) -> Import {
    let mut export = json!({"flags": {"f": flag}, "segments": {
        "staff": {"included": ["ann"], "excluded": ["bob"], "rules": [
            {"clauses": [{"attribute": "email", "op": "endsWith", "values": ["@shop.test"]}]}]},
        "big": {"unbounded": true},
    }});
    export["flags"]["base"] = json!({"on": true, "variations": [true, false], "offVariation": 1,
        "fallthrough": {"variation": 1}, "targets": [{"variation": 0, "values": ["ann"]}]});
    imported(Source::LaunchDarkly, &export)
}

/// A flag that is on, with rules.
fn on(rules: &Value) -> Value {
    json!({"on": true, "variations": [true, false], "offVariation": 1, "salt": "s",
        "fallthrough": {"variation": 1}, "rules": rules})
}

fn clause(attribute: &str, op: &str, values: &Value, negate: bool) -> Value {
    on(&json!([{"variation": 0, "clauses": [
        {"attribute": attribute, "op": op, "values": values, "negate": negate}]}]))
}

#[test]
fn launchdarkly_rules() {
    let users = |text: &str| json!({"targetingKey": "u", "a": text});
    let exact = |flag: Value, users: &[(Value, Value)]| {
        let import = launchdarkly(&flag);
        assert_eq!(of_key(&import, "f").fidelity, Fidelity::Exact, "{:?}", import.flags);
        check(&import, users);
    };
    let nobody = json!({"targetingKey": "u"});
    exact(
        clause("a", "in", &json!(["x", "y"]), false),
        &[
            (users("x"), json!(true)),
            (users("z"), json!(false)),
            (nobody.clone(), json!(false)),
            (json!({"a": ["q", "y"]}), json!(true)),
        ],
    );
    // Who has no such attribute matches neither way.
    exact(
        clause("a", "in", &json!(["x"]), true),
        &[(users("x"), json!(false)), (users("z"), json!(true)), (nobody.clone(), json!(false))],
    );
    exact(
        clause("a", "startsWith", &json!(["ab", "cd"]), false),
        &[(users("cde"), json!(true)), (users("xab"), json!(false))],
    );
    exact(
        clause("a", "contains", &json!(["b"]), false),
        &[(users("abc"), json!(true)), (users("ac"), json!(false)), (nobody, json!(false))],
    );
    exact(
        clause("a", "semVerGreaterThan", &json!(["1.2.0"]), false),
        &[(users("1.10.0"), json!(true)), (users("1.1.9"), json!(false))],
    );
    exact(
        clause("key", "segmentMatch", &json!(["staff"]), false),
        &[
            (json!({"targetingKey": "ann"}), json!(true)),
            (json!({"targetingKey": "bob", "email": "bob@shop.test"}), json!(false)),
            (json!({"targetingKey": "eve", "email": "eve@shop.test"}), json!(true)),
            (json!({"targetingKey": "eve"}), json!(false)),
        ],
    );
    let mut needs = on(&json!([]));
    needs["fallthrough"] = json!({"variation": 0});
    needs["prerequisites"] = json!([{"key": "base", "variation": 0}]);
    exact(
        needs,
        &[
            (json!({"targetingKey": "ann"}), json!(true)),
            (json!({"targetingKey": "bob"}), json!(false)),
        ],
    );
    let mut off = on(&json!([{"variation": 0, "clauses": []}]));
    off["on"] = json!(false);
    exact(off, &[(json!({}), json!(false))]);
    exact(
        json!({"on": true, "variations": ["red", "blue"], "fallthrough": {"variation": 1},
            "contextTargets": [{"contextKind": "user", "variation": 0, "values": ["ann"]}]}),
        &[
            (json!({"targetingKey": "ann"}), json!("red")),
            (json!({"targetingKey": "b"}), json!("blue")),
        ],
    );
}

#[test]
fn launchdarkly_percentages_are_approximate_and_counted() {
    let mut flag = on(&json!([]));
    flag["fallthrough"] = json!({"rollout": {"variations": [
        {"variation": 0, "weight": 30_000}, {"variation": 1, "weight": 70_000}]}});
    let import = launchdarkly(&flag);
    let found = of_key(&import, "f");
    assert_eq!(found.fidelity, Fidelity::Approximate);
    // Two independent divisions of 30 to 70 differ for 2 x 0.3 x 0.7 of all users.
    let moved = found.moved_per_10_000.unwrap();
    assert!((4_100..4_300).contains(&moved), "{moved}");
    let compared = launchdarkly(&clause("age", "lessThan", &json!([18]), false));
    let found = of_key(&compared, "f");
    assert_eq!((found.fidelity, found.moved_per_10_000), (Fidelity::Approximate, None));
    check(&compared, &[(json!({"age": 17}), json!(true)), (json!({"age": 18}), json!(false))]);
}

#[test]
fn what_launchdarkly_has_and_flagd_has_not_is_refused() {
    let check = |flag: Value, part: &str| {
        let import = launchdarkly(&flag);
        let found = of_key(&import, "f");
        assert_eq!(found.fidelity, Fidelity::Refused, "{part}");
        assert!(found.because[0].contains(part), "{:?}", found.because);
        assert!(import.document["flags"].get("f").is_none());
    };
    check(clause("a", "matches", &json!(["^x"]), false), "`matches`");
    check(clause("a", "later-invention", &json!(["x"]), false), "later-invention");
    check(clause("key", "segmentMatch", &json!(["big"]), false), "kept at the service");
    check(clause("key", "segmentMatch", &json!(["none"]), false), "not there");
    check(clause("kind", "in", &json!(["user"]), false), "`kind`");
    check(clause("a", "before", &json!(["2026-01-01T00:00:00Z"]), false), "before");
    let mut other = on(&json!([]));
    other["contextTargets"] = json!([{"contextKind": "device", "variation": 0, "values": ["x"]}]);
    check(other, "`device`");
    check(json!({"on": true, "variations": [true, "x"]}), "different types");
    check(
        json!({"on": true, "variations": [true], "fallthrough": {"variation": 5}}),
        "variation 5",
    );
    let mut circle = on(&json!([]));
    circle["prerequisites"] = json!([{"key": "f", "variation": 0}]);
    check(circle, "circle");
}

fn configcat(flag: &Value) -> Import {
    let mut export = json!({"p": {"u": "", "r": 0, "s": "salt"}, "s": [
        {"n": "staff", "r": [{"a": "Email", "c": 32, "l": ["@shop.test"]}]}], "f": {"f": flag}});
    export["f"]["base"] = json!({"t": 0, "v": {"b": false}, "r": [
        {"c": [{"u": {"a": "Identifier", "c": 0, "l": ["ann"]}}], "s": {"v": {"b": true}}}]});
    imported(Source::ConfigCat, &export)
}

fn setting(conditions: &Value) -> Value {
    json!({"t": 0, "v": {"b": false}, "r": [{"c": conditions, "s": {"v": {"b": true}}}]})
}

#[test]
fn configcat_rules() {
    let with = |comparator: u8, wanted: Value, users: &[(Value, bool)]| {
        let mut user = json!({"a": "A", "c": comparator});
        let kind = if wanted.is_array() {
            "l"
        } else if wanted.is_string() {
            "s"
        } else {
            "d"
        };
        user[kind] = wanted;
        let import = configcat(&setting(&json!([{"u": user}])));
        let users: Vec<(Value, Value)> =
            users.iter().map(|(a, expected)| (json!({"A": a}), json!(expected))).collect();
        check(&import, &users);
        // Who has no such attribute, or an empty one, matches nothing.
        check(&import, &[(json!({}), json!(false)), (json!({"A": ""}), json!(false))]);
    };
    with(0, json!(["x", "y"]), &[(json!("y"), true), (json!("z"), false)]);
    with(1, json!(["x", "y"]), &[(json!("y"), false), (json!("z"), true)]);
    with(2, json!(["b"]), &[(json!("abc"), true), (json!("ac"), false)]);
    with(3, json!(["b"]), &[(json!("abc"), false), (json!("ac"), true)]);
    with(4, json!(["1.0.0"]), &[(json!("1.0.0"), true), (json!("1.0.1"), false)]);
    with(9, json!("1.2.0"), &[(json!("1.10.0"), true), (json!("1.1.0"), false)]);
    with(12, json!(18), &[(json!("17"), true), (json!(18), false)]);
    with(28, json!("x"), &[(json!("x"), true), (json!("X"), false)]);
    with(29, json!("x"), &[(json!("x"), false), (json!("X"), true)]);
    with(30, json!(["ab"]), &[(json!("abc"), true), (json!("cab"), false)]);
    with(33, json!(["ab"]), &[(json!("cab"), false), (json!("abc"), true)]);
    with(34, json!(["x"]), &[(json!(["q", "x"]), true), (json!(["q"]), false)]);
}

#[test]
fn configcat_segments_and_needs() {
    let user = |key: &str, email: &str| json!({"targetingKey": key, "Email": email});
    let inside = configcat(&setting(&json!([{"s": {"s": 0, "c": 0}}])));
    check(
        &inside,
        &[
            (user("a", "a@shop.test"), json!(true)),
            (user("a", "a@x.test"), json!(false)),
            (json!({}), json!(false)),
        ],
    );
    let outside = configcat(&setting(&json!([{"s": {"s": 0, "c": 1}}])));
    check(
        &outside,
        &[
            (user("a", "a@shop.test"), json!(false)),
            (user("a", "a@x.test"), json!(true)),
            (json!({}), json!(false)),
        ],
    );
    let needs = configcat(&setting(&json!([{"p": {"f": "base", "c": 0, "v": {"b": true}}}])));
    check(&needs, &[(user("ann", ""), json!(true)), (user("bob", ""), json!(false))]);
}

#[test]
fn configcat_percentages_and_what_is_refused() {
    let import = configcat(&json!({"t": 1, "v": {"s": "none"}, "p": [
        {"p": 50, "v": {"s": "a"}}, {"p": 50, "v": {"s": "b"}}]}));
    let found = of_key(&import, "f");
    assert_eq!(found.fidelity, Fidelity::Approximate);
    assert!((4_900..5_100).contains(&found.moved_per_10_000.unwrap()), "{found:?}");
    // Without anything to be divided by, it is what it is by default.
    check(&import, &[(json!({}), json!("none"))]);
    for comparator in [16, 17, 20, 27] {
        let import = configcat(&setting(&json!([{"u": {"a": "A", "c": comparator, "l": ["h"]}}])));
        assert_eq!(of_key(&import, "f").fidelity, Fidelity::Refused);
    }
    let import = configcat(&setting(&json!([{"u": {"a": "A", "c": 99, "l": ["h"]}}])));
    assert!(of_key(&import, "f").because[0].contains("99"));
    let import = configcat(&json!({"t": 0, "v": {"b": false}, "p": [{"p": 60, "v": {"b": true}}]}));
    assert!(of_key(&import, "f").because[0].contains("100"));
}

#[test]
fn what_is_no_export_is_an_error() {
    let check = |source, text: &str, part: &str| {
        let error = import(source, text).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    check(Source::LaunchDarkly, "flags:\n  a: b", "line 1, column");
    check(Source::LaunchDarkly, "{}", "`flags`");
    check(Source::ConfigCat, r#"{"flags": {}}"#, "`f`");
    check(Source::ConfigCat, r#"{"f": {}}"#, "version 6");
}
