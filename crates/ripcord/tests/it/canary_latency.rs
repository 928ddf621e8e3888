//! Canaries that are slow, on the real binary: found by latency, told so, and judged again from the
//! ledger with the same result to the last bit, whatever happened meanwhile.

use crate::canary::{count, ended, spawn, until_traffic};
use crate::site::{Answer, Site};
use serde_json::Value;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(30);

/// A canary of half the requests that warms up for a second; more rules behind them.
fn half(more: &str) -> impl Fn(String) -> String {
    move |text: String| {
        format!(
            "{text}strategy = \"canary\"\nsteps = [\"50%\", \"analysis 5m\"]\nlease = \"10s\"\n\
             [environments.test.judge]\nburn_in = \"1s\"\n{more}"
        )
    }
}

/// A metric that stands in files, one for each release.
fn payments(site: &Site) -> String {
    let directory = site.path().display().to_string();
    format!(
        "[[environments.test.judge.metric]]\nname = \"payments\"\nsource = \"files\"\n\
         errors = \"{directory}/{{release}}.failed\"\nrequests = \"{directory}/{{release}}.all\"\n\
         every = \"1s\"\n[metrics.sources.files]\ntype = \"command\"\n\
         command = [\"cat\", \"{{query}}\"]\n"
    )
}

/// v2 serves; v3, which answers two of five requests late, is frozen.
fn slow_release(more: impl Fn(&Site) -> String) -> (Site, String) {
    let site = Site::open();
    site.deploy("v1-good");
    site.deploy("v2-additive");
    let more = more(&site);
    site.dress_with("slow", half(&more));
    let slow = site.freeze();
    (site, slow)
}

/// What the ledger has of a canary that was taken back, read entry by entry.
struct Recorded {
    /// The last counts before the decision, and how often there were any.
    counts: Value,
    looks: usize,
    samples: usize,
    references: usize,
    /// How many controllers wrote them.
    fences: usize,
    because: String,
}

fn recorded(site: &Site, release: &str) -> Recorded {
    let log = site.run(&["ledger", "log", "--json"]).expect(0).stdout;
    let entries: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let plan = entries.iter().rev().find_map(|entry| {
        let plan = &entry["event"]["plan_started"]["plan"];
        (plan["to"] == release).then(|| plan["id"].clone())
    });
    let plan = plan.unwrap();
    let own: Vec<&Value> =
        entries.iter().filter(|entry| entry["subject"]["plan"]["plan"] == plan).collect();
    let failed = own.iter().position(|entry| entry["event"]["failed"]["kind"] == "evidence");
    let failed = failed.unwrap_or_else(|| panic!("{release} was not found bad: {log}"));
    let seen = |kind: &'static str| {
        let before = own[..failed].iter();
        before.filter(move |entry| !entry["event"]["observed"]["observation"][kind].is_null())
    };
    let mut fences: Vec<u64> = seen("judged").filter_map(|entry| entry["fence"].as_u64()).collect();
    fences.dedup();
    Recorded {
        counts: (*seen("judged").next_back().unwrap()).clone(),
        looks: seen("judged").count(),
        samples: seen("sampled").count(),
        references: seen("reference").count(),
        fences: fences.len(),
        because: own[failed]["event"]["failed"]["error"].as_str().unwrap().to_owned(),
    }
}

/// Judges the decision anew: the same verdict, in the same words, at the same entry, of the same
/// evidence to the last bit.
#[track_caller]
fn judged_again(site: &Site, release: &str) -> Recorded {
    let recorded = recorded(site, release);
    let again = site.run(&["judge", "--ledger", release, "--json"]).expect(0).json();
    assert_eq!((&again["verdict"], &again["agrees"]), (&"go_back".into(), &true.into()), "{again}");
    assert_eq!(again["differences"], Value::Array(Vec::new()));
    assert_eq!(again["because"], recorded.because.as_str());
    assert_eq!(again["entry"], recorded.counts["sequence"], "{again}");
    let judged = &recorded.counts["event"]["observed"]["observation"]["judged"];
    let bits = |number: &Value| number.as_f64().unwrap().to_bits();
    assert_eq!(bits(&again["evidence"]["total"]), bits(&judged["evidence"]), "{again}");
    assert!(again["evidence"]["total"].as_f64() >= again["threshold"].as_f64(), "{again}");
    recorded
}

/// Slowness alone was to blame, and people are told so.
#[track_caller]
fn blames_latency(site: &Site, release: &str, answer: &Answer) {
    let again = site.run(&["judge", "--ledger", release, "--json"]).expect(0).json();
    let of = |metric: &str| again["evidence"][metric].as_f64().unwrap();
    assert!(of("latency") > 100.0 && of("errors") <= 1.0, "{again}");
    assert_eq!(again["counts"]["canary"]["errors"], 0);
    for told in ["Latency: half of the canary's answers take up to", "stable's", "Seen by chance"] {
        assert!(answer.stderr.contains(told), "{told}: {}", answer.stderr);
    }
}

#[test]
fn a_slow_canary_goes_back_on_latency() {
    let (site, slow) = slow_release(|_| String::new());
    // What is usual is known from before.
    let load = site.load(200);
    std::thread::sleep(Duration::from_secs(2));
    let answer = site.run(&["deploy", &slow]).expect(4);
    let (report, _) = load.stop().unwrap();
    assert!(report.failed_unexplained.is_empty(), "{:?}", report.failed_unexplained);
    assert_eq!(report.failed_by_shop, 0, "no answer was bad, only late");
    assert_eq!(site.answering().as_deref(), Some("v2"));
    assert!(site.instances_of("v3").is_empty());
    let recorded = judged_again(&site, &slow);
    assert_eq!(recorded.references, 1, "the yardstick is fixed once");
    blames_latency(&site, &slow, &answer);
    site.close();
}

#[test]
fn a_decision_beside_samples_from_outside_is_the_same_again() {
    let (mut site, slow) = slow_release(payments);
    count(&site, "v2", 0, 1_000);
    count(&site, "v3", 0, 0);
    // So few requests that several samples are in before anything is proven.
    let load = site.load(30);
    let deploy = spawn(&site, &["deploy", &slow]);
    until_traffic(&mut site, "v3 50 %");
    let mut round = 0;
    site.until("several samples are written down", SOON, |site| {
        round += 20;
        count(site, "v2", 0, 1_000 + round);
        count(site, "v3", 0, round);
        let log = site.run(&["ledger", "log", "--json"]).expect(0).stdout;
        log.matches("\"observation\":{\"sampled\"").count() >= 3
    });
    let more = site.load(200);
    ended(deploy, 4);
    drop((load.stop().unwrap(), more.stop().unwrap()));
    let recorded = judged_again(&site, &slow);
    assert!(recorded.samples >= 3, "{}", recorded.samples);
    assert!(recorded.because.contains("Latency: "), "{}", recorded.because);
    site.close();
}

/// kill -9 in the middle, twice: the controllers after it bring the case to its end, and the ledger
/// is what all of them saw.
#[test]
fn a_decision_of_three_controllers_is_the_same_again() {
    let (mut site, slow) = slow_release(|_| String::new());
    let load = site.load(20);
    let deploy = spawn(&site, &["deploy", &slow]);
    until_traffic(&mut site, "v3 50 %");
    for _ in 0..2 {
        site.until("this controller has judged", SOON, |site| {
            let log = site.run(&["ledger", "log", "--json"]).expect(0).stdout;
            let own = log.rsplit("\"controller_started\"").next().unwrap_or_default();
            own.contains("\"observation\":{\"judged\"")
        });
        site.kill_controller();
        site.serve();
    }
    let more = site.load(200);
    ended(deploy, 4);
    drop((load.stop().unwrap(), more.stop().unwrap()));
    let recorded = judged_again(&site, &slow);
    assert_eq!(recorded.fences, 3, "{} looks", recorded.looks);
    assert_eq!(recorded.references, 1);
    assert!(recorded.because.contains("Latency: "), "{}", recorded.because);
    assert_eq!(site.answering().as_deref(), Some("v2"));
    site.close();
}
