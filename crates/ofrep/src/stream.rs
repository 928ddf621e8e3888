//! The change stream of one client. What waits for a slow one is the newest change, never a queue.
//!
//! Clients do not fetch by themselves when a stream comes back, so whoever connects without
//! knowing the document in force is told at once. A change is named by its document's digest, so a
//! restart of the server tells nobody who knows it anyway.

use crate::served::Served;
use crate::shared::Shared;
use bytes::Bytes;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use tokio::sync::watch;
use tokio::time::{Interval, interval};

/// A document came into force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    /// The first digits of its digest.
    pub(crate) id: Arc<str>,
    /// What clients are told, made once for all of them.
    event: Bytes,
}

/// What the client reads. It has no task and no queue of its own: the connection asks for the next
/// piece when the client has taken the last one, and ends when it takes none for too long.
pub(crate) struct ChangeStream {
    shared: Arc<Shared>,
    client: u64,
    /// The change that the client knows.
    known: Option<Arc<str>>,
    /// Completes, with the receiver, when there is a change or the server stops.
    waiting: Pin<Box<dyn Future<Output = Woken> + Send>>,
    heartbeat: Interval,
    begun: bool,
}

/// Why a stream woke up.
enum Woken {
    News(News),
    Stopping,
}

/// What a stream listens to.
struct News {
    changes: watch::Receiver<Option<Change>>,
    stopping: watch::Receiver<bool>,
}

impl Change {
    pub(crate) fn of(served: &Served) -> Change {
        let (id, at_s) = (served.digest.short(), served.loaded_at_ms / 1_000);
        let data = format!(r#"{{"type":"refetchEvaluation","etag":"{id}","lastModified":{at_s}}}"#);
        let event = format!("id: {id}\nevent: message\ndata: {data}\n\n").into();
        Change { id: id.into(), event }
    }
}

impl News {
    /// Waits for a change, or for the server's stop.
    async fn next(mut self) -> Woken {
        let stopping = tokio::select! {
            changed = self.changes.changed() => changed.is_err(),
            stopped = self.stopping.wait_for(|stopping| *stopping) => { drop(stopped); true }
        };
        if stopping { Woken::Stopping } else { Woken::News(self) }
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
        let mut heartbeat = interval(shared.limits.heartbeat_every);
        heartbeat.reset();
        let mut changes = shared.news.subscribe();
        // What came before is news to whoever does not know it.
        changes.mark_changed();
        let news = News { changes, stopping: shared.stopping.subscribe() };
        Some(ChangeStream {
            shared: Arc::clone(shared),
            client,
            known: known.map(Into::into),
            waiting: Box::pin(news.next()),
            heartbeat,
            begun: false,
        })
    }

    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if !self.begun {
            self.begun = true;
            // Browsers wait for seconds before they come back, unless they are told.
            return Poll::Ready(Some(Bytes::from_static(b"retry: 1000\n\n")));
        }
        while let Poll::Ready(woken) = self.waiting.as_mut().poll(context) {
            let Woken::News(mut news) = woken else { return Poll::Ready(None) };
            let change = news.changes.borrow_and_update().clone();
            self.waiting = Box::pin(news.next());
            if let Some(change) = change.filter(|change| self.known.as_ref() != Some(&change.id)) {
                self.known = Some(change.id);
                return Poll::Ready(Some(change.event));
            }
        }
        self.heartbeat.poll_tick(context).map(|_| Some(Bytes::from_static(b":\n\n")))
    }
}

impl Drop for ChangeStream {
    fn drop(&mut self) {
        self.shared.tally.streams.fetch_sub(1, Ordering::Relaxed);
        self.shared.clients.stream_closed(self.client);
    }
}
