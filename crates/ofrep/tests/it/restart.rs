//! What is off stays off: over kills, with a broken or missing file, on a full disk.

use crate::client::eventually;
use crate::site::{Site, Wish, switch};
use serde_json::json;
use std::fs;
use std::time::Duration;

/// Waits until the copy of the document in force was written.
fn copied(site: &Site, part: &str) {
    eventually("the copy", || {
        fs::read_to_string(site.path("flags.json.last-good")).is_ok_and(|copy| copy.contains(part))
    });
}

#[test]
fn killed_at_any_moment_it_comes_back_with_what_was_in_force() {
    let mut site = Site::of(&switch("a", true));
    for round in 0..6 {
        site.publish(&switch("a", round % 2 == 1));
        // Killed before, while or after it was read; what counts is the file.
        std::thread::sleep(Duration::from_millis(round * 2));
        site.kill();
        site.start();
        assert_eq!(site.is_on("a"), round % 2 == 1);
    }
}

#[test]
fn a_broken_or_missing_file_is_bridged_by_the_copy() {
    let mut site = Site::of(&switch("a", true));
    site.publish(&switch("a", false));
    eventually("it is off", || !site.is_on("a"));
    copied(&site, r#""defaultVariant":"off""#);
    site.kill();
    site.publish_text("{ broken");
    site.start();
    assert!(!site.is_on("a"));
    assert_eq!(site.status()["serving"], json!("last_good"));
    assert_eq!(site.ask("GET /healthz", &[], "").status, 200);
    site.kill();
    fs::remove_file(site.path("flags.json")).unwrap();
    site.start();
    assert!(!site.is_on("a"));
    assert!(site.log().contains("the copy of the last good document is served"));
    site.publish(&switch("a", true));
    eventually("the file is served again", || site.status()["serving"] == json!("current"));
    assert!(site.is_on("a"));
}

#[test]
fn a_damaged_copy_is_not_served() {
    let mut site = Site::of(&switch("a", false));
    copied(&site, "off");
    site.kill();
    let copy = fs::read_to_string(site.path("flags.json.last-good")).unwrap();
    let turned = copy.replace(r#""defaultVariant":"off""#, r#""defaultVariant":"on""#);
    assert_ne!(turned, copy);
    fs::write(site.path("flags.json.last-good"), turned).unwrap();
    fs::remove_file(site.path("flags.json")).unwrap();
    site.start();
    assert_eq!(site.single("a").status, 500, "an error rather than a switch that turned");
}

#[test]
fn a_full_disk_keeps_no_flag_on() {
    let mut site = Site::prepare(&Wish::default());
    site.publish(&switch("a", true));
    // Whatever is written there, the device is full.
    std::os::unix::fs::symlink("/dev/full", site.path("flags.json.last-good.new")).unwrap();
    site.start();
    assert!(site.is_on("a"));
    site.publish(&switch("a", false));
    eventually("it is off", || !site.is_on("a"));
    eventually("it is said", || site.log().contains("no copy of this document was kept"));
    site.kill();
    site.start();
    assert!(!site.is_on("a"));
}

#[test]
fn what_was_counted_goes_on_after_kill_and_restart() {
    let wish = Wish { counts_ms: Some(5), ..Wish::default() };
    let mut site = Site::wish(&switch("a", true), &wish);
    for _ in 0..3 {
        assert!(site.is_on("a"));
    }
    site.bulk("u1", &[]);
    let counts = |site: &Site| site.status()["flags"]["a"].clone();
    let before = counts(&site);
    assert_eq!(before["variants"]["on"]["single"], json!(3), "{before}");
    eventually("it is written", || {
        let kept = fs::read(site.path("flags.json.counts")).unwrap_or_default();
        let kept: serde_json::Value = serde_json::from_slice(&kept).unwrap_or_default();
        kept["flags"]["a"]["variants"]["on"]["bulk"] == json!(1)
    });
    site.kill();
    site.start();
    let after = counts(&site);
    assert_eq!(after["variants"]["on"]["single"], json!(3));
    assert_eq!(after["since_ms"], before["since_ms"], "days are counted from the first start");
    assert!(after["variants"]["on"]["last_ms"].as_u64() >= before["since_ms"].as_u64());
    assert!(site.is_on("a"));
    assert_eq!(counts(&site)["variants"]["on"]["single"], json!(4));
    // Counts that cannot be read harm nobody.
    site.kill();
    fs::write(site.path("flags.json.counts"), "{").unwrap();
    site.start();
    assert!(site.is_on("a"));
    assert!(site.log().contains("counting begins anew"), "{}", site.log());
}

/// With the counts, the copy and the secret of an earlier server beside it, or with none of them.
#[test]
fn a_restart_changes_nobodys_variant() {
    let document = json!({"flags": {
        "share": {"state": "ENABLED", "variants": {"on": true, "off": false},
            "defaultVariant": "off", "targeting": {"fractional": [["on", 25], ["off", 75]]}}}});
    let mut site = Site::of(&document);
    let users = |site: &Site| -> Vec<bool> {
        let ask = |user: u32| {
            let body = format!(r#"{{"context":{{"targetingKey":"user-{user}"}}}}"#);
            let answer = site.ask("POST /ofrep/v1/evaluate/flags/share", &[], &body);
            answer.json()["value"] == json!(true)
        };
        (0..200).map(ask).collect()
    };
    let before = users(&site);
    assert!(before.iter().any(|on| *on) && before.iter().any(|on| !on));
    site.kill();
    site.start();
    assert_eq!(users(&site), before);
    site.kill();
    for name in ["last-good", "stream-secret", "counts"] {
        drop(fs::remove_file(site.path(&format!("flags.json.{name}"))));
    }
    site.start();
    assert_eq!(users(&site), before);
}
