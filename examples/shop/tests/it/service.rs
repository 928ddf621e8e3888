//! Orders, faults, slow answers, streams, web sockets and the orderly end.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::Method;
use ripcord_shop::Faults;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::world::{Running, World};

fn order(key: &str) -> Value {
    json!({ "customer": 1, "product": 2, "quantity": 3, "note": "ring", "client_key": key })
}

#[tokio::test]
async fn the_same_key_makes_one_order() {
    let world = World::at(1);
    let shop = world.serve(1).await;
    let first = shop.send(Method::POST, "/orders", order("k")).await;
    let again = shop.send(Method::POST, "/orders", order("k")).await;
    assert_eq!((first.status, again.status), (201, 200));
    assert_eq!(first.json(), again.json());
    assert_eq!(first.json()["note"], "ring");
    let path = format!("/orders/{}", first.json()["id"]);
    let both = json!({ "quantity": 9, "note": "knock" });
    let changed = shop.send(Method::PATCH, &path, both).await;
    assert_eq!(changed.status, 200);
    assert_eq!(shop.get(&path).await.json(), changed.json());
    assert_eq!(
        (&changed.json()["quantity"], &changed.json()["note"]),
        (&json!(9), &json!("knock"))
    );
    assert_eq!(
        shop.get("/orders?limit=500").await.json()["orders"].as_array().map(Vec::len),
        Some(101)
    );
    shop.stop().await;
}

#[tokio::test]
async fn a_bad_order_is_refused() {
    let world = World::at(1);
    let shop = world.serve(1).await;
    for (field, value, expected) in [
        ("quantity", json!(0), 422),
        ("quantity", json!(1001), 422),
        ("client_key", json!(""), 422),
        ("customer", json!(999), 404),
        ("product", json!(999), 404),
        ("quantity", json!("many"), 400),
    ] {
        let mut bad = order("bad");
        bad[field] = value;
        let answer = shop.send(Method::POST, "/orders", bad).await;
        assert_eq!(answer.status, expected, "{}", answer.json());
    }
    assert_eq!(shop.send(Method::PATCH, "/orders/1", json!({})).await.status, 422);
    let change = json!({ "quantity": 1 });
    assert_eq!(shop.send(Method::PATCH, "/orders/999", change).await.status, 404);
    shop.stop().await;
}

#[tokio::test]
async fn a_fault_is_in_the_log_before_it_is_answered_and_wrote_nothing() {
    let world = World::at(1);
    let faults = Faults { error_percent: 100.1, ..Faults::default() };
    let shop = Running::start(world.settings(1, faults)).await;
    for key in ["a", "b"] {
        let answer = shop.send(Method::POST, "/orders", order(key)).await;
        assert_eq!(answer.status, 500);
        let id = answer.header("x-shop-fault").expect("a fault id").to_owned();
        let log = fs::read_to_string(world.fault_log()).expect("a fault log");
        assert!(log.lines().any(|line| line == id), "{id} is not in {log:?}");
    }
    assert_eq!(shop.get("/up").await.status, 200);
    shop.stop().await;
    let connection = rusqlite::Connection::open(world.database()).expect("the database");
    let count = "SELECT count(*) FROM orders WHERE client_key IN ('a', 'b')";
    let written: i64 = connection.query_row(count, [], |row| row.get(0)).expect("a count");
    assert_eq!(written, 0);
}

#[tokio::test]
async fn errors_begin_only_after_real_traffic() {
    let world = World::at(1);
    let faults = Faults { error_percent: 100.1, after_requests: 3, ..Faults::default() };
    let shop = Running::start(world.settings(1, faults)).await;
    for _ in 0..10 {
        assert_eq!(shop.get("/up").await.status, 200);
        let preview = [("x-preview", "1")];
        let answer = shop.client.send(Method::GET, "/products", &preview, None).await;
        assert_eq!(answer.expect("an answer").status, 200);
    }
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(shop.get("/products").await.status);
    }
    assert_eq!(statuses, [200, 200, 200, 500, 500]);
    shop.stop().await;
}

#[tokio::test]
async fn never_healthy_means_up_alone() {
    let world = World::at(1);
    let faults = Faults { never_healthy: true, ..Faults::default() };
    let shop = Running::start(world.settings(1, faults)).await;
    assert_eq!(shop.get("/up").await.status, 503);
    assert_eq!(shop.get("/products").await.status, 200);
    shop.stop().await;
}

#[tokio::test]
async fn up_tells_that_the_database_is_gone() {
    let world = World::at(1);
    let mut settings = world.settings(1, Faults::default());
    settings.database = world.path("nothing.db").into();
    let shop = Running::start(settings).await;
    assert_eq!(shop.get("/up").await.status, 503);
    assert!(!world.path("nothing.db").exists(), "the shop made an empty database");
    shop.stop().await;
}

#[tokio::test]
async fn slowness_delays_the_answer() {
    let world = World::at(1);
    let faults = Faults { slow_percent: 100.1, slow_ms: 80, ..Faults::default() };
    let shop = Running::start(world.settings(1, faults)).await;
    let start = Instant::now();
    assert_eq!(shop.get("/products").await.status, 200);
    assert!(start.elapsed() >= Duration::from_millis(80));
    shop.stop().await;
}

#[tokio::test]
async fn a_stop_finishes_what_is_in_flight() {
    let world = World::at(1);
    let shop = world.serve(1).await;
    let client =
        ripcord_shop::load::Client::new(&shop.url, None, Duration::from_secs(5)).expect("a url");
    let slow = tokio::spawn(async move {
        client.send(Method::GET, "/slow?ms=400", &[], None).await.expect("an answer").status
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let url = shop.url.clone();
    shop.stop().await;
    assert_eq!(slow.await.expect("a finished request"), 200);
    let address = url.trim_start_matches("http://");
    assert!(TcpStream::connect(address).await.is_err(), "it still accepts");
}

#[tokio::test]
async fn a_stream_arrives_piece_by_piece() {
    let world = World::at(1);
    let shop = world.serve(1).await;
    let start = Instant::now();
    let answer = shop.get("/stream?chunks=4&ms=30").await;
    assert_eq!(answer.body, "data: 1\n\ndata: 2\n\ndata: 3\n\ndata: 4\n\n");
    assert!(start.elapsed() >= Duration::from_millis(90));
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    shop.stop().await;
}

#[tokio::test]
async fn a_web_socket_echoes_and_is_closed_on_stop() {
    let world = World::at(1);
    let shop = world.serve(1).await;
    let mut socket = TcpStream::connect(shop.url.trim_start_matches("http://")).await.expect("it");
    let request = "GET /ws HTTP/1.1\r\nhost: shop\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    socket.write_all(request.as_bytes()).await.expect("a request sent");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.expect("a response head"));
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    // A masked text frame with a mask of zeroes.
    socket.write_all(b"\x81\x82\0\0\0\0hi").await.expect("a frame sent");
    let mut echo = [0; 4];
    socket.read_exact(&mut echo).await.expect("an echo");
    assert_eq!(&echo, b"\x81\x02hi");
    shop.stop().await;
    let mut close = [0; 4];
    socket.read_exact(&mut close).await.expect("a close frame");
    assert_eq!((close[0], u16::from_be_bytes([close[2], close[3]])), (0x88, 1001));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_that_wait_for_a_lock_do_not_keep_readers_out() {
    let world = World::at(1);
    let shop = Arc::new(world.serve(1).await);
    let migration = rusqlite::Connection::open(world.database()).expect("the database");
    migration.execute_batch("BEGIN IMMEDIATE").expect("the write lock");
    let waiting: Vec<_> = (0..8)
        .map(|number| {
            let shop = Arc::clone(&shop);
            tokio::spawn(async move {
                shop.send(Method::POST, "/orders", order(&format!("k{number}"))).await.status
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let start = Instant::now();
    assert_eq!(shop.get("/up").await.status, 200);
    assert_eq!(shop.get("/orders/1").await.status, 200);
    assert!(start.elapsed() < Duration::from_secs(1), "readers waited {:?}", start.elapsed());
    migration.execute_batch("COMMIT").expect("the end of the lock");
    for write in waiting {
        assert_eq!(write.await.expect("an answer"), 201);
    }
    Arc::into_inner(shop).expect("the last owner").stop().await;
}

#[tokio::test]
async fn readers_and_the_writer_do_not_block_each_other() {
    let world = World::at(1);
    let shop = world.serve(1).await;
    assert_eq!(shop.get("/up").await.status, 200);
    let connection = rusqlite::Connection::open(world.database()).expect("the database");
    let mode: String =
        connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).expect("a mode");
    assert_eq!(mode, "wal");
    shop.stop().await;
}
