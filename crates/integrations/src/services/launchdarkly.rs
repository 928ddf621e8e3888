//! `LaunchDarkly` by its REST API, with a personal or service token. SDK keys cannot be used.

use super::call::Call;
use super::{ServiceError, json};
use crate::config::Headers;
use crate::http::{ANSWER_BYTES_MAX, Http};
use crate::web::encode;
use ripcord_core::flag::{FlagImage, ServiceWish};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The service's name, for people.
pub(super) const NAME: &str = "LaunchDarkly";

/// The version of the interface that is spoken.
const API_VERSION: &str = "20240415";

/// What decides about users in one environment, as the interface names it.
const STATE: [&str; 7] =
    ["on", "offVariation", "fallthrough", "rules", "targets", "contextTargets", "prerequisites"];

/// One environment of one project.
#[derive(Debug)]
pub struct LaunchDarkly {
    http: Http,
    base: String,
    project: String,
    environment: String,
}

impl LaunchDarkly {
    /// A client. `base` is `https://app.launchdarkly.com`, or that of another region.
    ///
    /// # Errors
    ///
    /// The address cannot be one.
    pub fn new(
        base: &str,
        project: &str,
        environment: &str,
        token: &str,
        timeout_ms: u64,
    ) -> Result<LaunchDarkly, ServiceError> {
        let headers = BTreeMap::from([
            ("Authorization".to_owned(), token.to_owned()),
            ("LD-API-Version".to_owned(), API_VERSION.to_owned()),
        ]);
        let http = Http::new(base, Headers::from(headers), timeout_ms)
            .map_err(|why| ServiceError::Setup { service: NAME, why })?;
        Ok(LaunchDarkly {
            http,
            base: base.trim_end_matches('/').to_owned(),
            project: project.to_owned(),
            environment: environment.to_owned(),
        })
    }

    pub(super) fn read(&self, key: &str) -> Result<FlagImage, ServiceError> {
        let url = format!("{}?env={}", self.address(key), encode(&self.environment));
        let answer = self.http.get(&url, ANSWER_BYTES_MAX)?;
        self.image(key, &json(&self.http, NAME, key, &answer)?)
    }

    /// Whether the token may only read, as far as the service tells; none where it does not.
    pub(super) fn only_reads(&self) -> Option<bool> {
        let get = |path: &str| -> Option<Value> {
            let answer = self.http.get(&format!("{}{path}", self.base), ANSWER_BYTES_MAX).ok()?;
            (answer.status == 200).then(|| serde_json::from_slice(&answer.body).ok())?
        };
        let caller = get("/api/v2/caller-identity")?;
        let id = caller.get("tokenId").and_then(Value::as_str)?;
        let token = get(&format!("/api/v2/tokens/{}", encode(id)))?;
        let none = |name: &str| {
            token.get(name).is_none_or(|all| all.as_array().is_some_and(Vec::is_empty))
        };
        let role = token.get("role").and_then(Value::as_str)?;
        Some(role == "reader" && none("customRoleIds") && none("inlineRole"))
    }

    /// Sends a change.
    pub(super) fn send(&self, key: &str, call: &Call) -> Result<FlagImage, ServiceError> {
        let answer = self.http.change(call.method, &call.url, call.content_type, &call.body)?;
        let flag = json(&self.http, NAME, key, &answer)?;
        // The answer shows all environments; what it does not show has to be asked for.
        match self.image(key, &flag) {
            Ok(image) => Ok(image),
            Err(_) => self.read(key),
        }
    }

    /// The request for a change of a flag that is like this.
    pub(super) fn call(&self, now: &FlagImage, wish: &ServiceWish, reason: &str) -> Call {
        match wish {
            // Off is what is wanted whatever somebody does to it meanwhile.
            ServiceWish::Off => self.turn_off(&now.key, reason),
            ServiceWish::On => self.restore(&now.switched(true), now, reason),
            ServiceWish::As(was) => self.restore(was, now, reason),
        }
    }

    /// How people authorise it.
    pub(super) const fn authorised() -> &'static str {
        r#"-H "Authorization: $LAUNCHDARKLY_TOKEN" -H 'LD-API-Version: 20240415'"#
    }

    /// One instruction, which is atomic and changes nothing when it is so already.
    fn turn_off(&self, key: &str, reason: &str) -> Call {
        let body = json!({
            "environmentKey": self.environment,
            "comment": reason,
            "instructions": [{"kind": "turnFlagOff"}],
        });
        self.patch(key, "application/json; domain-model=launchdarkly.semanticpatch", body)
    }

    /// Everything that is otherwise, in one patch that fails as a whole if the flag is no longer
    /// in the state that it was read in.
    fn restore(&self, was: &FlagImage, now: &FlagImage, reason: &str) -> Call {
        let at = |name: &str| format!("/environments/{}/{name}", pointed(&self.environment));
        let mut patch = Vec::new();
        if let Some(version) = now.version {
            patch.push(json!({"op": "test", "path": at("version"), "value": version}));
        }
        for name in STATE {
            let value = was.state.get(name);
            match value {
                _ if value == now.state.get(name) => {}
                Some(value) => {
                    let op = if now.state.contains_key(name) { "replace" } else { "add" };
                    patch.push(json!({"op": op, "path": at(name), "value": value}));
                }
                None => patch.push(json!({"op": "remove", "path": at(name)})),
            }
        }
        self.patch(&was.key, "application/json", json!({"comment": reason, "patch": patch}))
    }

    fn patch(&self, key: &str, content_type: &'static str, body: Value) -> Call {
        Call { method: "PATCH", url: self.address(key), content_type, body }
    }

    fn address(&self, key: &str) -> String {
        format!("{}/api/v2/flags/{}/{}", self.base, encode(&self.project), encode(key))
    }

    fn image(&self, key: &str, flag: &Value) -> Result<FlagImage, ServiceError> {
        let found = flag.get("environments").and_then(|all| all.get(&self.environment));
        let Some(found) = found.and_then(Value::as_object) else {
            let why = format!("the flag {key} has no environment {}", self.environment);
            return Err(ServiceError::Nonsense { service: NAME, why });
        };
        if !found.get("on").is_some_and(Value::is_boolean) {
            let why = format!("the flag {key} does not say whether it is on");
            return Err(ServiceError::Nonsense { service: NAME, why });
        }
        let version = found.get("version").and_then(Value::as_u64);
        let member = |name: &&str| Some(((*name).to_owned(), found.get(*name)?.clone()));
        let state: Map<String, Value> = STATE.iter().filter_map(member).collect();
        Ok(FlagImage { key: key.to_owned(), version, state })
    }
}

/// A member's name as JSON pointers write it.
fn pointed(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
