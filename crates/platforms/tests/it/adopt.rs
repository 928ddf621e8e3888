//! Instances outlive controllers: they are found again, never started twice, and a controller
//! that was replaced cannot touch them.

use crate::support::{World, ensure, eventually, release, send};
use ripcord_engine::{Failure, Platform as _};
use ripcord_platforms::{Failed, Phase};

#[test]
fn a_new_controller_adopts_what_runs() {
    let world = World::new("ok");
    world.ensure(2).unwrap();
    let (pids, processes) = (world.pids(), world.processes());
    let later = world.another();
    assert_eq!(later.observe().unwrap(), world.platform.observe().unwrap());
    assert_eq!(ensure(&later, 2, 2, 10_000).unwrap().what, "2 of v1 ready, 0 started");
    assert_eq!((world.pids(), world.processes()), (pids, processes));
}

#[test]
fn many_at_once_start_each_instance_once() {
    let world = World::new("slow");
    let others: Vec<_> = (0..6).map(|_| world.another()).collect();
    std::thread::scope(|scope| {
        for platform in &others {
            scope.spawn(|| ensure(platform, 2, 1, 20_000).unwrap());
        }
    });
    assert_eq!(world.processes().len(), 4, "two shims and two services");
    let starts = world.log().matches("service in mode").count();
    assert_eq!(starts, 1, "{}", world.log());
    assert_eq!(world.ready(), 2);
    assert_eq!(world.units().iter().map(|unit| unit.restarts).sum::<u32>(), 0);
}

#[test]
fn a_replaced_controller_is_refused() {
    let world = World::new("ok");
    ensure(&world.platform, 1, 5, 10_000).unwrap();
    let fenced = Err(Failure::Fenced { seen: 5, ours: 4 });
    assert_eq!(ensure(&world.another(), 0, 4, 10_000), fenced);
    assert_eq!(ensure(&world.another(), 2, 4, 10_000), fenced);
    assert_eq!(world.units().len(), 1);
    assert_eq!(ensure(&world.another(), 1, 5, 10_000).unwrap().what, "1 of v1 ready, 0 started");
}

#[test]
fn a_replaced_controller_that_passed_the_fence_earlier_starts_no_process() {
    let world = World::new("ok");
    ensure(&world.platform, 1, 4, 10_000).unwrap();
    let unit = ripcord_platforms::Unit::at(world.directory.path().join("run/production/v1-1"));
    let spec = unit.spec().unwrap();
    ensure(&world.platform, 0, 5, 10_000).unwrap();
    // The old controller froze just before it started the shim, and wakes up now.
    let launcher = crate::child::command("shim");
    unit.ensure_running(&spec, &launcher, ripcord_core::model::Fence(4)).unwrap();
    eventually("its shim gives up", || !unit.is_running());
    let phase = unit.status().unwrap().phase;
    assert_eq!(phase, Phase::Failed(Failed::Fenced { seen: 5, ours: 4 }));
    assert_eq!(world.processes(), [0; 0]);
    // The one in charge is not hindered by what the old one left.
    ensure(&world.platform, 1, 5, 10_000).unwrap();
    assert_eq!(world.platform.observe().unwrap()[&release()].instances.ready, 1);
}

#[test]
fn an_instance_that_a_controller_did_not_start_survives_a_crash_under_its_successor() {
    let world = World::new("ok");
    ensure(&world.platform, 1, 1, 10_000).unwrap();
    ensure(&world.platform, 1, 2, 10_000).unwrap();
    let pid = world.pids()[0];
    send(pid, rustix::process::Signal::KILL);
    eventually("it is started again under the higher fence", || {
        world.ready() == 1 && world.units()[0].pid != Some(pid)
    });
}
