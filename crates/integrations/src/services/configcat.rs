//! `ConfigCat` by its public management API, with its public credentials and the SDK key of one
//! environment. It has no switch: off is `false` for everybody, and what was there is written back
//! whole, because a write there resets whatever it leaves out.

use super::call::Call;
use super::{ServiceError, json};
use crate::config::Headers;
use crate::http::{ANSWER_BYTES_MAX, Http};
use crate::web::encode;
use ripcord_core::flag::{FlagImage, ServiceWish};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The service's name, for people.
pub(super) const NAME: &str = "ConfigCat";

/// What decides about users, as the interface names it.
const STATE: [&str; 3] = ["defaultValue", "targetingRules", "percentageEvaluationAttribute"];

/// One environment of one configuration.
#[derive(Debug)]
pub struct ConfigCat {
    http: Http,
    base: String,
}

impl ConfigCat {
    /// A client. `base` is `https://api.configcat.com`; `credentials` are the public API's, in
    /// the form `user:password`.
    ///
    /// # Errors
    ///
    /// The address cannot be one.
    pub fn new(
        base: &str,
        credentials: &str,
        sdk_key: &str,
        timeout_ms: u64,
    ) -> Result<ConfigCat, ServiceError> {
        let basic = format!("Basic {}", base64(credentials.as_bytes()));
        let headers = BTreeMap::from([
            ("Authorization".to_owned(), basic),
            ("X-CONFIGCAT-SDKKEY".to_owned(), sdk_key.to_owned()),
        ]);
        let http = Http::new(base, Headers::from(headers), timeout_ms)
            .map_err(|why| ServiceError::Setup { service: NAME, why })?;
        Ok(ConfigCat { http, base: base.trim_end_matches('/').to_owned() })
    }

    pub(super) fn read(&self, key: &str) -> Result<FlagImage, ServiceError> {
        let answer = self.http.get(&self.address(key, None), ANSWER_BYTES_MAX)?;
        image(key, &json(&self.http, NAME, key, &answer)?)
    }

    /// Sends a change, unless the flag is no longer as it was: there is no precondition in the
    /// interface, so it is read once more right before.
    pub(super) fn send(&self, now: &FlagImage, call: &Call) -> Result<FlagImage, ServiceError> {
        let key = &now.key;
        if self.read(key)?.state != now.state {
            return Err(ServiceError::Busy { service: NAME, key: key.clone() });
        }
        let answer = self.http.change(call.method, &call.url, call.content_type, &call.body)?;
        image(key, &json(&self.http, NAME, key, &answer)?)
    }

    /// The request for a change of a flag that is like this.
    pub(super) fn call(
        &self,
        now: &FlagImage,
        wish: &ServiceWish,
        reason: &str,
    ) -> Result<Call, ServiceError> {
        match wish {
            ServiceWish::Off => self.switch(now, false, reason),
            ServiceWish::On => self.switch(now, true, reason),
            ServiceWish::As(was) => {
                Ok(self.change("PUT", &was.key, reason, Value::Object(was.state.clone())))
            }
        }
    }

    /// How people authorise it.
    pub(super) const fn authorised() -> &'static str {
        r#"-u "$CONFIGCAT_CREDENTIALS" -H "X-CONFIGCAT-SDKKEY: $CONFIGCAT_SDK_KEY""#
    }

    fn switch(&self, now: &FlagImage, on: bool, reason: &str) -> Result<Call, ServiceError> {
        let key = &now.key;
        let default = now.state.get("defaultValue");
        // What was never read is taken for a switch.
        if default.is_some_and(|value| value.get("boolValue").is_none()) {
            let why = format!("{key} is no switch but a setting, which has no off");
            return Err(ServiceError::Setup { service: NAME, why });
        }
        let body = json!([
            {"op": "replace", "path": "/targetingRules", "value": []},
            {"op": "replace", "path": "/defaultValue/boolValue", "value": on},
        ]);
        Ok(self.change("PATCH", key, reason, body))
    }

    fn change(&self, method: &'static str, key: &str, reason: &str, body: Value) -> Call {
        let url = self.address(key, Some(reason));
        Call { method, url, content_type: "application/json", body }
    }

    fn address(&self, key: &str, reason: Option<&str>) -> String {
        let reason = reason.map(|reason| format!("?reason={}", encode(reason)));
        let reason = reason.unwrap_or_default();
        format!("{}/v2/settings/{}/value{reason}", self.base, encode(key))
    }
}

fn image(key: &str, value: &Value) -> Result<FlagImage, ServiceError> {
    if !value.get("defaultValue").is_some_and(Value::is_object) {
        let why = format!("the setting {key} has no default value");
        return Err(ServiceError::Nonsense { service: NAME, why });
    }
    let member = |name: &&str| Some(((*name).to_owned(), value.get(*name)?.clone()));
    let state: Map<String, Value> =
        STATE.iter().filter_map(member).filter(|(_, value)| !value.is_null()).collect();
    Ok(FlagImage { key: key.to_owned(), version: None, state })
}

/// As RFC 4648, section 4, has it.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let at = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_encoded() {
        let check = |text: &str, expected: &str| assert_eq!(base64(text.as_bytes()), expected);
        check("", "");
        check("f", "Zg==");
        check("fo", "Zm8=");
        check("foo", "Zm9v");
        check("foob", "Zm9vYg==");
        check("fooba", "Zm9vYmE=");
        check("foobar", "Zm9vYmFy");
    }
}
