//! One client connection: bounded in head, idleness and standing still, ended gently on stop.

use crate::handle::answer;
use crate::shared::Shared;
use crate::stall::Stall;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use tokio::net::TcpStream;

/// Serves one connection until it ends or the server stops.
pub(crate) async fn serve(shared: Arc<Shared>, stream: TcpStream, client: IpAddr) {
    let limits = &shared.limits;
    let service = service_fn(|request| {
        let shared = &shared;
        async move { Ok::<_, Infallible>(answer(shared, request, client).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_within)
        .max_buf_size(limits.head_bytes_max.max(8 << 10))
        .serve_connection(TokioIo::new(Stall::new(stream, limits.stall_max)), service);
    let mut connection = pin!(connection);
    let mut stopping = shared.stopping.subscribe();
    tokio::select! {
        // What broke is the client's business; there is nobody left to tell.
        _ = connection.as_mut() => return,
        // The sender lives as long as the shared state, so this is always a stop.
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}
