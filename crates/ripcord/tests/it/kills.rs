//! kill -9 of the real controller between journal entries, forward and back, under load. After a
//! restart there is exactly one release, with traffic, processes, configuration, flags, schema
//! and data agreeing, and no request was lost.

use crate::site::{Site, get};
use ripcord_shop::load::verify;
use ripcord_shop::{Place, Schema};
use serde_json::Value;
use std::fs;
use std::time::Duration;

/// What is done when the plug is pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Journey {
    /// A deploy with the destructive migration, which goes well.
    Deploy,
    /// The same, found bad while it is watched.
    TakenBack,
    /// A rollback over the destructive migration.
    Rollback,
    /// A canary that goes well.
    Canary,
    /// A canary that is found bad while it is compared.
    CanaryBack,
    /// Instance by instance, which goes well.
    Rolling,
    /// The same, found bad while the first ones serve.
    RollingBack,
    /// The way back after all instances were replaced.
    RollingRollback,
}

/// How many instances roll.
const INSTANCES: usize = 3;

impl Journey {
    /// The shop's release that it is about.
    fn release(self) -> &'static str {
        match self {
            Journey::Deploy | Journey::TakenBack | Journey::Rollback => "v3-bad-answers",
            Journey::Canary
            | Journey::CanaryBack
            | Journey::Rolling
            | Journey::RollingBack
            | Journey::RollingRollback => "v3-bad-canary",
        }
    }

    fn rolls(self) -> bool {
        matches!(self, Journey::Rolling | Journey::RollingBack | Journey::RollingRollback)
    }

    fn is_rollback(self) -> bool {
        matches!(self, Journey::Rollback | Journey::RollingRollback)
    }

    /// The environment as it is before, too.
    fn environment(self, text: String) -> String {
        if self.rolls() {
            text.replace("instances = 1", &format!("instances = {INSTANCES}"))
        } else {
            text
        }
    }

    fn configure(self, text: String) -> String {
        let text = self.environment(text);
        let judge = "[environments.test.judge]\nmetrics = [\"errors\"]\n";
        let canary = |steps: &str| {
            format!("{text}strategy = \"canary\"\nsteps = [{steps}]\nlease = \"5s\"\n{judge}")
        };
        let rolling = |pause: &str| {
            let pause = format!("batch_pause = \"{pause}\"\nlease = \"5s\"\n");
            format!("{text}strategy = \"rolling\"\n{pause}{judge}")
        };
        match self {
            Journey::Deploy | Journey::Rollback => text,
            Journey::TakenBack => text.replace("bake = \"0s\"", "bake = \"20s\""),
            Journey::Canary => canary(r#""20%", "pause 100ms", "60%", "pause 100ms""#),
            Journey::CanaryBack => canary(r#""50%", "analysis 1m""#),
            Journey::Rolling | Journey::RollingRollback => rolling("100ms"),
            Journey::RollingBack => rolling("1m"),
        }
    }

    /// How its release answers.
    fn answers(self) -> &'static str {
        match self {
            Journey::Deploy
            | Journey::Rollback
            | Journey::Canary
            | Journey::Rolling
            | Journey::RollingRollback => r#"{"banner":"gifts","page_size":20}"#,
            Journey::TakenBack | Journey::CanaryBack | Journey::RollingBack => {
                r#"{"banner":"bad","page_size":20,"faults":{"error_percent":40.0}}"#
            }
        }
    }
}

/// More entries than any of these journeys writes.
const ENTRIES_MAX: u64 = 80;

#[test]
fn scenario_49_crash_at_every_step_of_a_deploy() {
    pull_the_plug(Journey::Deploy, 3);
}

#[test]
fn scenario_49_crash_at_every_step_of_being_taken_back() {
    pull_the_plug(Journey::TakenBack, 3);
}

#[test]
fn scenario_49_crash_at_every_step_of_a_rollback() {
    pull_the_plug(Journey::Rollback, 3);
}

#[test]
fn scenario_49_crash_at_every_step_of_a_canary() {
    pull_the_plug(Journey::Canary, 5);
}

#[test]
fn scenario_49_crash_at_every_step_of_a_canary_going_back() {
    pull_the_plug(Journey::CanaryBack, 5);
}

#[test]
fn scenario_49_crash_at_every_step_of_a_rolling_release() {
    pull_the_plug(Journey::Rolling, 5);
}

#[test]
fn scenario_49_crash_at_every_step_of_a_rolling_release_going_back() {
    pull_the_plug(Journey::RollingBack, 5);
}

#[test]
fn scenario_49_crash_at_every_step_of_a_rollback_of_a_rolling_release() {
    pull_the_plug(Journey::RollingRollback, 5);
}

#[test]
fn scenario_49_crash_at_every_step_of_a_deploy_over_postgresql() {
    pull_the_plug_of(Site::on_postgres(), Journey::Deploy, 13);
}

#[test]
fn scenario_49_crash_at_every_step_of_being_taken_back_over_postgresql() {
    pull_the_plug_of(Site::on_postgres(), Journey::TakenBack, 13);
}

#[test]
fn scenario_49_crash_at_every_step_of_a_rollback_over_postgresql() {
    pull_the_plug_of(Site::on_postgres(), Journey::Rollback, 13);
}

#[test]
fn soak_crash_before_and_after_every_entry() {
    if std::env::var("RIPCORD_SOAK_MINUTES").is_err() {
        return;
    }
    for journey in [
        Journey::Deploy,
        Journey::TakenBack,
        Journey::Rollback,
        Journey::Canary,
        Journey::CanaryBack,
        Journey::Rolling,
        Journey::RollingBack,
        Journey::RollingRollback,
    ] {
        pull_the_plug(journey, 1);
    }
    for journey in [Journey::Deploy, Journey::TakenBack, Journey::Rollback] {
        pull_the_plug_of(Site::on_postgres(), journey, 1);
    }
}

/// Pulls the plug at every `stride`-th place, before and after entries in turn, until a journey
/// gets through.
fn pull_the_plug(journey: Journey, stride: usize) {
    pull_the_plug_of(Site::new(), journey, stride);
}

fn pull_the_plug_of(mut site: Site, journey: Journey, stride: usize) {
    site.serve();
    let serves = |site: &Site, release: &str| {
        site.dress_with(release, |text| journey.environment(text));
        let id = site.freeze();
        site.run(&["deploy", &id]).expect(0);
        id
    };
    serves(&site, "v1-good");
    let stable = serves(&site, "v2-additive");
    site.dress_with(journey.release(), |text| journey.configure(text));
    fs::write(site.project().join("shop.json"), journey.answers()).unwrap();
    let release = site.freeze();
    let load = site.load(60);
    let places = (1..=ENTRIES_MAX)
        .flat_map(|entry| [format!("before:{entry}"), format!("after:{entry}")])
        .skip(1)
        .step_by(stride);
    let mut kills = 0;
    for place in places {
        if journey.is_rollback() {
            site.run(&["retry", &release]).expect(0);
        }
        site.kill_controller();
        site.serve_with(&[], &[("RIPCORD_CRASH", &place)]);
        let began = if journey.is_rollback() {
            site.run(&["rollback", "--detach"])
        } else {
            site.run(&["retry", &release, "--detach"])
        };
        assert!(began.code == 0 || began.code == 6, "{place}: {began:?}");
        let crashed = crashes_or_ends(&mut site);
        if crashed {
            kills += 1;
            site.serve();
            site.until(&format!("{place}: at rest"), Duration::from_mins(1), |site| {
                site.status()["operation"] == Value::Null
            });
        } else {
            // The plug is still in; what follows must not pull it.
            site.kill_controller();
            site.serve();
        }
        let live = agreement(&mut site, &place);
        if live == release {
            all_roll(&mut site, journey, [&live, &stable], &place);
            site.run(&["rollback"]).expect(0);
        }
        assert_eq!(agreement(&mut site, &place), stable);
        all_roll(&mut site, journey, [&stable, &release], &place);
        if !crashed {
            break;
        }
    }
    assert!(kills > 0);
    let (report, record) = load.stop().unwrap();
    assert!(report.failed_unexplained.is_empty(), "{:?}", report.failed_unexplained);
    let data = verify(site.place(), &record, None, Schema::V2).unwrap();
    assert!(data.is_clean(), "{data:?}");
    site.run(&["ledger", "verify"]).expect(0);
    site.close();
}

/// As many instances as are asked for are of the release that serves, and none of the other of the
/// two.
fn all_roll(site: &mut Site, journey: Journey, [live, other]: [&str; 2], place: &str) {
    if !journey.rolls() {
        return;
    }
    site.until(&format!("{place}: {live} without {other}"), Duration::from_mins(1), |site| {
        site.instances_of(live).len() == INSTANCES && site.instances_of(other).is_empty()
    });
}

/// kill -9 of the proxy at moments all over a deploy and a rollback over the destructive
/// migration. Requests in flight on it are lost with it; what was promised is not.
#[test]
fn scenario_49_the_proxy_is_killed_meanwhile() {
    let mut site = Site::open();
    site.deploy("v1-good");
    let stable = site.deploy("v2-additive");
    site.dress("v3-bad-answers");
    fs::write(site.project().join("shop.json"), r#"{"banner":"gifts","page_size":20}"#).unwrap();
    let release = site.freeze();
    let load = site.load(40);
    for after_ms in (0..240).step_by(80) {
        for words in [vec!["retry", &release, "--detach"], vec!["rollback", "--detach"]] {
            if words[0] == "rollback" && site.status()["live"] != release.as_str() {
                continue;
            }
            site.run(&words).expect(0);
            std::thread::sleep(Duration::from_millis(after_ms));
            kill_proxy(&site);
            site.until("at rest", Duration::from_mins(1), |site| {
                let status = site.run(&["status", "--json"]);
                status.code == 0 && status.json()["operation"] == Value::Null
            });
            agreement(&mut site, &format!("{words:?} after {after_ms} ms"));
        }
    }
    if site.status()["live"] == release.as_str() {
        site.run(&["rollback"]).expect(0);
    }
    assert_eq!(agreement(&mut site, "at the end"), stable);
    let (_, record) = load.stop().unwrap();
    let data = verify(site.place(), &record, None, Schema::V2).unwrap();
    assert!(data.is_clean(), "{data:?}");
    site.close();
}

fn kill_proxy(site: &Site) {
    let is_proxy = |(_, line): &&(i32, String)| line.contains(" proxy --state-dir");
    let processes = site.processes();
    if let Some((pid, _)) = processes.iter().find(is_proxy) {
        let killed = std::process::Command::new("kill").args(["-KILL", &pid.to_string()]).status();
        assert!(killed.is_ok_and(|status| status.success()));
    }
}

/// Waits until the controller has killed itself (true) or the plan is over (false).
fn crashes_or_ends(site: &mut Site) -> bool {
    let mut crashed = false;
    site.until("it crashes or ends", Duration::from_mins(1), |site| {
        crashed = site.controller().try_wait().unwrap().is_some();
        if crashed {
            return true;
        }
        let status = site.run(&["status", "--json"]);
        status.code == 0 && status.json()["operation"] == Value::Null
    });
    crashed
}

/// Everything names one release; which it is. Looked at from outside: the answers, the processes,
/// the files, the tables.
fn agreement(site: &mut Site, place: &str) -> String {
    let status = site.status();
    let live = status["live"].as_str().unwrap_or_else(|| panic!("{place}: {status}")).to_owned();
    site.until(&format!("{place}: {live} answers alone"), Duration::from_secs(10), |site| {
        site.answering().as_deref() == Some(live.as_str())
    });
    let config = fs::read_link(site.state().join("environments/test/config")).unwrap();
    assert!(config.ends_with(format!("{live}/config")), "{place}: {}", config.display());
    let schema = if has_column(site, "gift") { 3 } else { 2 };
    let version: Value = serde_json::from_str(&get(site.listen, "/version").body).unwrap();
    assert_eq!(version["schema"], schema, "{place}: code and tables differ");
    let flags = fs::read_to_string(site.state().join("environments/test/flags.json")).unwrap();
    assert_eq!(flags.contains("express-checkout"), schema == 3, "{place}: {flags}");
    assert!(!site.instances_of(&live).is_empty(), "{place}: no process of {live}");
    live
}

fn has_column(site: &Site, name: &str) -> bool {
    let sql = format!("SELECT {name} FROM orders LIMIT 1");
    match site.place() {
        Place::File(path) => rusqlite::Connection::open(path).unwrap().prepare(&sql).is_ok(),
        Place::Server(_) => site.server().client().simple_query(&sql).is_ok(),
    }
}
