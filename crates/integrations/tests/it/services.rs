//! Services for flags, against servers that keep state and speak the documented interfaces: what
//! is sent must be what those interfaces accept, and what they refuse must be told apart.

use crate::server::{Server, response};
use ripcord_integrations::services::{ConfigCat, FlagService, LaunchDarkly, ServiceError};
use serde_json::{Value, json};
use std::io::Write;
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

/// What a server holds, and what it does out of the ordinary.
struct State {
    flag: Value,
    /// Answers the next requests that write in this way instead.
    refuses: Vec<(&'static str, &'static str)>,
    writes: Vec<String>,
}

type Shared = Arc<Mutex<State>>;

fn shared(flag: Value) -> Shared {
    Arc::new(Mutex::new(State { flag, refuses: Vec::new(), writes: Vec::new() }))
}

fn answer(stream: &mut TcpStream, status: &str, body: &Value) {
    let headers = "content-type: application/json\r\ndate: Wed, 21 Oct 2015 07:28:00 GMT\r\n";
    drop(stream.write_all(response(status, headers, &body.to_string()).as_bytes()));
}

/// Head line and body of a request, and a header's value.
fn parts(request: &str) -> (String, Value) {
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let line = head.lines().next().unwrap().to_owned();
    (line, serde_json::from_str(body).unwrap_or(Value::Null))
}

fn has_header(request: &str, wanted: &str) -> bool {
    request.lines().any(|line| line.eq_ignore_ascii_case(wanted))
}

/// Applies a JSON patch (RFC 6902: test, add, replace, remove of members), all of it or nothing.
fn patched(document: &Value, steps: &Value) -> Option<Value> {
    let mut document = document.clone();
    for step in steps.as_array()? {
        let path = step["path"].as_str()?;
        let (whole, name) = path.rsplit_once('/')?;
        match step["op"].as_str()? {
            "test" if document.pointer(path) == Some(&step["value"]) => {}
            "add" => {
                let members = document.pointer_mut(whole)?.as_object_mut()?;
                members.insert(name.to_owned(), step["value"].clone());
            }
            "replace" => *document.pointer_mut(path)? = step["value"].clone(),
            "remove" => {
                document.pointer_mut(whole)?.as_object_mut()?.remove(name)?;
            }
            _ => return None,
        }
    }
    Some(document)
}

fn launchdarkly_flag() -> Value {
    json!({
        "key": "new-checkout", "_version": 7, "variations": [{"value": true}, {"value": false}],
        "environments": {"production": {
            "on": true, "version": 41, "lastModified": 5, "offVariation": 1, "rules": [{"_id": "r"}],
            "fallthrough": {"variation": 0}, "targets": [], "contextTargets": [],
            "prerequisites": [], "_summary": {"variations": {}},
        }},
    })
}

/// Speaks the part of `LaunchDarkly`'s interface that concerns one flag.
fn launchdarkly(state: &Shared) -> (Server, FlagService) {
    let held = state.clone();
    let server = Server::start(move |request, stream| {
        let (line, body) = parts(request);
        let mut state = held.lock().unwrap();
        if !has_header(request, "authorization: api-secret") {
            return answer(stream, "401 Unauthorized", &json!({"message": "api-secret is wrong"}));
        }
        assert!(has_header(request, "ld-api-version: 20240415"), "{request}");
        let path = line.split(' ').nth(1).unwrap();
        if path.split('?').next() != Some("/api/v2/flags/shop/new-checkout") {
            return answer(stream, "404 Not Found", &json!({"code": "not_found"}));
        }
        if line.starts_with("GET ") {
            assert!(path.ends_with("?env=production"), "{path}");
            return answer(stream, "200 OK", &state.flag);
        }
        state.writes.push(line);
        if let Some((status, body)) = state.refuses.pop() {
            return answer(stream, status, &serde_json::from_str(body).unwrap());
        }
        let semantic = "content-type: application/json; domain-model=launchdarkly.semanticpatch";
        let next = if has_header(request, semantic) {
            assert_eq!(body["environmentKey"], "production");
            let mut flag = state.flag.clone();
            for instruction in body["instructions"].as_array().unwrap() {
                assert_eq!(instruction["kind"], "turnFlagOff", "the only one that is used");
                flag["environments"]["production"]["on"] = json!(false);
            }
            Some(flag)
        } else {
            patched(&state.flag, &body["patch"])
        };
        let Some(mut flag) = next else {
            return answer(stream, "409 Conflict", &json!({"code": "optimistic_locking_error"}));
        };
        let version = flag["environments"]["production"]["version"].as_u64().unwrap();
        flag["environments"]["production"]["version"] = json!(version + 1);
        state.flag = flag;
        answer(stream, "200 OK", &state.flag);
    });
    let client = LaunchDarkly::new(&server.url, "shop", "production", "api-secret", 5_000);
    (server, FlagService::LaunchDarkly(client.unwrap()))
}

/// Speaks the part of `ConfigCat`'s interface that concerns one setting.
fn configcat(state: &Shared) -> (Server, FlagService) {
    let held = state.clone();
    let server = Server::start(move |request, stream| {
        let (line, body) = parts(request);
        let mut state = held.lock().unwrap();
        if !has_header(request, "authorization: Basic dXNlcjpodXNoLWh1c2g=") {
            return answer(stream, "401 Unauthorized", &Value::Null);
        }
        assert!(has_header(request, "x-configcat-sdkkey: sdk-key"), "{request}");
        let path = line.split(' ').nth(1).unwrap();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        if path != "/v2/settings/newCheckout/value" {
            return answer(stream, "404 Not Found", &Value::Null);
        }
        if line.starts_with("GET ") {
            return answer(stream, "200 OK", &state.flag);
        }
        assert!(query.starts_with("reason=rollback%20of%20v4"), "{query}");
        state.writes.push(line.clone());
        if let Some((status, body)) = state.refuses.pop() {
            return answer(stream, status, &serde_json::from_str(body).unwrap());
        }
        if line.starts_with("PUT ") {
            // A whole replacement: what is left out is reset.
            state.flag["defaultValue"] = body["defaultValue"].clone();
            state.flag["targetingRules"] =
                body.get("targetingRules").cloned().unwrap_or_else(|| json!([]));
            state.flag["percentageEvaluationAttribute"] =
                body.get("percentageEvaluationAttribute").cloned().unwrap_or(Value::Null);
        } else {
            match patched(&state.flag, &body) {
                Some(flag) => state.flag = flag,
                None => return answer(stream, "400 Bad Request", &Value::Null),
            }
        }
        answer(stream, "200 OK", &state.flag);
    });
    let client = ConfigCat::new(&server.url, "user:hush-hush", "sdk-key", 5_000).unwrap();
    (server, FlagService::ConfigCat(client))
}

fn configcat_flag() -> Value {
    json!({
        "defaultValue": {"boolValue": true}, "percentageEvaluationAttribute": null,
        "targetingRules": [{"conditions": [], "percentageOptions": [], "value": {"boolValue": true}}],
        "setting": {"key": "newCheckout", "settingType": "boolean"}, "updatedAt": "2026-01-01",
    })
}

const REASON: &str = "rollback of v4";

/// Off and back, with both; what was there before is there after, to the last member.
fn off_and_back(state: &Shared, service: &FlagService, key: &str, decides: &str) {
    let deciding = || state.lock().unwrap().flag.pointer(decides).cloned();
    let before = deciding();
    let was = service.read(key).unwrap();
    assert!(!was.is_off());
    let left = service.turn_off(key, REASON).unwrap();
    assert!(left.is_off() && left == service.read(key).unwrap());
    // Twice is once.
    assert_eq!(service.turn_off(key, REASON).unwrap(), left);
    assert_eq!(state.lock().unwrap().writes.len(), 1);
    assert_eq!(service.restore(&was, &left, REASON).unwrap().state, was.state);
    assert_eq!(service.restore(&was, &left, REASON).unwrap().state, was.state);
    assert_eq!(state.lock().unwrap().writes.len(), 2);
    assert_eq!(deciding(), before);
}

#[test]
fn off_and_back_at_launchdarkly() {
    let state = shared(launchdarkly_flag());
    let (_server, service) = launchdarkly(&state);
    off_and_back(&state, &service, "new-checkout", "/environments/production/on");
}

#[test]
fn off_and_back_at_configcat() {
    let state = shared(configcat_flag());
    let (_server, service) = configcat(&state);
    off_and_back(&state, &service, "newCheckout", "/targetingRules");
}

#[test]
fn everything_that_decides_comes_back() {
    let state = shared(launchdarkly_flag());
    let (_server, service) = launchdarkly(&state);
    let was = service.read("new-checkout").unwrap();
    // The release changed rules and fallthrough, and took a member away.
    let release = |state: &Shared| {
        let mut state = state.lock().unwrap();
        let found = &mut state.flag["environments"]["production"];
        found["rules"] = json!([]);
        found["fallthrough"] = json!({"rollout": {"variations": []}});
        found.as_object_mut().unwrap().remove("contextTargets");
        found["version"] = json!(44);
    };
    release(&state);
    let left = service.read("new-checkout").unwrap();
    service.restore(&was, &left, REASON).unwrap();
    let now = state.lock().unwrap().flag["environments"]["production"].clone();
    assert_eq!(now["rules"], json!([{"_id": "r"}]));
    assert_eq!(now["fallthrough"], json!({"variation": 0}));
    assert_eq!(now["contextTargets"], json!([]));
    assert_eq!(now["version"], 45, "one change");
}

#[test]
fn what_somebody_changed_since_is_not_overwritten() {
    let check = |state: &Shared, service: &FlagService, key: &str, pointer: &str, part: &str| {
        let was = service.read(key).unwrap();
        let left = service.turn_off(key, REASON).unwrap();
        *state.lock().unwrap().flag.pointer_mut(pointer).unwrap() = json!([{"mine": true}]);
        let error = service.restore(&was, &left, REASON).unwrap_err();
        let ServiceError::Conflict { changes, .. } = &error else { panic!("{error}") };
        assert!(changes.len() == 1 && changes[0].starts_with(part), "{changes:?}");
        assert!(!error.may_pass());
        assert_eq!(state.lock().unwrap().writes.len(), 1, "nothing was written");
    };
    let state = shared(launchdarkly_flag());
    let (_server, service) = launchdarkly(&state);
    check(&state, &service, "new-checkout", "/environments/production/rules", "rules [");
    let state = shared(configcat_flag());
    let (_server, service) = configcat(&state);
    check(&state, &service, "newCheckout", "/targetingRules", "targetingRules [");
}

#[test]
fn a_change_between_reading_and_writing_is_refused_by_the_service() {
    let state = shared(launchdarkly_flag());
    let (_server, service) = launchdarkly(&state);
    let was = service.read("new-checkout").unwrap();
    let left = service.turn_off("new-checkout", REASON).unwrap();
    // Somebody is quicker: the test of the version fails there.
    let quicker = r#"{"code": "optimistic_locking_error"}"#;
    state.lock().unwrap().refuses.push(("409 Conflict", quicker));
    let error = service.restore(&was, &left, REASON).unwrap_err();
    assert!(matches!(error, ServiceError::Busy { .. }) && error.may_pass(), "{error}");
    service.restore(&was, &left, REASON).unwrap();
}

#[test]
fn what_is_refused_is_told_apart() {
    let state = shared(launchdarkly_flag());
    let (server, service) = launchdarkly(&state);
    let refused = |status, body| {
        state.lock().unwrap().refuses.push((status, body));
        service.turn_off("new-checkout", REASON).unwrap_err()
    };
    let error = refused("403 Forbidden", r#"{"message": "requires approval"}"#);
    assert!(matches!(&error, ServiceError::NeedsApproval { .. }) && !error.may_pass());
    assert!(error.to_string().contains("requires approval"), "{error}");
    let error = refused("405 Method Not Allowed", "{}");
    assert!(matches!(error, ServiceError::NeedsApproval { .. }), "{error}");
    let error = refused("503 Service Unavailable", "{}");
    assert!(error.may_pass() && matches!(error, ServiceError::Http(_)), "{error}");
    let error = refused("429 Too Many Requests", "{}");
    assert!(error.may_pass() && error.retry_after_ms() == Some(60_000), "{error}");
    let error = service.read("misspelt").unwrap_err();
    assert!(matches!(error, ServiceError::NoSuchFlag { .. }), "{error}");

    let wrong = LaunchDarkly::new(&server.url, "shop", "production", "api-wrong!", 5_000).unwrap();
    let error = FlagService::LaunchDarkly(wrong).read("new-checkout").unwrap_err();
    assert!(matches!(error, ServiceError::Unauthorized { .. }), "{error}");
    assert!(!format!("{error:?}").contains("api-wrong!"), "{error:?}");
}

#[test]
fn answers_that_are_not_documented_are_refused() {
    let check = |flag: Value| {
        let state = shared(flag);
        let (_server, service) = launchdarkly(&state);
        let error = service.turn_off("new-checkout", REASON).unwrap_err();
        assert!(matches!(error, ServiceError::Nonsense { .. }), "{error}");
        assert!(state.lock().unwrap().writes.is_empty());
    };
    check(json!({}));
    check(json!({"environments": {"test": {"on": true}}}));
    check(json!({"environments": {"production": {"on": "yes"}}}));
    // A setting of another type has no off.
    let state = shared(json!({"defaultValue": {"stringValue": "a"}, "targetingRules": []}));
    let (_server, service) = configcat(&state);
    let error = service.turn_off("newCheckout", REASON).unwrap_err();
    assert!(matches!(error, ServiceError::Setup { .. }), "{error}");
}
