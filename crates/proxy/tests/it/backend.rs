//! A small web service that stands for one release, and that can be killed like one.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::JoinHandle;
use tokio::time::sleep;

type Body = BoxBody<Bytes, std::io::Error>;

/// One instance of a release.
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Seen>,
    task: JoinHandle<()>,
}

/// What the instance has seen, and how it feels.
#[derive(Default)]
pub(crate) struct Seen {
    name: String,
    pub(crate) requests: AtomicU64,
    pub(crate) connections: AtomicU64,
    pub(crate) ill: AtomicBool,
}

impl Backend {
    pub(crate) async fn start(name: &str) -> Self {
        let listener = TcpListener::bind(crate::world::local()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen { name: name.to_owned(), ..Seen::default() });
        let task = tokio::spawn(accept(listener, Arc::clone(&seen)));
        Self { address, seen, task }
    }

    /// Like SIGKILL: all its sockets are closed at once, whatever is in them.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    pub(crate) fn requests(&self) -> u64 {
        self.seen.requests.load(Ordering::SeqCst)
    }
}

async fn accept(listener: TcpListener, seen: Arc<Seen>) {
    // Dropped with this task, and all connections with it.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let _ = stream.set_nodelay(true);
        seen.connections.fetch_add(1, Ordering::SeqCst);
        let seen = Arc::clone(&seen);
        connections.spawn(async move {
            let service = service_fn(move |request| answer(request, Arc::clone(&seen)));
            let io = TokioIo::new(stream);
            let _ = http1::Builder::new().serve_connection(io, service).with_upgrades().await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(
    request: Request<Incoming>,
    seen: Arc<Seen>,
) -> Result<Response<Body>, std::io::Error> {
    let path = request.uri().path().to_owned();
    let number =
        || request.uri().query().and_then(|query| query.parse::<u64>().ok()).unwrap_or_default();
    if path == "/up" {
        let ill = seen.ill.load(Ordering::SeqCst);
        let status = if ill { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
        return Ok(text(status, "up"));
    }
    seen.requests.fetch_add(1, Ordering::SeqCst);
    Ok(match path.as_str() {
        "/slow" => {
            sleep(Duration::from_millis(number())).await;
            text(StatusCode::OK, &seen.name)
        }
        "/echo" => {
            let body = request.into_body().collect().await.map_err(std::io::Error::other)?;
            let body = Full::new(body.to_bytes()).map_err(|never: Infallible| match never {});
            Response::new(BodyExt::boxed(body))
        }
        "/headers" => {
            let headers = request.headers().iter();
            let lines = headers.map(|(k, v)| format!("{k}: {}\n", v.to_str().unwrap_or("?")));
            text(StatusCode::OK, &lines.collect::<String>())
        }
        "/status" => {
            text(StatusCode::from_u16(u16::try_from(number()).unwrap()).unwrap(), &seen.name)
        }
        // Takes the request and dies on it.
        "/die" => {
            let _ = request.into_body().collect().await;
            return Err(std::io::Error::other("told to die"));
        }
        "/drip" => drip(number()),
        "/flood" => flood(),
        "/echo-stream" => {
            let frames = request.into_body().map_err(std::io::Error::other);
            Response::new(BodyExt::boxed(frames))
        }
        "/tunnel" => tunnel(request),
        _ => text(StatusCode::OK, &seen.name),
    })
}

fn text(status: StatusCode, text: &str) -> Response<Body> {
    let body = Full::new(Bytes::from(text.to_owned())).map_err(|never: Infallible| match never {});
    let mut answer = Response::new(BodyExt::boxed(body));
    *answer.status_mut() = status;
    answer
}

/// A piece every so many milliseconds, for ever.
fn drip(every_ms: u64) -> Response<Body> {
    let (sender, receiver) = channel(1);
    tokio::spawn(async move {
        for number in 0_u64.. {
            let piece = Bytes::from(format!("data: {number}\n\n"));
            if sender.send(Frame::data(piece)).await.is_err() {
                return;
            }
            sleep(Duration::from_millis(every_ms)).await;
        }
    });
    stream(receiver)
}

/// As much as the reader takes, for ever.
fn flood() -> Response<Body> {
    let (sender, receiver) = channel(1);
    tokio::spawn(async move {
        let piece = Bytes::from(vec![b'x'; 64 * 1024]);
        while sender.send(Frame::data(piece.clone())).await.is_ok() {}
    });
    stream(receiver)
}

fn stream(receiver: Receiver<Frame<Bytes>>) -> Response<Body> {
    let mut answer = Response::new(BodyExt::boxed(Pieces(receiver)));
    answer.headers_mut().insert("content-type", "text/event-stream".parse().unwrap());
    answer
}

struct Pieces(Receiver<Frame<Bytes>>);

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        self.0.poll_recv(context).map(|piece| piece.map(Ok))
    }
}

/// Agrees to whatever protocol is asked for, and echoes bytes.
fn tunnel(mut request: Request<Incoming>) -> Response<Body> {
    let protocol = request.headers().get("upgrade").cloned();
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let Ok(socket) = upgrade.await else { return };
        let mut socket = TokioIo::new(socket);
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = socket.read(&mut buffer).await {
            if socket.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
    });
    let mut answer = text(StatusCode::SWITCHING_PROTOCOLS, "");
    answer.headers_mut().insert("connection", "upgrade".parse().unwrap());
    answer.headers_mut().insert("upgrade", protocol.unwrap());
    answer
}
