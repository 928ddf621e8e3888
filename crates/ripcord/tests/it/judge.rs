//! `ripcord judge` on generated records, each from a fixed seed, and on the ledger of a real canary.

use crate::site::{Answer, RIPCORD, Site};
use serde_json::Value;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Random numbers that are the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        f64::from(u32::try_from(self.0 >> 32).unwrap()) / f64::from(u32::MAX)
    }
}

/// A record of a service.
#[derive(Clone, Copy)]
struct Service {
    seed: u64,
    requests: u32,
    /// Before the canary, with a chance of 0.
    before: u32,
    weight: f64,
    /// Rates of errors of stable and canary.
    errors: [f64; 2],
    /// How many times as long the canary takes.
    slower: f64,
    users: Option<u32>,
}

const SERVICE: Service = Service {
    seed: 7,
    requests: 20_000,
    before: 2_000,
    weight: 0.05,
    errors: [0.01, 0.01],
    slower: 1.0,
    users: None,
};

impl Service {
    fn record(self) -> String {
        let mut random = Random(self.seed);
        let mut text = String::new();
        for number in 0..self.before + self.requests {
            let (t, weight) = (f64::from(number) / 100.0, self.weight);
            let weight = if number < self.before { 0.0 } else { weight };
            let user = self.users.map(|users| {
                let user = (random.next() * f64::from(users)).floor();
                (user, (user * 0.618_034).fract())
            });
            let canary = user.map_or_else(|| random.next(), |(_, place)| place) < weight;
            let (arm, which) = if canary { ("canary", 1) } else { ("stable", 0) };
            let status = if random.next() < self.errors[which] { 503 } else { 200 };
            // The mean of some is about a bell.
            let bell: f64 = (0..6).map(|_| random.next()).sum::<f64>() - 3.0;
            let latency =
                20.0 * bell.mul_add(0.5, 0.0).exp() * if canary { self.slower } else { 1.0 };
            write!(
                text,
                r#"{{"t":{t},"arm":"{arm}","w":{weight},"status":{status},"latency_ms":{latency}"#
            )
            .unwrap();
            if let Some((user, _)) = user {
                write!(text, r#","user":"u{user}""#).unwrap();
            }
            text.push_str("}\n");
        }
        text
    }
}

fn judge(record: &str, more: &[&str]) -> Answer {
    let mut child = Command::new(RIPCORD)
        .args(["judge", "--input", "-", "--json"])
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let record = record.to_owned();
    // What is refused is not read to its end.
    let writer = std::thread::spawn(move || drop(stdin.write_all(record.as_bytes())));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Answer {
        code: output.status.code().unwrap(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap()
}

/// A file of its own, which goes with the directory.
fn file(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, text).unwrap();
    (directory, path)
}

#[test]
fn a_canary_that_fails_is_found_where_it_fails() {
    let record = Service { errors: [0.01, 0.1], ..SERVICE }.record();
    let found = judge(&record, &[]).expect(4).json();
    assert_eq!(found["verdict"], "go_back", "{found}");
    let request = found["request"].as_u64().unwrap();
    assert!((2_001..8_000).contains(&request), "{request}");
    assert!(
        (found["at"].as_f64().unwrap() - f64::from(u32::try_from(request).unwrap() - 1) / 100.0)
            .abs()
            < 1e-9
    );
    assert!(found["evidence"]["total"].as_f64() >= found["threshold"].as_f64(), "{found}");
    assert!(found["evidence"]["errors"].as_f64().unwrap() > 100.0, "{found}");
    let lift = &found["lift"];
    let of = |key: &str| lift[key].as_f64().unwrap();
    assert!(
        of("low") > 1.25 && of("low") < of("estimate") && of("estimate") < of("high"),
        "{lift}"
    );
    assert!((of("confidence") - 0.99).abs() < 1e-9);
    assert!(found["because"].as_str().unwrap().contains("canary requests with 5xx"), "{found}");
    // What comes later is counted, and changes nothing.
    assert_eq!(found["record"]["requests"], 22_000);
    assert!(
        found["counts"]["canary"]["requests"].as_u64()
            < found["record"]["arms"]["canary"]["requests"].as_u64()
    );
    let until: String = record.split_inclusive('\n').take(index(request)).collect();
    let same = judge(&until, &[]).expect(4).json();
    assert_eq!((&same["request"], &same["evidence"]), (&found["request"], &found["evidence"]));
    let before: String = record.split_inclusive('\n').take(index(request) - 1).collect();
    assert_ne!(judge(&before, &[]).json()["verdict"], "go_back", "one request less");
}

#[test]
fn a_canary_that_is_slower_is_found_and_can_be_left_out() {
    let record = Service { slower: 1.6, ..SERVICE }.record();
    let found = judge(&record, &["--burn-in", "5"]).expect(4).json();
    let of = |metric: &str| found["evidence"][metric].as_f64();
    assert!(of("latency").unwrap() > 100.0 && of("errors").unwrap() < 10.0, "{found}");
    let errors = judge(&record, &["--metric", "errors"]).json();
    assert_ne!(errors["verdict"], "go_back", "{errors}");
    assert_eq!(errors["evidence"]["latency"], Value::Null);
    let tolerated = judge(&record, &["--burn-in", "5", "--latency-tolerance", "0.8"]).json();
    assert_ne!(tolerated["verdict"], "go_back", "{tolerated}");
}

#[test]
fn a_yardstick_comes_from_the_burn_in_where_there_is_nothing_before() {
    let record = Service { slower: 1.6, before: 0, ..SERVICE }.record();
    let found = judge(&record, &["--metric", "latency"]).expect(4).json();
    assert!(found["at"].as_f64().unwrap() > 30.0, "not while it warms up: {found}");
    let few: String = record.split_inclusive('\n').take(150).collect();
    let nothing = judge(&few, &["--metric", "latency", "--burn-in", "0"]).expect(5).json();
    assert!(nothing["because"].as_str().unwrap().contains("suspended"), "{nothing}");
}

#[test]
fn a_good_canary_is_promotable_from_some_request_on() {
    let record = Service { errors: [0.001, 0.001], weight: 0.3, ..SERVICE }.record();
    let good = judge(&record, &["--burn-in", "10"]).expect(0).json();
    assert_eq!((&good["verdict"], &good["request"]), (&"continue".into(), &Value::Null));
    assert_eq!((&good["promotable"], &good["need"]), (&true.into(), &Value::Null));
    let first = index(good["promotable_at"].as_u64().unwrap());
    let take = |count: usize| record.split_inclusive('\n').take(count).collect::<String>();
    assert_eq!(judge(&take(first), &["--burn-in", "10"]).expect(0).json()["promotable"], true);
    let short = judge(&take(first - 1), &["--burn-in", "10"]).expect(5).json();
    assert_eq!((&short["verdict"], &short["promotable"]), (&"wait".into(), &false.into()));
    assert!(short["need"]["requests"].as_u64() > Some(0), "{short}");
}

#[test]
fn nobody_knows_without_both_releases() {
    let record = Service { weight: 0.0001, requests: 300, ..SERVICE }.record();
    let stable: String =
        record.split_inclusive('\n').filter(|line| line.contains("stable")).collect();
    let found = judge(&stable, &[]).expect(5).json();
    assert_eq!(found["verdict"], "undecided", "{found}");
    assert!(found["because"].as_str().unwrap().contains("no request has reached canary"));
}

#[test]
fn a_division_that_is_not_as_said_is_no_evidence() {
    // The record says 5 %, but it was 20 %.
    let record = Service { weight: 0.2, ..SERVICE }.record().replace("\"w\":0.2", "\"w\":0.05");
    let found = judge(&record, &["--metric", "errors"]).expect(5).json();
    assert_eq!(found["verdict"], "undecided", "{found}");
    assert!(found["because"].as_str().unwrap().contains("not divided as they should be"));
}

#[test]
fn a_user_with_a_thousand_errors_is_one_witness() {
    // One user's account is broken, and it happens to be the canary's.
    let mut record = String::new();
    let mut random = Random(3);
    for number in 0..8_000_u32 {
        let broken = number % 40 == 0;
        let user = if broken { 0.0 } else { 1.0 + (random.next() * 500.0).floor() };
        let canary = broken || (user * 0.618_034).fract() < 0.2;
        let (arm, status) =
            (if canary { "canary" } else { "stable" }, if broken { 500 } else { 200 });
        let t = f64::from(number) / 50.0;
        writeln!(record, r#"{{"t":{t},"arm":"{arm}","w":0.2,"status":{status},"user":"u{user}"}}"#)
            .unwrap();
    }
    let found = judge(&record, &["--metric", "errors"]).json();
    assert_ne!(found["verdict"], "go_back", "{found}");
    assert_eq!(found["counts"]["canary"]["errors"], 1, "{found}");
    let each_counts = record.replace(",\"user\":\"", ",\"id\":\"");
    assert_eq!(judge(&each_counts, &["--metric", "errors"]).json()["verdict"], "go_back");
}

#[test]
fn routes_may_have_chances_of_their_own() {
    let one = Service { errors: [0.01, 0.08], requests: 6_000, before: 0, ..SERVICE };
    let busy = Service { seed: 9, weight: 0.5, errors: [0.002, 0.016], ..one };
    let named = |service: Service, route: &str| {
        service.record().replace("}\n", &format!(",\"route\":\"{route}\"}}\n"))
    };
    let (first, second) = (named(one, "/slow"), named(busy, "/busy"));
    let mixed: String = first
        .split_inclusive('\n')
        .zip(second.split_inclusive('\n'))
        .flat_map(|(one, other)| [one, other])
        .collect();
    let found = judge(&mixed, &["--metric", "errors"]).expect(4).json();
    assert!(found["record"]["routes"]["/slow"]["canary"]["requests"].as_u64() > Some(100));
    assert!(found["record"]["routes"]["/busy"]["canary"]["requests"].as_u64() > Some(1_000));
}

#[test]
fn a_trace_is_bounded_and_ends_in_the_verdict() {
    let record = Service { errors: [0.01, 0.1], ..SERVICE }.record();
    let answer = judge(&record, &["--trace"]).expect(4);
    let lines: Vec<Value> =
        answer.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!((20..420).contains(&lines.len()), "{}", lines.len());
    let traced = &lines[lines.len() - 2];
    assert_eq!((&traced["trace"], &traced["verdict"]), (&"verdict".into(), &"go_back".into()));
    assert_eq!(traced["request"], answer.json()["request"]);
}

#[test]
fn rules_come_from_the_command_line_or_a_file() {
    let record = Service { errors: [0.01, 0.03], ..SERVICE }.record();
    let of = |more: &[&str]| judge(&record, more).json();
    let usual = of(&[]);
    assert_eq!(usual["threshold"], 100.0);
    let lax = of(&["--alpha", "0.1", "--metric", "errors", "--tolerated-ratio", "1.1"]);
    assert!((lax["threshold"].as_f64().unwrap() - 10.0).abs() < 1e-9);
    assert!(lax["request"].as_u64().unwrap() < usual["request"].as_u64().unwrap_or(u64::MAX));
    let text = "[judge]\nalpha = \"10%\"\nmetrics = [\"errors\"]\ntolerated_ratio = 1.1\n";
    let (_directory, path) = file("rules.toml", text);
    let same = of(&["--policy", path.to_str().unwrap()]);
    assert_eq!((&same["request"], &same["evidence"]), (&lax["request"], &lax["evidence"]));
    let (_directory, path) = file("rules.toml", "[judge]\nalfa = \"10%\"\n");
    let answer = judge(&record, &["--policy", path.to_str().unwrap()]).expect(2);
    assert!(
        answer.stderr.contains("RC0005") && answer.stderr.contains("alpha"),
        "{}",
        answer.stderr
    );
    judge(&record, &["--alpha", "2"]).expect(2);
    judge(&record, &["--metric", "mood"]).expect(2);
}

#[test]
fn what_cannot_be_judged_is_refused_with_its_line() {
    let good = r#"{"t":1,"arm":"stable","w":0.05,"status":200,"latency_ms":3}"#;
    let check = |record: &str, line: &str, what: &str| {
        let answer = judge(record, &[]).expect(2);
        for told in ["RC0016", line, what] {
            assert!(answer.stderr.contains(told), "{told} is not in {}", answer.stderr);
        }
        assert!(answer.stderr.contains("hint: "), "{}", answer.stderr);
        assert_eq!(answer.json()["error"]["code"], "RC0016", "no verdict");
    };
    let second = |line: &str| format!("{good}\n\n{line}\n{good}\n");
    let changed = |from: &str, to: &str| second(&good.replace(from, to));
    check("", "standard input", "no requests");
    check("\n\n", "standard input", "no requests");
    check(&second("{\"t\":1"), "line 3", "EOF");
    check(&second("not json"), "line 3", "expected");
    check(&changed("3}", "NaN}"), "line 3", "expected");
    check(&changed("3}", "-3}"), "line 3", "`latency_ms` is -3");
    check(&changed("3}", "1e300}"), "line 3", "`latency_ms` is");
    check(&changed(",\"latency_ms\":3", ""), "line 3", "`latency_ms` is missing");
    check(&changed("\"w\":0.05,", ""), "line 3", "missing field `w`");
    check(&changed("0.05", "5"), "line 3", "`w` is 5");
    check(&changed("0.05", "-0.1"), "line 3", "`w` is -0.1");
    check(&changed("stable", "green"), "line 3", "unknown variant `green`");
    check(&changed("\"t\":1,", "\"t\":-1,"), "line 3", "`t` is -1");
    check(&changed("\"t\":1,", "\"t\":1e400,"), "line 3", "out of range");
    check(&changed("\"t\":1,", "\"t\":1764000000000,"), "line 3", "divide milliseconds");
    check(&changed("200", "99"), "line 3", "`status` is 99");
    check(&changed("\"t\":1,", "\"t\":1,\"usr\":\"a\","), "line 3", "unknown field `usr`");
    check(&second(&"x".repeat(70_000)), "line 3", "64 KiB");
    let late = good.replace("\"t\":1,", "\"t\":100,");
    check(&format!("{late}\n{good}\n"), "line 2", "99.000 s older");
    let missing = Command::new(RIPCORD).args(["judge", "--input", "/nowhere"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(2));
}

#[test]
fn a_little_disorder_is_forgiven_and_changes_nothing() {
    let record = Service { errors: [0.01, 0.1], ..SERVICE }.record();
    let mut lines: Vec<&str> = record.split_inclusive('\n').collect();
    let sorted = judge(&record, &["--metric", "errors"]).expect(4).json();
    // Neighbours change places, as where answers are written down when they end.
    lines.chunks_mut(2).for_each(<[&str]>::reverse);
    let mixed: String = lines.concat();
    let found = judge(&mixed, &["--metric", "errors"]).expect(4).json();
    assert!(found["record"]["late"].as_u64() > Some(9_000), "{found}");
    let apart = found["request"].as_u64().unwrap().abs_diff(sorted["request"].as_u64().unwrap());
    assert!(apart <= 1, "{apart}");
    judge(&mixed, &["--reorder", "0"]).expect(2);
}

#[test]
fn a_record_that_was_added_twice_is_refused() {
    let record = Service { requests: 1_000, ..SERVICE }.record();
    let twice: String = record.split_inclusive('\n').flat_map(|line| [line, line]).collect();
    let answer = judge(&twice, &[]).expect(2);
    assert!(answer.stderr.contains("lines repeat another"), "{}", answer.stderr);
    assert!(answer.stderr.contains("line 2"), "{}", answer.stderr);
}

#[test]
fn history_says_how_often_rules_alarm_for_nothing() {
    let record = Service { requests: 12_000, before: 0, ..SERVICE }.record();
    let more = ["--backtest", "--runs", "20", "--metric", "errors"];
    let found = judge(&record, &more).expect(0).json();
    let rules = found["backtest"]["rules"].as_array().unwrap();
    let alarms = |rule: &str| {
        let one = rules.iter().find(|one| one["rule"].as_str().unwrap().contains(rule));
        one.unwrap_or_else(|| panic!("no {rule} in {found}"))["alarms"].as_u64().unwrap()
    };
    assert!(alarms("the comparison") <= 1, "{found}");
    assert!(alarms("errors over 1 % in a minute, once") >= 6, "{found}");
    assert!(rules.iter().all(|one| one["low"].as_f64() <= one["rate"].as_f64()
        && one["rate"].as_f64() <= one["high"].as_f64()));
    let again = judge(&record, &more).expect(0);
    assert_eq!(again.json(), found, "the seed decides");
    let few: String = record.split_inclusive('\n').take(500).collect();
    judge(&few, &more).expect(2);
    judge(&record, &["--backtest", "--weight", "1.5"]).expect(2);
}

/// Ten minutes a stretch at ten requests a second; in some of them half of the canary's answers
/// are errors, and in some of them everybody's for two minutes.
fn history(two_releases: bool, bad: &[u32], outage: &[u32]) -> String {
    let mut random = Random(11);
    let mut text = String::new();
    for number in 0..48_000_u32 {
        let (stretch, second) = (number / 6_000, number % 6_000 / 10);
        let canary = two_releases && random.next() < 0.2;
        let (arm, w) = if canary { ("canary", 0.2) } else { ("stable", 0.2) };
        let w = if two_releases { w } else { 0.0 };
        let is_bad = canary && bad.contains(&stretch);
        let is_out = outage.contains(&stretch) && (180..300).contains(&second);
        let failed = (is_bad || is_out) && random.next() < 0.5;
        let (t, status) = (f64::from(number) / 10.0, if failed { 500 } else { 200 });
        writeln!(text, r#"{{"t":{t},"arm":"{arm}","w":{w},"status":{status}}}"#).unwrap();
    }
    text
}

/// When the stretches began in which a rule alarmed, in seconds; how many stretches there were.
fn alarmed(record: &str, rule: &str, more: &[&str]) -> (Vec<f64>, u64) {
    let (_directory, path) = file("history.jsonl", record);
    let input = ["judge", "--json", "--input", path.to_str().unwrap(), "--backtest"];
    let output = Command::new(RIPCORD)
        .args(input)
        .args(["--metric", "errors", "--window", "600"])
        .args(more)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = &found["backtest"];
    let is_it = |one: &&Value| one["rule"].as_str().unwrap().contains(rule);
    let alarms = found["alarms"].as_array().unwrap().iter().filter(is_it);
    let when: Vec<f64> = alarms.map(|one| one["window"].as_f64().unwrap()).collect();
    let fired = found["rules"].as_array().unwrap().iter().find(is_it).unwrap();
    assert_eq!(fired["alarms"], when.len(), "{found}");
    assert_eq!(fired["runs"], found["windows"]);
    (when, found["windows"].as_u64().unwrap())
}

#[test]
fn a_history_of_two_releases_says_in_which_stretches_rules_fire() {
    // The last stretch is not whole: 48,000 requests end one tenth of a second before it does.
    let record = history(true, &[1, 4], &[6]);
    assert_eq!(
        alarmed(&record, "the comparison", &[]),
        (vec![600.0, 2_400.0], 7),
        "not for the outage"
    );
    let limit = "errors over 1 % in a minute, 3 times";
    assert_eq!(
        alarmed(&record, limit, &[]),
        (vec![600.0, 2_400.0], 7),
        "the outage lasted two minutes"
    );
    let limit = "errors over 1 % in a minute, once";
    assert_eq!(alarmed(&record, limit, &[]), (vec![600.0, 2_400.0, 3_600.0], 7));
}

#[test]
fn a_history_of_one_release_says_how_often_rules_are_wrong() {
    let record = history(false, &[], &[2, 5]);
    assert_eq!(alarmed(&record, "the comparison", &[]), (vec![], 7));
    let limit = "errors over 1 % in a minute, once";
    assert_eq!(alarmed(&record, limit, &[]), (vec![1_200.0, 3_000.0], 7), "each is a false alarm");
    // Sliding: whoever begins while it is over is spared.
    let (when, windows) = alarmed(&record, limit, &["--step", "300"]);
    assert_eq!((when, windows), (vec![900.0, 1_200.0, 2_700.0, 3_000.0], 14));
    let input = ["--backtest", "--window", "600"];
    let refused = judge(&record, &input).expect(2);
    assert!(refused.stderr.contains("read twice"), "{}", refused.stderr);
    let (_directory, path) = file("history.jsonl", &record);
    let path = path.to_str().unwrap();
    let long = Command::new(RIPCORD)
        .args(["judge", "--input", path, "--backtest", "--metric", "errors", "--window", "9000"])
        .output()
        .unwrap();
    assert_eq!(long.status.code(), Some(2), "no stretch is whole");
}

#[test]
fn a_decision_of_the_ledger_is_the_same_today() {
    let site = Site::open();
    site.deploy("v1-good");
    let canary = "strategy = \"canary\"\nsteps = [\"20%\", \"analysis 1m\"]\n\
                  tolerated_errors = \"5%\"\n[environments.test.judge]\nmetrics = [\"errors\"]\n";
    site.dress_with("v3-bad-canary", |text| format!("{text}{canary}"));
    let bad = site.freeze();
    let load = site.load(200);
    site.run(&["deploy", &bad]).expect(4);
    drop(load.stop().unwrap());
    let answer = site.run(&["judge", "--ledger", &bad, "--json"]).expect(0);
    let found = answer.json();
    assert_eq!((&found["agrees"], &found["verdict"]), (&true.into(), &"go_back".into()), "{found}");
    assert!(found["entry"].as_u64() > Some(0) && found["request"] == Value::Null, "{found}");
    // The ledger's own words are those of the judge.
    let reason = found["outcome"]["went_back"]["evidence"].as_str().unwrap();
    assert_eq!(found["because"], reason);
    let told = site.run(&["ledger", "log"]).expect(0).stdout;
    assert!(told.contains(reason), "{told}");
    // It needs no controller, but a release that was compared.
    let first = site.run(&["judge", "--ledger", "v1"]).expect(2);
    assert!(first.stderr.contains("RC0113"), "{}", first.stderr);
    site.run(&["judge", "--ledger", &bad, "--alpha", "0.1"]).expect(2);
    site.close();
}

#[test]
fn a_running_canary_is_shown_with_its_steps_and_its_evidence() {
    let mut site = Site::open();
    site.deploy("v1-good");
    let canary = "strategy = \"canary\"\nsteps = [\"20%\", \"pause\", \"50%\", \"analysis 1m\"]\n\
                  [environments.test.judge]\nmetrics = [\"errors\"]\n";
    site.dress_with("v2-additive", |text| format!("{text}{canary}"));
    let second = site.freeze();
    let load = site.load(200);
    site.run(&["deploy", &second, "--detach"]).expect(0);
    let counted = |site: &mut Site| {
        let rollout = &site.status()["operation"]["rollout"];
        rollout["course"].as_array().map_or(0, Vec::len) >= 2
    };
    site.until("counts", std::time::Duration::from_secs(30), counted);
    let rollout = site.status()["operation"]["rollout"].clone();
    let stands: Vec<&str> = rollout["rungs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rung| rung["stands"].as_str().unwrap())
        .collect();
    assert_eq!(stands, ["done", "now", "ahead", "ahead"], "{rollout}");
    assert_eq!(rollout["asked"], 2_000);
    let measured = rollout["measured"].as_f64().unwrap();
    assert!((0.08..0.4).contains(&measured), "{measured}");
    assert!(rollout["judged"]["evidence"].as_f64().unwrap() < 100.0, "{rollout}");
    let shown = site.command(&["status"]).env("COLUMNS", "80").output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    for told in ["v2 beside v1", "▶", "20 % asked", "evidence ", "promotion", "errors "] {
        assert!(shown.contains(told), "{told} is not in\n{shown}");
    }
    assert!(!shown.contains('\u{1b}'), "colours where no terminal is");
    site.run(&["promote", "--full"]).expect(0);
    let over = |site: &mut Site| site.status()["operation"].is_null();
    site.until("the end", std::time::Duration::from_secs(30), over);
    drop(load.stop().unwrap());
    // The counts are told as totals, and not each of them.
    let told = site.run(&["ledger", "log"]).expect(0).stdout;
    let all = site.run(&["ledger", "log", "--verbose"]).expect(0).stdout;
    let lines = |text: &str| text.lines().filter(|line| line.contains("; evidence ")).count();
    assert!(lines(&told) <= lines(&all) && lines(&told) >= 1, "{told}");
    site.close();
}
