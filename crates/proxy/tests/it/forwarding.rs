//! What a request and its answer go through on their way.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ripcord_proxy::{Counts, Limits, State};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::backend::Backend;
use crate::client::{Client, get};
use crate::world::{World, name, state};

async fn world(limits: Limits) -> (World, Backend) {
    let world = World::with(limits).await;
    let a = Backend::start("a").await;
    world.apply(state(1, &[("a", &a)]), 1_000).await.unwrap();
    (world, a)
}

async fn counts(world: &World) -> Counts {
    world.ask(|control| control.counts()).await.unwrap().releases[&name("a")].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_state_nobody_is_served() {
    let world = World::start().await;
    let answer = get(world.listen(), "/").await.unwrap();
    assert_eq!((answer.status, answer.error()), (503, Some("no_release")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_say_who_asked_and_stay_on_their_connection() {
    let (world, _a) = world(Limits::default()).await;
    let mut client = Client::connect(world.listen()).await.unwrap();
    let sent = "x-forwarded-for: 6.6.6.6\r\nconnection: x-mine\r\nx-mine: 1\r\ncookie: c=1\r\n\
                te: trailers\r\n";
    let answer = client.request("GET", "/headers", sent, "").await.unwrap();
    let mut lines: Vec<_> = answer.body.lines().collect();
    lines.sort_unstable();
    let expected = [
        "cookie: c=1",
        "host: shop",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-host: shop",
        "x-forwarded-proto: http",
    ];
    assert_eq!(lines, expected);
    assert_eq!(answer.header("x-ripcord-release"), Some("a"));
    assert_eq!(answer.error(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_to_the_release_are_reused() {
    let (world, a) = world(Limits { health_interval_ms: 60_000, ..Limits::default() }).await;
    let mut client = Client::connect(world.listen()).await.unwrap();
    let mut other = Client::connect(world.listen()).await.unwrap();
    for _ in 0..20 {
        client.get("/").await.unwrap();
        other.post("/echo", "hello").await.unwrap();
    }
    let connections = a.seen.connections.load(Ordering::SeqCst);
    assert!(connections <= 2, "one for the probe and one in use: {connections}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_stream_and_are_not_buffered() {
    let (world, _a) = world(Limits::default()).await;
    let mut client = Client::connect(world.listen()).await.unwrap();
    client.send("GET /drip?100 HTTP/1.1\r\nhost: shop\r\n\r\n").await.unwrap();
    let began = Instant::now();
    client.head().await.unwrap();
    for number in 0..4 {
        assert_eq!(client.chunk().await.unwrap().unwrap(), format!("data: {number}\n\n"));
        let due = Duration::from_millis(100 * number);
        assert!(began.elapsed() < due + Duration::from_millis(90), "piece {number} came late");
    }
    // A client that leaves takes its request out of the release.
    drop(client);
    world.inside("a", 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn request_bodies_stream_and_are_not_buffered() {
    let (world, _a) = world(Limits::default()).await;
    let mut client = Client::connect(world.listen()).await.unwrap();
    let head = "POST /echo-stream HTTP/1.1\r\nhost: shop\r\ntransfer-encoding: chunked\r\n\r\n";
    client.send(head).await.unwrap();
    client.send("3\r\none\r\n").await.unwrap();
    client.head().await.unwrap();
    assert_eq!(client.chunk().await.unwrap().as_deref(), Some("one"));
    client.send("3\r\ntwo\r\n").await.unwrap();
    assert_eq!(client.chunk().await.unwrap().as_deref(), Some("two"));
    client.send("0\r\n\r\n").await.unwrap();
    assert_eq!(client.chunk().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_bodies_pass_whole_both_ways() {
    let (world, _a) = world(Limits::default()).await;
    let body = "0123456789abcdef".repeat(100_000);
    let mut client = Client::connect(world.listen()).await.unwrap();
    let answer = client.post("/echo", &body).await.unwrap();
    assert!(answer.status == 200 && answer.body == body);
    let length = format!("content-length: {}\r\n", body.len());
    let answer = client.request("PUT", "/echo", &length, &body).await.unwrap();
    assert!(answer.status == 200 && answer.body == body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_expects_is_told_to_go_on() {
    let (world, _a) = world(Limits::default()).await;
    let mut client = Client::connect(world.listen()).await.unwrap();
    let head = "POST /echo HTTP/1.1\r\nhost: shop\r\ncontent-length: 2\r\n";
    client.send(&format!("{head}expect: 100-continue\r\n\r\n")).await.unwrap();
    assert_eq!(client.head().await.unwrap().status, 100);
    client.send("ok").await.unwrap();
    assert_eq!(client.answer().await.unwrap().body, "ok");
    let answer = client.request("GET", "/", "expect: miracles\r\n", "").await.unwrap();
    assert_eq!((answer.status, answer.error()), (417, Some("unknown_expectation")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_are_limited_announced_or_not() {
    let (world, a) = world(Limits { max_body_bytes: Some(10), ..Limits::default() }).await;
    let mut client = Client::connect(world.listen()).await.unwrap();
    assert_eq!(client.post("/echo", "0123456789").await.unwrap().status, 200);
    let announced = client.post("/echo", "0123456789a").await.unwrap();
    assert_eq!((announced.status, announced.error()), (413, Some("body_too_large")));
    assert_eq!(a.requests(), 1);
    let mut client = Client::connect(world.listen()).await.unwrap();
    let chunks = "8\r\n01234567\r\n8\r\n01234567\r\n0\r\n\r\n";
    let head = "transfer-encoding: chunked\r\n";
    let streamed = client.request("POST", "/echo", head, chunks).await.unwrap();
    assert_eq!((streamed.status, streamed.error()), (413, Some("body_too_large")));
    assert_eq!(counts(&world).await.aborted, 0, "not the release's fault");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_release_is_a_timeout_and_a_silent_client_is_not() {
    let limits = Limits { response_header_ms: 200, ..Limits::default() };
    let (world, _a) = world(limits).await;
    let began = Instant::now();
    let answer = get(world.listen(), "/slow?60000").await.unwrap();
    assert_eq!((answer.status, answer.error()), (504, Some("release_timeout")));
    assert!((195..600).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    let mut client = Client::connect(world.listen()).await.unwrap();
    let stuck = client.request("POST", "/echo", "content-length: 9\r\n", "abc").await.unwrap();
    assert_eq!((stuck.status, stuck.error()), (408, Some("body_stalled")));
    let counts = counts(&world).await;
    assert_eq!((counts.requests, counts.timeouts), (2, 1), "{counts:?}");
    world.inside("a", 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_dawdles_over_its_head_is_let_go() {
    let (world, _a) = world(Limits { header_read_ms: 100, ..Limits::default() }).await;
    let mut client = Client::connect(world.listen()).await.unwrap();
    client.send("GET / HTTP/1.1\r\nhos").await.unwrap();
    let mut rest = Vec::new();
    let end = timeout(Duration::from_secs(5), client.stream.read_to_end(&mut rest)).await;
    assert!(end.is_ok(), "the connection is still open");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_outcome_is_counted() {
    let (world, _a) = world(Limits::default()).await;
    let mut client = Client::connect(world.listen()).await.unwrap();
    for path in ["/", "/status?404", "/status?500", "/status?503", "/slow?1"] {
        let answer = client.get(path).await.unwrap();
        assert_eq!(answer.error(), None, "the release's own words: {answer:?}");
    }
    let answer = client.post("/die", "x=1").await.unwrap();
    assert_eq!((answer.status, answer.error()), (502, Some("release_broke")));
    let counts = counts(&world).await;
    assert_eq!((counts.requests, counts.errors_5xx, counts.aborted), (6, 2, 1), "{counts:?}");
    assert_eq!((counts.in_flight, counts.latency.count()), (0, 6));
}

/// A service that answers some requests on each connection and then dies on the next one.
async fn fickle(
    answers: usize,
) -> (std::net::SocketAddr, std::sync::Arc<std::sync::Mutex<Vec<String>>>) {
    let listener = TcpListener::bind(crate::world::local()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = seen.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let log = log.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                for number in 0.. {
                    let Ok(length @ 1..) = stream.read(&mut buffer).await else { return };
                    let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                    if text.starts_with("GET /up") {
                        let _ =
                            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
                        return;
                    }
                    log.lock().unwrap().push(text.lines().next().unwrap().to_owned());
                    if number == answers {
                        return;
                    }
                    let _ =
                        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
                }
            });
        }
    });
    (address, seen)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_have_been_acted_on_is_not_sent_twice() {
    let world = World::start().await;
    let (address, seen) = fickle(1).await;
    let a = Backend::start("a").await;
    let state = State { targets: [(name("a"), vec![address])].into(), ..state(1, &[("a", &a)]) };
    world.apply(state, 1_000).await.unwrap();
    let mut client = Client::connect(world.listen()).await.unwrap();
    let sent = |method: &str| {
        let seen = seen.lock().unwrap();
        seen.iter().filter(|line| line.starts_with(method)).count()
    };
    // The second request on a connection dies on a reused one. A GET is asked again...
    for _ in 0..2 {
        assert_eq!(client.get("/").await.unwrap().status, 200);
    }
    assert_eq!(sent("GET"), 3, "the second was sent twice");
    // ... a PUT too, with its body ...
    let put = client.request("PUT", "/", "content-length: 3\r\n", "abc").await.unwrap();
    assert_eq!((put.status, sent("PUT")), (200, 2));
    // ... and a POST is not.
    let post = client.post("/", "x=1").await.unwrap();
    assert_eq!((post.status, post.error()), (502, Some("release_broke")));
    assert_eq!(sent("POST"), 1);
    // Not even one without a body.
    assert_eq!(client.get("/").await.unwrap().status, 200);
    let empty = client.post("/", "").await.unwrap();
    assert_eq!((empty.status, empty.error()), (502, Some("release_broke")));
    assert_eq!(sent("POST"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fresh_connection_that_breaks_is_not_retried() {
    let world = World::start().await;
    let (address, seen) = fickle(0).await;
    let a = Backend::start("a").await;
    let state = State { targets: [(name("a"), vec![address])].into(), ..state(1, &[("a", &a)]) };
    world.apply(state, 1_000).await.unwrap();
    let answer = get(world.listen(), "/").await.unwrap();
    assert_eq!((answer.status, answer.error()), (502, Some("release_broke")));
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_still_owes_a_body_is_not_reused() {
    let world = World::start().await;
    let (address, _) = fickle(9).await;
    let a = Backend::start("a").await;
    let state = State { targets: [(name("a"), vec![address])].into(), ..state(1, &[("a", &a)]) };
    world.apply(state, 1_000).await.unwrap();
    // Answered before its body was sent, and the body does not come.
    let mut early = Client::connect(world.listen()).await.unwrap();
    let owing = early.request("POST", "/", "content-length: 5\r\n", "").await.unwrap();
    assert_eq!(owing.status, 200);
    let began = Instant::now();
    assert_eq!(get(world.listen(), "/").await.unwrap().status, 200);
    assert!(began.elapsed() < Duration::from_millis(500), "waited for somebody else's body");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_to_a_target_are_bounded() {
    let limits = Limits { target_connections: 2, target_wait_ms: 300, ..Limits::default() };
    let (world, a) = world(limits).await;
    let address = world.listen();
    let slow = |ms| tokio::spawn(async move { get(address, &format!("/slow?{ms}")).await });
    let (soon, late) = (slow(200), slow(600));
    world.inside("a", 2).await;
    // Who waits gets the connection that comes free; who would wait too long is told.
    let waits = slow(600);
    world.inside("a", 3).await;
    assert_eq!(soon.await.unwrap().unwrap().status, 200);
    let refused = get(address, "/").await.unwrap();
    assert_eq!((refused.status, refused.error()), (503, Some("target_busy")));
    let periods = world.ask(|control| control.periods()).await.unwrap().periods;
    let arm = &periods[0].arms[&crate::world::name("a")];
    assert_eq!(arm.errors, 1, "a release that is too busy has failed its user: {arm:?}");
    for slow in [late, waits] {
        assert_eq!(slow.await.unwrap().unwrap().status, 200);
    }
    assert_eq!(a.requests(), 3);
    assert_eq!(get(address, "/").await.unwrap().status, 200, "room again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_without_a_body_keep_the_connection() {
    let (world, _a) = world(Limits::default()).await;
    let mut client = Client::connect(world.listen()).await.unwrap();
    client.send("HEAD / HTTP/1.1\r\nhost: shop\r\n\r\n").await.unwrap();
    let head = client.head().await.unwrap();
    assert_eq!((head.status, head.header("content-length")), (200, Some("1")));
    client.send("GET http://shop/status?204 HTTP/1.1\r\nhost: shop\r\n\r\n").await.unwrap();
    assert_eq!(client.head().await.unwrap().status, 204);
    assert_eq!(client.get("/").await.unwrap().body, "a");
    let refused = client.request("CONNECT", "shop:443", "", "").await.unwrap();
    assert_eq!((refused.status, refused.error()), (501, Some("no_tunnel")));
    world.inside("a", 0).await;
}
