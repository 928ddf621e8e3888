//! Who may ask.

use crate::client::{Changes, eventually};
use crate::site::{Site, Wish, events, switch};
use ripcord_ofrep::{NewKey, OfrepError, Options};
use std::fs;

const SINGLE: &str = "POST /ofrep/v1/evaluate/flags/a";

fn site() -> (Site, NewKey) {
    let mut site = Site::prepare(&Wish { keys: true, ..Wish::default() });
    let key = NewKey::append(&site.path("keys"), "web").unwrap();
    site.publish(&switch("a", true));
    site.start();
    (site, key)
}

#[test]
fn only_with_a_key_in_either_header() {
    let (site, key) = site();
    let bearer = format!("Bearer {}", key.secret);
    let check = |headers: &[(&str, &str)], expected: u16| {
        let answer = site.ask(SINGLE, headers, "");
        assert_eq!(answer.status, expected, "{headers:?}");
        assert_eq!(site.ask("POST /ofrep/v1/evaluate/flags", headers, "").status, expected);
        if expected != 200 {
            assert!(answer.json()["errorDetails"].is_string());
        }
    };
    check(&[("authorization", &bearer)], 200);
    check(&[("authorization", &bearer.replace("Bearer", "bearer"))], 200);
    check(&[("x-api-key", &key.secret)], 200);
    check(&[], 401);
    check(&[("x-api-key", "")], 401);
    check(&[("x-api-key", "rck_nonsense")], 401);
    check(&[("authorization", &key.secret)], 401);
    check(&[("authorization", "Basic eDp5")], 401);
}

#[test]
fn a_revoked_key_is_out_at_once_and_so_is_its_stream() {
    let (site, key) = site();
    let header = [("x-api-key", key.secret.as_str())];
    let uri = events(&site.ask("POST /ofrep/v1/evaluate/flags", &header, ""));
    assert_eq!(Changes::open(site.address, &uri, None).status, 200);
    let other = NewKey::append(&site.path("keys"), "app").unwrap();
    let new = [("x-api-key", other.secret.as_str())];
    eventually("the new key is in", || site.ask(SINGLE, &new, "").status == 200);
    let text = fs::read_to_string(site.path("keys")).unwrap();
    let revoked = text.replace(&key.line, &format!("{} revoked", key.line));
    fs::write(site.path("keys"), revoked).unwrap();
    eventually("the old key is out", || site.ask(SINGLE, &header, "").status == 403);
    assert_eq!(Changes::open(site.address, &uri, None).status, 401);
    assert_eq!(site.ask(SINGLE, &new, "").status, 200);
    // A file that cannot be read lets nobody in who was not, and nobody out who was in.
    fs::write(site.path("keys"), "nonsense").unwrap();
    eventually("it is said", || site.log().contains("the old keys hold on"));
    assert_eq!(site.ask(SINGLE, &header, "").status, 403);
    assert_eq!(site.ask(SINGLE, &new, "").status, 200);
}

#[test]
fn without_keys_other_machines_are_not_served() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        file: folder.path().join("flags.json"),
        listen: ([0, 0, 0, 0], 0).into(),
        keys: None,
        origins: Vec::new(),
        broken_rules: ripcord_flags::BrokenRules::Refuse,
        say: |_| {},
        limits: ripcord_ofrep::Limits::default(),
    };
    let refused = ripcord_ofrep::run(options, |address| panic!("it listens on {address}"));
    assert!(matches!(refused, Err(OfrepError::NoKeys(_))), "{refused:?}");
}
