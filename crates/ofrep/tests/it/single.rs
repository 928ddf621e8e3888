//! One flag: types, errors, keys of all shapes, as unmodified clients ask for them.

use crate::site::Site;
use serde_json::{Value, json};

fn document() -> Value {
    let flag = |variants: Value, default: &str| json!({"state": "ENABLED", "variants": variants, "defaultVariant": default});
    json!({"metadata": {"flagSetId": "shop", "team": "till"}, "flags": {
        "switch": flag(json!({"on": true, "off": false}), "on"),
        "text": flag(json!({"a": "x \"y\" é"}), "a"),
        "whole": flag(json!({"a": 10, "b": 20}), "a"),
        "float": flag(json!({"a": 10, "b": 0.5}), "a"),
        "object": flag(json!({"a": {"x": [1, null]}}), "a"),
        "a/b c": flag(json!({"on": true}), "on"),
        "disabled": {"state": "DISABLED", "variants": {"on": true}, "defaultVariant": "on"},
        "code": {"state": "ENABLED", "variants": {"on": true}, "defaultVariant": null},
        "staff": {"state": "ENABLED", "variants": {"on": true, "off": false},
            "defaultVariant": "off", "metadata": {"owner": "ops"},
            "targeting": {"if": [{"==": [{"var": "email"}, "a@b"]}, "on", null]}},
        "broken": {"state": "ENABLED", "variants": {"on": true, "off": false},
            "defaultVariant": "off", "targeting": {"var": "wish"}},
    }})
}

fn check(site: &Site, key: &str, body: &str, status: u16, expected: &Value) {
    let answer = site.ask(&format!("POST /ofrep/v1/evaluate/flags/{key}"), &[], body);
    assert_eq!(answer.status, status, "{key} {body}: {answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"), "{key}");
    let found = answer.json();
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&found[name], value, "`{name}` of {key} for {body}: {found}");
    }
}

#[test]
fn every_type_and_reason() {
    let site = Site::of(&document());
    let usual = |value: Value| json!({"value": value, "variant": "a", "reason": "STATIC"});
    check(&site, "text", "", 200, &usual(json!("x \"y\" é")));
    check(&site, "object", "{}", 200, &usual(json!({"x": [1, null]})));
    check(
        &site,
        "switch",
        "",
        200,
        &json!({"key": "switch", "value": true, "variant": "on",
        "reason": "STATIC", "metadata": {"flagSetId": "shop", "team": "till"}}),
    );
    let staff = |email: &str| json!({"context": {"email": email}}).to_string();
    check(
        &site,
        "staff",
        &staff("a@b"),
        200,
        &json!({"value": true, "reason": "TARGETING_MATCH",
        "metadata": {"flagSetId": "shop", "team": "till", "owner": "ops"}}),
    );
    check(&site, "staff", &staff("x"), 200, &json!({"value": false, "reason": "DEFAULT"}));
    // What the code decides: no value, but a variant, which old clients cannot do without.
    check(
        &site,
        "disabled",
        "",
        200,
        &json!({"key": "disabled", "variant": "", "reason": "DISABLED", "value": null}),
    );
    check(&site, "code", "", 200, &json!({"variant": "", "reason": "DEFAULT", "value": null}));
    assert!(!site.single("disabled").body.contains("value"));
}

#[test]
fn numbers_are_written_as_their_type() {
    let site = Site::of(&document());
    assert!(site.single("whole").body.contains("\"value\":10,"));
    assert!(site.single("float").body.contains("\"value\":10.0,"));
}

#[test]
fn keys_of_all_shapes() {
    let site = Site::of(&document());
    let on = json!({"key": "a/b c", "value": true});
    for key in ["a/b%20c", "a%2Fb%20c", "a%2fb%20c"] {
        check(&site, key, "{}", 200, &on);
    }
    let answer = site.ask("POST //ofrep/v1/evaluate/flags/switch", &[], "");
    assert_eq!(answer.json()["value"], json!(true));
}

#[test]
fn errors_have_details_always() {
    let site = Site::of(&document());
    check(
        &site,
        "no-such",
        "",
        404,
        &json!({"key": "no-such", "errorCode": "FLAG_NOT_FOUND",
        "errorDetails": "there is no flag `no-such`"}),
    );
    let wish = json!({"context": {"wish": "maybe"}}).to_string();
    check(&site, "broken", &wish, 400, &json!({"key": "broken", "errorCode": "GENERAL"}));
    check(&site, "switch", "{", 400, &json!({"key": "switch", "errorCode": "PARSE_ERROR"}));
    check(&site, "switch", r#"{"context":7}"#, 400, &json!({"errorCode": "INVALID_CONTEXT"}));
    let deep = format!("{{\"context\":{{\"a\":{}{}}}}}", "[".repeat(100), "]".repeat(100));
    check(&site, "switch", &deep, 400, &json!({"errorCode": "INVALID_CONTEXT"}));
    check(&site, "%FF", "", 400, &json!({"errorCode": "PARSE_ERROR"}));
    for answer in [
        site.ask("POST /ofrep/v1/evaluate/flags/broken", &[], &wish),
        site.ask("GET /ofrep/v1/evaluate/flags/switch", &[], ""),
        site.ask("GET /ofrep/v1/configuration", &[], ""),
        site.single("no-such"),
    ] {
        assert!(answer.status >= 400, "{answer:?}");
        assert!(answer.json()["errorDetails"].as_str().is_some_and(|d| !d.is_empty()));
    }
}

#[test]
fn a_selector_names_the_set_or_is_refused() {
    let site = Site::of(&document());
    let ask = |set: &str| {
        let first = "POST /ofrep/v1/evaluate/flags/switch";
        site.ask(first, &[("flagd-selector", set)], "").status
    };
    assert_eq!(ask("flagSetId=shop"), 200);
    assert_eq!(ask("flagSetId=other"), 403);
}
