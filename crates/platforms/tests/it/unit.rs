//! A unit that is no instance of a release: something that simply must run.

use crate::child::command;
use crate::support::{eventually, processes, send};
use ripcord_core::model::Fence;
use ripcord_platforms::{Limits, Phase, Unit, UnitSpec, Value};
use rustix::process::Signal;
use std::path::Path;

fn sleeper(directory: &Path) -> UnitSpec {
    let mark = Value::Plain(directory.to_string_lossy().into_owned());
    UnitSpec {
        command: ["sleep", "600"].map(str::to_owned).into(),
        working_directory: directory.to_owned(),
        environment: [("MARK".to_owned(), mark)].into(),
        port: None,
        health: None,
        stop_ms: 1_000,
        limits: Limits::default(),
        log: directory.join("log").join("sleeper.log"),
        log_bytes_max: 1024,
        fence_file: None,
    }
}

#[test]
fn it_runs_once_is_kept_running_and_stops() {
    let directory = tempfile::tempdir().unwrap();
    let unit = Unit::at(directory.path().join("sleeper"));
    let (spec, launcher) = (sleeper(directory.path()), command("shim"));
    assert!(!unit.is_running());
    assert!(unit.ensure_running(&spec, &launcher, Fence(1)).unwrap());
    assert!(!unit.ensure_running(&spec, &launcher, Fence(1)).unwrap());
    assert!(unit.is_running());
    eventually("it runs", || unit.status().unwrap().phase == Phase::Running);
    let child = unit.status().unwrap().child.unwrap();
    send(child.pid, Signal::KILL);
    eventually("it runs again", || {
        let status = unit.status().unwrap();
        status.phase == Phase::Running && status.child != Some(child)
    });
    unit.stop().unwrap();
    assert!(!unit.is_running());
    assert_eq!(unit.status().unwrap().phase, Phase::Stopped);
    assert_eq!(processes(directory.path()), [0; 0]);
    unit.stop().unwrap();
}

#[test]
fn a_changed_spec_holds_from_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let unit = Unit::at(directory.path().join("sleeper"));
    let launcher = command("shim");
    let first = sleeper(directory.path());
    unit.ensure_running(&first, &launcher, Fence(1)).unwrap();
    let mut second = first.clone();
    second.command[1] = "601".to_owned();
    unit.ensure_running(&second, &launcher, Fence(1)).unwrap();
    assert_eq!(unit.spec(), Some(first), "what runs is left as it is");
    unit.stop().unwrap();
    unit.ensure_running(&second, &launcher, Fence(1)).unwrap();
    assert_eq!(unit.spec(), Some(second));
    unit.stop().unwrap();
}

#[test]
fn a_launcher_that_is_no_shim_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let unit = Unit::at(directory.path().join("sleeper"));
    let check = |launcher: &str, expected: &str| {
        let spec = sleeper(directory.path());
        let error = unit.ensure_running(&spec, &[launcher.into()], Fence(1)).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    };
    check("no-such-program-anywhere", "cannot be started: No such file");
    check("true", "it ended (exit status: 0)");
}

#[test]
fn a_launcher_may_start_the_shim_as_its_child() {
    let directory = tempfile::tempdir().unwrap();
    let unit = Unit::at(directory.path().join("sleeper"));
    let mut launcher = command("shim");
    launcher.splice(0..0, ["sh", "-c", r#""$@"; true"#, "sh"].map(Into::into));
    unit.ensure_running(&sleeper(directory.path()), &launcher, Fence(1)).unwrap();
    assert!(unit.is_running());
    unit.stop().unwrap();
    eventually("the launcher ends with it", || processes(directory.path()).is_empty());
}

#[test]
fn a_process_is_not_begun_without_its_shim() {
    let directory = tempfile::tempdir().unwrap();
    let unit = Unit::at(directory.path().join("sleeper"));
    let launcher = command("shim");
    let spec = UnitSpec { command: vec!["true".to_owned()], ..sleeper(directory.path()) };
    unit.ensure_running(&spec, &launcher, Fence(1)).unwrap();
    unit.stop().unwrap();
    // The second stage whose parent is this test and not the shim it was begun by.
    let exec = command("exec");
    let mut exec = std::process::Command::new(&exec[0])
        .args(&exec[1..])
        .arg(unit.directory())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    assert_eq!(exec.wait().unwrap().code(), Some(127));
    let why = std::fs::read_to_string(unit.directory().join("refused.json")).unwrap();
    assert_eq!(why, r#""the shim ended before its process began""#);
}
