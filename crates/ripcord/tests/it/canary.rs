//! Canaries on the real binary: shares, proof, evidence, leases, rules and users who keep theirs.

use crate::site::{Answer, Site, get, signal};
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(20);

/// The steps of a canary, judged by errors alone and soon convinced.
fn canary(steps: &str) -> impl Fn(String) -> String {
    let more = format!(
        "strategy = \"canary\"\nsteps = [{steps}]\nlease = \"2s\"\ntolerated_errors = \"5%\"\n\
         [environments.test.judge]\nmetrics = [\"errors\"]\n"
    );
    move |text: String| format!("{text}{more}")
}

/// Freezes a release with these steps.
fn freeze(site: &Site, release: &str, steps: &str) -> String {
    site.dress_with(release, canary(steps));
    site.freeze()
}

/// v1 serves, and v2 is ready to be a canary.
fn two_releases(steps: &str) -> (Site, String) {
    let site = Site::open();
    site.deploy("v1-good");
    let second = freeze(&site, "v2-additive", steps);
    (site, second)
}

pub(crate) fn spawn(site: &Site, arguments: &[&str]) -> Child {
    site.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[track_caller]
pub(crate) fn ended(mut child: Child, code: i32) {
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(began.elapsed() < Duration::from_mins(1), "the command goes on");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(child.wait().unwrap().code(), Some(code));
}

fn traffic(site: &Site) -> String {
    site.status()["traffic"].as_str().unwrap().to_owned()
}

#[track_caller]
pub(crate) fn until_traffic(site: &mut Site, words: &str) {
    site.until(words, SOON, |site| traffic(site).contains(words));
}

/// Who answers this request, with a header or without.
fn answers(site: &Site, header: Option<(&str, &str)>) -> (String, Option<String>) {
    let agent = ureq::Agent::new_with_defaults();
    let mut request = agent.get(format!("http://{}/version", site.listen));
    if let Some((name, value)) = header {
        request = request.header(name, value);
    }
    let answer = request.call().unwrap();
    let text =
        |name| answer.headers().get(name).and_then(|one| one.to_str().ok()).map(str::to_owned);
    (text("x-ripcord-release").unwrap(), text("set-cookie"))
}

/// Everybody who answers within so many requests.
fn answering(site: &Site, requests: usize) -> BTreeSet<String> {
    (0..requests).map(|_| answers(site, None).0).collect()
}

fn log(site: &Site) -> String {
    site.run(&["ledger", "log"]).expect(0).stdout
}

#[test]
fn a_good_canary_is_proven_and_promoted_within_the_time_foretold() {
    let (site, second) = two_releases(r#""50%", "analysis 1m""#);
    let load = site.load(200);
    let deployed = site.run(&["deploy", &second]).expect(0);
    let (report, _) = load.stop().unwrap();
    assert!(report.failed_unexplained.is_empty(), "{:?}", report.failed_unexplained);
    assert_eq!(site.answering().as_deref(), Some("v2"));
    assert!(deployed.stderr.contains("traffic to v1 50 %, v2 50 %"), "{}", deployed.stderr);
    site.close();
}

#[test]
fn scenario_19_a_bad_canary_goes_back_and_stable_is_untouched() {
    let site = Site::open();
    site.deploy("v1-good");
    site.deploy("v2-additive");
    let bad = freeze(&site, "v3-bad-canary", r#""20%", "analysis 1m", "50%", "analysis 1m""#);
    let load = site.load(200);
    let answer: Answer = site.run(&["deploy", &bad]).expect(4);
    let (report, _) = load.stop().unwrap();
    assert!(report.failed_unexplained.is_empty(), "{:?}", report.failed_unexplained);
    for told in ["canary requests with 5xx", "Seen by chance in an equal release"] {
        assert!(answer.stderr.contains(told), "{told}: {}", answer.stderr);
    }
    assert_eq!(site.answering().as_deref(), Some("v2"));
    assert!(site.instances_of("v3").is_empty());
    let failed = report.timeline.iter().filter(|one| one.fault.is_some());
    let by: BTreeSet<_> = failed.map(|one| one.release.clone().unwrap_or_default()).collect();
    assert_eq!(by, ["v3".to_owned()].into());
    // It is held until somebody says otherwise.
    let held = site.run(&["deploy", &bad]).expect(3);
    assert!(held.stderr.contains("RC0205"), "{}", held.stderr);
    site.close();
}

#[test]
fn scenario_17_full_promotion() {
    // In a pause without an end, and in the middle of an analysis.
    for steps in [r#""10%", "pause", "50%", "pause""#, r#""10%", "analysis 10m""#] {
        let (mut site, second) = two_releases(steps);
        let deploy = spawn(&site, &["deploy", &second]);
        until_traffic(&mut site, "v2 10 %");
        site.run(&["promote", "--full"]).expect(0);
        ended(deploy, 0);
        assert_eq!(answering(&site, 10), ["v2".to_owned()].into());
        site.close();
    }
    // After an abort.
    let (mut site, second) = two_releases(r#""10%", "pause""#);
    let deploy = spawn(&site, &["deploy", &second]);
    until_traffic(&mut site, "v2 10 %");
    site.run(&["abort"]).expect(0);
    ended(deploy, 4);
    let retry = spawn(&site, &["retry", &second]);
    until_traffic(&mut site, "v2 10 %");
    site.run(&["promote", "--full"]).expect(0);
    ended(retry, 0);
    assert_eq!(answering(&site, 10), ["v2".to_owned()].into());
    site.close();
}

#[test]
fn scenario_16_abort_retry_promote() {
    let (mut site, second) = two_releases(r#""10%", "pause""#);
    let deploy = spawn(&site, &["deploy", &second]);
    until_traffic(&mut site, "v2 10 %");
    site.run(&["abort", "--reason", "lunch"]).expect(0);
    ended(deploy, 4);
    assert_eq!(answering(&site, 30), ["v1".to_owned()].into());
    let retry = spawn(&site, &["retry", &second]);
    until_traffic(&mut site, "v2 10 %");
    site.run(&["promote"]).expect(0);
    ended(retry, 0);
    let log = log(&site);
    assert_eq!(log.matches("aborts: lunch").count(), 1, "{log}");
    site.close();
}

#[test]
fn scenario_24_rolled_back_mid_canary() {
    let (mut site, second) = two_releases(r#""10%", "pause""#);
    let deploy = spawn(&site, &["deploy", &second]);
    until_traffic(&mut site, "v2 10 %");
    let began = Instant::now();
    site.run(&["deploy", "v1", "--supersede"]).expect(0);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    ended(deploy, 4);
    assert_eq!(answering(&site, 30), ["v1".to_owned()].into());
    let log = log(&site);
    assert!(log.contains("superseded by v1") && !log.contains("cannot be taken back"), "{log}");
    site.close();
}

#[test]
fn scenario_25_third_release_during_a_canary() {
    let (mut site, second) = two_releases(r#""20%", "pause""#);
    let deploy = spawn(&site, &["deploy", &second]);
    until_traffic(&mut site, "v2 20 %");
    let third = freeze(&site, "slow", r#""5%", "pause""#);
    let refused = site.run(&["deploy", &third]).expect(3);
    assert!(refused.stderr.contains("RC0213"), "{}", refused.stderr);
    let next = spawn(&site, &["deploy", &third, "--supersede"]);
    ended(deploy, 4);
    until_traffic(&mut site, "v3 5 %");
    assert!(site.instances_of("v2").is_empty());
    let shown = traffic(&site);
    assert!(shown.contains("v1 95 %") && !shown.contains("v2"), "{shown}");
    site.run(&["abort"]).expect(0);
    ended(next, 4);
    assert_eq!(site.status()["live"], "v1");
    site.close();
}

#[test]
fn scenario_27_an_abort_delays_the_end_of_the_canary() {
    let mut site = Site::open();
    site.deploy("v1-good");
    site.deploy("v2-additive");
    let steps = canary(r#""10%", "pause""#);
    let keep = |keep: &str| {
        let keep = format!("strategy = \"canary\"\nabort_keep = \"{keep}\"");
        let steps = &steps;
        move |text: String| steps(text).replace("strategy = \"canary\"", &keep)
    };
    let aborted = |site: &mut Site, verb: &[&str]| {
        let deploy = spawn(site, verb);
        until_traffic(site, "v3 10 %");
        site.run(&["abort"]).expect(0);
        ended(deploy, 4);
        assert_eq!(answering(site, 30), ["v2".to_owned()].into());
    };
    // No migration of its own: with one, it could not stay once that is taken back.
    site.dress_with("slow", keep("3s"));
    let third = site.freeze();
    aborted(&mut site, &["deploy", &third]);
    assert!(!site.instances_of("v3").is_empty(), "it stays for a while");
    site.until("it ends", SOON, |site| site.instances_of("v3").is_empty());
    // A second abort after a retry honours the delay again.
    aborted(&mut site, &["retry", &third]);
    assert!(!site.instances_of("v3").is_empty(), "it stays for a while again");
    site.until("it ends again", SOON, |site| site.instances_of("v3").is_empty());
    site.close();
}

#[test]
fn scenario_35_header_route() {
    let (mut site, second) =
        two_releases(r#""header x-tester = yes", "pause", "no route", "pause""#);
    let deploy = spawn(&site, &["deploy", &second]);
    until_traffic(&mut site, "x-tester");
    assert_eq!(answers(&site, Some(("x-tester", "yes"))).0, "v2");
    assert_eq!(answers(&site, Some(("x-tester", "no"))).0, "v1");
    assert_eq!(answering(&site, 10), ["v1".to_owned()].into());
    site.run(&["promote"]).expect(0);
    site.until("the rule is gone", SOON, |site| !traffic(site).contains("x-tester"));
    assert_eq!(answers(&site, Some(("x-tester", "yes"))).0, "v1");
    site.run(&["abort"]).expect(0);
    ended(deploy, 4);
    site.close();
}

/// Who is named gets the canary, by a cookie or by the region that a gateway tells; when that ends,
/// everybody gets what the others get.
#[test]
fn scenario_09_split_by_cookie_and_region() {
    let (mut site, second) = two_releases(
        r#""cookie tester = ann", "pause", "no route", "header x-region = eu-*", "pause""#,
    );
    let deploy = spawn(&site, &["deploy", &second]);
    let who = |site: &Site, name, value| answers(site, Some((name, value))).0;
    until_traffic(&mut site, "tester");
    assert_eq!(who(&site, "cookie", "theme=dark; tester=ann"), "v2");
    assert_eq!(who(&site, "cookie", "tester=anna"), "v1");
    assert_eq!(who(&site, "cookie", "other=ann"), "v1");
    assert_eq!(answering(&site, 10), ["v1".to_owned()].into());
    site.run(&["promote"]).expect(0);
    until_traffic(&mut site, "x-region");
    assert_eq!(who(&site, "x-region", "eu-west-1"), "v2");
    assert_eq!(who(&site, "x-region", "us-east-1"), "v1");
    assert_eq!(who(&site, "cookie", "tester=ann"), "v1", "that rule is over");
    site.run(&["abort"]).expect(0);
    ended(deploy, 4);
    assert_eq!(who(&site, "x-region", "eu-west-1"), "v1");
    site.close();
}

#[test]
fn scenario_38_sticky_client() {
    let steps = canary(r#""20%", "pause", "60%", "pause""#);
    let sticky =
        |text: String| steps(text).replace("lease =", "sticky = \"cookie shop_canary\"\nlease =");
    let mut site = Site::open();
    site.deploy("v1-good");
    site.dress_with("v2-additive", sticky);
    let second = site.freeze();
    let deploy = spawn(&site, &["deploy", &second]);
    until_traffic(&mut site, "v2 20 %");
    let users: Vec<(String, String)> = (0..60)
        .map(|_| {
            let (release, cookie) = answers(&site, None);
            let cookie = cookie.expect("a new user gets a cookie");
            (release, cookie.split(';').next().unwrap().to_owned())
        })
        .collect();
    let again = |site: &Site, cookie: &str| answers(site, Some(("cookie", cookie)));
    for (release, cookie) in &users {
        assert_eq!(&again(&site, cookie).0, release);
    }
    site.run(&["promote"]).expect(0);
    until_traffic(&mut site, "v2 60 %");
    for (release, cookie) in users.iter().filter(|(release, _)| release == "v2") {
        assert_eq!(&again(&site, cookie).0, release, "whoever saw it stays");
    }
    let more = users.iter().filter(|(_, cookie)| again(&site, cookie).0 == "v2").count();
    assert!(more > users.iter().filter(|(release, _)| release == "v2").count());
    site.run(&["abort"]).expect(0);
    ended(deploy, 4);
    let (release, cookie) = again(&site, &users[0].1);
    assert_eq!(release, "v1");
    let cookie = cookie.expect("the cookie is expired");
    assert!(cookie.contains("Max-Age=0"), "{cookie}");
    site.close();
}

#[test]
fn scenario_44_step_jump_back() {
    let (mut site, second) = two_releases(r#""10%", "pause", "30%", "pause", "60%", "pause""#);
    let deploy = spawn(&site, &["deploy", &second]);
    until_traffic(&mut site, "v2 10 %");
    site.run(&["promote"]).expect(0);
    until_traffic(&mut site, "v2 30 %");
    site.run(&["promote"]).expect(0);
    until_traffic(&mut site, "v2 60 %");
    let plan = site.run(&["ledger", "log", "--json"]).expect(0).stdout;
    let plan: Value = plan
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter_map(|entry| {
            entry["event"]["plan_started"]["plan"].as_object().cloned().map(Value::from)
        })
        .next_back()
        .unwrap();
    let step = |share: u64| {
        let steps = plan["steps"].as_array().unwrap().iter();
        let found = steps.filter(|step| {
            step["effect"]["ensure_traffic"]["state"]["split"]["v2"].as_u64() == Some(share)
        });
        found.map(|step| step["id"].to_string()).next().unwrap()
    };
    site.run(&["jump", &step(3_000)]).expect(0);
    until_traffic(&mut site, "v2 30 %");
    site.run(&["jump", &step(1_000)]).expect(0);
    until_traffic(&mut site, "v2 10 %");
    let refused = site.run(&["jump", "1"]).expect(3);
    assert!(refused.stderr.contains("RC0220"), "{}", refused.stderr);
    site.run(&["abort"]).expect(0);
    ended(deploy, 4);
    assert_eq!(answering(&site, 30), ["v1".to_owned()].into());
    site.close();
}

/// A controller that falls silent cannot leave a canary behind: the proxy goes back by itself. The
/// controller that wakes up divides anew, and the journal says so.
#[test]
fn a_silent_controller_loses_the_canary() {
    let (mut site, second) = two_releases(r#""50%", "pause""#);
    let deploy = spawn(&site, &["deploy", &second]);
    until_traffic(&mut site, "v2 50 %");
    signal(site.controller(), "STOP");
    let began = Instant::now();
    while answering(&site, 30).len() > 1 {
        assert!(began.elapsed() < Duration::from_secs(10), "the canary outlives its watcher");
    }
    assert_eq!(answering(&site, 50), ["v1".to_owned()].into());
    signal(site.controller(), "CONT");
    until_traffic(&mut site, "v2 50 %");
    site.until("it is written down", SOON, |site| log(site).contains("nobody had watched"));
    site.run(&["abort"]).expect(0);
    ended(deploy, 4);
    site.close();
}

/// A controller that is killed in the middle of an analysis is gone for less than the lease: the
/// next one goes on, with the evidence of the first.
#[test]
fn a_killed_controller_goes_on_with_what_was_seen() {
    let site = Site::open();
    site.deploy("v1-good");
    site.deploy("v2-additive");
    let mut site = site;
    let bad = freeze(&site, "v3-bad-canary", r#""50%", "analysis 1m""#);
    let deploy = spawn(&site, &["deploy", &bad]);
    until_traffic(&mut site, "v3 50 %");
    let load = site.load(20);
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(300));
        site.kill_controller();
        site.serve();
    }
    let report = site.load(100);
    ended(deploy, 4);
    let (slow, _) = load.stop().unwrap();
    let (fast, _) = report.stop().unwrap();
    assert!(slow.failed_unexplained.is_empty(), "{:?}", slow.failed_unexplained);
    assert!(fast.failed_unexplained.is_empty(), "{:?}", fast.failed_unexplained);
    assert_eq!(site.status()["live"], "v2");
    assert!(site.instances_of("v3").is_empty());
    site.close();
}

/// A release that the one in service would not survive is no canary; the alternative is named.
#[test]
fn a_breaking_migration_is_no_canary() {
    let site = Site::open();
    site.deploy("v1-good");
    site.deploy("v2-additive");
    let breaking = freeze(&site, "v3-bad-answers", r#""10%", "analysis 1m""#);
    let refused = site.run(&["deploy", &breaking]).expect(3);
    for told in ["RC0221", "orders.note", "blue-green"] {
        assert!(refused.stderr.contains(told), "{told}: {}", refused.stderr);
    }
    assert_eq!(get(site.listen, "/version").header("x-ripcord-release").as_deref(), Some("v2"));
    site.close();
}

/// Where the judge may only look, a bad canary is written down and goes on.
#[test]
fn a_shadow_judge_writes_down_what_it_would_do() {
    let site = Site::open();
    site.deploy("v1-good");
    site.deploy("v2-additive");
    let mut site = site;
    let steps = canary(r#""50%", "pause""#);
    site.dress_with("v3-bad-canary", |text| {
        steps(text)
            .replace("[environments.test.judge]", "[environments.test.judge]\nmode = \"observe\"")
    });
    let bad = site.freeze();
    let deploy = spawn(&site, &["deploy", &bad]);
    until_traffic(&mut site, "v3 50 %");
    let load = site.load(200);
    site.until("it would go back", SOON, |site| log(site).contains("would go back"));
    assert!(traffic(&site).contains("v3 50 %"), "{}", traffic(&site));
    site.run(&["abort"]).expect(0);
    ended(deploy, 4);
    drop(load.stop());
    site.close();
}

/// A canary that is also judged by a metric that stands in files, one for each release.
fn with_metric(site: &Site, more: &str) -> impl Fn(String) -> String {
    let directory = site.path().display().to_string();
    let steps = canary(r#""50%", "analysis 5m""#);
    let metric = format!(
        "{more}[[environments.test.judge.metric]]\nname = \"payments\"\nsource = \"files\"\n\
         errors = \"{directory}/{{release}}.failed\"\nrequests = \"{directory}/{{release}}.all\"\n\
         every = \"1s\"\n[metrics.sources.files]\ntype = \"command\"\n\
         command = [\"cat\", \"{{query}}\"]\n"
    );
    move |text: String| format!("{}{metric}", steps(text))
}

pub(crate) fn count(site: &Site, release: &str, failed: u32, all: u32) {
    for (name, number) in [("failed", failed), ("all", all)] {
        // As a whole, so that nobody reads half a number.
        let path = site.path().join(format!("{release}.{name}"));
        let new = path.with_extension("new");
        std::fs::write(&new, number.to_string()).unwrap();
        std::fs::rename(new, path).unwrap();
    }
}

#[test]
fn a_metric_from_outside_is_tried_first_and_takes_a_canary_back() {
    let mut site = Site::open();
    site.deploy("v1-good");
    site.dress_with("v2-additive", with_metric(&site, ""));
    let second = site.freeze();
    // What cannot be read is an error now, not a pass later.
    let refused = site.run(&["deploy", &second]).expect(3);
    assert!(refused.stderr.contains("RC0222") && refused.stderr.contains("payments"));
    count(&site, "v1", 0, 1_000);
    count(&site, "v2", 0, 0);
    let deploy = spawn(&site, &["deploy", &second]);
    until_traffic(&mut site, "v2 50 %");
    let load = site.load(10);
    for round in 1..200 {
        count(&site, "v1", 0, 1_000 + 20 * round);
        count(&site, "v2", 10 * round, 20 * round);
        if site.status()["operation"] == Value::Null {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    ended(deploy, 4);
    let (report, _) = load.stop().unwrap();
    assert_eq!(report.failed_by_shop, 0, "no answer of the shop was bad");
    assert_eq!(answering(&site, 10), ["v1".to_owned()].into());
    site.close();
}

#[test]
fn scenario_53_metrics_source_down() {
    let site = Site::open();
    site.deploy("v1-good");
    site.dress_with("v2-additive", with_metric(&site, "blind_timeout = \"2s\"\n"));
    let second = site.freeze();
    count(&site, "v1", 0, 1_000);
    count(&site, "v2", 0, 0);
    let mut site = site;
    let deploy = spawn(&site, &["deploy", &second]);
    until_traffic(&mut site, "v2 50 %");
    std::fs::remove_file(site.path().join("v1.all")).unwrap();
    std::fs::remove_file(site.path().join("v2.all")).unwrap();
    // The requests alone would have promoted it by then.
    let load = site.load(200);
    ended(deploy, 5);
    drop(load.stop());
    let status = site.status();
    assert_eq!(
        (&status["live"], &status["operation"]["phase"]),
        (&"v1".into(), &"undecided".into())
    );
    assert!(traffic(&site).contains("v2 50 %"), "it holds: {}", traffic(&site));
    site.run(&["abort"]).expect(0);
    site.close();
}
