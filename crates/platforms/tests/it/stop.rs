//! Stopping: gracefully first, by force when the time is over, and everything.

use crate::support::{World, send};
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// Lets a shell stand before the service.
fn behind_a_shell(world_mode: &str, script: &str, stop_ms: u64) -> World {
    World::with(world_mode, |template| {
        template.command.splice(0..0, ["sh", "-c", script, "sh"].map(str::to_owned));
        template.stop_ms = stop_ms;
    })
}

#[test]
fn a_process_may_end_in_peace() {
    let script = r#"trap 'sleep 0.3; echo goodbye; kill $!; exit 0' TERM; "$@" & wait"#;
    let world = behind_a_shell("ok", script, 10_000);
    world.ensure(1).unwrap();
    let began = Instant::now();
    world.ensure(0).unwrap();
    assert!(world.log().contains("goodbye"), "{}", world.log());
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(world.processes(), [0; 0]);
    assert!(!world.directory.path().join("run/production/v1-1").exists());
}

#[test]
fn a_process_that_does_not_listen_is_killed_when_its_time_is_over() {
    let world = behind_a_shell("ok", r#"trap '' TERM; exec "$@""#, 400);
    world.ensure(2).unwrap();
    let began = Instant::now();
    world.ensure(0).unwrap();
    assert!(began.elapsed() >= Duration::from_millis(400), "{:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(world.processes(), [0; 0]);
}

#[test]
fn a_frozen_shim_is_stopped_too() {
    let world = World::with("ok", |template| template.stop_ms = 100);
    world.ensure(1).unwrap();
    send(world.shim(), Signal::STOP);
    world.ensure(0).unwrap();
    assert_eq!(world.processes(), [0; 0]);
}

#[test]
fn an_instance_between_two_starts_is_stopped_and_not_started_again() {
    let world = World::new("exit");
    world.ensure(1).unwrap_err();
    // After its third end the pause is long enough to be met.
    let begun = || world.log().matches("service in mode").count();
    let before = begun();
    world.ensure(0).unwrap();
    assert_eq!(world.processes(), [0; 0]);
    assert_eq!(begun(), before);
}

#[test]
fn stopping_what_does_not_run_is_nothing() {
    let world = World::new("ok");
    assert_eq!(world.ensure(0).unwrap().what, "no instance of v1 runs");
    world.ensure(1).unwrap();
    assert_eq!(world.ensure(0).unwrap().what, "stopped 1 of v1");
    assert_eq!(world.ensure(0).unwrap().what, "no instance of v1 runs");
}

#[test]
fn stop_everything_leaves_no_process() {
    let world = World::new("ok");
    world.ensure(3).unwrap();
    assert_eq!(world.processes().len(), 6);
    world.another().stop_everything().unwrap();
    assert_eq!(world.processes(), [0; 0]);
    assert!(world.units().is_empty());
    assert!(world.log().contains("service in mode"), "logs stay");
}
