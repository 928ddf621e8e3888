//! Services for flags, against servers that keep state and speak the documented interfaces: what
//! is sent must be what those interfaces accept, and what they refuse must be told apart.

use crate::flag_servers::{
    self, CREDENTIALS, Oddity, SDK_KEY, Shared, TOKEN, configcat_flag, held, launchdarkly_flag,
    shared,
};
use crate::server::Server;
use ripcord_core::flag::{FlagImage, ServiceWish};
use ripcord_integrations::services::{ConfigCat, FlagService, LaunchDarkly, ServiceError};
use serde_json::{Value, json};

const REASON: &str = "rollback of v4";

fn launchdarkly(flag: Value) -> (Shared, Server, FlagService) {
    let state = shared("new-checkout", flag);
    let server = flag_servers::launchdarkly(&state);
    let client = LaunchDarkly::new(&server.url, "shop", "production", TOKEN, 5_000);
    (state, server, FlagService::LaunchDarkly(client.unwrap()))
}

fn configcat(flag: Value) -> (Shared, Server, FlagService) {
    let state = shared("newCheckout", flag);
    let server = flag_servers::configcat(&state);
    let client = ConfigCat::new(&server.url, CREDENTIALS, SDK_KEY, 5_000).unwrap();
    (state, server, FlagService::ConfigCat(client))
}

fn back_to(was: &FlagImage) -> ServiceWish {
    ServiceWish::As(Box::new(was.clone()))
}

/// Off, on and back; what was there before is there after, to the last member.
fn off_and_back(state: &Shared, service: &FlagService, key: &str) {
    let write = |now: &FlagImage, wish: &ServiceWish| service.write(now, wish, REASON).unwrap();
    let was = service.read(key).unwrap();
    assert!(was.is_on() || !was.is_off());
    let left = write(&was, &ServiceWish::Off);
    assert!(left.is_off() && left == service.read(key).unwrap());
    assert_eq!(left.state, ServiceWish::Off.applied_to(&was).state);
    let on = write(&left, &ServiceWish::On);
    assert!(on.is_on());
    assert_eq!(on.state, ServiceWish::On.applied_to(&left).state);
    assert_eq!(write(&on, &back_to(&was)).state, was.state);
    assert_eq!(held(state).writes.len(), 3);
}

#[test]
fn off_and_back_at_launchdarkly() {
    let (state, _server, service) = launchdarkly(launchdarkly_flag("new-checkout", true));
    off_and_back(&state, &service, "new-checkout");
}

#[test]
fn off_and_back_at_configcat() {
    let (state, _server, service) = configcat(configcat_flag(true));
    off_and_back(&state, &service, "newCheckout");
}

#[test]
fn everything_that_decides_comes_back() {
    let (state, _server, service) = launchdarkly(launchdarkly_flag("new-checkout", true));
    let was = service.read("new-checkout").unwrap();
    // The release changed rules and fallthrough, and took a member away.
    {
        let mut state = held(&state);
        let flag = state.flags.get_mut("new-checkout").unwrap();
        let found = &mut flag["environments"]["production"];
        found["rules"] = json!([]);
        found["fallthrough"] = json!({"rollout": {"variations": []}});
        found.as_object_mut().unwrap().remove("contextTargets");
        found["version"] = json!(44);
    }
    let left = service.read("new-checkout").unwrap();
    service.write(&left, &back_to(&was), REASON).unwrap();
    let now = held(&state).flags["new-checkout"]["environments"]["production"].clone();
    assert_eq!(now["rules"], json!([{"_id": "r"}]));
    assert_eq!(now["fallthrough"], json!({"variation": 0}));
    assert_eq!(now["contextTargets"], json!([]));
    assert_eq!(now["version"], 45, "one change");
}

/// Whoever changes it between the look and the restoring is asked first.
#[test]
fn what_somebody_just_changed_is_not_restored_over() {
    let check = |state: &Shared, service: &FlagService, key: &str, pointer: &str| {
        let was = service.read(key).unwrap();
        let left = service.write(&was, &ServiceWish::Off, REASON).unwrap();
        {
            let mut state = held(state);
            let flag = state.flags.get_mut(key).unwrap();
            *flag.pointer_mut(pointer).unwrap() = json!([{"mine": true}]);
            if let Some(version) = flag.pointer_mut("/environments/production/version") {
                *version = json!(99);
            }
        }
        let error = service.write(&left, &back_to(&was), REASON).unwrap_err();
        assert!(matches!(error, ServiceError::Busy { .. }) && error.may_pass(), "{error}");
        let now = held(state).flags[key].pointer(pointer).cloned();
        assert_eq!(now, Some(json!([{"mine": true}])));
    };
    let (state, _server, service) = launchdarkly(launchdarkly_flag("new-checkout", true));
    check(&state, &service, "new-checkout", "/environments/production/rules");
    let (state, _server, service) = configcat(configcat_flag(true));
    check(&state, &service, "newCheckout", "/targetingRules");
}

#[test]
fn what_is_refused_is_told_apart() {
    let (state, server, service) = launchdarkly(launchdarkly_flag("new-checkout", true));
    let now = service.read("new-checkout").unwrap();
    let refused = |oddity: Oddity| {
        held(&state).odd.push(oddity);
        service.write(&now, &ServiceWish::Off, REASON).unwrap_err()
    };
    let error = refused(Oddity::Refuses("403 Forbidden", r#"{"message": "requires approval"}"#));
    assert!(matches!(&error, ServiceError::NeedsApproval { .. }) && !error.may_pass());
    assert!(error.to_string().contains("requires approval"), "{error}");
    let error = refused(Oddity::Refuses("405 Method Not Allowed", "{}"));
    assert!(matches!(error, ServiceError::NeedsApproval { .. }), "{error}");
    let error = refused(Oddity::Refuses("503 Service Unavailable", "{}"));
    assert!(error.may_pass() && matches!(error, ServiceError::Http(_)), "{error}");
    let error = refused(Oddity::Refuses("429 Too Many Requests", "{}"));
    assert!(error.may_pass() && error.retry_after_ms() == Some(60_000), "{error}");
    let error = refused(Oddity::Busy(3));
    assert_eq!(error.retry_after_ms(), Some(3_000), "{error}");
    let error = refused(Oddity::LosesAnswer);
    assert!(error.may_pass(), "{error}");
    assert!(service.read("new-checkout").unwrap().is_off(), "it was done all the same");
    let error = service.read("misspelt").unwrap_err();
    assert!(matches!(error, ServiceError::NoSuchFlag { .. }), "{error}");

    let wrong = LaunchDarkly::new(&server.url, "shop", "production", "api-wrong!", 5_000).unwrap();
    let error = FlagService::LaunchDarkly(wrong).read("new-checkout").unwrap_err();
    assert!(matches!(error, ServiceError::Unauthorized { .. }), "{error}");
    assert!(!format!("{error:?}").contains("api-wrong!"), "{error:?}");
}

#[test]
fn a_token_that_only_reads_is_known_beforehand() {
    let (state, _server, service) = launchdarkly(launchdarkly_flag("new-checkout", true));
    assert_eq!(service.only_reads(), Some(false));
    held(&state).role = "reader";
    assert_eq!(service.only_reads(), Some(true));
    let (_state, _server, service) = configcat(configcat_flag(true));
    assert_eq!(service.only_reads(), None, "nobody can tell");
}

/// What people are told to send is what would be sent, without anything that is secret.
#[test]
fn by_hand_without_secrets() {
    let check = |service: &FlagService, key: &str, parts: &[&str]| {
        let now = service.read(key).unwrap();
        let told = service.by_hand(key, Some(&now), &ServiceWish::Off, REASON);
        for part in parts {
            assert!(told.contains(part), "{part}: {told}");
        }
        for secret in [TOKEN, CREDENTIALS, SDK_KEY, "dXNlcjpodXNoLWh1c2g="] {
            assert!(!told.contains(secret), "{told}");
        }
    };
    let (_state, _server, service) = launchdarkly(launchdarkly_flag("new-checkout", true));
    check(
        &service,
        "new-checkout",
        &["-X PATCH", "/flags/shop/new-checkout", "turnFlagOff", "$LAUNCHDARKLY_TOKEN"],
    );
    let (_state, _server, service) = configcat(configcat_flag(true));
    check(&service, "newCheckout", &["-X PATCH", "?reason=", "boolValue", "$CONFIGCAT_SDK_KEY"]);
}

#[test]
fn answers_that_are_not_documented_are_refused() {
    let check = |flag: Value| {
        let (_state, _server, service) = launchdarkly(flag);
        let error = service.read("new-checkout").unwrap_err();
        assert!(matches!(error, ServiceError::Nonsense { .. }), "{error}");
    };
    check(json!({}));
    check(json!({"environments": {"test": {"on": true}}}));
    check(json!({"environments": {"production": {"on": "yes"}}}));
    // A setting of another type has no off.
    let text = json!({"defaultValue": {"stringValue": "a"}, "targetingRules": []});
    let (state, _server, service) = configcat(text);
    let now = service.read("newCheckout").unwrap();
    let error = service.write(&now, &ServiceWish::Off, REASON).unwrap_err();
    assert!(matches!(error, ServiceError::Setup { .. }), "{error}");
    assert!(held(&state).writes.is_empty());
}
