//! What the controller hears: the document, the clients that have it, and what was evaluated.

use crate::client::{Changes, eventually};
use crate::site::{Site, events, switch};
use serde_json::json;

#[test]
fn who_has_seen_the_change() {
    let site = Site::of(&switch("a", true));
    let reach = || {
        let status = site.status();
        [status["clients_connected"].clone(), status["clients_confirmed"].clone()]
    };
    assert_eq!(reach(), [json!(0), json!(0)]);
    site.bulk("u1", &[]);
    site.bulk("u1", &[]);
    let second = site.bulk("u2", &[]);
    site.single("a");
    assert_eq!(reach(), [json!(2), json!(2)], "whoever asks for one flag keeps nothing");
    let before = site.status()["digest"].clone();
    let _stream = Changes::open(site.address, &events(&second), None);
    site.publish(&switch("a", false));
    eventually("the change", || site.status()["digest"] != before);
    assert_eq!(reach(), [json!(2), json!(0)]);
    assert_eq!(site.status()["streams_open"], json!(1));
    site.bulk("u2", &[]);
    assert_eq!(reach(), [json!(2), json!(1)]);
    // One that is told that nothing changed for it has seen the change as well.
    let etag = site.bulk("u1", &[]).header("etag").unwrap().to_owned();
    site.publish(&json!({"flags": switch("a", false)["flags"].clone(), "$comment": "x"}));
    eventually("the change", || reach() == [json!(2), json!(0)]);
    assert_eq!(site.bulk("u1", &[("if-none-match", &etag)]).status, 304);
    assert_eq!(reach(), [json!(2), json!(1)]);
}

#[test]
fn clients_may_say_who_they_are() {
    let site = Site::of(&switch("a", true));
    site.bulk("u1", &[("x-ripcord-client", "tab-1")]);
    site.bulk("u1", &[("x-ripcord-client", "tab-2")]);
    assert_eq!(site.status()["clients_connected"], json!(2));
}

#[test]
fn what_was_evaluated_is_counted_over_a_change() {
    let site = Site::of(&switch("a", true));
    site.single("a");
    site.single("a");
    site.bulk("u1", &[]);
    site.bulk("u1", &[]);
    let counts = |variant: &str| site.status()["flags"]["a"]["variants"][variant].clone();
    let on = counts("on");
    assert_eq!((&on["single"], &on["bulk"]), (&json!(2), &json!(2)));
    assert!(on["last_ms"].is_u64());
    assert!(site.status()["flags"]["a"]["last_single_at_ms"].is_u64());
    site.publish(&switch("a", false));
    eventually("the change", || !site.is_on("a"));
    let before = counts("off")["single"].as_u64().unwrap();
    site.single("a");
    assert_eq!(counts("off")["single"], json!(before + 1));
    // Asking until the change was there counted, too.
    assert!(counts("on")["single"].as_u64().unwrap() >= 2);
    assert_eq!(counts("on")["bulk"], json!(2));
}

#[test]
fn it_is_for_this_machine_alone() {
    let site = Site::of(&switch("a", true));
    for path in ["/ripcord/v1/flags/status", "/metrics"] {
        let get = format!("GET {path}");
        assert_eq!(site.ask(&get, &[], "").status, 200, "{path}");
        assert_eq!(site.ask(&get, &[("x-forwarded-for", "10.0.0.1")], "").status, 403, "{path}");
        assert_eq!(site.ask(&get, &[("origin", "http://x.example")], "").status, 403, "{path}");
    }
}
