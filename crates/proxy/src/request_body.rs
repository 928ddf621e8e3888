//! The body of a request on its way to a release: streamed through, never collected.
//!
//! Of requests that may be sent again (idempotent methods) up to 64 KiB are remembered while they
//! pass, so that a second attempt can replay what the first one took and go on from there.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::{Buf, Bytes};
use hyper::body::{Body, Frame, Incoming, SizeHint};

const REPLAY_BYTES: usize = 64 * 1024;

/// The client's side of a body; each attempt reads it through a [`RequestBody`] of its own.
pub(crate) struct Source(Option<Arc<Mutex<Stream>>>);

struct Stream {
    incoming: Incoming,
    /// What has passed, while it may have to pass again.
    kept: Vec<Bytes>,
    kept_bytes: usize,
    replayable: bool,
    passed: u64,
    limit: Option<u64>,
    over_limit: bool,
    ended: bool,
    last_sign: Instant,
}

/// One attempt's view of the body.
pub(crate) struct RequestBody {
    source: Option<Arc<Mutex<Stream>>>,
    next: usize,
    size: SizeHint,
}

/// Why a body stops before its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the body is larger than allowed")]
    TooLarge,
    #[error("the client's body broke off: {0}")]
    Client(hyper::Error),
    #[error("an earlier attempt has taken the body")]
    Taken,
}

impl Source {
    pub(crate) fn new(incoming: Incoming, keep: bool, limit: Option<u64>) -> Self {
        if incoming.is_end_stream() {
            return Self(None);
        }
        Self(Some(Arc::new(Mutex::new(Stream {
            incoming,
            kept: Vec::new(),
            kept_bytes: 0,
            replayable: keep,
            passed: 0,
            limit,
            over_limit: false,
            ended: false,
            last_sign: Instant::now(),
        }))))
    }

    /// The body for one more attempt, if all of it can still be given.
    pub(crate) fn attempt(&self) -> Option<RequestBody> {
        let Some(source) = &self.0 else {
            return Some(RequestBody { source: None, next: 0, size: SizeHint::with_exact(0) });
        };
        let stream = lock(source);
        let whole = stream.passed == 0 || stream.replayable;
        let size = if stream.passed == 0 { stream.incoming.size_hint() } else { SizeHint::new() };
        whole.then(|| RequestBody { source: Some(Arc::clone(source)), next: 0, size })
    }

    pub(crate) fn is_replayable(&self) -> bool {
        self.0.as_ref().is_none_or(|source| lock(source).replayable)
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.0.as_ref().is_none_or(|source| lock(source).ended)
    }

    pub(crate) fn is_over_limit(&self) -> bool {
        self.0.as_ref().is_some_and(|source| lock(source).over_limit)
    }

    /// When the client last sent a part of the body.
    pub(crate) fn last_sign(&self) -> Option<Instant> {
        self.0.as_ref().map(|source| lock(source).last_sign)
    }
}

fn lock(stream: &Mutex<Stream>) -> MutexGuard<'_, Stream> {
    stream.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stream {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = match ready!(Pin::new(&mut self.incoming).poll_frame(context)) {
            None => {
                self.ended = true;
                return Poll::Ready(None);
            }
            Some(Err(error)) => return Poll::Ready(Some(Err(BodyError::Client(error)))),
            Some(Ok(frame)) => frame,
        };
        self.last_sign = Instant::now();
        if let Some(data) = frame.data_ref() {
            self.passed += data.remaining() as u64;
            if self.limit.is_some_and(|limit| self.passed > limit) {
                self.over_limit = true;
                return Poll::Ready(Some(Err(BodyError::TooLarge)));
            }
            self.keep(data.clone());
        }
        self.ended |= self.incoming.is_end_stream();
        Poll::Ready(Some(Ok(frame)))
    }

    fn keep(&mut self, data: Bytes) {
        self.kept_bytes += data.len();
        self.replayable &= self.kept_bytes <= REPLAY_BYTES;
        if self.replayable {
            self.kept.push(data);
        } else {
            self.kept = Vec::new();
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(source) = self.source.clone() else { return Poll::Ready(None) };
        let mut stream = lock(&source);
        if let Some(data) = stream.kept.get(self.next) {
            let data = data.clone();
            self.next += 1;
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if stream.ended {
            return Poll::Ready(None);
        }
        // Only the first attempt reads on when nothing is kept; a later one has missed something.
        if !stream.replayable && stream.passed > 0 && self.next == 0 {
            return Poll::Ready(Some(Err(BodyError::Taken)));
        }
        let polled = stream.poll(context);
        if matches!(polled, Poll::Ready(Some(Ok(_)))) {
            self.next = self.next.saturating_add(1);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.source.as_ref().is_none_or(|source| {
            let stream = lock(source);
            stream.ended && self.next >= stream.kept.len()
        })
    }

    fn size_hint(&self) -> SizeHint {
        self.size
    }
}
