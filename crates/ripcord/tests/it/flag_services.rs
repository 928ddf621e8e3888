//! Flags at other people's services on the real binary, against servers that speak their
//! documented interfaces: recorded, turned off first, restored last, and never over what somebody
//! else made of them.

use crate::flag_servers::{
    CREDENTIALS, Oddity, SDK_KEY, Shared, TOKEN, configcat, configcat_flag, held, launchdarkly,
    launchdarkly_flag, shared,
};
use crate::server::Server;
use crate::site::Site;
use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, Instant};

/// A site with a service, and what the service holds.
struct Place {
    site: Site,
    state: Shared,
    _server: Server,
    table: String,
}

const KEY: &str = "new-checkout";

impl Place {
    fn launchdarkly(on: bool) -> Place {
        let state = shared(KEY, launchdarkly_flag(KEY, on));
        let server = launchdarkly(&state);
        let site = Site::new();
        let token = site.path().join("token");
        fs::write(&token, format!("{TOKEN}\n")).unwrap();
        let table = format!(
            "[environments.test.flag_services.launchdarkly]\ntype = \"launchdarkly\"\n\
             url = \"{}\"\nproject = \"shop\"\nenvironment = \"production\"\nsettle = \"200ms\"\n\
             token = {{ secret = \"file:{}\" }}\n",
            server.url,
            token.display()
        );
        Place { site, state, _server: server, table }.served()
    }

    fn configcat(on: bool, settle: &str) -> Place {
        let state = shared(KEY, configcat_flag(on));
        let server = configcat(&state);
        let site = Site::new();
        let secret = |name: &str, text: &str| {
            let path = site.path().join(name);
            fs::write(&path, text).unwrap();
            format!("{{ secret = \"file:{}\" }}", path.display())
        };
        let (credentials, key) = (secret("credentials", CREDENTIALS), secret("key", SDK_KEY));
        let table = format!(
            "[environments.test.flag_services.configcat]\ntype = \"configcat\"\nurl = \"{}\"\n\
             settle = \"{settle}\"\ncredentials = {credentials}\nsdk_key = {key}\n",
            server.url
        );
        Place { site, state, _server: server, table }.served()
    }

    fn served(mut self) -> Place {
        self.dress("v1-good", "");
        self.site.serve();
        self
    }

    /// Puts a release into the project that names flags like this.
    fn dress(&self, release: &str, flags: &str) {
        let table = &self.table;
        self.site.dress_with(release, |text| {
            let text =
                text.replacen("[environments.test]", &format!("{flags}\n[environments.test]"), 1);
            format!("{text}\n{table}")
        });
    }

    /// Freezes it and deploys it.
    fn deploy(&self, release: &str, flags: &str) -> String {
        self.dress(release, flags);
        let id = self.site.freeze();
        self.site.run(&["deploy", &id]).expect(0);
        id
    }

    fn flag(&self) -> Value {
        held(&self.state).flags[KEY].clone()
    }

    fn is_on(&self) -> bool {
        let flag = self.flag();
        let value = flag.pointer("/environments/production/on");
        value.or_else(|| flag.pointer("/defaultValue/boolValue")) == Some(&json!(true))
    }

    fn writes(&self) -> usize {
        held(&self.state).writes.len()
    }

    /// Somebody changes the rules there.
    fn somebody_changes_rules(&self) {
        let mut state = held(&self.state);
        let flag = &mut state.flags.get_mut(KEY).unwrap()["environments"]["production"];
        flag["rules"] = json!([{"_id": "theirs"}]);
        flag["version"] = json!(flag["version"].as_u64().unwrap() + 1);
    }

    fn until_over(&self, live: &str) {
        let began = Instant::now();
        loop {
            let status = self.site.status();
            if status["operation"].is_null() && status["live"] == live {
                return;
            }
            assert!(began.elapsed() < Duration::from_mins(1), "{status}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn told(&self) -> Vec<String> {
        let shown = self.site.run(&["ledger", "log"]).expect(0).stdout;
        shown.lines().map(str::to_owned).collect()
    }
}

const WANTED: &str = "[flag_services.launchdarkly.new-checkout]\nwant = \"on\"\n";
const NAMED: &str = "[flag_services.launchdarkly.new-checkout]\n";

fn place(lines: &[String], text: &str) -> usize {
    let found = lines.iter().rposition(|line| line.contains(text));
    found.unwrap_or_else(|| panic!("no «{text}» in {lines:#?}"))
}

#[test]
fn a_flag_goes_on_with_its_release_and_off_before_anything_else() {
    let place_ = Place::launchdarkly(false);
    let site = &place_.site;
    place_.deploy("v1-good", "");
    let release = place_.deploy("v2-additive", WANTED);
    assert!(place_.is_on());

    let plan = site.run(&["plan", "rollback"]).expect(0).stdout;
    let lines: Vec<String> = plan.lines().map(str::to_owned).collect();
    let off = place(&lines, ". turn off new-checkout at LaunchDarkly, without waiting");
    assert!(off < place(&lines, ". traffic to v1"), "{plan}");
    assert!(plan.contains("clients that stream have a change within moments"), "{plan}");
    assert!(plan.contains("hidden: new-checkout at LaunchDarkly: off first"), "{plan}");

    site.run(&["rollback"]).expect(0);
    assert!(!place_.is_on());
    assert_eq!(place_.writes(), 2, "on and off, once each");
    let told = place_.told();
    let off = place(&told, "new-checkout at LaunchDarkly is off after the change");
    assert!(off < place(&told, "traffic to v1 100 %"), "{told:#?}");
    assert!(held(&place_.state).writes[1].1["comment"].as_str().unwrap().contains("is left for"));

    // The release comes back with its flag.
    site.run(&["retry", &release]).expect(0);
    assert!(place_.is_on());
    site.run(&["ledger", "verify"]).expect(0);
    place_.site.close();
}

#[test]
fn what_the_target_knows_too_is_restored_last_by_image() {
    let place_ = Place::launchdarkly(false);
    place_.deploy("v1-good", NAMED);
    let before = place_.flag();
    place_.deploy("v2-additive", WANTED);
    let plan = place_.site.run(&["plan", "rollback"]).expect(0).stdout;
    assert!(plan.contains(". new-checkout at LaunchDarkly as before v2"), "{plan}");
    place_.site.run(&["rollback"]).expect(0);
    let at = |flag: &Value, name: &str| flag["environments"]["production"][name].clone();
    for name in ["on", "rules", "fallthrough", "targets", "prerequisites", "offVariation"] {
        assert_eq!(at(&place_.flag(), name), at(&before, name), "{name}");
    }
    place_.site.close();
}

#[test]
fn what_somebody_changed_since_is_shown_and_kept_unless_forced() {
    let place_ = Place::launchdarkly(false);
    let site = &place_.site;
    place_.deploy("v1-good", NAMED);
    place_.deploy("v2-additive", WANTED);
    place_.somebody_changes_rules();
    let plan = site.run(&["plan", "rollback"]).expect(0).stdout;
    assert!(plan.contains("kept:   new-checkout at LaunchDarkly: somebody changed it"), "{plan}");
    let forced = site.run(&["plan", "rollback", "--force-flags"]).expect(0).stdout;
    assert!(forced.contains("gone:   new-checkout at LaunchDarkly: rules"), "{forced}");
    site.run(&["rollback"]).expect(0);
    assert!(place_.is_on(), "it stays as they made it");
    assert_eq!(place_.writes(), 1);
    let rules = place_.flag()["environments"]["production"]["rules"].clone();
    assert_eq!(rules, json!([{"_id": "theirs"}]));
    place_.site.close();
}

/// With less than the right to act, everything is recorded and nothing is sent.
#[test]
fn recorded_and_proposed_without_the_right_to_write() {
    for (authority, role) in [("observe", "writer"), ("propose", "writer"), ("act", "reader")] {
        let mut place_ = Place::launchdarkly(true);
        held(&place_.state).role = role;
        place_.table =
            format!("{}[environments.test.authority]\nflags = \"{authority}\"\n", place_.table);
        let site = &place_.site;
        // Documents of one's own need the right to act, so there is none.
        let bare = |flags: &str| {
            place_.dress("v1-good", flags);
            let text = fs::read_to_string(site.config()).unwrap();
            let text = text.replace("[flags]\nfile = \"flags.json\"\n", "");
            let text = text.replace("FLAGS_FILE = \"{flags}\"\n", "");
            fs::write(site.config(), text).unwrap();
        };
        bare("");
        let first = site.freeze();
        site.run(&["deploy", &first]).expect(0);
        bare(NAMED);
        let second = site.freeze();
        site.run(&["deploy", &second]).expect(0);
        let told = place_.told();
        place(&told, "new-checkout at LaunchDarkly is on before the release (version 41)");
        place(&told, "new-checkout at LaunchDarkly is on with the release (version 41)");
        let plan = site.run(&["plan", "rollback"]).expect(0).stdout;
        for part in ["curl --fail-with-body -X PATCH", "turnFlagOff", "$LAUNCHDARKLY_TOKEN"] {
            assert!(plan.contains(part), "{part}: {plan}");
        }
        assert!(!plan.contains(TOKEN), "{plan}");
        let shown = site.run(&["flags", "services", "--release", &second]).expect(0);
        for part in ["new-checkout", "LaunchDarkly", "on", "turnFlagOff"] {
            assert!(shown.stdout.contains(part), "{part}: {shown:?}");
        }
        bare("[flag_services.launchdarkly.new-checkout]\nwant = \"off\"\n");
        let third = site.freeze();
        if role == "reader" {
            let refused = site.run(&["deploy", &third]).expect(3);
            assert!(refused.stderr.contains("RC0232"), "{refused:?}");
        } else {
            let plan = site.run(&["plan", "deploy", &third]).expect(0).stdout;
            assert!(plan.contains("turnFlagOff"), "{plan}");
        }
        site.run(&["rollback"]).expect(0);
        assert_eq!(place_.writes(), 0, "{authority}");
        place_.site.close();
    }
}

/// Users go back first. Then the plan waits for a person, and says what to send.
#[test]
fn what_needs_approval_holds_up_nobody_and_is_not_passed_over() {
    let place_ = Place::launchdarkly(false);
    let site = &place_.site;
    place_.deploy("v1-good", "");
    place_.deploy("v2-additive", WANTED);
    let refusal = Oddity::Refuses("403 Forbidden", r#"{"message": "requires approval"}"#);
    held(&place_.state).odd = vec![refusal.clone(), refusal];
    let waits = site.run(&["rollback"]);
    assert_eq!(waits.code, 5, "{waits:?}");
    for part in ["requires approval", "curl --fail-with-body -X PATCH", "turnFlagOff"] {
        assert!(waits.stderr.contains(part), "{part}: {waits:?}");
    }
    assert_eq!(site.answering().as_deref(), Some("v1"));
    assert!(place_.is_on());
    // Somebody approves it there.
    let flag = launchdarkly_flag(KEY, false);
    held(&place_.state).flags.insert(KEY.to_owned(), flag);
    site.run(&["retry"]).expect(0);
    place_.until_over("v1");
    place_.site.close();
}

#[test]
fn busy_lost_and_down() {
    let place_ = Place::launchdarkly(false);
    let site = &place_.site;
    place_.deploy("v1-good", "");
    // An answer that is lost, and a service that has had enough for a second.
    held(&place_.state).odd = vec![Oddity::LosesAnswer, Oddity::Busy(1)];
    let began = Instant::now();
    place_.deploy("v2-additive", WANTED);
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    assert!(place_.is_on());
    assert_eq!(place_.writes(), 2, "what was done is not done again");

    // Nobody is kept from going back by a service that is down.
    held(&place_.state).down = true;
    site.run(&["rollback", "--detach"]).expect(0);
    let began = Instant::now();
    while site.answering().as_deref() != Some("v1") {
        assert!(began.elapsed() < Duration::from_secs(30), "{}", site.controller_log());
        std::thread::sleep(Duration::from_millis(50));
    }
    held(&place_.state).down = false;
    let began = Instant::now();
    while place_.is_on() {
        // It insists, and where it has given up by now, a person says that it is up again.
        site.run(&["retry"]);
        assert!(began.elapsed() < Duration::from_mins(1), "{}", site.controller_log());
        std::thread::sleep(Duration::from_millis(200));
    }
    place_.until_over("v1");
    place_.site.close();
}

#[test]
fn a_service_that_cannot_be_asked_refuses_a_deploy_that_wants_something_of_it() {
    let place_ = Place::launchdarkly(false);
    place_.deploy("v1-good", "");
    held(&place_.state).down = true;
    place_.dress("v2-additive", WANTED);
    let release = place_.site.freeze();
    let refused = place_.site.run(&["deploy", &release]).expect(6);
    assert!(refused.stderr.contains("RC0415"), "{refused:?}");
    assert_eq!(place_.site.status()["live"], "v1");
    place_.site.close();
}

/// At a service without a switch: off is false for everybody, and clients that poll have heard of
/// it before the schema goes from under them.
#[test]
fn off_for_certain_before_its_schema_goes() {
    let place_ = Place::configcat(true, "1500ms");
    let site = &place_.site;
    place_.deploy("v1-good", "");
    let wanted = "[flag_services.configcat.new-checkout]\nwant = \"on\"\nrequires_schema = 3\n";
    place_.deploy("v3-bad-answers", wanted);
    assert!(place_.is_on());
    let plan = site.run(&["plan", "rollback"]).expect(0).stdout;
    let lines: Vec<String> = plan.lines().map(str::to_owned).collect();
    assert!(plan.contains("every 60 s by default"), "{plan}");
    let steps = |text: &str| place(&lines, text);
    assert!(steps(". turn off new-checkout at ConfigCat") < steps(". wait 1.5 s until clients"));
    assert!(steps(". wait 1.5 s until clients") < steps(". migrate down"));
    let began = Instant::now();
    site.run(&["rollback"]).expect(0);
    assert!(began.elapsed() >= Duration::from_millis(1_500), "{:?}", began.elapsed());
    assert!(!place_.is_on());
    assert_eq!(place_.flag()["targetingRules"], json!([]));
    place_.site.close();
}

/// More entries than either journey writes.
const ENTRIES_MAX: u64 = 60;

/// kill -9 before or after every fourth entry of a deploy and of a rollback, which takes a minute:
/// there is one release, and the flag is what belongs to it.
#[test]
fn killed_on_the_way_there_and_back() {
    let mut place_ = Place::launchdarkly(false);
    place_.deploy("v1-good", "");
    place_.dress("v1-good", WANTED);
    let path = place_.site.project().join("shop.json");
    fs::write(path, r#"{"banner":"gifts","page_size":21}"#).unwrap();
    let release = place_.site.freeze();
    let there = ["retry", release.as_str(), "--detach"];
    for entry in (2..ENTRIES_MAX).step_by(4) {
        let when = if entry % 8 == 2 { "before" } else { "after" };
        let died = place_.pull_the_plug(&there, &release, when, entry);
        assert!(place_.is_on(), "{when}:{entry} of the deploy");
        let died_back = place_.pull_the_plug(&["rollback", "--detach"], "v1", when, entry);
        assert!(!place_.is_on(), "{when}:{entry} of the rollback");
        if !died && !died_back {
            assert!(entry > 20, "a plan with {entry} entries is none of these");
            place_.site.run(&["ledger", "verify"]).expect(0);
            place_.site.close();
            return;
        }
    }
    panic!("it never came to its end without dying");
}

impl Place {
    /// Whether the controller died of it; either way it is over then, as if it had not.
    fn pull_the_plug(&mut self, verb: &[&str], live: &str, when: &str, entry: u64) -> bool {
        self.site.kill_controller();
        self.site.serve_with(&[], &[("RIPCORD_CRASH", &format!("{when}:{entry}"))]);
        // Who asked may hear nothing more of it: the plan has begun all the same.
        self.site.run(verb);
        let began = Instant::now();
        let died = loop {
            if self.site.controller().try_wait().unwrap().is_some() {
                break true;
            }
            let status = self.site.run(&["status", "--json"]);
            if status.code == 0 {
                let status = status.json();
                if status["operation"].is_null() && status["live"] == live {
                    break false;
                }
            }
            assert!(began.elapsed() < Duration::from_mins(1), "{when}:{entry}");
            std::thread::sleep(Duration::from_millis(20));
        };
        self.site.kill_controller();
        self.site.serve();
        self.until_over(live);
        assert_eq!(self.site.answering().as_deref(), Some(live), "{when}:{entry}");
        died
    }
}
