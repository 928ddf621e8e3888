//! Releases that nothing is compared with, on the real binary: blue-green with limits, and a judge
//! that only looks.

use crate::site::{Answer, Site};
use std::fs;

/// The rules of who is watched alone, for so long.
fn watched(bake: &str, judge: &str) -> impl Fn(String) -> String {
    let bake = format!("bake = \"{bake}\"");
    let judge = format!("[environments.test.judge]\n{judge}");
    move |text: String| format!("{}{judge}", text.replace("bake = \"0s\"", &bake))
}

/// Deploys a release over v2 under load, with these rules.
fn deployed(release: &str, code: i32, rules: impl Fn(String) -> String) -> (Site, Answer) {
    let site = Site::open();
    site.deploy("v1-good");
    site.deploy("v2-additive");
    site.dress_with(release, rules);
    let third = site.freeze();
    let load = site.load(100);
    let answer = site.run(&["deploy", &third]).expect(code);
    drop(load.stop());
    (site, answer)
}

#[test]
fn a_limit_on_latency_takes_back_what_is_alone() {
    let rules = "max_p99 = \"5ms\"\nconsecutive = 1\nwindow = \"1s\"\nslo = \"99%\"\n";
    let (site, answer) = deployed("slow", 4, watched("1m", rules));
    let told = "one in a hundred of the release's answers took over";
    assert!(answer.stderr.contains(told), "{}", answer.stderr);
    let log = site.run(&["ledger", "log", "--json"]).expect(0).stdout;
    assert!(log.contains(r#""alarm":{"by":"limit""#), "{log}");
    assert_eq!(site.answering().as_deref(), Some("v2"));
    site.close();
}

#[test]
fn who_only_looks_takes_nothing_back() {
    let (site, answer) = deployed("v3-bad-answers", 0, watched("6s", "mode = \"observe\"\n"));
    assert!(answer.stderr.contains("would go back, but may only look"), "{}", answer.stderr);
    assert_eq!(site.answering().as_deref(), Some("v3"));
    site.close();
}

/// More errors than the objective allows, and fewer than the environment tolerates.
const BURNS: &str = "metrics = [\"errors\"]\nslo = \"99.9%\"\n";

/// The rules of who is watched alone, where only a burning budget is an alarm.
fn burning(text: String) -> String {
    watched("1m", BURNS)(text).replace("bake = ", "tolerated_errors = \"40%\"\nbake = ")
}

#[track_caller]
fn went_back_for_its_budget(site: Site, answer: &Answer) {
    let told = "the errors that the objective allows are used up";
    assert!(answer.stderr.contains(told), "{}", answer.stderr);
    let log = site.run(&["ledger", "log", "--json"]).expect(0).stdout;
    assert!(log.contains(r#""alarm":{"by":"burn_rate""#), "{log}");
    assert_eq!(site.answering().as_deref(), Some("v2"));
    assert!(site.instances_of("v3").is_empty());
    site.close();
}

#[test]
fn a_budget_that_burns_takes_back_what_is_alone() {
    let (site, answer) = deployed("v3-bad-answers", 4, burning);
    went_back_for_its_budget(site, &answer);
}

/// A canary that is good until it has everything, and bad from then on.
#[test]
fn a_budget_that_burns_takes_back_what_has_everything() {
    let site = Site::open();
    site.deploy("v1-good");
    site.deploy("v2-additive");
    site.dress_with("v3-bad-canary", |text| {
        let steps = "strategy = \"canary\"\nsteps = [\"50%\", \"pause 1s\"]\nbake = ";
        burning(text).replace("bake = ", steps)
    });
    let bad = r#"{"page_size":20,"faults":{"error_percent":20,"after_requests":600}}"#;
    fs::write(site.project().join("shop.json"), bad).unwrap();
    let third = site.freeze();
    let load = site.load(200);
    let answer = site.run(&["deploy", &third]).expect(4);
    drop(load.stop());
    assert!(answer.stderr.contains("traffic to v3 100 %"), "{}", answer.stderr);
    went_back_for_its_budget(site, &answer);
}
