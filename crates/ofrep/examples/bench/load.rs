//! Requests as fast as they are answered, and what each costs the server's processor.

use crate::documents::{USUAL, question};
use crate::server::{Server, request};
use crate::{Bar, Row};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Connections that are busy all the time.
const CONNECTIONS: usize = 32;
const USERS: usize = 1_000_000;

pub(crate) fn measure(quick: bool) -> Vec<Row> {
    let seconds = if quick { 2 } else { 6 };
    let server = Server::start(USUAL);
    let single = "POST /ofrep/v1/evaluate/flags/flag-00001";
    let bulk = "POST /ofrep/v1/evaluate/flags";
    let run = |what: &str, first: &str, users: usize, bar: Bar| {
        let (per_core, bytes) = per_core(&server, first, users, seconds);
        let what = format!("{what} ({bytes} bytes)");
        Row::new(what, per_core, "per core and s", bar)
    };
    vec![
        run("HTTP, one flag with targeting", single, USERS, Bar::AtLeast(30_000.0)),
        run("HTTP, 350 flags, users who ask again", bulk, 50, Bar::AtLeast(7_000.0)),
        run("HTTP, 350 flags, each user once", bulk, USERS, Bar::None),
    ]
}

/// Requests per second of the server's processor time, and how long an answer is.
fn per_core(server: &Server, first: &str, users: usize, seconds: u64) -> (f64, u64) {
    let (stop, answered, bytes) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for connection in 0..CONNECTIONS {
            let (stop, answered, bytes) = (&stop, &answered, &bytes);
            scope.spawn(move || {
                let mut stream = BufReader::new(TcpStream::connect(server.address).unwrap());
                stream.get_ref().set_nodelay(true).unwrap();
                let mut user = connection * (users / CONNECTIONS).max(1);
                while !stop.load(Relaxed) {
                    user += 1;
                    let text = request(first, &question(user % users), "");
                    stream.get_mut().write_all(text.as_bytes()).unwrap();
                    bytes.store(answer(&mut stream), Relaxed);
                    answered.fetch_add(1, Relaxed);
                }
            });
        }
        // What is first done once does not count.
        std::thread::sleep(Duration::from_millis(300));
        let (used, before) = (server.used(), answered.load(Relaxed));
        std::thread::sleep(Duration::from_secs(seconds));
        let (used, after) = (server.used() - used, answered.load(Relaxed));
        stop.store(true, Relaxed);
        ((after - before) as f64 / used, bytes.load(Relaxed))
    })
}

/// Reads an answer, which must be a success; the length of its body.
fn answer(stream: &mut BufReader<TcpStream>) -> u64 {
    let mut length = 0;
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    assert!(line.starts_with("HTTP/1.1 200"), "{line}");
    while line != "\r\n" {
        line.clear();
        stream.read_line(&mut line).unwrap();
        if let Some(found) = line.strip_prefix("content-length: ") {
            length = found.trim().parse().unwrap();
        }
    }
    let mut body = stream.take(length);
    std::io::copy(&mut body, &mut std::io::sink()).unwrap();
    length
}
