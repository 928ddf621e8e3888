//! The client against servers that close connections: it neither retries nor fails for nothing.

use std::io::{BufRead as _, BufReader, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::Method;
use ripcord_shop::load::Client;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A server that says one of `answers` to each request of a connection, and then closes it.
async fn server(answers: &'static [&'static str]) -> (Client, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            for answer in answers {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = stream.read_u8().await else { break };
                    head.push(byte);
                }
                counter.fetch_add(1, Ordering::SeqCst);
                stream.write_all(answer.as_bytes()).await.expect("a client that listens");
            }
        }
    });
    (Client::new(&url, None, Duration::from_secs(5)).expect("a url"), seen)
}

#[tokio::test]
async fn a_connection_closed_while_idle_fails_no_request() {
    // Nothing announces the end of the connection.
    let (client, seen) = server(&[OK]).await;
    for number in 0..40 {
        let answer = client.send(Method::GET, "/", &[], None).await;
        assert_eq!(answer.expect("an answer").body, "ok");
        // At times the end is noticed before the next request, at times with it.
        tokio::time::sleep(Duration::from_millis(number % 3)).await;
    }
    assert_eq!(seen.load(Ordering::SeqCst), 40);
}

/// The end of the connection is already there, and unread, when the request is handed to it.
#[tokio::test]
async fn an_end_that_nobody_read_yet_is_seen_before_sending() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (closed, wait) = std::sync::mpsc::channel();
    let server = std::thread::spawn(move || {
        for _ in 0..400 {
            let (stream, _) = listener.accept().expect("a client");
            let mut request = BufReader::new(&stream).lines();
            while request.next().is_some_and(|line| !line.expect("a line").is_empty()) {}
            (&stream).write_all(OK.as_bytes()).expect("a client that listens");
            drop(stream);
            closed.send(()).expect("a client that waits");
        }
    });
    let client = Client::new(&url, None, Duration::from_secs(5)).expect("a url");
    for _ in 0..400 {
        client.send(Method::GET, "/", &[], None).await.expect("an answer");
        // Blocks this runtime on purpose, so that nobody notices the end.
        wait.recv().expect("a closed connection");
    }
    server.join().expect("all connections");
}

#[tokio::test]
async fn a_request_without_an_answer_is_not_sent_again() {
    let (client, seen) = server(&[""]).await;
    for sent in 1..=5 {
        let none = client.send(Method::GET, "/", &[], None).await.expect_err("no answer");
        assert!(none.sent, "{none}");
        assert_eq!(seen.load(Ordering::SeqCst), sent);
    }
    let (client, _) = server(&["HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok"]).await;
    let none = client.send(Method::GET, "/", &[], None).await.expect_err("half an answer");
    assert!(none.sent && none.because.starts_with("reading the answer"), "{none}");
}

#[tokio::test]
async fn a_reused_connection_that_ends_without_an_answer_is_no_retry() {
    let (client, seen) = server(&[OK, ""]).await;
    for pair in 1..=5 {
        client.send(Method::GET, "/", &[], None).await.expect("an answer");
        // Given back by now, and open: the next request goes out on it.
        tokio::time::sleep(Duration::from_millis(5)).await;
        let none = client.send(Method::GET, "/", &[], None).await.expect_err("no answer");
        assert!(none.sent, "{none}");
        assert_eq!(seen.load(Ordering::SeqCst), 2 * pair);
    }
}

#[tokio::test]
async fn nobody_there_means_nothing_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let client = Client::new(&url, None, Duration::from_secs(5)).expect("a url");
    let none = client.send(Method::GET, "/", &[], None).await.expect_err("no server");
    assert!(!none.sent, "{none}");
}

#[tokio::test]
async fn a_server_that_keeps_silent_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let client = Client::new(&url, None, Duration::from_millis(100)).expect("a url");
    let none = client.send(Method::GET, "/", &[], None).await.expect_err("silence");
    assert!(none.sent && none.because == "no answer within 100 ms", "{none}");
}

#[test]
fn only_plain_urls_are_taken() {
    for url in ["https://x:1", "x:1", "http://x", "http://x:1/path"] {
        assert!(Client::new(url, None, Duration::from_secs(1)).is_err(), "{url}");
    }
    assert!(Client::new("http://x:1/", None, Duration::from_secs(1)).is_ok());
}
