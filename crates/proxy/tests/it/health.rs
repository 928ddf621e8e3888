//! Several targets of one release: taken in turn, set aside when ill, tried when nobody is well.

use std::sync::atomic::Ordering;
use std::time::Duration;

use ripcord_proxy::{Limits, State};
use tokio::time::sleep;

use crate::backend::Backend;
use crate::client::{Client, get};
use crate::world::{World, name, state};

fn both(one: &Backend, two: &Backend) -> State {
    let mut state = state(1, &[("a", one)]);
    state.targets.get_mut(&name("a")).unwrap().push(two.address);
    state
}

async fn healthy(world: &World, expected: &[&Backend]) {
    let mut expected: Vec<_> = expected.iter().map(|backend| backend.address).collect();
    expected.sort();
    for _ in 0..300 {
        let observed = world.ask(|control| control.observe()).await.unwrap();
        let mut healthy = observed.healthy[&name("a")].clone();
        healthy.sort();
        if healthy == expected {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("never healthy: {expected:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn targets_are_ejected_and_return() {
    let world = World::with(Limits { health_interval_ms: 20, ..Limits::default() }).await;
    let (one, two) = (Backend::start("one").await, Backend::start("two").await);
    world.apply(both(&one, &two), 1_000).await.unwrap();
    let mut client = Client::connect(world.listen()).await.unwrap();
    for _ in 0..10 {
        client.get("/").await.unwrap();
    }
    assert_eq!((one.requests(), two.requests()), (5, 5), "in turn");

    one.seen.ill.store(true, Ordering::SeqCst);
    healthy(&world, &[&two]).await;
    for _ in 0..10 {
        assert_eq!(client.get("/").await.unwrap().body, "two");
    }
    two.seen.ill.store(true, Ordering::SeqCst);
    healthy(&world, &[]).await;
    assert_eq!(client.get("/").await.unwrap().status, 200, "all ill: still tried");
    one.seen.ill.store(false, Ordering::SeqCst);
    healthy(&world, &[&one]).await;
    assert_eq!(client.get("/").await.unwrap().body, "one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_connection_goes_to_the_other_target_whatever_the_method() {
    let world = World::with(Limits { health_interval_ms: 60_000, ..Limits::default() }).await;
    let (one, two) = (Backend::start("one").await, Backend::start("two").await);
    world.apply(both(&one, &two), 1_000).await.unwrap();
    one.kill().await;
    let mut client = Client::connect(world.listen()).await.unwrap();
    for _ in 0..6 {
        let answer = client.post("/echo", "order=1").await.unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, "order=1"));
    }
    assert_eq!(two.requests(), 6);
    let counted = world.ask(|control| control.counts()).await.unwrap();
    let counts = &counted.releases[&name("a")];
    // The user was saved; whoever judges the release still sees it.
    assert_eq!((counts.requests, counts.connect_failures), (6, 3), "{counts:?}");
    assert_eq!(counts.latency.count(), 6, "a retry is not counted again");
    two.kill().await;
    let answer = get(world.listen(), "/").await.unwrap();
    assert_eq!((answer.status, answer.error()), (502, Some("connect_failed")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_is_taken_away_is_drained() {
    let world = World::start().await;
    let (one, two) = (Backend::start("one").await, Backend::start("two").await);
    world.apply(state(1, &[("a", &one)]), 1_000).await.unwrap();
    let slow = tokio::spawn(get(world.listen(), "/slow?300"));
    world.inside("a", 1).await;
    // A target more is nothing to wait for.
    let more = world.apply(State { generation: 2, ..both(&one, &two) }, 5_000).await.unwrap();
    assert!(more.drained && more.took_ms < 150, "{more:?}");
    // A target less is: whoever is there must have left before it may be stopped.
    let less = world.apply(state(3, &[("a", &two)]), 5_000).await.unwrap();
    assert!(less.drained && less.took_ms > 20, "{less:?}");
    one.kill().await;
    let answer = slow.await.unwrap().unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "one"));
    assert_eq!(get(world.listen(), "/").await.unwrap().body, "two");
}
