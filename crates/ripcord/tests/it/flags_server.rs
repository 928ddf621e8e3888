//! The flags server of an environment on the real binary: started by the controller, told to
//! instances, serving on without it.

use crate::site::{RIPCORD, Site, get, port};
use serde_json::{Value, json};
use std::fs;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

/// How long anything may take on a busy machine.
const LONGEST: Duration = Duration::from_secs(30);

/// A site whose environment serves flags, and where.
fn site(headers: &str) -> (Site, SocketAddr) {
    let flags = port();
    let site = Site::new();
    site.dress_with("v1-good", |text| {
        format!("{text}[environments.test.flags]\nserve = \"{flags}\"\n{headers}")
    });
    (site, flags)
}

/// One flag, as a client asks for it.
fn ask(server: SocketAddr, key: &str) -> Value {
    let url = format!("http://{server}/ofrep/v1/evaluate/flags/{key}");
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let Ok(mut answer) = agent.post(url).send("{}") else { return Value::Null };
    let text = answer.body_mut().read_to_string().unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// Puts a document where the controller puts the one in force.
fn publish(site: &Site, switch: &str) {
    let folder = site.state().join("environments/test");
    let document = json!({"flags": {"night": {"state": "ENABLED",
        "variants": {"on": true, "off": false}, "defaultVariant": switch}}});
    fs::write(folder.join("publishing"), document.to_string()).unwrap();
    fs::rename(folder.join("publishing"), folder.join("flags.json")).unwrap();
}

#[test]
fn it_serves_what_is_in_force_and_outlives_the_controller() {
    let (mut site, server) = site("");
    site.serve();
    let release = site.freeze();
    site.run(&["deploy", &release]).expect(0);
    let frozen: Value =
        serde_json::from_slice(&fs::read(site.project().join("flags.json")).unwrap()).unwrap();
    let key = frozen["flags"].as_object().unwrap().keys().next().unwrap().clone();
    site.until("the release's flags are served", LONGEST, |_| ask(server, &key)["key"] == key[..]);
    site.kill_controller();
    publish(&site, "off");
    site.until("off is served without a controller", LONGEST, |_| {
        ask(server, "night")["value"] == json!(false)
    });
    let health = get(server, "/healthz");
    assert_eq!((health.status, health.body.contains("current")), (200, true), "{health:?}");
    site.serve();
    assert_eq!(get(server, "/healthz").status, 200, "the next controller adopts it");
    site.close();
}

#[test]
fn instances_know_where_to_ask_and_with_what() {
    let (mut site, server) = site("headers = { secret = \"env:SHOP_OFREP\" }\n");
    site.serve_with(&[], &[("SHOP_OFREP", "X-API-Key=rck_test")]);
    let release = site.freeze();
    site.run(&["deploy", &release]).expect(0);
    let environments: Vec<String> = site
        .instances_of(&release)
        .iter()
        .filter_map(|(pid, _)| fs::read(format!("/proc/{pid}/environ")).ok())
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .collect();
    let has = |text: &str| environments.iter().any(|found| found.split('\0').any(|v| v == text));
    assert!(has(&format!("OFREP_ENDPOINT=http://{server}")), "{environments:?}");
    assert!(has("OFREP_HEADERS=X-API-Key=rck_test"), "{environments:?}");
    site.close();
}

#[test]
fn a_key_is_shown_once_and_other_machines_need_one() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(RIPCORD);
        command.args(arguments).current_dir(folder.path()).stdin(Stdio::null()).output().unwrap()
    };
    let made = run(&["flags", "new-key", "web", "--json"]);
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let kept = fs::read_to_string(folder.path().join("flags.keys")).unwrap();
    assert!(kept.starts_with("web sha256:") && !kept.contains(made["key"].as_str().unwrap()));
    let again = run(&["flags", "new-key", "web"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&again.stderr).contains("RC0020"), "{again:?}");
    let open = run(&["flags", "serve", "--file", "flags.json", "--listen", "0.0.0.0:0"]);
    assert_eq!(open.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&open.stderr).contains("RC0019"), "{open:?}");
}

/// What the shop says that it uses: it asks the flags server through an unmodified client.
fn used(site: &Site) -> Value {
    let answer = get(site.listen, "/version");
    serde_json::from_str::<Value>(&answer.body).map_or(Value::Null, |all| all["flags"].clone())
}

#[test]
fn the_shop_asks_the_server_through_the_sdk() {
    let (mut site, _) = site("");
    // Without a file there is only the server to say what a flag is.
    let config = fs::read_to_string(site.config()).unwrap();
    let without = config.replace("FLAGS_FILE = \"{flags}\"\n", "");
    assert_ne!(without, config);
    fs::write(site.config(), without).unwrap();
    site.serve();
    let release = site.freeze();
    site.run(&["deploy", &release]).expect(0);
    // No such flag is no value; one that is there is what the server says, not what the file says.
    assert_eq!(used(&site), json!({"reviews": false}));
    site.run(&["flags", "on", "reviews", "--reason", "a test"]).expect(0);
    site.until("the shop sees it on", LONGEST, |site| used(site) == json!({"reviews": true}));
    site.kill_controller();
    site.run(&["flags", "off", "reviews", "--reason", "at night"]).expect(0);
    site.until("the shop sees it off", LONGEST, |site| used(site) == json!({"reviews": false}));
    site.serve();
    site.close();
}

/// The flags server's own process.
fn server_pid(site: &Site) -> i32 {
    let found = site.processes();
    let server = found.iter().find(|(_, line)| line.contains(" flags serve "));
    server.unwrap_or_else(|| panic!("no flags server in {found:?}")).0
}

/// Off is served by whatever is left of the machine's processes, and by what starts again.
#[test]
fn off_survives_kill_9_of_the_server_and_of_the_controller() {
    let (mut site, server) = site("");
    site.serve();
    let release = site.freeze();
    site.run(&["deploy", &release]).expect(0);
    let is = |on: bool| ask(server, "reviews")["value"] == json!(on);
    site.run(&["flags", "on", "reviews", "--reason", "a test"]).expect(0);
    site.until("it is on", LONGEST, |_| is(true));
    site.run(&["flags", "off", "reviews", "--reason", "errors"]).expect(0);
    let killed = server_pid(&site);
    kill_9(killed);
    site.until("another server serves off", LONGEST, |site| {
        let all = site.processes();
        !all.iter().any(|(pid, _)| *pid == killed) && is(false)
    });
    site.kill_controller();
    assert!(is(false), "a lost controller changes nothing");
    kill_9(server_pid(&site));
    site.until("off is served after both were lost", LONGEST, |_| is(false));
    site.serve();
    assert!(is(false), "a controller that comes back changes nothing");
    let never_on = (0..20).all(|_| ask(server, "reviews")["value"] == json!(false));
    assert!(never_on);
    site.close();
}

fn kill_9(pid: i32) {
    let done = Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
    assert!(done.success());
}

/// A disk that is full where the new document has to be written: the change is refused, the ledger
/// has no revision of it, and what was served is served, also after a restart.
#[test]
fn a_full_disk_refuses_and_serves_what_was_served() {
    let (mut site, server) = site("");
    site.serve();
    let release = site.freeze();
    site.run(&["deploy", &release]).expect(0);
    let is = |on: bool| ask(server, "reviews")["value"] == json!(on);
    site.run(&["flags", "off", "reviews", "--reason", "errors"]).expect(0);
    site.until("it is off", LONGEST, |_| is(false));
    let revisions = |site: &Site| site.run(&["flags", "history", "--json"]).expect(0).json();
    let before = revisions(&site);
    // Whatever is written there, the device is full.
    let staged = site.state().join("environments/test/flags.new");
    std::os::unix::fs::symlink("/dev/full", &staged).unwrap();
    let refused = site.run(&["flags", "on", "reviews", "--reason", "x"]).expect(3);
    assert!(refused.stderr.contains("RC0216"), "{refused:?}");
    assert!(refused.stderr.contains("what was served before is served"), "{refused:?}");
    assert_eq!(revisions(&site), before);
    kill_9(server_pid(&site));
    site.until("off is served", LONGEST, |_| is(false));
    fs::remove_file(&staged).unwrap();
    site.run(&["flags", "on", "reviews", "--reason", "there is room again"]).expect(0);
    site.until("it is on", LONGEST, |_| is(true));
    site.close();
}

/// A controller that hangs keeps no flag on: the command says so soon, and acts without it.
#[test]
fn a_hung_controller_is_taken_over_from() {
    let (mut site, server) = site("");
    site.serve();
    let release = site.freeze();
    site.run(&["deploy", &release]).expect(0);
    let is = |on: bool| ask(server, "reviews")["value"] == json!(on);
    site.run(&["flags", "on", "reviews", "--reason", "a test"]).expect(0);
    site.until("it is on", LONGEST, |_| is(true));
    crate::site::signal(site.controller(), "STOP");
    let began = std::time::Instant::now();
    let said = site.run(&["flags", "off", "reviews", "--reason", "errors"]).expect(3);
    assert!(said.stderr.contains("--takeover"), "{said:?}");
    assert!(began.elapsed() < LONGEST);
    site.run(&["flags", "off", "reviews", "--takeover", "--reason", "errors"]).expect(0);
    site.until("it is off", LONGEST, |_| is(false));
    // What wakes up again is no controller any more, and turns nothing on.
    crate::site::signal(site.controller(), "CONT");
    let late = site.run(&["flags", "on", "reviews", "--reason", "too late"]);
    assert_ne!(late.code, 0, "{late:?}");
    assert!(is(false));
    site.kill_controller();
    site.serve();
    assert!(is(false));
    site.close();
}

/// Days are counted over restarts; here the server finds what another one counted long ago.
#[test]
fn stale_flags_are_known_over_restarts() {
    let (mut site, server) = site("");
    site.serve();
    let release = site.freeze();
    site.run(&["deploy", &release]).expect(0);
    site.until("it is served", LONGEST, |_| ask(server, "reviews")["key"] == json!("reviews"));
    let stale = |site: &Site, days: &str| {
        let found = site.run(&["flags", "stale", "--days", days, "--json"]).expect(0).json();
        found.as_array().unwrap().clone()
    };
    assert_eq!(stale(&site, "1"), Vec::<Value>::new(), "what is counted since today is not stale");
    let same = stale(&site, "0");
    assert_eq!((&same[0]["flag"], &same[0]["environment"]), (&json!("reviews"), &json!("test")));
    let day_ms = 24 * 60 * 60 * 1_000_u64;
    let now_ms = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let ago = |days: u64| u64::try_from(now_ms.as_millis()).unwrap() - days * day_ms;
    let kept = json!({"format": 1, "flags": {"reviews": {"since_ms": ago(90),
        "variants": {"off": {"single": 7, "bulk": 0, "last_ms": ago(40)}},
        "no_variant": {"single": 0, "bulk": 0, "last_ms": null}, "last_single_at_ms": ago(40)}}});
    let counts = site.state().join("environments/test/flags.json.counts");
    // A server that is stopped writes what it counted; one that is killed does not.
    kill_9(server_pid(&site));
    fs::write(&counts, kept.to_string()).unwrap();
    kill_9_if_it_runs(&site);
    site.until("the old counts are known", LONGEST, |site| {
        stale(site, "30").iter().any(|one| one["because"] == json!("not evaluated for 40 days"))
    });
    ask(server, "reviews");
    let now = stale(&site, "30");
    assert_eq!(now[0]["because"], json!("one variant, off, for 90 days: 8 times"), "{now:?}");
    site.close();
}

/// The shim may have started the next server before the counts were there.
fn kill_9_if_it_runs(site: &Site) {
    let server = site.processes().into_iter().find(|(_, line)| line.contains(" flags serve "));
    if let Some((pid, _)) = server {
        drop(Command::new("kill").args(["-9", &pid.to_string()]).status());
    }
}

/// Alone, without a controller, a project or a configuration.
#[test]
fn a_document_is_served_at_a_port() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("flags.json");
    let flag = json!({"state": "ENABLED", "variants": {"on": true}, "defaultVariant": "on"});
    fs::write(&file, json!({"flags": {"reviews": flag}}).to_string()).unwrap();
    let at = port();
    let mut command = Command::new(RIPCORD);
    command.args(["flags", "serve", "--port", &at.port().to_string(), "--file"]).arg(&file);
    let mut server = command.stderr(Stdio::null()).spawn().unwrap();
    let begun = std::time::Instant::now();
    while std::net::TcpStream::connect(at).is_err() && begun.elapsed() < LONGEST {
        std::thread::sleep(Duration::from_millis(10));
    }
    let value = ask(at, "reviews")["value"].clone();
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!(value, json!(true));
}
