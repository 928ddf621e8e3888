//! The flags server of an environment on the real binary: started by the controller, told to
//! instances, serving on without it.

use crate::site::{RIPCORD, Site, get};
use serde_json::{Value, json};
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::time::Duration;

/// How long anything may take on a busy machine.
const LONGEST: Duration = Duration::from_secs(30);

/// A site whose environment serves flags, and where.
fn site(headers: &str) -> (Site, SocketAddr) {
    let flags = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
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
