//! Clients that never read what they are sent: bounded in time and memory, and ended.

use crate::client::{PATIENCE, eventually};
use crate::site::{Site, Wish, events};
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use tokio::net::TcpSocket;

/// A connection on which little can be under way.
fn narrow(site: &Site) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stream = runtime.block_on(async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(2_048).unwrap();
        socket.connect(site.address).await.unwrap().into_std().unwrap()
    });
    stream.set_nonblocking(false).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A document whose answer for all flags has some 400 kB.
fn large() -> serde_json::Value {
    let text = "x".repeat(4_000);
    let flag = json!({"state": "ENABLED", "variants": {"on": text, "off": ""},
        "defaultVariant": "on"});
    let flags: serde_json::Map<_, _> =
        (0..100).map(|number| (format!("flag-{number}"), flag.clone())).collect();
    json!({"flags": flags})
}

/// Kilobytes of memory that the server has in use.
fn resident_kb(site: &Site) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", site.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_page_that_never_reads_its_stream_is_let_go() {
    // Signs of life are small, so little must be able to be under way for them to add up soon.
    let wish = Wish {
        stall_ms: Some(300),
        heartbeat_ms: Some(1),
        send_buffer_bytes: Some(4_096),
        ..Wish::default()
    };
    let site = Site::wish(&large(), &wish);
    let uri = events(&site.bulk("u1", &[]));
    let mut streams: Vec<TcpStream> = (0..20).map(|_| narrow(&site)).collect();
    for stream in &mut streams {
        stream
            .write_all(format!("GET {uri} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").as_bytes())
            .unwrap();
    }
    eventually("all are open", || site.status()["streams_open"] == json!(20));
    eventually("all are ended", || site.status()["streams_open"] == json!(0));
    assert_eq!(site.bulk("u2", &[]).status, 200, "the others are served");
}

#[test]
fn a_client_that_never_reads_its_answers_is_let_go() {
    let wish = Wish { stall_ms: Some(300), ..Wish::default() };
    let site = Site::wish(&large(), &wish);
    site.bulk("u1", &[]);
    let before = resident_kb(&site);
    let one = "POST /ofrep/v1/evaluate/flags HTTP/1.1\r\nhost: 127.0.0.1\r\n\
               content-length: 2\r\n\r\n{}";
    let mut clients: Vec<TcpStream> = (0..20).map(|_| narrow(&site)).collect();
    for client in &mut clients {
        // Answers of 40 MB are asked for, and none is read.
        client.write_all(one.repeat(100).as_bytes()).unwrap();
    }
    let began = Instant::now();
    for client in &mut clients {
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        // Long after the bound the connection is over, with a part of the first answers in it.
        std::thread::sleep(Duration::from_millis(600).saturating_sub(began.elapsed()));
        let mut taken = Vec::new();
        drop(client.read_to_end(&mut taken));
        assert!(taken.len() < 2 << 20, "{} bytes", taken.len());
    }
    let grown = resident_kb(&site).saturating_sub(before);
    assert!(grown < 64 << 10, "{grown} kB more");
    assert_eq!(site.bulk("u2", &[]).status, 200, "the others are served");
}
