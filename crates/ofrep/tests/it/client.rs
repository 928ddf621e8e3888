//! A client that sends exactly what it is told to, and reads what comes.

use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: Vec<String>,
    pub(crate) body: String,
}

impl Answer {
    /// A header's value, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.iter().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Sends a request and reads the answer.
pub(crate) fn ask(
    address: SocketAddr,
    first: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len().to_string();
    let mut all = vec![("host", "127.0.0.1"), ("connection", "close")];
    all.push(("content-length", &length));
    all.extend(headers);
    let lines: Vec<String> =
        all.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = lines.concat();
    // A server that refuses early does not take all of it.
    drop(stream.write_all(format!("{first} HTTP/1.1\r\n{head}\r\n{body}").as_bytes()));
    let mut stream = BufReader::new(stream);
    if first.starts_with("HEAD ") { read_head(&mut stream) } else { read(&mut stream) }
}

/// Reads an answer with a known length.
pub(crate) fn read(stream: &mut impl BufRead) -> Answer {
    let mut answer = read_head(stream);
    let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    if answer.status != 304 {
        stream.read_exact(&mut body).unwrap();
        answer.body = String::from_utf8(body).unwrap();
    }
    answer
}

fn read_head(stream: &mut impl BufRead) -> Answer {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let status = lines.first().and_then(|line| line.split(' ').nth(1)).unwrap_or("0");
    Answer { status: status.parse().unwrap(), head: lines, body: String::new() }
}

/// An open change stream.
pub(crate) struct Changes {
    lines: BufReader<TcpStream>,
    pub(crate) status: u16,
}

impl Changes {
    /// Opens a stream; `known` is the id of the last event that was seen.
    pub(crate) fn open(address: SocketAddr, uri: &str, known: Option<&str>) -> Changes {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let known = known.map_or(String::new(), |id| format!("Last-Event-ID: {id}\r\n"));
        let head = format!("GET {uri} HTTP/1.1\r\nHost: 127.0.0.1\r\n{known}\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut lines = BufReader::new(stream);
        let answer = read(&mut lines);
        Changes { lines, status: answer.status }
    }

    /// The next event: its id and its data. Nothing when the stream ended.
    pub(crate) fn next(&mut self) -> Option<(String, Value)> {
        let mut id = String::new();
        loop {
            let line = self.line()?;
            if let Some(found) = line.strip_prefix("id: ") {
                found.clone_into(&mut id);
            }
            if let Some(data) = line.strip_prefix("data: ") {
                return Some((id, serde_json::from_str(data).unwrap()));
            }
        }
    }

    /// The next line that is no frame of the transfer; nothing when the stream ended.
    pub(crate) fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.lines.read_line(&mut line) {
            Ok(1..) => Some(line.trim_end().to_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("the stream is silent")
            }
            // It ended, politely or not.
            Ok(0) | Err(_) => None,
        }
    }
}

/// Waits until something holds.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
