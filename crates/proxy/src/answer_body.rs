//! The body of an answer on its way to the client: the proxy's own words, or a release's, which
//! are streamed through frame by frame.
//!
//! A release's body keeps the request inside the release until its last frame was taken, and
//! gives the connection back to the pool then. If it is dropped earlier, the connection is closed.
//! That is also how a drain deadline cuts an answer off: the client's connection ends, and its
//! body with it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use crate::counts::Outcome;
use crate::pool::Connection;
use crate::release::Pass;

/// What the client gets.
pub(crate) enum AnswerBody {
    Own(Option<Bytes>),
    Release(ReleaseBody),
}

/// A release's answer, and all that must last as long as it does.
pub(crate) struct ReleaseBody {
    pub(crate) incoming: Incoming,
    /// To be given back at the end, unless the request was answered before it was sent whole.
    pub(crate) connection: Option<Connection>,
    pub(crate) reusable: bool,
    pub(crate) pass: Option<Pass>,
    /// Whether a break counts against the release: only in its first attempt.
    pub(crate) counts: bool,
}

impl AnswerBody {
    pub(crate) fn empty() -> Self {
        Self::Own(None)
    }

    pub(crate) fn text(text: impl Into<Bytes>) -> Self {
        Self::Own(Some(text.into()))
    }
}

impl ReleaseBody {
    /// Nobody polls a body that is known to be empty, so it is ended here.
    pub(crate) fn end_if_empty(&mut self) {
        if self.incoming.is_end_stream() {
            self.finish();
        }
    }

    fn finish(&mut self) {
        if let Some(connection) = self.connection.take()
            && self.reusable
        {
            connection.give_back();
        }
        self.pass = None;
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        match ready!(Pin::new(&mut self.incoming).poll_frame(context)) {
            Some(Ok(frame)) => {
                if self.incoming.is_end_stream() {
                    self.finish();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => {
                if let Some(mut pass) = self.pass.take().filter(|_| self.counts) {
                    pass.failed(Outcome::Aborted);
                }
                self.connection = None;
                Poll::Ready(Some(Err(error)))
            }
            None => {
                self.finish();
                Poll::Ready(None)
            }
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        match &mut *self {
            Self::Own(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Self::Release(body) => body.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(text) => text.is_none(),
            Self::Release(body) => body.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(text) => {
                SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64))
            }
            Self::Release(body) => body.incoming.size_hint(),
        }
    }
}
