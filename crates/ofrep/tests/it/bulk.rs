//! All flags at once, and saying that nothing changed.

use crate::client::eventually;
use crate::site::{Site, Wish, events, switch};
use serde_json::{Value, json};

fn document() -> Value {
    json!({"metadata": {"flagSetId": "shop"}, "flags": {
        "a": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
            "targeting": {"if": [{"==": [{"var": "targetingKey"}, "u1"]}, "on", null]}},
        "b": {"state": "ENABLED", "variants": {"x": "y"}, "defaultVariant": "x"},
        "c": {"state": "DISABLED", "variants": {"x": 1}, "defaultVariant": "x"},
        "d": {"state": "ENABLED", "variants": {"x": 1}, "defaultVariant": "x",
            "targeting": {"cat": ["nothing"]}},
    }})
}

#[test]
fn all_flags_with_errors_among_them() {
    let site = Site::of(&document());
    let answer = site.bulk("u1", &[]);
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let found = answer.json();
    assert_eq!(found["metadata"], json!({"flagSetId": "shop"}));
    let flags = found["flags"].as_array().unwrap();
    let keys: Vec<&str> = flags.iter().map(|flag| flag["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["a", "b", "c", "d"]);
    assert_eq!(flags[0]["value"], json!(true));
    assert_eq!((&flags[2]["reason"], flags[2].get("value")), (&json!("DISABLED"), None));
    assert_eq!(flags[3]["errorCode"], json!("GENERAL"));
    assert!(flags[3]["errorDetails"].is_string());
    let stream = &found["eventStreams"][0];
    assert_eq!(stream["type"], json!("sse"));
    assert!(stream["endpoint"]["requestUri"].as_str().unwrap().starts_with("/ofrep/v1/events?t="));
    assert_eq!(site.ask("POST /ofrep/v1/evaluate/flags/", &[], "").status, 200);
    assert_eq!(site.ask("POST //ofrep/v1/evaluate/flags", &[], "").status, 200);
}

#[test]
fn what_the_client_has_is_not_sent_again() {
    let site = Site::of(&document());
    let first = site.bulk("u1", &[]);
    let etag = first.header("etag").unwrap().to_owned();
    assert!(etag.starts_with('"'), "a strong tag");
    let known = [("if-none-match", etag.as_str())];
    let again = site.bulk("u1", &known);
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    assert_eq!(again.header("etag"), Some(etag.as_str()));
    // On the word of a change stream clients ask so:
    let body = json!({"context": {"targetingKey": "u1"}}).to_string();
    let first = "POST /ofrep/v1/evaluate/flags?flagConfigEtag=e2&flagConfigLastModified=1";
    assert_eq!(site.ask(first, &known, &body).status, 304);
    // Another context has another answer under the same address.
    assert_eq!(site.bulk("u2", &known).status, 200);
    assert_eq!(site.bulk("u1", &[("if-none-match", "\"other\"")]).status, 200);
}

#[test]
fn a_change_of_what_is_answered_changes_the_tag_and_nothing_else_does() {
    let site = Site::of(&document());
    let etag = site.bulk("u1", &[]).header("etag").unwrap().to_owned();
    let known = [("if-none-match", etag.as_str())];
    // A rule that does not concern this user.
    let mut other = document();
    other["flags"]["a"]["targeting"]["if"][0]["=="][1] = json!("u9");
    site.publish(&other);
    eventually("u1 loses `a`", || site.bulk("u1", &known).status == 200);
    site.publish(&document());
    eventually("u1 has what it had", || site.bulk("u1", &known).status == 304);
}

#[test]
fn whoever_hears_that_nothing_changed_has_a_good_stream() {
    let wish = Wish { token_period_s: Some(1), ..Wish::default() };
    let site = Site::wish(&switch("a", true), &wish);
    let first = site.bulk("u1", &[]);
    let (etag, uri) = (first.header("etag").unwrap().to_owned(), events(&first));
    let known = [("if-none-match", etag.as_str())];
    let mut fresh = None;
    eventually("a new address is handed out", || {
        let answer = site.bulk("u1", &known);
        fresh = (answer.status == 200).then(|| events(&answer));
        fresh.is_some()
    });
    assert_ne!(fresh.unwrap(), uri);
    eventually("the old address is refused", || {
        site.ask(&format!("HEAD {uri}"), &[], "").status == 401
    });
}
