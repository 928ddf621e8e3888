//! Releases over `PostgreSQL` on the real binary: users who write between, hands beside Ripcord, and
//! a server that is not there.

use crate::site::{Site, get};
use ripcord_shop::Schema;
use ripcord_shop::load::{Baseline, verify};
use serde_json::Value;
use std::fs;
use std::time::Duration;

/// An address at which nobody answers.
const NOWHERE: &str = "postgresql://postgres@127.0.0.1:1/shop";

/// The destructive release, of which nothing is bad.
fn gifts(site: &Site) -> String {
    site.dress("v3-bad-answers");
    fs::write(site.project().join("shop.json"), r#"{"banner":"gifts","page_size":20}"#).unwrap();
    site.freeze()
}

#[test]
fn a_rollback_over_several_releases_while_users_write() {
    let mut site = Site::on_postgres();
    site.serve();
    let first = site.deploy("v1-good");
    let before = Baseline::take(site.place()).unwrap();
    let load = site.load(40);
    let second = site.deploy("v2-additive");
    let third = gifts(&site);
    let deployed = site.run(&["deploy", &third]).expect(0);
    assert!(deployed.stderr.contains("requests wait while it runs"), "{}", deployed.stderr);
    assert!(deployed.stderr.contains("values of orders.note"), "{}", deployed.stderr);
    std::thread::sleep(Duration::from_millis(500));
    // Two releases back at once: one of them dropped, deleted and rewrote, one added.
    site.run(&["rollback", "--to", &first]).expect(0);
    assert_eq!(site.status()["live"], first.as_str());
    std::thread::sleep(Duration::from_millis(300));
    let (report, record) = load.stop().unwrap();
    assert!(report.failed_unexplained.is_empty(), "{:?}", report.failed_unexplained);
    let data = verify(site.place(), &record, Some(&before), Schema::V1).unwrap();
    assert!(data.is_clean(), "{data:?}");
    // What was written through the second release is out of sight, and returns with it.
    site.run(&["deploy", &second]).expect(0);
    let data = verify(site.place(), &record, Some(&before), Schema::V2).unwrap();
    assert!(data.is_clean(), "{data:?}");
    site.run(&["ledger", "verify"]).expect(0);
    site.close();
}

#[test]
fn a_canary_refuses_what_the_old_release_does_not_survive() {
    let mut site = Site::on_postgres();
    site.serve();
    site.deploy("v1-good");
    site.deploy("v2-additive");
    site.dress_with("v3-bad-answers", |text| {
        format!("{text}strategy = \"canary\"\nsteps = [\"20%\", \"pause 100ms\"]\nlease = \"5s\"\n")
    });
    let id = site.freeze();
    let refused = site.run(&["deploy", &id]).expect(3);
    assert!(refused.stderr.contains("column orders.note is gone"), "{}", refused.stderr);
    site.dress_with("v3-bad-answers", |text| format!("{text}strategy = \"rolling\"\n"));
    let id = site.freeze();
    let refused = site.run(&["deploy", &id]).expect(3);
    assert!(refused.stderr.contains("column orders.note is gone"), "{}", refused.stderr);
    site.close();
}

#[test]
fn hands_beside_ripcord_are_noticed() {
    let mut site = Site::on_postgres();
    site.serve();
    site.deploy("v1-good");
    site.dress("v2-additive");
    let url = site.server().url.clone();
    let up = std::process::Command::new(crate::site::RIPCORD)
        .args(["db", "up", "--url", &url, "--dir"])
        .arg(site.project().join("migrations"))
        .output()
        .unwrap();
    assert!(up.status.success(), "{}", String::from_utf8_lossy(&up.stderr));
    // What was run by hand is in force: nothing is left to do of it.
    let second = site.freeze();
    let plan = site.run(&["plan", "deploy", &second]).expect(0);
    assert!(plan.stdout.contains("no migration is pending"), "{}", plan.stdout);
    site.run(&["deploy", &second]).expect(0);
    // A release that lacks what is in force is none that can go live.
    let old = site.release("v1-good");
    let refused = site.run(&["deploy", &old]).expect(3);
    assert!(refused.stderr.contains("does not know"), "{}", refused.stderr);
    // And the way back takes it along, as if a release had run it.
    site.run(&["rollback"]).expect(0);
    assert!(site.server().client().simple_query("SELECT channel FROM orders").is_err());
    site.close();
}

#[test]
fn a_server_that_is_not_there() {
    let mut site = Site::on_postgres();
    site.serve();
    site.deploy("v1-good");
    let second = site.deploy("v2-additive");
    let url = site.server().url.clone();

    // When the plan is made: nothing begins.
    let third = gifts(&site);
    site.name_server(NOWHERE);
    let down = site.run(&["deploy", &third]).expect(6);
    assert!(down.stderr.contains("cannot reach shop at 127.0.0.1:1"), "{}", down.stderr);
    let status = site.status();
    assert_eq!((&status["live"], &status["operation"]), (&second.as_str().into(), &Value::Null));
    assert!(status["problem"].to_string().contains("cannot reach"), "{status}");
    site.name_server(&url);

    // When it acts: the change is given up, and as soon as it can be known that nothing of it
    // happened, requests flow again.
    let address = site.path().join("database-url");
    let gone = format!("printf %s '{NOWHERE}' > {}", address.display());
    site.dress_with("v3-bad-answers", |text| {
        let check = format!("{{ command = [\"sh\", \"-c\", {gone:?}] }}");
        text.replace("status = 200 }]", &format!("status = 200 }}, {check}]"))
    });
    fs::write(site.project().join("shop.json"), r#"{"banner":"again","page_size":20}"#).unwrap();
    let fourth = site.freeze();
    site.run(&["deploy", &fourth, "--detach"]).expect(0);
    site.until("it goes back", Duration::from_mins(1), |site| {
        site.run(&["ledger", "log"]).stdout.contains("going back")
    });
    site.name_server(&url);
    site.until("at rest", Duration::from_mins(1), |site| {
        let status = site.run(&["status", "--json"]);
        status.code == 0 && status.json()["operation"] == Value::Null
    });
    assert_eq!(site.status()["live"], second.as_str());
    assert_eq!(get(site.listen, "/orders/1").status, 200);
    assert!(site.server().client().simple_query("SELECT note FROM orders").is_ok());
    site.close();
}
