//! Regression journeys of peers, by their names, on the real binary.

use crate::site::{Site, get, signal};
use std::time::{Duration, Instant};

#[test]
fn lock_6_stale_state_lock() {
    let mut site = Site::open();
    site.deploy("v1-good");
    site.dress_with("v2-additive", |text| text.replace("bake = \"0s\"", "bake = \"60s\""));
    let b = site.freeze();
    let load = site.load(50);
    site.run(&["deploy", &b, "--detach"]).expect(0);
    std::thread::sleep(Duration::from_millis(300));
    site.kill_controller();
    let began = Instant::now();
    site.serve();
    assert!(began.elapsed() < Duration::from_secs(10));
    // The plan goes on; a person can end it at once, and the next operation proceeds.
    site.run(&["abort"]).expect(0);
    site.dress("v2-additive");
    site.run(&["retry", &b]).expect(0);
    let (report, _) = load.stop().unwrap();
    assert!(report.failed_unexplained.is_empty(), "{:?}", report.failed_unexplained);
    site.close();
}

/// A leader that is frozen and taken over changes nothing when it would wake: it is ended, and
/// every receiver refuses its fence in any case (tested at each receiver).
#[test]
fn ctrl_1_resumed_old_leader() {
    let mut site = Site::open();
    site.deploy("v1-good");
    signal(site.controller(), "STOP");
    let mut frozen =
        std::mem::replace(site.controller(), std::process::Command::new("true").spawn().unwrap());
    drop(site.controller().wait());
    site.serve_with(&["--takeover"], &[]);
    let b = site.deploy("v2-additive");
    let status = frozen.try_wait().unwrap();
    assert!(status.is_some(), "the frozen leader lives on");
    assert_eq!(site.answering(), Some(b));
    site.close();
}

#[test]
fn two_controllers_on_one_state_directory() {
    let site = Site::open();
    site.deploy("v1-good");
    let refused = site.run(&["serve"]).expect(3);
    assert!(refused.stderr.contains("RC0402"), "{}", refused.stderr);
    assert_eq!(site.status()["live"], "v1");
    site.close();
}

#[test]
fn ctrl_2_abort_after_full_promotion() {
    let site = Site::open();
    site.deploy("v1-good");
    let b = site.deploy("v2-additive");
    let answer = site.run(&["abort"]).expect(0);
    assert!(answer.stderr.contains("no plan is running"), "{}", answer.stderr);
    assert_eq!(site.answering(), Some(b));
    site.close();
}

#[test]
fn ctrl_3_idle_abort_stops_nothing() {
    let site = Site::open();
    let a = site.deploy("v1-good");
    let before = site.instances_of(&a);
    assert!(!before.is_empty());
    site.run(&["abort"]).expect(0);
    assert_eq!(site.instances_of(&a), before);
    site.close();
}

#[test]
fn ctrl_6_second_rollout_start() {
    let mut site = Site::open();
    site.deploy("v1-good");
    let load = site.load(200);
    site.dress_with("v2-additive", |text| text.replace("bake = \"0s\"", "bake = \"60s\""));
    let b = site.freeze();
    site.run(&["deploy", &b, "--detach"]).expect(0);
    site.until("v2 is watched", Duration::from_secs(10), |site| {
        site.answering().as_deref() == Some(b.as_str())
    });
    site.dress("slow");
    let c = site.freeze();
    site.run(&["deploy", &c]).expect(3);
    site.run(&["abort"]).expect(0);
    site.run(&["deploy", &c]).expect(0);
    let (report, _) = load.stop().unwrap();
    assert!(report.failed_unexplained.is_empty(), "{:?}", report.failed_unexplained);
    assert!(!report.by_status.contains_key(&503), "{:?}", report.by_status);
    site.close();
}

#[test]
fn ctrl_7_always_an_exit() {
    // While an instance is awaited, while a person is awaited, while it is watched, while paused.
    for part in ["ready_within", "approve", "bake", "pause"] {
        let mut site = Site::open();
        site.deploy("v1-good");
        let change = |text: String| match part {
            "ready_within" => text.replace("ready_within = \"5s\"", "ready_within = \"300s\""),
            "approve" => text.replace("bake = \"0s\"", "bake = \"0s\"\napprove = true"),
            _ => text.replace("bake = \"0s\"", "bake = \"600s\"").replace("10m", "30m"),
        };
        let release = if part == "ready_within" { "never-healthy" } else { "v2-additive" };
        site.dress_with(release, change);
        let b = site.freeze();
        site.run(&["deploy", &b, "--detach"]).expect(0);
        std::thread::sleep(Duration::from_millis(400));
        if part == "pause" {
            site.run(&["pause"]).expect(0);
        }
        let began = Instant::now();
        site.run(&["abort", "--reason", part]).expect(0);
        assert!(began.elapsed() < Duration::from_secs(10), "{part}: {:?}", began.elapsed());
        site.until("v1 serves alone", Duration::from_secs(5), |site| {
            site.answering().as_deref() == Some("v1") && site.instances_of(&b).is_empty()
        });
        site.close();
    }
}

/// The release that was promoted dies; a rollback goes to the healthy one and stops nothing of it.
#[test]
fn ctrl_8_broken_primary() {
    let site = Site::open();
    let a = site.deploy("v1-good");
    let b = site.deploy("dies-under-load");
    let healthy = site.instances_of(&a);
    let load = site.load(200);
    std::thread::sleep(Duration::from_secs(1));
    site.run(&["rollback"]).expect(0);
    drop(load.stop().unwrap());
    assert_eq!(site.instances_of(&a), healthy, "the healthy release was touched");
    assert_eq!(site.answering(), Some(a));
    assert!(site.instances_of(&b).is_empty());
    site.close();
}

#[test]
fn ctrl_9_fix_while_broken() {
    let site = Site::open();
    site.deploy("v1-good");
    site.deploy("dies-under-load");
    let load = site.load(100);
    std::thread::sleep(Duration::from_millis(800));
    let fix = site.deploy("v2-additive");
    assert_eq!(site.answering(), Some(fix.clone()));
    std::thread::sleep(Duration::from_millis(300));
    let (report, _) = load.stop().unwrap();
    // From the first answer of the fix on, nothing fails any more.
    let since = report
        .timeline
        .iter()
        .find(|request| request.release.as_deref() == Some(fix.as_str()))
        .map_or(f64::MAX, |request| request.start_ms);
    let late: Vec<_> =
        report.failed_unexplained.iter().filter(|request| request.start_ms > since).collect();
    assert!(late.is_empty(), "{late:?}");
    site.close();
}

/// The proxy dies by kill -9; it comes back by itself with its routes, and the next plan works.
#[test]
fn a_killed_proxy_comes_back_with_its_state() {
    let mut site = Site::open();
    let a = site.deploy("v1-good");
    let proxy = site
        .processes()
        .into_iter()
        .find(|(_, line)| line.contains(" proxy --state-dir"))
        .map(|(pid, _)| pid)
        .expect("a proxy");
    assert!(
        std::process::Command::new("kill")
            .args(["-KILL", &proxy.to_string()])
            .status()
            .unwrap()
            .success()
    );
    site.until("the proxy answers again", Duration::from_secs(5), |site| {
        get(site.listen, "/products").status == 200
    });
    assert_eq!(site.answering(), Some(a));
    let b = site.deploy("v2-additive");
    assert_eq!(site.answering(), Some(b));
    site.close();
}
