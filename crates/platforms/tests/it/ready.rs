//! Becoming ready, or not.

use crate::support::{World, ensure, get, release, send};
use ripcord_core::model::{Fence, PlanId};
use ripcord_engine::{Failure, Platform as _, Ticket};
use rustix::process::Signal;
use std::time::{Duration, Instant};

#[test]
fn instances_become_ready_and_are_seen() {
    let world = World::new("slow");
    let receipt = world.ensure(3).unwrap();
    assert_eq!(receipt.what, "3 of v1 ready, 3 started");
    let state = world.platform.observe().unwrap()[&release()];
    assert_eq!((state.instances.wanted, state.instances.ready, state.restarts), (3, 3, 0));
    let mut addresses = world.platform.addresses(&release()).unwrap();
    assert!(addresses.iter().all(|address| get(*address, "/env/MODE") == "slow"));
    assert!(addresses.iter().all(|address| address.ip().is_loopback()));
    addresses.dedup();
    assert_eq!(addresses.len(), 3);
}

#[test]
fn what_is_ready_already_is_confirmed_at_once() {
    let world = World::new("ok");
    world.ensure(2).unwrap();
    let pids = world.pids();
    // The quickest of several, since the machine may be busy with something else.
    let times = (0..10).map(|_| {
        let began = Instant::now();
        assert_eq!(world.ensure(2).unwrap().what, "2 of v1 ready, 0 started");
        began.elapsed()
    });
    let quickest = times.min().unwrap();
    assert!(quickest < Duration::from_millis(20), "{quickest:?}");
    assert_eq!(world.pids(), pids);
}

/// Who is about to get requests is asked alone, so that another release that hangs delays nobody.
#[test]
fn one_release_is_asked_alone() {
    let world = World::new("ok");
    world.ensure(2).unwrap();
    let ours = world.pids();
    let plan = PlanId::from("sha256:0");
    let ticket =
        Ticket { plan: &plan, step: 1, fence: Fence(1), deadline_ms: 20_000, stop: &|| false };
    let other = "v9".into();
    world.platform.ensure(&other, 1, &ticket).unwrap();
    assert_eq!(world.platform.ready(&other), Ok(1));
    let hangs = world.pids().into_iter().find(|pid| !ours.contains(pid)).unwrap();
    send(hangs, Signal::STOP);
    assert_eq!(world.platform.ready(&other), Ok(0), "it does not answer");
    let times = (0..10).map(|_| {
        let began = Instant::now();
        assert_eq!(world.platform.ready(&release()), Ok(2));
        began.elapsed()
    });
    // All are asked for a third of a second.
    let quickest = times.min().unwrap();
    assert!(quickest < Duration::from_millis(150), "{quickest:?}");
    assert_eq!(world.platform.ready(&"v404".into()), Ok(0), "nobody is ready of what is not there");
    send(hangs, Signal::CONT);
}

#[test]
fn the_number_follows_what_is_asked_for() {
    let world = World::new("ok");
    for count in [1, 3, 2] {
        world.ensure(count).unwrap();
        assert_eq!(world.units().len(), usize::try_from(count).unwrap());
        assert_eq!(world.ready(), count);
    }
}

#[test]
fn of_fewer_instances_the_first_in_the_order_of_addresses_remain() {
    let world = World::new("ok");
    world.ensure(5).unwrap();
    let mut before = world.platform.addresses(&release()).unwrap();
    let pids = world.pids();
    for count in [3, 2, 1] {
        world.ensure(count).unwrap();
        before.truncate(usize::try_from(count).unwrap());
        assert_eq!(world.platform.addresses(&release()).unwrap(), before);
        assert_eq!(world.pids(), pids[..before.len()], "none of them was exchanged");
    }
    // More instances come behind those that were there.
    world.ensure(3).unwrap();
    assert_eq!(world.platform.addresses(&release()).unwrap()[..1], before);
}

#[test]
fn the_first_instances_remain_also_where_stopping_was_interrupted() {
    let world = World::with("ok", |template| template.stop_ms = 100);
    world.ensure(4).unwrap();
    let before = world.platform.addresses(&release()).unwrap();
    // Its shim hears nothing, so that stopping it takes seconds.
    send(world.shim_of("v1-3"), Signal::STOP);
    let plan = PlanId::from("sha256:0");
    let stop = || world.platform.addresses(&release()).unwrap().len() < 4;
    let ticket = Ticket { plan: &plan, step: 1, fence: Fence(1), deadline_ms: 60_000, stop: &stop };
    assert_eq!(world.platform.ensure(&release(), 1, &ticket), Err(Failure::Interrupted));
    assert_eq!(world.platform.addresses(&release()).unwrap(), before[..3], "there is no gap");
}

#[test]
fn scenario_02_never_healthy_leaves_nothing_behind() {
    let world = World::new("unhealthy");
    let failure = ensure(&world.platform, 2, 1, 600).unwrap_err();
    let Failure::Deadline(text) = &failure else { panic!("{failure:?}") };
    assert!(text.contains("0 of 2 instances of v1 are ready"), "{text}");
    assert!(text.contains("| service in mode «unhealthy»"), "{text}");
    let state = world.platform.observe().unwrap()[&release()];
    assert_eq!((state.instances.wanted, state.instances.ready), (2, 0));
    assert!(!world.processes().is_empty(), "what runs is left for the undo");
    world.ensure(0).unwrap();
    assert_eq!(world.processes(), [0; 0]);
    assert_eq!(world.platform.observe().unwrap().len(), 0);
}

#[test]
fn the_deadline_begins_anew_with_each_that_becomes_ready() {
    // They become ready one after the other, together in far more than the deadline.
    let world = World::new("queue");
    ensure(&world.platform, 3, 1, 1_300).unwrap();
    assert_eq!(world.ready(), 3);
}

#[test]
fn waiting_ends_when_somebody_asks_to_stop() {
    let world = World::new("unhealthy");
    let plan = PlanId::from("sha256:0");
    let began = Instant::now();
    let stop = || began.elapsed() > Duration::from_millis(200);
    let ticket = Ticket { plan: &plan, step: 1, fence: Fence(1), deadline_ms: 60_000, stop: &stop };
    assert_eq!(world.platform.ensure(&release(), 1, &ticket), Err(Failure::Interrupted));
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[test]
fn names_that_are_no_files_are_refused() {
    let world = World::new("ok");
    let plan = PlanId::from("sha256:0");
    let ticket =
        Ticket { plan: &plan, step: 1, fence: Fence(1), deadline_ms: 1_000, stop: &|| false };
    for name in ["../v1", "", "v/1", ".v1"] {
        let refused = world.platform.ensure(&name.into(), 1, &ticket);
        assert!(matches!(refused, Err(Failure::Definite(_))), "{name}: {refused:?}");
    }
}
