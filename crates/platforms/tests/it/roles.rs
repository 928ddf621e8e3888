//! Roles beside the web: started, found again, counted and stopped like it, but without a port,
//! and ready once they have stayed up for a moment.

use crate::support::{World, eventually, release, send};
use ripcord_core::model::{Fence, Instances, PlanId};
use ripcord_core::run::Receipt;
use ripcord_engine::{Failure, Platform as _, Ticket};
use ripcord_platforms::{ProcessPlatform, UnitState};
use rustix::process::Signal;
use std::time::{Duration, Instant};

fn ensure(
    platform: &ProcessPlatform,
    role: &str,
    count: u32,
    fence: u64,
    deadline_ms: u64,
) -> Result<Receipt, Failure> {
    let plan = PlanId::from("sha256:0");
    let ticket = Ticket { plan: &plan, step: 1, fence: Fence(fence), deadline_ms, stop: &|| false };
    platform.ensure_role(&release(), role, count, &ticket)
}

fn role(world: &World, role: &str, count: u32) -> Result<Receipt, Failure> {
    ensure(&world.platform, role, count, 1, 20_000)
}

/// How many of a role are wanted and ready.
fn state(world: &World, role: &str) -> (u32, u32) {
    let roles = world.platform.roles().unwrap();
    let found = roles.get(&release()).and_then(|roles| roles.get(role)).copied();
    let Instances { wanted, ready } = found.unwrap_or_default();
    (wanted, ready)
}

fn units(world: &World, role: &str) -> Vec<UnitState> {
    let is = |unit: &UnitState| unit.role.as_deref() == Some(role);
    world.units().into_iter().filter(is).collect()
}

#[test]
fn a_role_is_ready_when_it_has_stayed_up_for_a_moment() {
    let world = World::new("ok");
    let began = Instant::now();
    assert_eq!(role(&world, "worker", 2).unwrap().what, "2 of v1 worker ready, 2 started");
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(state(&world, "worker"), (2, 2));
    let units = units(&world, "worker");
    assert_eq!(units.iter().map(|unit| unit.number).collect::<Vec<_>>(), [1, 2]);
    assert!(units.iter().all(|unit| unit.address.is_none() && unit.pid.is_some()));
    let mark = world.directory.path().display().to_string();
    for log in ["worker-1.log", "worker-2.log"] {
        let log = world.log_of(log);
        assert!(log.contains(&format!("works, told {mark}")), "the same environment: {log}");
    }
}

#[test]
fn the_web_and_its_roles_do_not_meet() {
    let world = World::new("ok");
    world.ensure(2).unwrap();
    role(&world, "worker", 1).unwrap();
    assert_eq!(world.platform.addresses(&release()).unwrap().len(), 2);
    assert_eq!(world.platform.observe().unwrap()[&release()].instances.wanted, 2);
    let pids = world.pids();
    world.ensure(1).unwrap();
    assert_eq!((state(&world, "worker"), world.ready()), ((1, 1), 1));
    world.ensure(0).unwrap();
    assert_eq!(world.platform.observe().unwrap().len(), 0, "a role alone is no web");
    assert_eq!(state(&world, "worker"), (1, 1));
    assert_eq!(units(&world, "worker")[0].pid, pids.last().copied());
    assert_eq!(role(&world, "worker", 0).unwrap().what, "stopped 1 of v1 worker");
    assert_eq!(world.platform.roles().unwrap().len(), 0);
    assert_eq!(world.processes(), [0; 0]);
}

#[test]
fn a_new_controller_adopts_roles_and_a_replaced_one_is_refused() {
    let world = World::new("ok");
    ensure(&world.platform, "worker", 2, 4, 20_000).unwrap();
    let pids = world.pids();
    let later = world.another();
    assert_eq!(later.roles().unwrap(), world.platform.roles().unwrap());
    let again = ensure(&later, "worker", 2, 5, 20_000).unwrap();
    assert_eq!((again.what.as_str(), world.pids()), ("2 of v1 worker ready, 0 started", pids));
    let fenced = Err(Failure::Fenced { seen: 5, ours: 4 });
    assert_eq!(ensure(&world.platform, "worker", 0, 4, 20_000), fenced);
    assert_eq!(ensure(&world.platform, "worker", 3, 4, 20_000), fenced);
    assert_eq!(state(&world, "worker"), (2, 2));
}

#[test]
fn a_role_that_never_stays_up_is_definite_and_shows_the_log() {
    let world = World::new("ok");
    world.ensure(1).unwrap();
    let failure = role(&world, "brief", 1).unwrap_err();
    let Failure::Definite(text) = &failure else { panic!("{failure:?}") };
    assert!(text.contains("instance 1 of v1 brief"), "{text}");
    assert!(text.contains("ended 3 times without becoming ready"), "{text}");
    assert!(text.contains("| works, told"), "{text}");
    assert_eq!(state(&world, "brief"), (1, 0));
    // What speaks against a role speaks against its release.
    assert!(world.platform.observe().unwrap()[&release()].restarts >= 3);
    role(&world, "brief", 0).unwrap();
    assert_eq!(state(&world, "brief"), (0, 0));
}

#[test]
fn a_role_that_has_just_begun_is_not_yet_ready() {
    let world = World::new("ok");
    std::thread::scope(|scope| {
        let ensured = scope.spawn(|| role(&world, "worker", 1));
        eventually("it runs", || units(&world, "worker").iter().any(|unit| unit.pid.is_some()));
        assert_eq!(state(&world, "worker"), (1, 0));
        ensured.join().unwrap().unwrap();
    });
    assert_eq!(state(&world, "worker"), (1, 1));
}

#[test]
fn a_role_that_ends_later_is_started_again_and_counted() {
    let world = World::new("ok");
    role(&world, "tired", 1).unwrap();
    eventually("it is started again", || units(&world, "tired")[0].restarts >= 1);
    eventually("it is not ready at once", || {
        units(&world, "tired")[0].pid.is_some() && state(&world, "tired") == (1, 0)
    });
    eventually("it is ready again", || state(&world, "tired") == (1, 1));
    assert_eq!(units(&world, "tired")[0].last_exit.as_deref(), Some("exit status: 7"));
}

#[test]
fn a_killed_shim_of_a_role_is_healed() {
    let world = World::new("ok");
    role(&world, "worker", 1).unwrap();
    let pid = world.pids()[0];
    send(world.shim_of("v1@worker-1"), Signal::KILL);
    // A process that is being torn down has lost its name before its lock.
    eventually("its process ends with it", || {
        !world.processes().contains(&pid) && state(&world, "worker") == (1, 0)
    });
    role(&world, "worker", 1).unwrap();
    assert_eq!((state(&world, "worker"), units(&world, "worker")[0].restarts), ((1, 1), 1));
}

#[test]
fn roles_follow_the_number_and_end_in_peace() {
    let world = World::with("ok", |template| {
        let script = r#"trap 'sleep 0.2; echo goodbye; kill $!; exit 0' TERM; "$@" & wait"#;
        let worker = template.roles.get_mut("worker").unwrap();
        worker.splice(0..0, ["sh", "-c", script, "sh"].map(str::to_owned));
    });
    role(&world, "worker", 3).unwrap();
    let pids: Vec<_> = units(&world, "worker").iter().map(|unit| unit.pid).collect();
    let said = role(&world, "worker", 1).unwrap().what;
    assert_eq!(said, "1 of v1 worker ready, 0 started, 2 stopped");
    let left: Vec<_> = units(&world, "worker").iter().map(|unit| unit.pid).collect();
    assert_eq!(left, pids[..1], "the first remains");
    assert!(world.log_of("worker-3.log").contains("goodbye"));
    assert!(!world.log_of("worker-1.log").contains("goodbye"));
}

#[test]
fn a_role_that_the_release_does_not_have_is_refused() {
    let world = World::new("ok");
    let check = |name: &str, expected: &str| {
        let Err(Failure::Definite(text)) = role(&world, name, 1) else { panic!("{name}") };
        assert!(text.contains(expected), "{text}");
        assert_eq!(world.units(), []);
    };
    check("cron", "v1 has no role `cron`");
    check("../worker", "«../worker» is not the name of a role");
    check("", "«» is not the name of a role");
    // Stopping what was never there is nothing, as for the web.
    assert_eq!(role(&world, "cron", 0).unwrap().what, "no instance of v1 cron runs");
}

#[test]
fn stop_everything_stops_roles_too() {
    let world = World::new("ok");
    world.ensure(1).unwrap();
    role(&world, "worker", 1).unwrap();
    world.another().stop_everything().unwrap();
    assert_eq!(world.processes(), [0; 0]);
}
