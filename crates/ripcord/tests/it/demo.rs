//! The demo, as the README has people run it.

use crate::cluster::database;
use crate::site::{RIPCORD, signal};
use serde_json::Value;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn everything_that_the_demo_promises_holds() {
    promises_hold(&["demo", "--json"], Duration::from_secs(2));
}

/// The same on a private cluster of the system's own server, which is gone afterwards.
#[test]
fn everything_holds_on_postgresql() {
    promises_hold(&["demo", "--postgres", "--json"], Duration::from_secs(10));
}

/// And in a database of the demo's own at a server that runs already, which is left as it was.
#[test]
fn a_named_server_is_left_as_it_was() {
    let beside = database();
    beside.run("CREATE TABLE of_somebody (id int); INSERT INTO of_somebody VALUES (1)");
    let databases = || {
        let sql = "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database \
                   WHERE datname LIKE 'ripcord_demo_%'";
        beside.client().query_one(sql, &[]).unwrap().get::<_, Option<String>>(0)
    };
    let arguments = ["demo", "--json", "--database", &beside.url];
    let mut child = Command::new(RIPCORD)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while databases().is_none() {
        assert!(child.try_wait().unwrap().is_none(), "the demo ended");
        assert!(began.elapsed() < Duration::from_mins(1), "no database appears");
        std::thread::sleep(Duration::from_millis(20));
    }
    signal(&child, "INT");
    let code = child.wait().unwrap().code();
    assert_eq!((code, databases()), (Some(130), None));
    beside.run("SELECT id FROM of_somebody");
}

fn promises_hold(arguments: &[&str], rollback_max: Duration) {
    let began = Instant::now();
    let output = Command::new(RIPCORD).args(arguments).output().unwrap();
    let (stdout, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stdout}\n{stderr}");
    assert!(began.elapsed() < Duration::from_mins(3), "{:?}", began.elapsed());
    let last: Value = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    let number = |name: &str| last[name].as_f64().unwrap_or_else(|| panic!("{name}: {last}"));
    assert!(number("requests") > 500.0, "{last}");
    assert!(number("failed_requests_due_to_ripcord") < 1.0, "{last}");
    assert!(number("user_rows_lost") < 1.0, "{last}");
    assert!(number("user_rows_written_during") > 0.0, "{last}");
    assert!(number("requests_to_detection") > 0.0, "{last}");
    assert!(number("rollback_total_ms") < rollback_max.as_secs_f64() * 1_000.0, "{last}");
    assert_eq!((&last["canary_release"], &last["bad_release"]), (&"v3".into(), &"v4".into()));
    // One user in ten meets the canary, and few of them an error, before it is gone.
    assert!(number("canary_requests_to_detection") > 0.0, "{last}");
    assert!(number("canary_users_affected") <= number("canary_users"), "{last}");
    assert!(number("canary_users") < 0.3 * number("users"), "{last}");
    assert!(number("stable_errors_meanwhile") < 1.0, "{last}");
    for name in [
        "schema_equal",
        "data_equal",
        "flags_equal",
        "config_equal",
        "ledger_verified",
        "canary_taken_back_by_evidence",
        "canary_schema_equal",
    ] {
        assert_eq!(last[name], true, "{name}: {last}");
    }
    for told in ["requests wait", "evidence", "forecast", "outcome", "canary requests with 5xx"] {
        assert!(stderr.contains(told), "{told}: {stderr}");
    }
}

/// Ctrl-C at any moment leaves no process and no directory behind.
#[test]
fn an_interrupted_demo_leaves_nothing() {
    for after_ms in [0, 30, 120, 400, 1_500, 3_000] {
        let directory = tempfile::tempdir().unwrap();
        let mut child = Command::new(RIPCORD)
            .args(["demo", "--json"])
            .env("TMPDIR", directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(after_ms));
        signal(&child, "INT");
        let began = Instant::now();
        while child.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < Duration::from_secs(40), "after {after_ms} ms: goes on");
            std::thread::sleep(Duration::from_millis(20));
        }
        let name = directory.path().display().to_string();
        let left: Vec<String> = fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
            .map(|line| String::from_utf8_lossy(&line).into_owned())
            .filter(|line| line.contains(&name))
            .collect();
        assert!(left.is_empty(), "after {after_ms} ms: {left:?}");
        let files: Vec<_> = fs::read_dir(directory.path()).unwrap().flatten().collect();
        assert!(files.is_empty(), "after {after_ms} ms: {files:?}");
    }
}
