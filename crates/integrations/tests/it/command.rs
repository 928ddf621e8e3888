//! Real commands: what they print, and that nothing of them is left.

use crate::support::{read, sources, try_out, until};
use ripcord_integrations::SourceError;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

fn run(argv: &[&str], timeout_ms: u64, query: &str) -> Result<Option<f64>, SourceError> {
    read(&sources(json!({"command": {"argv": argv, "timeout_ms": timeout_ms}})), query)
}

fn script(text: &str, query: &str) -> Result<Option<f64>, SourceError> {
    run(&["sh", "-c", text], 5_000, query)
}

/// Whether a process runs; one that has ended and is not yet waited for does not.
fn runs(pid: &str) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(pid).join("stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

#[test]
fn numbers_are_read() {
    assert_eq!(script("echo 0.25", ""), Ok(Some(0.25)));
    assert_eq!(script("echo '{\"value\": 3}'; echo note >&2", ""), Ok(Some(3.0)));
    assert_eq!(script("printf \"$RIPCORD_QUERY\"", "17"), Ok(Some(17.0)));
    assert_eq!(script("true", ""), Ok(None));
    // More than is read at once, all of it written just before the end.
    assert_eq!(script("printf '%60000s' 4", ""), Ok(Some(4.0)));
    // More than a pipe holds.
    assert_eq!(script("printf '4 '; head -c 900000 /dev/zero", ""), Ok(Some(4.0)));
}

#[test]
fn no_data_is_an_error_while_a_plan_is_made() {
    let quiet = sources(json!({"command": {"argv": ["true"]}}));
    assert_eq!(
        try_out(&quiet, "q"),
        Err(SourceError::NoData { at: "true".into(), query: "q".into() })
    );
}

#[test]
fn no_shell_reads_the_query() {
    let folder = tempfile::tempdir().unwrap();
    let touched = folder.path().join("touched");
    let query = format!("1 $(touch {0}); touch {0} `touch {0}`", touched.display());
    assert_eq!(run(&["echo", "{query}"], 5_000, &query), Ok(Some(1.0)));
    assert!(!touched.exists());
}

#[test]
fn failures_say_why() {
    let check = |text: &str, expected_how: &str, part: &str| {
        let error = script(text, "").unwrap_err();
        let SourceError::Failed { how, said, .. } = &error else { panic!("{error:?}") };
        assert!(how.contains(expected_how) && said.contains(part), "{error}");
        assert!(said.len() <= 2_000, "{}", said.len());
    };
    check("echo 5; echo no route >&2; exit 3", "exit status: 3", "no route");
    check("echo 5; kill -9 $$", "signal: 9", "");
    check(
        "head -c 3000000 /dev/zero | tr '\\0' x >&2; echo last words >&2; exit 1",
        "1",
        "last words",
    );
    let error = run(&["/no/such/program", "hush"], 5_000, "").unwrap_err();
    assert!(error.to_string().starts_with("/no/such/program failed: it cannot be started"));
    assert!(!error.to_string().contains("hush"), "{error}");
}

#[test]
fn nothing_outlives_the_timeout() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let text = format!("trap '' TERM; sleep 60 & echo $! $$ > {}; echo 5; wait", pids.display());
    let began = Instant::now();
    let error = run(&["sh", "-c", &text], 1_500, "").unwrap_err();
    assert_eq!(error, SourceError::Slow { at: "sh".into(), timeout_ms: 1_500 });
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let pids = fs::read_to_string(pids).unwrap();
    assert_eq!(pids.split_whitespace().count(), 2);
    until("both are gone", || pids.split_whitespace().all(|pid| !runs(pid)));
}

#[test]
fn what_is_left_behind_neither_delays_nor_stays() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let text = format!("sleep 60 & echo $! > {}; echo 5", pid.display());
    let began = Instant::now();
    assert_eq!(script(&text, ""), Ok(Some(5.0)));
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    let pid = fs::read_to_string(pid).unwrap();
    until("it is gone", || !runs(pid.trim()));
}

#[test]
fn endless_output_is_not_kept() {
    for text in ["yes", "yes & echo 5; sleep 60"] {
        let began = Instant::now();
        let error = script(text, "").unwrap_err();
        assert!(matches!(error, SourceError::Nonsense { .. }), "{error:?}");
        assert!(error.to_string().contains("more than 1000000 bytes"), "{error}");
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    }
}
