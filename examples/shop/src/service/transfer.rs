//! Answers that take time: a slow one, a stream, and a WebSocket that echoes.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use axum::extract::{Query, State, WebSocketUpgrade};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hyper::body::Frame;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Interval;

use super::answer::answer;
use super::server::Shop;

const SLOW_MS_MAX: u64 = 60_000;
const CHUNKS_MAX: u32 = 10_000;

#[derive(Deserialize)]
pub(super) struct Slow {
    #[serde(default)]
    ms: u64,
}

pub(super) async fn slow(State(shop): State<Arc<Shop>>, Query(slow): Query<Slow>) -> Response {
    let ms = slow.ms.min(SLOW_MS_MAX);
    tokio::time::sleep(Duration::from_millis(ms)).await;
    answer(&shop, StatusCode::OK, json!({ "slept_ms": ms }))
}

#[derive(Deserialize)]
pub(super) struct Drip {
    #[serde(default)]
    chunks: u32,
    #[serde(default)]
    ms: u64,
}

/// An event stream of `chunks` events, one every `ms`.
pub(super) async fn stream(Query(drip): Query<Drip>) -> Response {
    let every = Duration::from_millis(drip.ms.clamp(1, SLOW_MS_MAX));
    let events =
        Events { sent: 0, total: drip.chunks.min(CHUNKS_MAX), timer: tokio::time::interval(every) };
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::new(events)).into_response()
}

/// The body of `/stream`.
struct Events {
    sent: u32,
    total: u32,
    timer: Interval,
}

impl HttpBody for Events {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.sent == self.total {
            return Poll::Ready(None);
        }
        ready!(self.timer.poll_tick(context));
        self.sent += 1;
        let event = format!("data: {}\n\n", self.sent);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from(event)))))
    }
}

/// Echoes text and binary messages until the client closes or the service stops.
pub(super) async fn echo(State(shop): State<Arc<Shop>>, upgrade: WebSocketUpgrade) -> Response {
    let stopping = shop.stopping.subscribe();
    upgrade.on_upgrade(move |socket| echo_until(socket, stopping))
}

async fn echo_until(mut socket: WebSocket, mut stopping: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            message = socket.recv() => match message {
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                    if socket.send(message).await.is_err() {
                        return;
                    }
                }
                // Pings are answered, and closes completed, by the socket itself.
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            },
            () = stopped(&mut stopping) => {
                let reason = CloseFrame { code: close_code::AWAY, reason: "stopping".into() };
                // The client may be gone already; there is nobody else to tell.
                let _ = socket.send(Message::Close(Some(reason))).await;
                return;
            }
        }
    }
}

/// Completes when the service stops. The guard that `wait_for` returns must not live on.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    drop(stopping.wait_for(|stopping| *stopping).await);
}
