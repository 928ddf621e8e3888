//! How soon a change is served and told.

use crate::documents::{USUAL, document};
use crate::server::Server;
use crate::{Bar, Row};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

const STREAMS: usize = 1_000;
const FLAGS_MANY: usize = 10_000;

pub(crate) fn measure(quick: bool) -> Vec<Row> {
    let rounds = if quick { 10 } else { 40 };
    let (off, told) = (served(rounds), streams(rounds));
    vec![
        Row::new("a switch of 350 flags served, p99", quantile(&off, 99), "ms", Bar::AtMost(50.0)),
        Row::new("a switch of 350 flags served, median", quantile(&off, 50), "ms", Bar::None),
        Row::new(
            "1,000 open pages told, the last of them, p99",
            quantile(&told, 99),
            "ms",
            Bar::AtMost(100.0),
        ),
        Row::new("1,000 open pages told, median", quantile(&told, 50), "ms", Bar::None),
        Row::new("10,000 flags published until served", many(), "ms", Bar::AtMost(1_000.0)),
    ]
}

/// From the replacement of the file to the first answer with the new value.
fn served(rounds: usize) -> Vec<f64> {
    let server = Server::start(USUAL);
    let rounds = (0..rounds).map(|round| {
        let is_on = round % 2 == 1;
        let text = document(USUAL, is_on);
        server.publish(&text);
        until(&server, &format!("\"value\":{is_on}"))
    });
    rounds.collect()
}

/// From the replacement of the file until the last of many streams has the event.
fn streams(rounds: usize) -> Vec<f64> {
    let server = Server::start(USUAL);
    let (sender, told) = channel();
    for user in 0..STREAMS {
        let lines = open(&server, user);
        let sender = sender.clone();
        // A small stack, since there are many.
        let reader = std::thread::Builder::new().stack_size(64 << 10);
        reader
            .spawn(move || {
                for line in lines.lines().map_while(Result::ok) {
                    if line.starts_with("data: ") {
                        let _ = sender.send(());
                    }
                }
            })
            .unwrap();
    }
    let all = || (0..STREAMS).for_each(|_| told.recv_timeout(Duration::from_mins(1)).unwrap());
    // Each is told once on opening.
    all();
    let rounds = (0..rounds).map(|round| {
        let text = document(USUAL, round % 2 == 1);
        let began = Instant::now();
        server.publish(&text);
        all();
        began.elapsed().as_secs_f64() * 1e3
    });
    rounds.collect()
}

fn many() -> f64 {
    let server = Server::start(USUAL);
    server.publish(&document(FLAGS_MANY, false));
    until(&server, "\"value\":false")
}

/// Milliseconds until the switch is answered so.
fn until(server: &Server, part: &str) -> f64 {
    let began = Instant::now();
    while !server.ask("POST /ofrep/v1/evaluate/flags/switch", "").contains(part) {
        assert!(began.elapsed() < Duration::from_mins(1), "never {part}");
    }
    began.elapsed().as_secs_f64() * 1e3
}

fn open(server: &Server, user: usize) -> BufReader<TcpStream> {
    let body = format!("{{\"context\":{{\"targetingKey\":\"u{user}\"}}}}");
    let answer = server.ask("POST /ofrep/v1/evaluate/flags", &body);
    let body: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    let uri = body["eventStreams"][0]["endpoint"]["requestUri"].as_str().unwrap();
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.write_all(format!("GET {uri} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").as_bytes()).unwrap();
    BufReader::with_capacity(1_024, stream)
}

/// The smallest time that so many hundredths of the times do not exceed.
fn quantile(times: &[f64], hundredths: usize) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    let place = (times.len() * hundredths).div_ceil(100);
    times[place.clamp(1, times.len()) - 1]
}
