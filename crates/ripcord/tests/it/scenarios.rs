//! Acceptance scenarios by their number, on the real binary.

use crate::site::{Site, get};
use serde_json::Value;
use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// The names of the events of the newest plan, in order.
fn events(site: &Site) -> Vec<String> {
    let log = site.run(&["ledger", "log", "--json"]).expect(0);
    let entries: Vec<Value> =
        log.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let name = |entry: &Value| match &entry["event"] {
        Value::String(name) => name.clone(),
        Value::Object(event) => event.keys().next().cloned().unwrap_or_default(),
        other => panic!("{other}"),
    };
    let begun = entries.iter().rposition(|entry| name(entry) == "plan_started").unwrap();
    entries[begun..].iter().map(name).collect()
}

/// The releases that went live or came back, in order.
fn audit(site: &Site) -> Vec<String> {
    let log = site.run(&["ledger", "log"]).expect(0).stdout;
    let live = log.lines().filter(|line| line.contains("is live and verified"));
    live.map(|line| line.split(' ').rev().nth(4).unwrap().to_owned()).collect()
}

#[test]
fn scenario_01_healthy_swap() {
    let site = Site::open();
    let a = site.deploy("v1-good");
    let load = site.load(200);
    std::thread::sleep(Duration::from_millis(300));
    let b = site.deploy("v2-additive");
    std::thread::sleep(Duration::from_millis(300));
    let (report, _) = load.stop().unwrap();
    assert!(report.failed_unexplained.is_empty(), "{:?}", report.failed_unexplained);
    let order: Vec<String> = report.release_changes().into_iter().map(|(_, r)| r).collect();
    assert_eq!(order, [a, b]);
    site.close();
}

#[test]
fn scenario_02_never_healthy() {
    let site = Site::open();
    let a = site.deploy("v1-good");
    let load = site.load(100);
    let b = site.release("never-healthy");
    let answer = site.run(&["deploy", &b]).expect(4);
    assert!(answer.stderr.contains("RC0301"), "{}", answer.stderr);
    let (report, _) = load.stop().unwrap();
    assert!(report.failed_unexplained.is_empty(), "{:?}", report.failed_unexplained);
    assert_eq!(report.by_release.keys().collect::<Vec<_>>(), [&a]);
    assert!(site.instances_of(&b).is_empty(), "{:?}", site.instances_of(&b));
    site.close();
}

#[test]
fn scenario_10_deploy_redeploy_roll_back() {
    let site = Site::open();
    let hooks = site.path().join("hooks.log");
    let with_hooks = |text: String| {
        let hook = |verb: &str| {
            let script = format!("echo {verb} $RIPCORD_RELEASE >> {}", hooks.display());
            format!(r#"["sh", "-c", "{script}"]"#)
        };
        let (apply, revert) = (hook("apply"), hook("revert"));
        let part =
            format!("[[infrastructure]]\nname = \"queue\"\napply = {apply}\nrevert = {revert}\n");
        text.replace("[environments.test]", &format!("{part}\n[environments.test]"))
    };
    for release in ["v1-good", "v2-additive"] {
        site.dress_with(release, with_hooks);
        let id = site.freeze();
        site.run(&["deploy", &id]).expect(0);
    }
    assert_eq!(site.answering().as_deref(), Some("v2"));
    site.run(&["rollback"]).expect(0);
    assert_eq!(site.answering().as_deref(), Some("v1"));
    assert_eq!(audit(&site), ["v1", "v2", "v1"]);
    let ran = fs::read_to_string(&hooks).unwrap();
    assert_eq!(ran.lines().collect::<Vec<_>>(), ["apply v1", "apply v2", "revert v2"]);
    site.close();
}

#[test]
fn scenario_11_unknown_target() {
    let site = Site::open();
    site.deploy("v1-good");
    site.deploy("v2-additive");
    let before = site.status();
    let answer = site.run(&["rollback", "--to", "v9"]).expect(3);
    assert!(answer.stderr.contains("v1"), "no list of targets: {}", answer.stderr);
    let after = site.status();
    assert_eq!(before, after);
    assert_eq!(site.answering().as_deref(), Some("v2"));
    site.close();
}

#[test]
fn scenario_12_no_old_process() {
    let mut site = Site::open();
    let short = |text: String| text.replace("keep_warm = \"10m\"", "keep_warm = \"1s\"");
    for release in ["v1-good", "v2-additive"] {
        site.dress_with(release, short);
        let id = site.freeze();
        site.run(&["deploy", &id]).expect(0);
    }
    site.until("v1 is stopped", Duration::from_secs(10), |site| site.instances_of("v1").is_empty());
    site.run(&["rollback"]).expect(0);
    assert_eq!(site.answering().as_deref(), Some("v1"));
    site.close();
}

#[test]
fn scenario_13_lock() {
    let mut site = Site::open();
    site.deploy("v1-good");
    site.dress_with("v2-additive", |text| text.replace("bake = \"0s\"", "bake = \"3s\""));
    let b = site.freeze();
    let load = site.load(50);
    site.run(&["deploy", &b, "--detach"]).expect(0);
    let refused = site.run(&["rollback"]).expect(3);
    for told in ["RC0213", "tester", "v2"] {
        assert!(refused.stderr.contains(told), "{told}: {}", refused.stderr);
    }
    // With patience it goes on when the first is done.
    site.dress_with("slow", |text| text);
    let c = site.freeze();
    site.run(&["deploy", &c, "--wait", "30"]).expect(0);
    assert_eq!(site.answering().as_deref(), Some(c.as_str()));
    // Without enough of it, it ends when its time is over.
    site.dress_with("v2-additive", |text| {
        text.replace("bake = \"0s\"", "bake = \"60s\"")
            .replace("instances = 1", "instances = 2")
            .replace("SHOP_RELEASE", "ROUND = \"2\"\nSHOP_RELEASE")
    });
    let d = site.freeze();
    site.run(&["deploy", &d, "--detach"]).expect(0);
    let began = Instant::now();
    site.run(&["rollback", "--wait", "1"]).expect(3);
    assert!(began.elapsed() < Duration::from_secs(10));
    // A pause is a person's lock, and nobody waits for that.
    site.run(&["pause", "--reason", "looking"]).expect(0);
    site.until("the pause is heeded", Duration::from_secs(5), |site| {
        site.status()["operation"]["phase"] == "paused"
            || site.status()["operation"]["phase"] == "progressing"
    });
    site.run(&["abort"]).expect(0);
    load.stop().unwrap();
    site.close();
}

#[test]
fn scenario_13_nobody_waits_for_a_person() {
    let mut site = Site::open();
    site.deploy("v1-good");
    site.dress_with("v2-additive", |text| {
        text.replace("bake = \"0s\"", "bake = \"0s\"\napprove = true")
    });
    let b = site.freeze();
    site.run(&["deploy", &b, "--detach"]).expect(0);
    site.until("it asks for approval", Duration::from_secs(10), |site| {
        site.status()["operation"]["phase"] == "awaiting_approval"
    });
    let began = Instant::now();
    let refused = site.run(&["rollback", "--wait", "60"]).expect(3);
    assert!(began.elapsed() < Duration::from_secs(5), "it waited for a person");
    assert!(refused.stderr.contains("promote"), "{}", refused.stderr);
    site.run(&["promote"]).expect(0);
    site.until("v2 is live", Duration::from_secs(10), |site| site.status()["live"] == "v2");
    site.close();
}

#[test]
fn scenario_14_lock_and_failure() {
    let site = Site::open();
    site.deploy("v1-good");
    // The check calls the command line itself, and then fails.
    let check = format!(
        "{} status --config {} --state {} >&2 && exit 7",
        crate::site::RIPCORD,
        site.config().display(),
        site.state().display()
    );
    site.dress_with("v2-additive", |text| {
        let checks = format!("checks = [{{ command = [\"sh\", \"-c\", \"{check}\"] }}]");
        text.replace("checks = [{ http = \"/up\", status = 200 }]", &checks)
    });
    let b = site.freeze();
    let began = Instant::now();
    site.run(&["deploy", &b]).expect(4);
    assert!(began.elapsed() < Duration::from_secs(20), "a deadlock");
    // Nothing is locked any more.
    site.dress("v2-additive");
    site.run(&["retry", &b]).expect(0);
    assert_eq!(site.answering().as_deref(), Some("v2"));
    site.close();
}

#[test]
fn scenario_20_pre_promotion_failure() {
    let site = Site::open();
    let a = site.deploy("v1-good");
    let load = site.load(100);
    site.dress_with("v2-additive", |text| text.replace("status = 200", "status = 418"));
    let b = site.freeze();
    site.run(&["deploy", &b]).expect(4);
    let (report, _) = load.stop().unwrap();
    assert!(report.failed_unexplained.is_empty(), "{:?}", report.failed_unexplained);
    assert_eq!(report.by_release.keys().collect::<Vec<_>>(), [&a]);
    site.close();
}

#[test]
fn scenario_21_post_promotion_failure() {
    let site = Site::open();
    let a = site.deploy("v1-good");
    let load = site.load(300);
    site.dress_with("v3-bad-answers", |text| text.replace("bake = \"0s\"", "bake = \"30s\""));
    let b = site.freeze();
    let answer = site.run(&["deploy", &b]).expect(4);
    assert!(answer.stderr.contains("errors"), "{}", answer.stderr);
    std::thread::sleep(Duration::from_millis(200));
    let (report, _) = load.stop().unwrap();
    assert!(report.failed_unexplained.is_empty(), "{:?}", report.failed_unexplained);
    let order: Vec<String> = report.release_changes().into_iter().map(|(_, r)| r).collect();
    assert_eq!(order, [a.clone(), b.clone(), a]);
    site.close();
}

#[test]
fn scenario_23_rollback_window() {
    let site = Site::open();
    site.deploy("v1-good");
    site.deploy("v2-additive");
    let inside = site.run(&["plan", "rollback"]).expect(0).stdout;
    assert!(inside.contains("inside its rollback window"), "{inside}");
    assert!(!inside.contains("/up answers"), "{inside}");
    site.dress_with("v2-additive", |text| {
        text.replace("drain = \"5s\"", "drain = \"5s\"\nrollback_window = \"0s\"")
    });
    let outside = site.run(&["plan", "rollback"]).expect(0).stdout;
    assert!(outside.contains("/up answers"), "{outside}");
    site.run(&["rollback"]).expect(0);
    assert_eq!(site.answering().as_deref(), Some("v1"));
    site.close();
}

#[test]
fn scenario_26_abort_when_idle() {
    let site = Site::open();
    site.deploy("v1-good");
    let before = (site.status(), site.processes());
    let answer = site.run(&["abort"]).expect(0);
    assert!(answer.stderr.contains("nothing was changed"), "{}", answer.stderr);
    assert_eq!((site.status(), site.processes()), before);
    site.close();
}

#[test]
fn scenario_31_fix_can_ship() {
    let site = Site::open();
    // bad, bad, good: the first releases never become healthy, yet the third ships.
    let first = site.release("never-healthy");
    site.run(&["deploy", &first]).expect(4);
    site.dress_with("never-healthy", |text| {
        text.replace("SHOP_RELEASE", "ROUND = \"2\"\nSHOP_RELEASE")
    });
    let second = site.freeze();
    site.run(&["deploy", &second]).expect(4);
    let good = site.deploy("v2-additive");
    assert_eq!(site.answering(), Some(good.clone()));
    // good, bad, good: the bad one is live and fails, yet the fix ships.
    site.dress("v3-bad-answers");
    let bad = site.freeze();
    site.run(&["deploy", &bad]).expect(0);
    let load = site.load(100);
    std::thread::sleep(Duration::from_secs(1));
    site.dress_with("v3-bad-answers", |text| {
        text.replace("SHOP_RELEASE", "FIX = \"1\"\nSHOP_RELEASE")
    });
    fs::write(site.project().join("shop.json"), r#"{"banner":"mended","page_size":20}"#).unwrap();
    let fix = site.freeze();
    site.run(&["deploy", &fix]).expect(0);
    let (report, _) = load.stop().unwrap();
    assert!(report.failed_unexplained.is_empty(), "{:?}", report.failed_unexplained);
    assert_eq!(site.answering(), Some(fix));
    site.close();
}

#[test]
fn scenario_37_re_applied_spec() {
    let site = Site::open();
    let a = site.deploy("v1-good");
    site.dress_with("v2-additive", |text| text.replace("status = 200", "status = 418"));
    let b = site.freeze();
    site.run(&["deploy", &b]).expect(4);
    let processes = site.instances_of(&a);
    let answer = site.run(&["deploy", &a]).expect(0);
    assert!(answer.stderr.contains("already live"), "{}", answer.stderr);
    assert_eq!(site.instances_of(&a), processes, "A was restarted");
    // The failed one is held until a person says so.
    site.dress("v2-additive");
    let held = site.run(&["deploy", &b]).expect(3);
    assert!(held.stderr.contains("ripcord retry"), "{}", held.stderr);
    site.run(&["retry", &b]).expect(0);
    assert_eq!(site.answering(), Some(b));
    site.close();
}

#[test]
fn scenario_40_auto_revert() {
    let site = Site::open();
    let three = |text: String| text.replace("instances = 1", "instances = 3");
    site.dress_with("v1-good", three);
    let a = site.freeze();
    site.run(&["deploy", &a]).expect(0);
    site.dress_with("crash-loop", |text| three(text).replace("bake = \"0s\"", "bake = \"1m\""));
    let b = site.freeze();
    let answer = site.run(&["deploy", &b]).expect(4);
    assert!(answer.stderr.contains(&b), "{}", answer.stderr);
    let status = site.status();
    assert_eq!(status["instances"][&a]["ready"], 3, "{status}");
    assert!(site.instances_of(&b).is_empty());
    assert_eq!(audit(&site), [a]);
    site.close();
}

#[test]
fn scenario_41_no_op_revert() {
    let site = Site::open();
    let a = site.deploy("v1-good");
    let answer = site.run(&["rollback", "--to", &a]).expect(3);
    assert!(answer.stderr.contains("nothing to roll back"), "{}", answer.stderr);
    assert_eq!(site.status()["live"], a.as_str());
    site.close();
}

#[test]
fn scenario_47_auto_rollback_holds() {
    let site = Site::open();
    site.deploy("v1-good");
    site.dress_with("v2-additive", |text| text.replace("status = 200", "status = 418"));
    let b = site.freeze();
    site.run(&["deploy", &b]).expect(4);
    // A pipeline that runs again freezes the same content, which is the same release.
    assert_eq!(site.freeze(), b);
    site.run(&["deploy", &b]).expect(3);
    site.run(&["deploy"]).expect(3);
    site.close();
}

#[test]
fn scenario_08_pause_is_a_downtime_window() {
    let site = Site::open();
    site.deploy("v1-good");
    site.run(&["maintenance", "on", "--reason", "moving house"]).expect(0);
    let page = get(site.listen, "/products");
    assert_eq!(page.status, 503);
    assert!(page.header("retry-after").is_some(), "{page:?}");
    assert!(page.body.contains("Back soon"), "{page:?}");
    assert_eq!(get(site.listen, "/up").status, 200, "a balancer in front must keep us");
    // A deploy does not open the doors, and what nobody wrote is proved.
    site.deploy("v2-additive");
    assert_eq!(get(site.listen, "/products").status, 503);
    let answer = site.run(&["maintenance", "off", "--json"]).expect(0).json();
    assert!(answer.to_string().contains("closed"), "{answer}");
    assert_eq!(get(site.listen, "/products").status, 200);
    assert_eq!(site.answering().as_deref(), Some("v2"));
    // What a person did is not taken for drift.
    let log = site.run(&["ledger", "log"]).expect(0).stdout;
    assert!(!log.contains("put right"), "{log}");
    site.close();
}

#[test]
fn status_watches_until_it_is_interrupted() {
    let site = Site::open();
    site.deploy("v1-good");
    let mut child = site
        .command(&["status", "--watch"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(700));
    assert!(child.try_wait().unwrap().is_none());
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("live"));
    let names = events(&site);
    assert_eq!(names.first().map(String::as_str), Some("plan_started"));
    assert_eq!(names.last().map(String::as_str), Some("finished"));
    site.close();
}
