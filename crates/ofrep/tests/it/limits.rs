//! Bounds on size, time and number, each reached.

use crate::client::{PATIENCE, eventually, read};
use crate::site::{Site, Wish, switch};
use std::io::{BufReader, Read, Write};
use std::net::TcpStream;

const SINGLE: &str = "POST /ofrep/v1/evaluate/flags/a";

fn connect(site: &Site) -> TcpStream {
    let stream = TcpStream::connect(site.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

#[test]
fn large_bodies() {
    let wish = Wish { body_bytes_max: Some(1_000), ..Wish::default() };
    let site = Site::wish(&switch("a", true), &wish);
    let body = |bytes: usize| format!("{{\"x\":\"{}\"}}", "x".repeat(bytes - 8));
    assert_eq!(site.ask(SINGLE, &[], &body(1_000)).status, 200);
    let answer = site.ask(SINGLE, &[], &body(1_001));
    assert_eq!(answer.status, 413);
    assert!(answer.json()["errorDetails"].as_str().unwrap().contains("1000 bytes"));
    // A body that does not say how long it is.
    let mut stream = connect(&site);
    let piece = format!("1f4\r\n{}\r\n", "x".repeat(500));
    let head = "host: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\n";
    let text = format!("{SINGLE} HTTP/1.1\r\n{head}{piece}{piece}{piece}0\r\n\r\n");
    stream.write_all(text.as_bytes()).unwrap();
    assert_eq!(read(&mut BufReader::new(stream)).status, 413);
}

#[test]
fn large_heads() {
    let site = Site::of(&switch("a", true));
    let header = "x".repeat(64 << 10);
    assert_eq!(site.ask(SINGLE, &[("x-large", &header)], "").status, 431);
    assert!(site.is_on("a"));
}

#[test]
fn slow_bodies_and_slow_heads() {
    let wish = Wish { body_within_ms: Some(50), head_within_ms: Some(200), ..Wish::default() };
    let site = Site::wish(&switch("a", true), &wish);
    let mut stream = connect(&site);
    let head = "host: 127.0.0.1\r\ncontent-length: 10\r\n\r\n{";
    stream.write_all(format!("{SINGLE} HTTP/1.1\r\n{head}").as_bytes()).unwrap();
    assert_eq!(read(&mut BufReader::new(stream)).status, 408);
    let mut stream = connect(&site);
    stream.write_all(format!("{SINGLE} HTTP/1.1\r\nhost: 127").as_bytes()).unwrap();
    // The connection ends; whether with words before is the business of the library.
    drop(stream.read_to_end(&mut Vec::new()));
    assert!(site.is_on("a"));
}

#[test]
fn too_often_and_never_after_a_change() {
    let wish = Wish { rate_max: Some(5), rate_pause_ms: Some(0), ..Wish::default() };
    let site = Site::wish(&switch("a", true), &wish);
    let mut refused = None;
    eventually("too often", || {
        let answer = site.ask(SINGLE, &[], "");
        refused = (answer.status == 429).then_some(answer);
        refused.is_some()
    });
    let refused = refused.unwrap();
    // A whole number: the only form that clients of all languages read.
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert!(refused.json()["errorDetails"].is_string());

    let wish = Wish { rate_max: Some(5), ..Wish::default() };
    let site = Site::wish(&switch("a", true), &wish);
    assert!((0..100).all(|_| site.ask(SINGLE, &[], "").status == 200));
}

#[test]
fn many_requests_on_one_connection() {
    let site = Site::of(&switch("a", true));
    let mut stream = connect(&site);
    let one = format!("{SINGLE} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 2\r\n\r\n{{}}");
    stream.write_all(one.repeat(100).as_bytes()).unwrap();
    let mut stream = BufReader::new(stream);
    assert!((0..100).all(|_| read(&mut stream).status == 200));
}
