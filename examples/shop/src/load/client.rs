//! A small HTTP/1.1 client with keep-alive and no retries.
//!
//! One exception that is none: a request that a closing connection hands back without having sent
//! a byte of it goes out on a fresh one. The service never saw it.

use std::io::ErrorKind;
use std::sync::Mutex;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::ShopError;
use crate::faults::lock;

const IDLE_MAX: usize = 64;
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A connection, and a second handle on its socket to see whether the server closed it.
struct Connection {
    requests: SendRequest<Full<Bytes>>,
    probe: std::net::TcpStream,
}

/// Sends requests to one server.
pub struct Client {
    authority: String,
    host: String,
    timeout: Duration,
    idle: Mutex<Vec<Connection>>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The response headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

/// Why nothing came back.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{because}")]
pub struct NoAnswer {
    /// The reason.
    pub because: String,
    /// Whether the server may have seen the request.
    pub sent: bool,
}

impl Answer {
    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON; null where it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

impl Client {
    /// A client of `url`, which is `http://host:port`.
    ///
    /// # Errors
    /// When the URL has another form.
    pub fn new(url: &str, host: Option<&str>, timeout: Duration) -> Result<Self, ShopError> {
        let authority = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        let authority = authority.filter(|rest| rest.contains(':') && !rest.contains('/'));
        let authority = authority
            .ok_or_else(|| ShopError::Usage(format!("{url:?} is not http://host:port")))?;
        Ok(Self {
            authority: authority.to_owned(),
            host: host.unwrap_or(authority).to_owned(),
            timeout,
            idle: Mutex::new(Vec::new()),
        })
    }

    /// Sends one request and reads the whole answer.
    ///
    /// # Errors
    /// When no complete answer came within the timeout.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&serde_json::Value>,
    ) -> Result<Answer, NoAnswer> {
        let mut request = Request::builder().method(method).uri(path).header(HOST, &self.host);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let bytes = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        let request = request.body(Full::new(bytes)).map_err(|error| unsent("request", &error))?;
        timeout(self.timeout, self.exchange(request)).await.unwrap_or_else(|_| {
            let because = format!("no answer within {} ms", self.timeout.as_millis());
            Err(NoAnswer { because, sent: true })
        })
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, NoAnswer> {
        let Some(mut connection) = self.take_idle() else {
            return self.exchange_fresh(request).await;
        };
        match connection.requests.try_send_request(request).await {
            Ok(response) => self.read(connection, response).await,
            Err(mut error) => match error.take_message() {
                Some(request) => self.exchange_fresh(request).await,
                None => Err(lost("sending", &error.into_error())),
            },
        }
    }

    async fn exchange_fresh(&self, request: Request<Full<Bytes>>) -> Result<Answer, NoAnswer> {
        let stream = TcpStream::connect(&self.authority)
            .await
            .map_err(|error| unsent("connecting", &error))?;
        let (stream, probe) = with_probe(stream).map_err(|error| unsent("connecting", &error))?;
        let (requests, driver) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| unsent("connecting", &error))?;
        // The driver's error reaches the request that waits for it; here it has no other reader.
        tokio::spawn(async move { drop(driver.await) });
        let mut connection = Connection { requests, probe };
        match connection.requests.try_send_request(request).await {
            Ok(response) => self.read(connection, response).await,
            Err(mut error) => {
                let sent = error.take_message().is_none();
                Err(NoAnswer { sent, ..lost("sending", &error.into_error()) })
            }
        }
    }

    async fn read(
        &self,
        connection: Connection,
        response: axum::http::Response<hyper::body::Incoming>,
    ) -> Result<Answer, NoAnswer> {
        let (head, body) = response.into_parts();
        let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
        let body = body.map_err(|error| lost("reading the answer", error.as_ref()))?.to_bytes();
        let mut idle = lock(&self.idle);
        if idle.len() < IDLE_MAX {
            idle.push(connection);
        }
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
    }

    /// The connection used last that is still open; closed ones on top of it are dropped.
    fn take_idle(&self) -> Option<Connection> {
        let mut idle = lock(&self.idle);
        while let Some(connection) = idle.pop() {
            if connection.is_open() {
                return Some(connection);
            }
        }
        None
    }
}

impl Connection {
    /// Whether a request may go out on it. Asks the socket too: the end of a connection is there
    /// before anybody reads it, and a request sent after it would be lost for nothing.
    fn is_open(&self) -> bool {
        let waiting = self.probe.peek(&mut [0]).map_err(|error| error.kind());
        self.requests.is_ready() && waiting == Err(ErrorKind::WouldBlock)
    }
}

fn with_probe(stream: TcpStream) -> std::io::Result<(TcpStream, std::net::TcpStream)> {
    stream.set_nodelay(true)?;
    // Both handles stay non-blocking: they share one socket.
    let stream = stream.into_std()?;
    let probe = stream.try_clone()?;
    Ok((TcpStream::from_std(stream)?, probe))
}

fn lost(doing: &str, error: &dyn std::error::Error) -> NoAnswer {
    let mut because = format!("{doing}: {error}");
    if let Some(source) = error.source() {
        because = format!("{because}: {source}");
    }
    NoAnswer { because, sent: true }
}

fn unsent(doing: &str, error: &dyn std::error::Error) -> NoAnswer {
    NoAnswer { sent: false, ..lost(doing, error) }
}
