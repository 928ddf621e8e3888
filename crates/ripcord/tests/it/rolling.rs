//! Rolling releases and roles on the real binary.

use crate::site::Site;
use serde_json::Value;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(20);

fn rolling(text: &str) -> String {
    let three = text.replace("instances = 1", "instances = 3");
    format!("{three}strategy = \"rolling\"\nbatch_pause = \"300ms\"\nlease = \"5s\"\n")
}

/// How many instances were ready at each look, whosever they were.
fn capacities(site: &Site, over: &AtomicBool) -> Vec<u64> {
    let (mut counted, began) = (Vec::new(), Instant::now());
    while !over.load(Ordering::SeqCst) && began.elapsed() < Duration::from_mins(2) {
        let instances = site.status()["instances"].clone();
        let ready = |one: &Value| one["ready"].as_u64().unwrap_or(0);
        counted.push(instances.as_object().unwrap().values().map(ready).sum());
        thread::sleep(Duration::from_millis(10));
    }
    counted
}

/// Instance by instance there and back, under load; somebody is always ready.
#[test]
fn a_rolling_release_and_its_way_back_lose_no_request() {
    let mut site = Site::new();
    site.dress_with("v1-good", |text| rolling(&text));
    site.serve();
    let first = site.freeze();
    site.run(&["deploy", &first]).expect(0);
    let load = site.load(150);
    let over = AtomicBool::new(false);
    let counted = thread::scope(|scope| {
        let counted = scope.spawn(|| capacities(&site, &over));
        site.dress_with("v2-additive", |text| rolling(&text));
        let second = site.freeze();
        let deployed = site.run(&["deploy", &second]).expect(0);
        assert!(deployed.stderr.contains("v1 66.6"), "in proportion: {}", deployed.stderr);
        assert_eq!(site.answering().as_deref(), Some("v2"));
        assert_eq!(site.instances_of("v2").len(), 3);
        site.run(&["rollback"]).expect(0);
        over.store(true, Ordering::SeqCst);
        counted.join().unwrap()
    });
    // Looks are no moments: of two after each other one may have met an exchange half way.
    let enough = |both: &[u64]| both.iter().any(|ready| *ready >= 3);
    assert!(counted.len() > 10 && counted.windows(2).all(enough), "{counted:?}");
    let (report, _) = load.stop().unwrap();
    assert!(report.failed_unexplained.is_empty(), "{:?}", report.failed_unexplained);
    assert_eq!(site.answering().as_deref(), Some("v1"));
    site.until("three of v1 alone run", SOON, |site| {
        site.instances_of("v1").len() == 3 && site.instances_of("v2").is_empty()
    });
    site.close();
}

/// A worker that says whose it is, once a moment.
fn with_worker(site: &Site) -> impl Fn(String) -> String {
    let log = site.path().join("worker.log").display().to_string();
    let script = format!("while true; do echo $RIPCORD_RELEASE >> {log}; sleep 0.1; done");
    move |text: String| {
        let role = format!("[roles.worker]\ncommand = [\"sh\", \"-c\", \"{script}\"]\n\n");
        text.replace("[health]", &format!("{role}[health]"))
    }
}

/// Who has worked since the log was last emptied, as soon as that is a few times.
fn worked(site: &Site) -> Vec<String> {
    let log = site.path().join("worker.log");
    fs::write(&log, "").unwrap();
    let began = Instant::now();
    loop {
        let lines = fs::read_to_string(&log).unwrap();
        let mut who: Vec<String> = lines.lines().map(str::to_owned).collect();
        if who.len() >= 5 {
            who.dedup();
            return who;
        }
        assert!(began.elapsed() < SOON, "nobody works: {lines}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn scenario_15_role_barrier() {
    let mut site = Site::new();
    site.dress_with("v1-good", with_worker(&site));
    site.serve();
    let first = site.freeze();
    site.run(&["deploy", &first]).expect(0);
    assert_eq!(worked(&site), ["v1"]);
    // The web of v2 never proves itself, so its worker never starts.
    site.dress_with("never-healthy", with_worker(&site));
    let second = site.freeze();
    site.run(&["deploy", &second]).expect(4);
    assert_eq!(worked(&site), ["v1"]);
    let all = fs::read_to_string(site.path().join("worker.log")).unwrap();
    assert!(!all.contains("v2"), "{all}");
    // A good release takes the worker along, and back again.
    site.dress_with("v2-additive", with_worker(&site));
    let third = site.freeze();
    site.run(&["deploy", &third]).expect(0);
    assert_eq!(worked(&site), ["v3"]);
    site.run(&["rollback"]).expect(0);
    assert_eq!(worked(&site), ["v1"]);
    // Whoever starts the controller anew finds it, and starts no second one.
    site.kill_controller();
    site.serve();
    assert_eq!(worked(&site), ["v1"]);
    site.close();
}
