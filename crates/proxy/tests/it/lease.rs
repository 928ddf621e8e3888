//! What nobody watches ends by itself, and only that.

use std::time::{Duration, Instant};

use ripcord_proxy::{
    Draw, Lease, Match, Pattern, ProxyError, Refusal, Renewed, Rule, Share, State, Sticky,
    StickyKey,
};
use tokio::io::AsyncWriteExt;
use tokio::time::sleep;

use crate::backend::Backend;
use crate::child::Child;
use crate::client::{Client, get};
use crate::world::{World, name, state};

const LEASE_MS: u64 = 1_000;
/// How much later than its lease a split may end.
const LATE_MS: u128 = 200;

/// Everything to the canary `b`, by way of stickiness and a rule, on a lease that lapses to `a`.
fn watched(generation: u64, releases: &[(&str, &Backend)]) -> State {
    let key = StickyKey::Cookie { name: "id".to_owned() };
    let when = Match::Header { name: "x-tester".to_owned(), value: Pattern::Present };
    State {
        split: [(name("b"), Share::ALL)].into(),
        draw: Draw::Sticky(Sticky { canary: name("b"), salt: "s".to_owned(), key }),
        rules: vec![Rule { when, to: name("b") }],
        lease: Some(Lease { ms: LEASE_MS, lapse: [(name("a"), Share::ALL)].into() }),
        ..state(generation, releases)
    }
}

fn refusal(failed: ProxyError) -> Refusal {
    match failed {
        ProxyError::Refused(refusal) => refusal,
        other => panic!("no refusal: {other}"),
    }
}

/// How long it takes, from `began`, until a user is answered by `a`.
async fn lapses_after(world: &World, began: Instant) -> u128 {
    let mut client = Client::connect(world.listen()).await.unwrap();
    while began.elapsed() < Duration::from_secs(10) {
        if client.get("/").await.unwrap().body == "a" {
            return began.elapsed().as_millis();
        }
        sleep(Duration::from_millis(2)).await;
    }
    panic!("the lease never lapsed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_ends_in_the_lapse_with_nothing_left_of_the_canary() {
    let world = World::start().await;
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    let given = watched(3, &[("a", &a), ("b", &b)]);
    let began = Instant::now();
    world.apply(given.clone(), 1_000).await.unwrap();
    let observed = world.ask(|control| control.observe()).await.unwrap();
    assert!((1..=LEASE_MS).contains(&observed.lease.unwrap().left_ms), "{observed:?}");
    let after = lapses_after(&world, began).await;
    assert!((u128::from(LEASE_MS)..u128::from(LEASE_MS) + LATE_MS).contains(&after), "{after} ms");

    let mut client = Client::connect(world.listen()).await.unwrap();
    let answer = client.request("GET", "/", "x-tester: 1\r\ncookie: id=1\r\n", "").await.unwrap();
    assert_eq!(answer.body, "a", "rules are gone");
    assert!(answer.header("set-cookie").unwrap().starts_with("id=; Path=/; Max-Age=0"));
    let observed = world.ask(|control| control.observe()).await.unwrap();
    assert_eq!(observed.lease, None);
    let note = observed.state.lapsed.clone().unwrap();
    assert_eq!(note.from, given.split);
    assert_eq!((observed.state.fence, observed.state.generation), (1, 3), "no new generation");
    assert_eq!(observed.state.draw, Draw::Independent);

    // Who comes back finds that it is over, changes nothing, and leads on with a newer one.
    let renewed = world.ask(|control| control.renew(1, 3)).await.unwrap();
    assert_eq!(renewed, Renewed { lapsed: true, left_ms: 0 });
    let again = refusal(world.apply(given.clone(), 1_000).await.unwrap_err());
    assert_eq!(again, Refusal::Lapsed { generation: 3 });
    let other = State { preview: Some(name("a")), ..given.clone() };
    let again = refusal(world.apply(other, 1_000).await.unwrap_err());
    assert_eq!(again, Refusal::Conflict { generation: 3 });
    let forged = State { generation: 4, ..observed.state.clone() };
    let forged = refusal(world.apply(forged, 1_000).await.unwrap_err());
    assert!(matches!(forged, Refusal::Invalid { .. }), "{forged}");
    assert_eq!(world.ask(|control| control.observe()).await.unwrap().state, observed.state);
    world.apply(State { generation: 4, ..given }, 1_000).await.unwrap();
    assert_eq!(get(world.listen(), "/").await.unwrap().body, "b");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renewals_keep_it_and_the_last_one_counts() {
    let world = World::start().await;
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    world.apply(watched(1, &[("a", &a), ("b", &b)]), 1_000).await.unwrap();
    let mut last = Instant::now();
    for _ in 0..8 {
        sleep(Duration::from_millis(300)).await;
        last = Instant::now();
        let renewed = world.ask(|control| control.renew(1, 1)).await.unwrap();
        assert_eq!(renewed, Renewed { lapsed: false, left_ms: renewed.left_ms });
        assert!((LEASE_MS - 100..=LEASE_MS).contains(&renewed.left_ms), "{renewed:?}");
        assert_eq!(get(world.listen(), "/").await.unwrap().body, "b");
    }
    let after = lapses_after(&world, last).await;
    assert!((u128::from(LEASE_MS)..u128::from(LEASE_MS) + LATE_MS).contains(&after), "{after} ms");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_past_and_the_future_cannot_renew() {
    let world = World::start().await;
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    let given = State { fence: 5, ..watched(7, &[("a", &a), ("b", &b)]) };
    world.apply(given.clone(), 1_000).await.unwrap();
    let renew = |fence, generation| world.ask(move |control| control.renew(fence, generation));
    let stale = |fence, generation, current_fence| Refusal::Stale {
        fence,
        generation,
        current_fence,
        current_generation: 7,
    };
    assert_eq!(refusal(renew(4, 7).await.unwrap_err()), stale(4, 7, 5));
    assert_eq!(refusal(renew(5, 6).await.unwrap_err()), stale(5, 6, 5));
    let future = Refusal::NotInForce { generation: 8, current_generation: 7 };
    assert_eq!(refusal(renew(5, 8).await.unwrap_err()), future);
    assert!(!renew(5, 7).await.unwrap().lapsed);
    // Another controller has taken over: the one before is not heard any more.
    assert!(!renew(6, 7).await.unwrap().lapsed);
    assert_eq!(refusal(renew(5, 7).await.unwrap_err()), stale(5, 7, 6));
    let late = world.apply(State { generation: 8, ..given.clone() }, 1_000).await.unwrap_err();
    assert_eq!(refusal(late), stale(5, 8, 6));
    world.apply(State { fence: 6, generation: 8, ..given }, 1_000).await.unwrap();
    // Without a lease there is nothing to renew, and nothing to refuse.
    let without = State { fence: 6, ..state(9, &[("a", &a)]) };
    world.apply(without, 1_000).await.unwrap();
    assert_eq!(renew(6, 9).await.unwrap(), Renewed { lapsed: false, left_ms: 0 });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_drain_is_not_silent() {
    let world = World::start().await;
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    world.apply(state(1, &[("a", &a)]), 1_000).await.unwrap();
    let slow = tokio::spawn(get(world.listen(), "/slow?1600"));
    world.inside("a", 1).await;
    let applied = world.apply(watched(2, &[("a", &a), ("b", &b)]), 5_000).await.unwrap();
    let acknowledged = Instant::now();
    assert!(applied.drained && applied.took_ms > LEASE_MS + 200, "{applied:?}");
    assert_eq!(slow.await.unwrap().unwrap().body, "a");
    assert_eq!(get(world.listen(), "/").await.unwrap().body, "b", "longer ago than the lease");
    let after = lapses_after(&world, acknowledged).await;
    assert!(after < u128::from(LEASE_MS) + LATE_MS, "{after} ms");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_dies_while_waiting_for_a_drain_is_silent_from_then_on() {
    let world = World::start().await;
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    world.apply(state(1, &[("a", &a)]), 1_000).await.unwrap();
    let slow = tokio::spawn(get(world.listen(), "/slow?3000"));
    world.inside("a", 1).await;
    let next = watched(2, &[("a", &a), ("b", &b)]);
    let next = serde_json::to_string(&next).unwrap();
    let call = format!("{{\"apply\":{{\"state\":{next},\"drain_deadline_ms\":10000}}}}\n");
    let socket = world.directory.path().join("control");
    let mut controller = tokio::net::UnixStream::connect(socket).await.unwrap();
    controller.write_all(call.as_bytes()).await.unwrap();
    sleep(Duration::from_millis(1_400)).await;
    assert_eq!(get(world.listen(), "/").await.unwrap().body, "b", "it waits for its drain");
    drop(controller);
    let after = lapses_after(&world, Instant::now()).await;
    assert!((u128::from(LEASE_MS)..u128::from(LEASE_MS) + LATE_MS).contains(&after), "{after} ms");
    assert_eq!(slow.await.unwrap().unwrap().body, "a");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lapse_waits_for_no_disk() {
    let world = World::start().await;
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    let began = Instant::now();
    world.apply(watched(1, &[("a", &a), ("b", &b)]), 1_000).await.unwrap();
    // The place of the temporary file is taken by a directory.
    std::fs::create_dir(world.directory.path().join("state/proxy.state.new")).unwrap();
    let after = lapses_after(&world, began).await;
    assert!(after < u128::from(LEASE_MS) + LATE_MS, "{after} ms");
    // An answer waits for the attempt to save.
    let observed = world.ask(|control| control.observe()).await.unwrap();
    assert!(observed.state.lapsed.is_some(), "{observed:?}");
    // The restart does not know of it, and comes to the same end.
    let World { directory, running, .. } = world;
    running.shutdown().await;
    std::fs::remove_dir(directory.path().join("state/proxy.state.new")).unwrap();
    let began = Instant::now();
    let world = World::at(directory, ripcord_proxy::Limits::default()).await.unwrap();
    assert_eq!(get(world.listen(), "/").await.unwrap().body, "b");
    let after = lapses_after(&world, began).await;
    assert!(after < u128::from(LEASE_MS) + LATE_MS, "{after} ms");
}

/// Applies a lease, kills the proxy -9 after `alive_ms`, and follows what the next one does.
async fn killed_after(alive_ms: u64, must_have_lapsed: Option<bool>) {
    let directory = tempfile::tempdir().unwrap();
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    let given = watched(1, &[("a", &a), ("b", &b)]);
    let child = Child::start(directory.path()).await;
    let to_apply = given.clone();
    child.ask(move |control| control.apply(to_apply, 1_000)).await.unwrap();
    sleep(Duration::from_millis(alive_ms)).await;
    child.kill();
    let log = std::fs::read_to_string(directory.path().join("log")).unwrap();

    let before_start = Instant::now();
    let child = Child::start(directory.path()).await;
    let started = Instant::now();
    let found = child.observe().await;
    let had_lapsed = found.state.lapsed.is_some();
    assert!(must_have_lapsed.is_none_or(|must| must == had_lapsed), "{alive_ms} ms: {found:?}");
    if had_lapsed {
        assert_eq!(found.state.split, [(name("a"), Share::ALL)].into());
        assert_eq!(found.lease, None);
    } else {
        assert_eq!(found.state, given, "{alive_ms} ms");
        assert!(!log.contains("nobody renewed"), "said before it was saved: {log}");
        // It has a whole lease again, and no more.
        let mut now = found;
        while now.state.lapsed.is_none() {
            assert!(started.elapsed() < Duration::from_secs(10), "it never lapsed");
            sleep(Duration::from_millis(5)).await;
            now = child.observe().await;
        }
        let (most, least) = (before_start.elapsed().as_millis(), started.elapsed().as_millis());
        assert!(most >= u128::from(LEASE_MS), "{most} ms");
        assert!(least < u128::from(LEASE_MS) + LATE_MS, "{least} ms");
        let log = std::fs::read_to_string(directory.path().join("log")).unwrap();
        assert!(log.contains("nobody renewed the lease of 1000 ms of generation 1, fence 1"));
        assert!(log.contains("from b 10000 to a 10000"), "{log}");
    }
    let listen = child.observe().await.listen;
    assert_eq!(get(listen, "/").await.unwrap().body, "a");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_before_the_lapse_the_lease_begins_anew() {
    killed_after(700, Some(false)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_after_the_lapse_it_stays_lapsed() {
    killed_after(1_300, Some(true)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_around_the_lapse_it_is_one_or_the_other() {
    let kills = [995, 1_000, 1_002, 1_005].map(|ms| tokio::spawn(killed_after(ms, None)));
    for kill in kills {
        kill.await.unwrap();
    }
}
