//! Flags on the real binary: revisions, what turns them off at night, and the way back with a
//! release.

use crate::site::Site;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

/// A flag of the release that has one, beside the shop's own.
const CHECKOUT: &str = r#""checkout": {
      "state": "ENABLED", "variants": { "on": true, "off": false }, "defaultVariant": "off"
    },
    "reviews""#;

/// How long turning off may take here, where tests of a whole workspace share two cores.
const OFF_LONGEST: Duration = Duration::from_secs(5);

/// Puts a flag into the project that the next release owns and turns on.
fn own_checkout(site: &Site, requires_schema: Option<u64>) {
    let path = site.project().join("flags.json");
    let text = fs::read_to_string(&path).unwrap().replacen("\"reviews\"", CHECKOUT, 1);
    fs::write(&path, text).unwrap();
    let config = fs::read_to_string(site.config()).unwrap();
    let needs = requires_schema.map(|version| format!("requires_schema = {version}\n"));
    let wish = format!("[flags.release.checkout]\nwant = \"on\"\n{}\n", needs.unwrap_or_default());
    let text = config.replacen("[environments.test]", &format!("{wish}[environments.test]"), 1);
    fs::write(site.config(), text).unwrap();
}

/// The first release, with reviews turned on.
fn deploy_with_reviews(site: &Site) {
    site.dress("v1-good");
    let path = site.project().join("flags.json");
    let text = fs::read_to_string(&path).unwrap();
    let text = text.replace("\"defaultVariant\": \"off\"", "\"defaultVariant\": \"on\"");
    fs::write(&path, text).unwrap();
    let release = site.freeze();
    site.run(&["deploy", &release]).expect(0);
}

fn served(site: &Site) -> Value {
    let path = site.state().join("environments/test/flags.json");
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// What a flag is in the file that is served.
fn state(site: &Site, key: &str) -> String {
    let served = served(site);
    let found = &served["flags"][key];
    found["defaultVariant"].as_str().unwrap_or("not there").to_owned()
}

fn flags(site: &Site, arguments: &[&str]) -> crate::site::Answer {
    site.run(&[&["flags"], arguments].concat())
}

fn history(site: &Site) -> Vec<Value> {
    let shown = flags(site, &["history", "--json"]).expect(0).json();
    shown.as_array().unwrap().clone()
}

/// What the ledger has, as one word per entry.
fn ledger(site: &Site) -> Vec<String> {
    let shown = site.run(&["ledger", "log"]).expect(0).stdout;
    shown.lines().map(str::to_owned).collect()
}

fn place(lines: &[String], text: &str) -> usize {
    let found = lines.iter().rposition(|line| line.contains(text));
    found.unwrap_or_else(|| panic!("no «{text}» in {lines:#?}"))
}

#[test]
fn changes_are_revisions_with_a_reason() {
    let site = Site::open();
    deploy_with_reviews(&site);
    assert_eq!(history(&site).len(), 1);
    assert_eq!(state(&site, "reviews"), "on");
    let first = served(&site);
    flags(&site, &["off", "reviews"]).expect(2);
    flags(&site, &["off", "nothing", "--reason", "x"]).expect(2);
    flags(&site, &["set", "reviews", "blue", "--reason", "x"]).expect(2);
    assert_eq!(history(&site).len(), 1, "what is refused changes nothing");

    flags(&site, &["off", "reviews", "--reason", "too many spam reviews"]).expect(0);
    assert_eq!(state(&site, "reviews"), "off");
    flags(&site, &["off", "reviews", "--reason", "again"]).expect(0);
    let all = history(&site);
    assert_eq!(all.len(), 2, "what is so already is no revision");
    assert_eq!(all[1]["by"], "tester");
    assert_eq!(all[1]["revision"]["reason"], "too many spam reviews");
    assert_eq!(all[1]["revision"]["source"], "cli");

    let words = flags(&site, &["diff"]).expect(0).stdout;
    assert_eq!(words.trim(), "flag reviews: on → off");
    flags(&site, &["rollout", "reviews", "25%", "--reason", "slowly"]).expect(0);
    flags(&site, &["target", "reviews", "ann", "--variant", "on", "--reason", "test"]).expect(0);
    let answer = flags(&site, &["eval", "reviews", "--user", "ann", "--json"]).expect(0).json();
    assert_eq!((&answer["value"], &answer["variant"]), (&true.into(), &"on".into()));

    // Undoing the first change leaves alone what was changed since, and says so.
    let kept = flags(&site, &["revert", "2", "--reason", "spam is over"]).expect(0);
    assert!(kept.stderr.contains("left as somebody made it since: flag reviews"), "{kept:?}");
    flags(&site, &["revert", "--to", "1", "--reason", "spam is over"]).expect(0);
    assert_eq!(state(&site, "reviews"), "on");
    let all = history(&site);
    assert_eq!(all.last().unwrap()["revision"]["source"], "revert");
    assert_eq!(served(&site), first, "everything is as it was");
    flags(&site, &["revert", "77", "--reason", "x"]).expect(2);
    site.run(&["ledger", "verify"]).expect(0);
    site.close();
}

#[test]
fn off_is_at_once_and_survives() {
    let mut site = Site::open();
    deploy_with_reviews(&site);
    own_checkout(&site, None);
    let release = site.freeze();
    site.run(&["deploy", &release]).expect(0);
    assert_eq!(state(&site, "checkout"), "on");

    let began = Instant::now();
    flags(&site, &["off", "--release", &release, "--reason", "money at stake"]).expect(0);
    let took = began.elapsed();
    assert!(took < OFF_LONGEST, "{took:?}");
    let found = served(&site);
    assert_eq!(found["flags"]["checkout"]["defaultVariant"], "off");
    assert_eq!(found["flags"]["checkout"]["metadata"]["killSwitch"], true);
    assert_eq!(found["flags"]["checkout"]["metadata"]["releaseId"], release.as_str());
    assert_eq!(state(&site, "reviews"), "on", "only what is its own");

    // Nothing that is set meanwhile shows before somebody lifts it.
    flags(&site, &["on", "checkout", "--reason", "I did not know"]).expect(0);
    assert_eq!(state(&site, "checkout"), "off");
    site.kill_controller();
    assert_eq!(state(&site, "checkout"), "off");
    // Somebody replaces the file while nobody looks: the ledger is what counts.
    fs::write(site.state().join("environments/test/flags.json"), "{\"flags\":{}}").unwrap();
    site.serve();
    assert_eq!(state(&site, "checkout"), "off");

    flags(&site, &["lift", "--release", &release]).expect(2);
    flags(&site, &["lift", "--release", &release, "--reason", "mended"]).expect(0);
    assert_eq!(state(&site, "checkout"), "on");
    flags(&site, &["lift", "--release", &release, "--reason", "again"]).expect(3);
    site.close();
}

#[test]
fn off_needs_no_controller() {
    let mut site = Site::open();
    deploy_with_reviews(&site);
    site.kill_controller();
    let said = flags(&site, &["off", "reviews", "--reason", "at night"]).expect(0);
    assert!(said.stderr.contains("no controller runs here"), "{said:?}");
    assert_eq!(state(&site, "reviews"), "off");
    // Whatever could turn something on waits for the controller.
    flags(&site, &["on", "reviews", "--reason", "x"]).expect(6);
    site.serve();
    assert_eq!(state(&site, "reviews"), "off");
    let all = history(&site);
    assert_eq!((all.len(), &all[1]["by"]), (2, &"tester".into()));
    site.run(&["ledger", "verify"]).expect(0);
    site.close();
}

#[test]
fn what_cannot_be_written_changes_nothing() {
    let site = Site::open();
    deploy_with_reviews(&site);
    let folder = site.state().join("environments/test");
    let rights =
        |mode: u32| fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
    // A directory in the place of the new file is as bad for root as a full disk is for all.
    fs::create_dir(folder.join("flags.new")).unwrap();
    rights(0o555);
    let refused = flags(&site, &["off", "reviews", "--reason", "x"]);
    rights(0o755);
    fs::remove_dir(folder.join("flags.new")).unwrap();
    assert_eq!(refused.code, 6, "{refused:?}");
    assert!(refused.stderr.contains("what was served before is served"), "{refused:?}");
    assert_eq!(state(&site, "reviews"), "on");
    assert_eq!(history(&site).len(), 1, "the ledger has no revision that is not served");
    flags(&site, &["off", "reviews", "--reason", "x"]).expect(0);
    assert_eq!(state(&site, "reviews"), "off");
    site.close();
}

/// The whole way: a release that owns a flag which needs its migration is left again.
#[test]
fn a_rollback_turns_flags_off_first_and_keeps_what_others_changed() {
    let site = Site::open();
    site.deploy("v1-good");
    site.dress("v3-bad-answers");
    own_checkout(&site, Some(3));
    let release = site.freeze();
    site.run(&["deploy", &release]).expect(0);
    assert_eq!(state(&site, "checkout"), "on");
    flags(&site, &["off", "reviews", "--reason", "for another reason"]).expect(0);

    let plan = site.run(&["plan", "rollback"]).expect(0).stdout;
    let lines: Vec<String> = plan.lines().map(str::to_owned).collect();
    let steps = |text: &str| place(&lines, text);
    assert!(steps(". turn off the flags of v2: checkout") < steps(". wait until clients"));
    assert!(steps(". wait until clients") < steps(". migrate down"));
    assert!(steps(". migrate down") < steps(". flags as before v2"));
    assert!(plan.contains("off first, and until somebody lifts it: checkout"), "{plan}");

    site.run(&["rollback"]).expect(0);
    let told = ledger(&site);
    let off = place(&told, "off with v2: checkout");
    assert!(off < place(&told, "traffic to v1 100 %"), "{told:#?}");
    assert!(off < place(&told, "migrate down"), "{told:#?}");
    assert_eq!(state(&site, "checkout"), "not there");
    assert_eq!(state(&site, "reviews"), "off", "what somebody turned off stays off");

    // The flag comes on again with its release only, never before its ground is there.
    flags(&site, &["lift", "--release", &release, "--reason", "x"]).expect(3);
    site.close();
}

#[test]
fn a_conflict_is_shown_before_and_kept_unless_forced() {
    let site = Site::open();
    site.deploy("v1-good");
    own_checkout(&site, None);
    let release = site.freeze();
    site.run(&["deploy", &release]).expect(0);
    flags(&site, &["rollout", "checkout", "10%", "--reason", "careful"]).expect(0);
    let plan = site.run(&["plan", "rollback"]).expect(0).stdout;
    assert!(plan.contains("kept:   flag checkout: somebody made it"), "{plan}");
    let plan = site.run(&["plan", "rollback", "--force-flags"]).expect(0).stdout;
    assert!(plan.contains("gone:   flag checkout"), "{plan}");
    site.run(&["rollback"]).expect(0);
    let found = served(&site);
    assert_eq!(found["flags"]["checkout"]["defaultVariant"], "off", "off by the layer");
    let layers = flags(&site, &["list"]).expect(0).stderr;
    assert!(layers.contains("off with v2 by ripcord: checkout"), "{layers}");
    site.close();
}

#[test]
fn killed_between_the_layer_and_traffic() {
    for entry in ["after:2", "before:3", "after:3"] {
        let mut site = Site::open();
        site.deploy("v1-good");
        own_checkout(&site, None);
        let release = site.freeze();
        site.run(&["deploy", &release]).expect(0);
        site.kill_controller();
        site.serve_with(&[], &[("RIPCORD_CRASH", entry)]);
        site.run(&["rollback", "--detach"]).expect(0);
        site.until("the plug is pulled", Duration::from_secs(30), |site| {
            site.controller().try_wait().unwrap().is_some()
        });
        site.kill_controller();
        site.serve();
        site.until("the rollback is over", Duration::from_mins(1), |site| {
            let status = site.status();
            status["operation"].is_null() && status["live"] == "v1"
        });
        let revisions = history(&site);
        let layers = revisions.iter().filter(|one| {
            let changed = one["revision"]["changed"].as_array();
            changed.is_some_and(|all| all.iter().any(|what| what == "off with v2: checkout"))
        });
        assert_eq!(layers.count(), 1, "{entry}: {revisions:#?}");
        assert_eq!(state(&site, "checkout"), "not there", "{entry}");
        site.close();
    }
}

/// A document with one flag of shares.
fn shares(bucketing: &str, rules: &str) -> String {
    format!(
        r#"{{"metadata": {{"bucketing": "{bucketing}"}}, "flags": {{"share": {{
        "state": "ENABLED", "variants": {{"on": true, "off": false}}, "defaultVariant": "off",
        "targeting": {rules}}}}}}}"#
    )
}

const TENTH: &str = r#"{"fractional": [["on", 10], ["off", 90]]}"#;

fn import(site: &Site, document: &str) -> crate::site::Answer {
    let file = site.project().join("import.json");
    fs::write(&file, document).unwrap();
    flags(site, &["import", file.to_str().unwrap(), "--reason", "a test"])
}

#[test]
fn what_some_users_would_not_get_is_refused_with_a_caret() {
    let site = Site::open();
    deploy_with_reviews(&site);
    let before = served(&site);
    let wrong = r#"{"if": [{"==": [{"var": "plan"}, "gold"]}, "gold", "off"]}"#;
    let refused = import(&site, &shares("v3", wrong));
    assert_ne!(refused.code, 0, "{refused:?}");
    assert!(refused.stderr.contains("RC0107") && refused.stderr.contains('^'), "{refused:?}");
    assert_eq!(served(&site), before);
    // A warning is shown, and changes nothing.
    let file = site.project().join("lint.json");
    fs::write(&file, shares("v3", wrong)).unwrap();
    let lint = flags(&site, &["lint", file.to_str().unwrap()]);
    assert_ne!(lint.code, 0, "{lint:?}");
    assert!(lint.stdout.contains("error: ") && lint.stdout.contains('^'), "{lint:?}");
    // What is wrong elsewhere keeps nobody from turning a flag off.
    flags(&site, &["off", "reviews", "--reason", "x"]).expect(0);
    site.close();
}

#[test]
fn the_share_that_moves_is_said() {
    let site = Site::open();
    deploy_with_reviews(&site);
    let raised = flags(&site, &["rollout", "reviews", "25%", "--reason", "slowly"]).expect(0);
    assert!(raised.stderr.contains("flag reviews: about 7"), "{raised:?}");
    let raised = flags(&site, &["rollout", "reviews", "40%", "--reason", "more"]).expect(0);
    assert!(raised.stderr.contains("flag reviews: about 1"), "{raised:?}");
    assert!(raised.stderr.contains("(off → on)"), "only users are added: {raised:?}");
    site.close();
}

#[test]
fn another_bucketing_is_a_step_of_its_own_that_says_who_moves() {
    let site = Site::open();
    deploy_with_reviews(&site);
    import(&site, &shares("v2", TENTH)).expect(0);
    let before = served(&site);
    let along_the_way = import(&site, &shares("v3", TENTH)).expect(3);
    assert!(along_the_way.stderr.contains("RC0233"), "{along_the_way:?}");
    let asked = flags(&site, &["bucketing", "v3", "--reason", "as flagd"]).expect(3);
    assert!(asked.stderr.contains("flag share: about 1"), "{asked:?}");
    flags(&site, &["bucketing", "v3", "--accept", "1%", "--reason", "as flagd"]).expect(3);
    assert_eq!(served(&site), before, "nothing was done yet");
    let done = flags(&site, &["bucketing", "v3", "--accept", "25%", "--reason", "as flagd"]);
    let done = done.expect(0);
    assert!(done.stderr.contains("flag share: about 1"), "{done:?}");
    assert_eq!(served(&site)["metadata"]["bucketing"], "v3");
    // Nor does a revert change it along the way.
    let last = history(&site).len().to_string();
    flags(&site, &["revert", &last, "--reason", "back"]).expect(3);
    site.close();
}
