//! The change stream of one client. What waits for a slow one is the newest change, never a queue.
//!
//! Clients do not fetch by themselves when a stream comes back, so whoever connects without
//! knowing the document in force is told at once. A change is named by its document's digest, so a
//! restart of the server tells nobody who knows it anyway.

use crate::served::Served;
use crate::shared::Shared;
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use tokio::sync::mpsc;
use tokio::time::{interval, timeout};

/// A document came into force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    /// The first digits of its digest.
    pub(crate) id: String,
    /// When, in seconds since 1970.
    pub(crate) at_s: u64,
}

/// What the client reads.
pub(crate) struct ChangeStream {
    lines: mpsc::Receiver<Bytes>,
    shared: Arc<Shared>,
    client: u64,
}

impl Change {
    pub(crate) fn of(served: &Served) -> Change {
        Change { id: served.digest.short().to_owned(), at_s: served.loaded_at_ms / 1_000 }
    }

    fn event(&self) -> Bytes {
        let Change { id, at_s } = self;
        let data = format!(r#"{{"type":"refetchEvaluation","etag":"{id}","lastModified":{at_s}}}"#);
        format!("id: {id}\nevent: message\ndata: {data}\n\n").into()
    }
}

impl ChangeStream {
    /// Opens a stream for a client that knows the change `known`; nothing when there is no room.
    pub(crate) fn open(
        shared: &Arc<Shared>,
        client: u64,
        known: Option<&str>,
    ) -> Option<ChangeStream> {
        let open = &shared.tally.streams;
        if open.fetch_add(1, Ordering::Relaxed) >= shared.limits.streams_max {
            open.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        shared.clients.stream_opened(client);
        let (sender, lines) = mpsc::channel(1);
        tokio::spawn(tell(Arc::clone(shared), known.map(str::to_owned), sender));
        Some(ChangeStream { lines, shared: Arc::clone(shared), client })
    }

    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.lines.poll_recv(context)
    }
}

impl Drop for ChangeStream {
    fn drop(&mut self) {
        self.shared.tally.streams.fetch_sub(1, Ordering::Relaxed);
        self.shared.clients.stream_closed(self.client);
    }
}

/// Sends changes and signs of life until the client is gone, stands still, or the server stops.
async fn tell(shared: Arc<Shared>, mut known: Option<String>, sender: mpsc::Sender<Bytes>) {
    let stall_max = shared.limits.stall_max;
    let mut stopping = shared.stopping.subscribe();
    let mut news = shared.news.subscribe();
    // Browsers wait for seconds before they come back, unless they are told.
    let mut line = Bytes::from_static(b"retry: 1000\n\n");
    let mut heartbeat = interval(shared.limits.heartbeat_every);
    heartbeat.reset();
    loop {
        if !matches!(timeout(stall_max, sender.send(line)).await, Ok(Ok(()))) {
            return;
        }
        let change = news.borrow_and_update().clone();
        if let Some(change) = change
            && known.as_ref() != Some(&change.id)
        {
            line = change.event();
            known = Some(change.id);
            continue;
        }
        line = loop {
            tokio::select! {
                Ok(()) = news.changed() => {
                    let change = news.borrow_and_update().clone();
                    let Some(change) = change.filter(|change| known.as_ref() != Some(&change.id))
                    else {
                        continue;
                    };
                    let event = change.event();
                    known = Some(change.id);
                    break event;
                }
                _ = heartbeat.tick() => break Bytes::from_static(b":\n\n"),
                _ = stopping.wait_for(|stopping| *stopping) => return,
                () = sender.closed() => return,
            }
        };
    }
}
