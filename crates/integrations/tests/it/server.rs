//! A small HTTP server whose answers a test decides, byte by byte.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Listens until it is dropped.
pub(crate) struct Server {
    pub(crate) url: String,
    hits: Arc<AtomicUsize>,
    stopped: Arc<AtomicBool>,
}

impl Server {
    /// `answer` is given each request, head and body, and the connection.
    pub(crate) fn start(answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let hits = Arc::new(AtomicUsize::new(0));
        let stopped = Arc::new(AtomicBool::new(false));
        let (answer, counted, stop) = (Arc::new(answer), hits.clone(), stopped.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                counted.fetch_add(1, Ordering::SeqCst);
                let answer = answer.clone();
                thread::spawn(move || serve(stream, &*answer));
            }
        });
        Server { url, hits, stopped }
    }

    /// A server that says the same to everybody.
    pub(crate) fn says(status: &str, headers: &str, body: &str) -> Server {
        let answer = response(status, headers, body);
        Server::start(move |_, stream| drop(stream.write_all(answer.as_bytes())))
    }

    /// How often somebody connected.
    pub(crate) fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for connections.
        drop(TcpStream::connect(self.url.trim_start_matches("http://")));
    }
}

/// A whole answer. `headers` are lines, each with its end.
pub(crate) fn response(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n{body}")
}

fn serve(mut stream: TcpStream, answer: &(dyn Fn(&str, &mut TcpStream) + Send + Sync)) {
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    if let Some(request) = request(&stream) {
        answer(&request, &mut stream);
    }
}

fn request(stream: &TcpStream) -> Option<String> {
    let mut reader = BufReader::new(stream);
    let mut text = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        text.push_str(&line);
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    text.push_str(&String::from_utf8_lossy(&body));
    Some(text)
}
