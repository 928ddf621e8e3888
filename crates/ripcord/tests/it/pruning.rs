//! What is cleared away, and what must not be, on the real binary.

use crate::site::{Site, get, port};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Lets all objects of the store be old enough to be cleared away.
fn age(store: &Path) {
    for entry in fs::read_dir(store).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            age(&path);
        } else {
            let then = SystemTime::now() - Duration::from_hours(2);
            File::open(&path).unwrap().set_modified(then).unwrap();
        }
    }
}

fn objects(store: &Path) -> usize {
    let folders = fs::read_dir(store).unwrap().map(|entry| entry.unwrap().path());
    folders.filter(|path| path.is_dir()).map(|path| fs::read_dir(path).unwrap().count()).sum()
}

/// The shop with a file in its artifact that no other round has, for two environments on one
/// state directory.
fn dress(site: &Site, round: u32, other: &str) {
    site.dress_with("v1-good", |text| {
        let short =
            text.replace("keep_warm = \"10m\"", "keep_warm = \"0s\"\nrollback_window = \"0s\"");
        let first = short.split("[environments.test]").nth(1).unwrap();
        let second = first.replace(&site.listen.to_string(), other);
        let second: Vec<&str> = second
            .lines()
            .filter(|line| !line.starts_with("preview") && !line.starts_with("checks"))
            .collect();
        format!("{short}\n[environments.p]\ndatabase = \"p.db\"{}\n", second.join("\n"))
    });
    fs::write(site.project().join("bin/round.txt"), format!("round {round}")).unwrap();
}

/// What the ledger says was cleared away, in that order; twice if somebody came in between.
fn cleared(site: &Site) -> Vec<String> {
    let log = site.run(&["ledger", "log"]).expect(0).stdout;
    let names = log.lines().filter_map(|line| line.split("no rollback needs them: ").nth(1));
    names.flat_map(|names| names.split(", ")).map(str::to_owned).collect()
}

#[test]
fn scenario_48_prune_isolation() {
    let other = port();
    let mut site = Site::new();
    let in_s = |site: &Site, verb: &[&str]| site.run(&[verb, &["--environment", "test"]].concat());
    let in_p = |site: &Site, verb: &[&str]| site.run(&[verb, &["--environment", "p"]].concat());
    let listen = other.to_string();
    let prepared = |site: &Site, round| {
        dress(site, round, &listen);
        site.freeze()
    };
    // The configuration with both environments must be there when the controller starts.
    dress(&site, 0, &listen);
    site.serve();
    let home = |site: &Site, id: &str| site.state().join("releases").join(id);
    let store = site.state().join("store/sha256");

    for round in 1..=2 {
        let release = prepared(&site, round);
        in_p(&site, &["deploy", &release]).expect(0);
        in_s(&site, &["deploy", &release]).expect(0);
    }
    for round in 3..=8 {
        let release = prepared(&site, round);
        in_s(&site, &["deploy", &release]).expect(0);
    }
    // S has no need of v1, v2 and v3; P serves v2 and may go back to v1.
    site.until("v3 is cleared away", Duration::from_secs(10), |site| !home(site, "v3").exists());
    assert!(home(&site, "v1").exists() && home(&site, "v2").exists());

    // While a plan is not over anywhere, nothing is cleared away anywhere. What nobody needs any
    // more before the plan has begun (v4, once v9 has its number) may go at any look before that:
    // what is held against is v5, which v10 pushes out while the plan waits, and the objects that
    // grow old meanwhile.
    let last = prepared(&site, 9);
    let config = fs::read_to_string(site.config()).unwrap();
    fs::write(site.config(), format!("{config}approve = true\n")).unwrap();
    in_p(&site, &["deploy", &last, "--detach"]).expect(0);
    fs::write(site.config(), config).unwrap();
    let newest = prepared(&site, 10);
    age(&store);
    let before = objects(&store);
    in_s(&site, &["deploy", &newest]).expect(0);
    // Several looks of each environment later.
    std::thread::sleep(Duration::from_secs(2));
    assert!(home(&site, "v5").exists());
    assert_eq!(objects(&store), before);
    in_p(&site, &["promote"]).expect(0);
    site.until("objects are cleared away", Duration::from_secs(20), |_| objects(&store) < before);
    let gone = cleared(&site);
    let each: BTreeSet<&str> = gone.iter().map(String::as_str).collect();
    assert_eq!(each, BTreeSet::from(["v1", "v3", "v4", "v5"]));

    let refused = in_s(&site, &["deploy", "v3"]).expect(3);
    assert!(refused.stderr.contains("RC0112"), "{}", refused.stderr);
    in_p(&site, &["rollback"]).expect(0);
    assert_eq!(get(other, "/version").header("x-ripcord-release").as_deref(), Some("v2"));
    // The same content again is the same release again, whole. A controller that has just begun
    // knows as well what was cleared away.
    site.kill_controller();
    site.serve();
    let refused = in_s(&site, &["deploy", "v4"]).expect(3);
    assert!(refused.stderr.contains("RC0112"), "{}", refused.stderr);
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(cleared(&site), gone, "cleared away anew after a restart");
    assert_eq!(prepared(&site, 3), "v3");
    in_s(&site, &["deploy", "v3"]).expect(0);
    assert_eq!(site.answering().as_deref(), Some("v3"));
    site.close();
}
