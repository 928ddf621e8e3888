//! `WebSocket` and other upgraded connections: tunnelled, counted, and closed in time.

use std::time::{Duration, Instant};

use ripcord_proxy::{Lease, Limits, Share, State};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::backend::Backend;
use crate::client::Client;
use crate::world::{World, name, state};

const GRACE_MS: u64 = 400;

async fn world() -> World {
    // Fewer connections in use than tunnels: those do not count.
    let limits = Limits { upgrade_grace_ms: GRACE_MS, target_connections: 1, ..Limits::default() };
    World::with(limits).await
}

async fn upgrade(world: &World, protocol: &str) -> Client {
    let mut client = Client::connect(world.listen()).await.unwrap();
    let head = format!("connection: Upgrade\r\nupgrade: {protocol}\r\n");
    client.send(&format!("GET /tunnel HTTP/1.1\r\nhost: shop\r\n{head}\r\n")).await.unwrap();
    let answer = client.head().await.unwrap();
    assert_eq!((answer.status, answer.header("upgrade")), (101, Some(protocol)));
    assert_eq!(answer.header("x-ripcord-release"), Some("a"));
    client
}

async fn echo(client: &mut Client, bytes: &[u8]) {
    client.stream.write_all(bytes).await.unwrap();
    let mut back = vec![0; bytes.len()];
    client.stream.read_exact(&mut back).await.unwrap();
    assert_eq!(back, bytes);
}

/// An unmasked text frame, so that the echo of the backend is a frame of a server.
const FRAME: &[u8] = b"\x81\x05hello";
const CLOSE_1001: &[u8] = &[0x88, 2, 0x03, 0xE9];

async fn rest(mut client: Client) -> (Vec<u8>, Instant) {
    let mut rest = Vec::new();
    // A reset is an end, too; what came before it is what counts.
    let end = client.stream.read_to_end(&mut rest);
    let _ = timeout(Duration::from_secs(20), end).await.expect("it never ends");
    (rest, Instant::now())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scenario_06_upgraded_connections() {
    let world = world().await;
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    world.apply(state(1, &[("a", &a)]), 1_000).await.unwrap();
    let mut polite = Vec::new();
    for _ in 0..8 {
        let mut client = upgrade(&world, "websocket").await;
        echo(&mut client, FRAME).await;
        polite.push(client);
    }
    // In the middle of a frame, and of a protocol that has no frames.
    let mut torn = upgrade(&world, "websocket").await;
    echo(&mut torn, &FRAME[..4]).await;
    let mut foreign = upgrade(&world, "chat/1").await;
    echo(&mut foreign, b"any bytes").await;
    let observed = world.ask(|control| control.observe()).await.unwrap();
    let inside = observed.in_flight[&name("a")];
    assert_eq!((inside.live, inside.upgraded), (0, 10), "{inside:?}");

    let issued = Instant::now();
    let waiting: Vec<_> = polite.into_iter().map(|client| tokio::spawn(rest(client))).collect();
    let (torn, foreign) = (tokio::spawn(rest(torn)), tokio::spawn(rest(foreign)));
    let applied = world.apply(state(2, &[("b", &b)]), 5_000).await.unwrap();
    let took = issued.elapsed();
    assert!(applied.drained, "{applied:?}");
    assert!(took < Duration::from_millis(GRACE_MS + 250), "held the drain: {took:?}");

    let mut ends = Vec::new();
    for client in waiting {
        let (said, at) = client.await.unwrap();
        assert_eq!(said, CLOSE_1001);
        ends.push(at - issued);
    }
    let spread = ends.iter().max().unwrap().abs_diff(*ends.iter().min().unwrap());
    assert!(spread > Duration::from_millis(30), "not spread: {ends:?}");
    let grace = Duration::from_millis(GRACE_MS - 10);
    let (said, at) = torn.await.unwrap();
    assert!(said.is_empty() && at - issued >= grace, "{said:?} after {:?}", at - issued);
    let (said, at) = foreign.await.unwrap();
    assert!(said.is_empty() && at - issued >= grace, "{said:?} after {:?}", at - issued);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_close_frame_waits_for_the_end_of_the_frame() {
    let world = world().await;
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    world.apply(state(1, &[("a", &a)]), 1_000).await.unwrap();
    let mut client = upgrade(&world, "websocket").await;
    echo(&mut client, &FRAME[..4]).await;
    let control = world.control.clone();
    let next = state(2, &[("b", &b)]);
    let apply = tokio::task::spawn_blocking(move || control.apply(next, 5_000).unwrap());
    // By now it has been told to close; the frame's end has not come yet.
    tokio::time::sleep(Duration::from_millis(GRACE_MS * 3 / 4)).await;
    client.stream.write_all(&FRAME[4..]).await.unwrap();
    let (said, _) = rest(client).await;
    assert_eq!(said, [&FRAME[4..], CLOSE_1001].concat());
    assert!(apply.await.unwrap().drained);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgraded_connection_of_a_release_that_stays_is_left_alone() {
    let world = world().await;
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    world.apply(state(1, &[("a", &a), ("b", &b)]), 1_000).await.unwrap();
    let mut client = upgrade(&world, "websocket").await;
    let mut split = state(2, &[("a", &a), ("b", &b)]);
    split.split =
        [("a", 5_000), ("b", 5_000)].map(|(release, share)| (name(release), Share(share))).into();
    world.apply(split, 1_000).await.unwrap();
    tokio::time::sleep(Duration::from_millis(GRACE_MS + 100)).await;
    echo(&mut client, FRAME).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_drain_deadline_bounds_the_grace() {
    let world = World::start().await;
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    world.apply(state(1, &[("a", &a)]), 1_000).await.unwrap();
    let _client = upgrade(&world, "chat/1").await;
    let applied = world.apply(state(2, &[("b", &b)]), 200).await.unwrap();
    assert!((198..500).contains(&applied.took_ms), "{applied:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopping_proxy_says_goodbye() {
    let world = world().await;
    let a = Backend::start("a").await;
    world.apply(state(1, &[("a", &a)]), 1_000).await.unwrap();
    let mut client = upgrade(&world, "websocket").await;
    echo(&mut client, FRAME).await;
    let client = tokio::spawn(rest(client));
    let began = Instant::now();
    world.running.shutdown().await;
    assert!(began.elapsed() < Duration::from_millis(GRACE_MS + 250), "{:?}", began.elapsed());
    assert_eq!(client.await.unwrap().0, CLOSE_1001);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http2_is_not_tunnelled() {
    let world = world().await;
    let a = Backend::start("a").await;
    world.apply(state(1, &[("a", &a)]), 1_000).await.unwrap();
    let mut client = Client::connect(world.listen()).await.unwrap();
    let wish = "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: x\r\n";
    let answer = client.request("GET", "/headers", wish, "").await.unwrap();
    assert!(answer.status == 200 && !answer.body.contains("h2"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lapsed_lease_closes_them_too() {
    let world = world().await;
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    let lease = Some(Lease { ms: 1_000, lapse: [(name("b"), Share::ALL)].into() });
    let given = State { lease, ..state(1, &[("a", &a), ("b", &b)]) };
    let issued = Instant::now();
    world.apply(given, 1_000).await.unwrap();
    let mut client = upgrade(&world, "websocket").await;
    echo(&mut client, FRAME).await;
    let (said, at) = rest(client).await;
    assert_eq!(said, CLOSE_1001);
    let after = (at - issued).as_millis();
    assert!((1_000..1_000 + u128::from(GRACE_MS) + 250).contains(&after), "{after} ms");
}
