//! Swapping releases under load, draining them, and killing the old one on the acknowledgement.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ripcord_proxy::{Share, State};
use tokio::time::sleep;

use crate::backend::Backend;
use crate::client::{Client, get};
use crate::world::{World, name, state};

/// One answer under load: when its request began, and who answered.
struct Seen {
    began: Instant,
    who: Result<String, String>,
}

/// Steady keep-alive clients, GET and POST, until told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<tokio::task::JoinHandle<Vec<Seen>>>,
}

impl Load {
    fn start(world: &World, clients: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let address = world.listen();
        let one = |number: usize| {
            let stop = Arc::clone(&stop);
            async move {
                let mut client = Client::connect(address).await.unwrap();
                let mut seen = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    let answer = if number.is_multiple_of(4) {
                        client.post("/slow?3", "order=1").await
                    } else {
                        client.get("/slow?3").await
                    };
                    let who = match answer {
                        Ok(answer) if answer.status == 200 => Ok(answer.body),
                        Ok(answer) => Err(format!("{answer:?}")),
                        Err(error) => {
                            client = Client::connect(address).await.unwrap();
                            Err(error.to_string())
                        }
                    };
                    seen.push(Seen { began, who });
                }
                seen
            }
        };
        let clients = (0..clients).map(|number| tokio::spawn(one(number))).collect();
        Self { stop, clients }
    }

    async fn stop(self) -> Vec<Seen> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for client in self.clients {
            all.extend(client.await.unwrap());
        }
        all.sort_by_key(|seen| seen.began);
        all
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn scenario_01_healthy_swap() {
    let world = World::start().await;
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    world.apply(state(1, &[("a", &a), ("b", &b)]), 1_000).await.unwrap();
    let load = Load::start(&world, 16);
    sleep(Duration::from_millis(200)).await;
    let issued = Instant::now();
    let applied = world.apply(state(2, &[("b", &b), ("a", &a)]), 5_000).await.unwrap();
    let switched = Instant::now();
    assert!(applied.drained, "{applied:?}");
    let answered_by_a = a.requests();
    sleep(Duration::from_millis(200)).await;
    assert_eq!(a.requests(), answered_by_a, "a request reached the drained release");

    let seen = load.stop().await;
    assert!(seen.len() > 200, "only {} requests: no load", seen.len());
    for seen in seen {
        let who = seen.who.expect("no answer is outside 2xx");
        if seen.began < issued {
            // Begun before, but perhaps assigned after the switch: either is right.
            assert!(who == "a" || who == "b");
        } else if seen.began > switched {
            assert_eq!(who, "b", "a request begun after the switch");
        }
    }
    let last = Duration::from_micros(applied.last_request_to_old_us);
    assert!(last < switched - issued, "{applied:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_request_is_lost_when_the_old_release_is_killed_on_the_acknowledgement() {
    let world = World::start().await;
    let mut old = Backend::start("v0").await;
    let address = old.address;
    world.apply(state(1, &[("v0", &old)]), 1_000).await.unwrap();
    let load = Load::start(&world, 24);
    for generation in 2..=51 {
        let new_name = format!("v{generation}");
        let new = Backend::start(&new_name).await;
        let applied = world.apply(state(generation, &[(&new_name, &new)]), 5_000).await.unwrap();
        assert!(applied.drained, "{applied:?}");
        old.kill().await;
        old = new;
        sleep(Duration::from_millis(20)).await;
    }
    assert_ne!(old.address, address);
    let seen = load.stop().await;
    let failed: Vec<_> = seen.iter().filter_map(|seen| seen.who.as_ref().err()).collect();
    assert!(failed.is_empty(), "{} of {} failed: {:?}", failed.len(), seen.len(), failed.first());
    assert!(seen.len() > 2_000, "only {} requests: no load", seen.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scenario_04_drain_completes() {
    let world = World::start().await;
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    world.apply(state(1, &[("a", &a)]), 1_000).await.unwrap();
    let address = world.listen();
    let slow: Vec<_> = (0..8).map(|_| tokio::spawn(get(address, "/slow?300"))).collect();
    world.inside("a", 8).await;
    let applied = world.apply(state(2, &[("b", &b)]), 5_000).await.unwrap();
    assert!(applied.drained && applied.remaining == 0, "{applied:?}");
    assert!(applied.took_ms >= 100, "it cannot have waited: {applied:?}");
    for slow in slow {
        let answer = slow.await.unwrap().unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, "a"));
    }
    assert_eq!(get(address, "/").await.unwrap().body, "b");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scenario_05_drain_deadline() {
    let world = World::start().await;
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    world.apply(state(1, &[("a", &a)]), 1_000).await.unwrap();
    let address = world.listen();
    let silent = tokio::spawn(async move {
        let answer = get(address, "/slow?60000").await.unwrap();
        (answer, Instant::now())
    });
    let mut streaming = Client::connect(address).await.unwrap();
    streaming.send("GET /drip?10 HTTP/1.1\r\nhost: shop\r\n\r\n").await.unwrap();
    assert_eq!(streaming.head().await.unwrap().status, 200);
    // A client that does not read: nobody polls the answer's body.
    let mut deaf = Client::connect(address).await.unwrap();
    deaf.send("GET /flood HTTP/1.1\r\nhost: shop\r\n\r\n").await.unwrap();
    world.inside("a", 3).await;
    sleep(Duration::from_millis(200)).await;

    let issued = Instant::now();
    let stream_end = tokio::spawn(async move {
        let mut pieces = 0_u32;
        loop {
            match streaming.chunk().await {
                Ok(Some(_)) => pieces += 1,
                Ok(None) => panic!("a stream that was cut off must not look whole"),
                Err(_) => return (pieces, Instant::now()),
            }
        }
    });
    let applied = world.apply(state(2, &[("b", &b)]), 400).await.unwrap();
    let took = issued.elapsed();
    assert_eq!((applied.drained, applied.remaining), (false, 3), "{applied:?}");
    let at_the_deadline = Duration::from_millis(398)..Duration::from_millis(650);
    assert!(at_the_deadline.contains(&took), "acknowledged after {took:?}");

    let (answer, at) = silent.await.unwrap();
    assert_eq!((answer.status, answer.error()), (504, Some("drain_deadline")));
    assert_eq!(answer.header("x-ripcord-release"), Some("a"));
    assert!(at_the_deadline.contains(&(at - issued)), "cut after {:?}", at - issued);
    let (pieces, at) = stream_end.await.unwrap();
    assert!(pieces > 10, "it went on until the deadline: {pieces}");
    assert!(at_the_deadline.contains(&(at - issued)), "cut after {:?}", at - issued);

    world.inside("a", 0).await;
    let counted = world.ask(|control| control.counts()).await.unwrap();
    let a = &counted.releases[&name("a")];
    assert_eq!((a.requests, a.cut, a.aborted, a.errors_5xx), (3, 3, 0, 0), "{a:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_does_not_wait_for_the_drain_it_takes_back() {
    let world = World::start().await;
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    world.apply(state(1, &[("a", &a), ("b", &b)]), 1_000).await.unwrap();
    let address = world.listen();
    let slow = tokio::spawn(get(address, "/slow?700"));
    world.inside("a", 1).await;
    let control = world.control.clone();
    let forward = state(2, &[("b", &b), ("a", &a)]);
    let forward = tokio::task::spawn_blocking(move || control.apply(forward, 300));
    sleep(Duration::from_millis(50)).await;
    let back = world.apply(state(3, &[("a", &a), ("b", &b)]), 5_000).await.unwrap();
    assert!(back.drained && back.took_ms < 250, "{back:?}");
    let superseded = tokio::time::timeout(Duration::from_millis(150), forward).await;
    let superseded = superseded.expect("told at once").unwrap().unwrap_err().to_string();
    assert!(superseded.contains("superseded"), "{superseded}");
    // The deadline of the apply that was taken back must not cut off who is welcome again.
    assert_eq!(slow.await.unwrap().unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_preview_is_routed_counted_and_drained_on_its_own() {
    let world = World::start().await;
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    let mut with_preview = state(1, &[("a", &a), ("b", &b)]);
    with_preview.preview = Some(name("b"));
    world.apply(with_preview.clone(), 1_000).await.unwrap();
    assert_eq!(get(world.listen(), "/").await.unwrap().body, "a");
    assert_eq!(get(world.preview(), "/").await.unwrap().body, "b");
    let slow = tokio::spawn(get(world.preview(), "/slow?300"));
    world.inside("b", 1).await;
    // Still the preview: its requests do not hold up the drain of the main listener.
    let both =
        State { generation: 2, split: [(name("b"), Share::ALL)].into(), ..with_preview.clone() };
    world.apply(both, 1_000).await.unwrap();
    let back = State { generation: 3, ..with_preview.clone() };
    assert!(world.apply(back, 1_000).await.unwrap().took_ms < 150);
    // No longer the preview: now they do.
    let without = State { generation: 4, preview: None, ..with_preview };
    let applied = world.apply(without, 2_000).await.unwrap();
    assert!(applied.drained && applied.took_ms > 20, "{applied:?}");
    assert_eq!(slow.await.unwrap().unwrap().status, 200);
    assert_eq!(get(world.preview(), "/").await.unwrap().error(), Some("no_release"));
    let counted = world.ask(|control| control.counts()).await.unwrap();
    assert_eq!(counted.releases[&name("b")].requests, 0, "a preview has no users");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_split_is_kept_and_its_requests_carry_the_release() {
    let world = World::start().await;
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    let mut split = state(1, &[("a", &a), ("b", &b)]);
    split.split = [("a", 7_500), ("b", 2_500)].map(|(n, s)| (name(n), Share(s))).into();
    world.apply(split, 1_000).await.unwrap();
    let mut client = Client::connect(world.listen()).await.unwrap();
    let to_b = AtomicU64::new(0);
    for _ in 0..2_000 {
        let answer = client.get("/").await.unwrap();
        assert_eq!(answer.header("x-ripcord-release"), Some(answer.body.as_str()));
        to_b.fetch_add(u64::from(answer.body == "b"), Ordering::Relaxed);
    }
    // Expected 500 with a standard deviation of 19.
    let to_b = to_b.into_inner();
    assert!(to_b.abs_diff(500) < 120, "{to_b}");
    let counted = world.ask(|control| control.counts()).await.unwrap();
    let counts = &counted.releases[&name("b")];
    assert_eq!((counts.requests, counts.latency.count()), (to_b, to_b));
}
