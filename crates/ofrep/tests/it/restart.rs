//! What is off stays off: over kills, with a broken or missing file, on a full disk.

use crate::client::eventually;
use crate::site::{Site, Wish, switch};
use serde_json::json;
use std::fs;

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
        std::thread::sleep(std::time::Duration::from_millis(round * 2));
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
    std::os::unix::fs::symlink("/dev/full", site.path("flags.json.new")).unwrap();
    site.start();
    assert!(site.is_on("a"));
    site.publish(&switch("a", false));
    eventually("it is off", || !site.is_on("a"));
    eventually("it is said", || site.log().contains("no copy of this document was kept"));
    site.kill();
    site.start();
    assert!(!site.is_on("a"));
}
