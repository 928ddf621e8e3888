//! Servers that keep flags and speak the documented interfaces of services for flags: what those
//! interfaces would not accept fails the test. Shared with the tests of the binary.

use crate::server::{Server, response};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The token that `LaunchDarkly`'s server accepts.
pub(crate) const TOKEN: &str = "api-secret";

/// The credentials that `ConfigCat`'s server accepts.
pub(crate) const CREDENTIALS: &str = "user:hush-hush";

/// The key of the environment at `ConfigCat`'s server.
pub(crate) const SDK_KEY: &str = "sdk-key";

/// Out of the ordinary: what a server does with a request that writes.
#[derive(Debug, Clone)]
pub(crate) enum Oddity {
    /// Refuses with this status and body.
    Refuses(&'static str, &'static str),
    /// Does it, and closes the connection without an answer.
    LosesAnswer,
    /// Wants to be left alone for so many seconds.
    Busy(u64),
}

/// What a server holds, and what it does out of the ordinary.
pub(crate) struct State {
    pub(crate) flags: BTreeMap<String, Value>,
    /// What happens to the next requests that write, the last one first.
    pub(crate) odd: Vec<Oddity>,
    /// The role of the token.
    pub(crate) role: &'static str,
    /// Whether it answers nothing but 503.
    pub(crate) down: bool,
    /// Each request that writes: its head line and its body.
    pub(crate) writes: Vec<(String, Value)>,
}

pub(crate) type Shared = Arc<Mutex<State>>;

/// A server's state with one flag.
pub(crate) fn shared(key: &str, flag: Value) -> Shared {
    let flags = BTreeMap::from([(key.to_owned(), flag)]);
    let (odd, writes) = (Vec::new(), Vec::new());
    Arc::new(Mutex::new(State { flags, odd, role: "writer", down: false, writes }))
}

/// The state, also where a test has failed in the middle of it.
pub(crate) fn held(state: &Shared) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A flag as `LaunchDarkly` has them.
pub(crate) fn launchdarkly_flag(key: &str, on: bool) -> Value {
    json!({
        "key": key, "_version": 7, "variations": [{"value": true}, {"value": false}],
        "environments": {"production": {
            "on": on, "version": 41, "lastModified": 5, "offVariation": 1, "rules": [{"_id": "r"}],
            "fallthrough": {"variation": 0}, "targets": [], "contextTargets": [],
            "prerequisites": [], "_summary": {"variations": {}},
        }},
    })
}

/// A flag as `ConfigCat` has them.
pub(crate) fn configcat_flag(on: bool) -> Value {
    json!({
        "defaultValue": {"boolValue": on}, "percentageEvaluationAttribute": null,
        "targetingRules": [{"conditions": [], "percentageOptions": [], "value": {"boolValue": on}}],
        "setting": {"key": "newCheckout", "settingType": "boolean"}, "updatedAt": "2026-01-01",
    })
}

/// Speaks the part of `LaunchDarkly`'s interface that concerns the flags of a project `shop`.
pub(crate) fn launchdarkly(state: &Shared) -> Server {
    let state = state.clone();
    Server::start(move |request, stream| launchdarkly_answers(request, stream, &mut held(&state)))
}

/// Speaks the part of `ConfigCat`'s interface that concerns the settings of a configuration.
pub(crate) fn configcat(state: &Shared) -> Server {
    let state = state.clone();
    Server::start(move |request, stream| configcat_answers(request, stream, &mut held(&state)))
}

fn answer(stream: &mut TcpStream, status: &str, body: &Value) {
    let headers = "content-type: application/json\r\ndate: Wed, 21 Oct 2015 07:28:00 GMT\r\n";
    drop(stream.write_all(response(status, headers, &body.to_string()).as_bytes()));
}

/// Does what is out of the ordinary with a request that writes; gives whether it is to be done.
fn oddly(state: &mut State, stream: &mut TcpStream) -> Option<bool> {
    match state.odd.pop() {
        None => Some(true),
        Some(Oddity::LosesAnswer) => Some(false),
        Some(Oddity::Refuses(status, body)) => {
            answer(stream, status, &serde_json::from_str(body).unwrap());
            None
        }
        Some(Oddity::Busy(seconds)) => {
            let headers = format!("retry-after: {seconds}\r\n");
            let text = response("429 Too Many Requests", &headers, "{}");
            drop(stream.write_all(text.as_bytes()));
            None
        }
    }
}

fn launchdarkly_answers(request: &str, stream: &mut TcpStream, state: &mut State) {
    let (line, body) = parts(request);
    if state.down {
        return answer(stream, "503 Service Unavailable", &Value::Null);
    }
    if !has_header(request, &format!("authorization: {TOKEN}")) {
        return answer(stream, "401 Unauthorized", &json!({"message": "api-secret is wrong"}));
    }
    assert!(has_header(request, "ld-api-version: 20240415"), "{request}");
    let path = line.split(' ').nth(1).unwrap();
    match path {
        "/api/v2/caller-identity" => return answer(stream, "200 OK", &json!({"tokenId": "t1"})),
        "/api/v2/tokens/t1" => {
            let token = json!({"role": state.role, "customRoleIds": [], "inlineRole": []});
            return answer(stream, "200 OK", &token);
        }
        _ => {}
    }
    let key = path.split('?').next().unwrap().strip_prefix("/api/v2/flags/shop/");
    let Some(flag) = key.and_then(|key| state.flags.get(key)).cloned() else {
        return answer(stream, "404 Not Found", &json!({"code": "not_found"}));
    };
    if line.starts_with("GET ") {
        assert!(path.ends_with("?env=production"), "{path}");
        return answer(stream, "200 OK", &flag);
    }
    state.writes.push((line.clone(), body.clone()));
    if state.role == "reader" {
        return answer(stream, "403 Forbidden", &json!({"message": "access denied"}));
    }
    let Some(answers) = oddly(state, stream) else { return };
    let semantic = "content-type: application/json; domain-model=launchdarkly.semanticpatch";
    let next = if has_header(request, semantic) {
        assert_eq!(body["environmentKey"], "production");
        let mut flag = flag;
        for instruction in body["instructions"].as_array().unwrap() {
            assert_eq!(instruction["kind"], "turnFlagOff", "the only one that is used");
            flag["environments"]["production"]["on"] = json!(false);
        }
        Some(flag)
    } else {
        patched(&flag, &body["patch"])
    };
    let Some(mut flag) = next else {
        return answer(stream, "409 Conflict", &json!({"code": "optimistic_locking_error"}));
    };
    let version = flag["environments"]["production"]["version"].as_u64().unwrap();
    flag["environments"]["production"]["version"] = json!(version + 1);
    state.flags.insert(key.unwrap().to_owned(), flag.clone());
    if answers {
        answer(stream, "200 OK", &flag);
    }
}

fn configcat_answers(request: &str, stream: &mut TcpStream, state: &mut State) {
    let (line, body) = parts(request);
    if !has_header(request, "authorization: Basic dXNlcjpodXNoLWh1c2g=") {
        return answer(stream, "401 Unauthorized", &Value::Null);
    }
    assert!(has_header(request, &format!("x-configcat-sdkkey: {SDK_KEY}")), "{request}");
    let path = line.split(' ').nth(1).unwrap();
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let key = path.strip_prefix("/v2/settings/").and_then(|path| path.strip_suffix("/value"));
    let Some(mut flag) = key.and_then(|key| state.flags.get(key)).cloned() else {
        return answer(stream, "404 Not Found", &Value::Null);
    };
    if line.starts_with("GET ") {
        return answer(stream, "200 OK", &flag);
    }
    // The product asks for a reason with each change.
    assert!(query.starts_with("reason="), "{query}");
    state.writes.push((line.clone(), body.clone()));
    let Some(answers) = oddly(state, stream) else { return };
    if line.starts_with("PUT ") {
        // A whole replacement: what is left out is reset.
        flag["defaultValue"] = body["defaultValue"].clone();
        flag["targetingRules"] = body.get("targetingRules").cloned().unwrap_or_else(|| json!([]));
        flag["percentageEvaluationAttribute"] =
            body.get("percentageEvaluationAttribute").cloned().unwrap_or(Value::Null);
    } else {
        match patched(&flag, &body) {
            Some(changed) => flag = changed,
            None => return answer(stream, "400 Bad Request", &Value::Null),
        }
    }
    state.flags.insert(key.unwrap().to_owned(), flag.clone());
    if answers {
        answer(stream, "200 OK", &flag);
    }
}

/// Head line and body of a request.
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
