//! The change stream: who is told what, when, and who is not let in.

use crate::client::{Changes, eventually};
use crate::site::{Site, Wish, events, switch};
use serde_json::json;

fn open(site: &Site, known: Option<&str>) -> Changes {
    let changes = Changes::open(site.address, &events(&site.bulk("u1", &[])), known);
    assert_eq!(changes.status, 200);
    changes
}

#[test]
fn a_change_is_told_with_its_tag_and_time() {
    let site = Site::of(&switch("a", true));
    let mut changes = open(&site, None);
    let (first, data) = changes.next().unwrap();
    assert_eq!(data["type"], json!("refetchEvaluation"), "{data}");
    assert_eq!(data["etag"], json!(first));
    assert!(data["lastModified"].is_u64());
    site.publish(&switch("a", false));
    let (second, data) = changes.next().unwrap();
    assert_ne!(second, first);
    assert_eq!(data["etag"], json!(second));
    assert!(!site.is_on("a"), "whoever is told finds it in force");
}

#[test]
fn whoever_knows_it_is_not_told_and_whoever_does_not_is() {
    let mut site = Site::of(&switch("a", true));
    let mut changes = open(&site, None);
    let (known, _) = changes.next().unwrap();
    drop(changes);
    site.publish(&switch("a", false));
    eventually("it is off", || !site.is_on("a"));
    let mut back = open(&site, Some(&known));
    let (missed, _) = back.next().unwrap();
    assert_ne!(missed, known, "a change during the absence is told");
    // Over a restart of the server, the same document is the same change.
    let uri = events(&site.bulk("u1", &[]));
    site.kill();
    site.start();
    let mut back = Changes::open(site.address, &uri, Some(&missed));
    assert_eq!(back.status, 200, "an address holds over a restart");
    site.publish(&switch("a", true));
    let (next, _) = back.next().unwrap();
    assert_eq!(next, known, "the first that is told is the change that was not known");
}

#[test]
fn there_are_signs_of_life() {
    let wish = Wish { heartbeat_ms: Some(20), ..Wish::default() };
    let site = Site::wish(&switch("a", true), &wish);
    let mut changes = open(&site, None);
    let mut beats = 0;
    while beats < 3 {
        beats += usize::from(changes.line().unwrap() == ":");
    }
}

#[test]
fn strangers_and_too_many_are_refused() {
    let wish = Wish { streams_max: Some(2), ..Wish::default() };
    let site = Site::wish(&switch("a", true), &wish);
    let uri = events(&site.bulk("u1", &[]));
    for stranger in ["/ofrep/v1/events", "/ofrep/v1/events?t=", "/ofrep/v1/events?t=00"] {
        assert_eq!(site.ask(&format!("GET {stranger}"), &[], "").status, 401, "{stranger}");
    }
    let first = Changes::open(site.address, &uri, None);
    let _second = Changes::open(site.address, &uri, None);
    let third = site.ask(&format!("GET {uri}"), &[], "");
    assert_eq!((third.status, third.header("retry-after")), (503, Some("5")));
    drop(first);
    // Its place comes free when the server writes to it in vain, or sees it closed.
    eventually("there is room again", || Changes::open(site.address, &uri, None).status == 200);
}

#[test]
fn streams_end_when_the_server_stops() {
    let site = Site::of(&switch("a", true));
    let mut changes = open(&site, None);
    changes.next().unwrap();
    let pid = site.pid().to_string();
    std::process::Command::new("kill").arg(&pid).status().unwrap();
    assert_eq!(changes.next(), None);
}
