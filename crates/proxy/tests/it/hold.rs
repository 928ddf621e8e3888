//! Requests held back, within bounds, and let go on.

use std::time::{Duration, Instant};

use ripcord_proxy::{Requests, State};
use tokio::time::sleep;

use crate::backend::Backend;
use crate::client::{Client, get};
use crate::world::{World, held, state};

async fn holding(world: &World, requests: u64) {
    for _ in 0..500 {
        if world.ask(|control| control.observe()).await.unwrap().held == requests {
            return;
        }
        sleep(Duration::from_millis(5)).await;
    }
    panic!("never {requests} requests held");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scenario_08_pause_and_resume() {
    let world = World::start().await;
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    let address = world.listen();
    world.apply(state(1, &[("a", &a)]), 1_000).await.unwrap();
    let slow = tokio::spawn(get(address, "/slow?200"));
    world.inside("a", 1).await;

    let pause = State { requests: held(100, 10_000), ..state(2, &[("a", &a), ("b", &b)]) };
    let applied = world.apply(pause, 5_000).await.unwrap();
    assert!(applied.drained && applied.took_ms > 50, "held means that nobody is inside");
    assert_eq!(slow.await.unwrap().unwrap().status, 200);
    let before = (a.requests(), b.requests());
    let waiting: Vec<_> = (0..10)
        .map(|number| async move {
            let mut client = Client::connect(address).await.unwrap();
            if number % 2 == 0 { client.get("/").await } else { client.post("/", "x=1").await }
        })
        .map(tokio::spawn)
        .collect();
    holding(&world, 10).await;
    assert_eq!(get(address, "/up").await.unwrap().status, 200, "health while held");

    // A deploy while paused: only the state says whether requests flow.
    let deploy = State { requests: held(100, 10_000), ..state(3, &[("b", &b), ("a", &a)]) };
    world.apply(deploy, 1_000).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    holding(&world, 10).await;
    assert_eq!((a.requests(), b.requests()), before, "nobody was let in");

    world.apply(state(4, &[("b", &b), ("a", &a)]), 1_000).await.unwrap();
    for waiting in waiting {
        let answer = waiting.await.unwrap().unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, "b"));
    }
    holding(&world, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn held_requests_expire_with_retry_after() {
    let world = World::start().await;
    let a = Backend::start("a").await;
    let pause = State { requests: held(100, 200), ..state(1, &[("a", &a)]) };
    world.apply(pause, 1_000).await.unwrap();
    let began = Instant::now();
    let answer = get(world.listen(), "/").await.unwrap();
    assert_eq!((answer.status, answer.error()), (503, Some("hold_expired")));
    assert!(answer.header("retry-after").is_some());
    let took = began.elapsed();
    assert!((198..500).contains(&took.as_millis()), "{took:?}");
    assert_eq!(a.requests(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_waiting_room_is_bounded_in_number_and_bytes() {
    let world = World::start().await;
    let a = Backend::start("a").await;
    let requests = Requests::Held { max_requests: 2, max_bytes: 5_000, max_ms: 10_000 };
    world.apply(State { requests, ..state(1, &[("a", &a)]) }, 1_000).await.unwrap();
    let address = world.listen();
    let refused = async |headers: &str| {
        let mut client = Client::connect(address).await.unwrap();
        let answer = client.request("POST", "/", headers, "").await.unwrap();
        assert_eq!((answer.status, answer.error()), (503, Some("hold_full")));
        assert!(answer.header("retry-after").is_some());
    };
    refused("content-length: 5000\r\nexpect: 100-continue\r\n").await;
    let first = tokio::spawn(get(address, "/"));
    let second = tokio::spawn(get(address, "/"));
    holding(&world, 2).await;
    refused("").await;
    // A client that goes away leaves its place to another.
    second.abort();
    let _ = second.await;
    holding(&world, 1).await;
    let third = tokio::spawn(get(address, "/"));
    holding(&world, 2).await;
    world.apply(state(2, &[("a", &a)]), 1_000).await.unwrap();
    for waiting in [first, third] {
        assert_eq!(waiting.await.unwrap().unwrap().status, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn maintenance_shows_its_page() {
    let world = World::start().await;
    let a = Backend::start("a").await;
    let page = "<h1>back at nine</h1>".to_owned();
    let requests = Requests::Maintenance { page: page.clone() };
    world.apply(State { requests, ..state(1, &[("a", &a)]) }, 1_000).await.unwrap();
    let answer = get(world.listen(), "/").await.unwrap();
    assert_eq!((answer.status, answer.error()), (503, Some("maintenance")));
    assert_eq!(answer.body, page);
    assert!(answer.header("content-type").unwrap().starts_with("text/html"));
    assert_eq!(get(world.listen(), "/up").await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn under_load_a_hold_lets_nobody_in_and_loses_nobody() {
    let world = World::start().await;
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    world.apply(state(1, &[("a", &a), ("b", &b)]), 1_000).await.unwrap();
    let address = world.listen();
    let clients: Vec<_> = (0..16)
        .map(|_| async move {
            let mut client = Client::connect(address).await.unwrap();
            for _ in 0..150 {
                let answer = client.post("/slow?1", "x=1").await.unwrap();
                assert_eq!(answer.status, 200, "{answer:?}");
            }
        })
        .map(tokio::spawn)
        .collect();
    let mut generation = 1;
    while !clients.iter().all(tokio::task::JoinHandle::is_finished) {
        for (first, second) in [(("a", &a), ("b", &b)), (("b", &b), ("a", &a))] {
            let pause =
                State { requests: held(100, 10_000), ..state(generation + 1, &[first, second]) };
            assert!(world.apply(pause, 5_000).await.unwrap().drained);
            let before = (a.requests(), b.requests());
            sleep(Duration::from_millis(5)).await;
            assert_eq!((a.requests(), b.requests()), before, "somebody was let in");
            generation += 2;
            world.apply(state(generation, &[second, first]), 5_000).await.unwrap();
            sleep(Duration::from_millis(10)).await;
        }
    }
    for client in clients {
        client.await.unwrap();
    }
}
