//! Answers and their bodies: JSON in one or two pieces, or a change stream.

use crate::stream::ChangeStream;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde::Serialize;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

/// What a client gets.
pub(crate) type Answer = Response<Body>;

/// The body of an answer.
pub(crate) enum Body {
    /// Known bytes. The second piece differs from client to client, the first is often shared.
    Known(Bytes, Bytes),
    /// What changes, for as long as the client listens.
    Changes(ChangeStream),
}

/// Why a question was not answered, in the words of OFREP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Problem {
    Parse,
    InvalidContext,
    General,
    FlagNotFound,
}

impl Problem {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Problem::Parse => "PARSE_ERROR",
            Problem::InvalidContext => "INVALID_CONTEXT",
            Problem::General => "GENERAL",
            Problem::FlagNotFound => "FLAG_NOT_FOUND",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Problem::FlagNotFound => StatusCode::NOT_FOUND,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// A failure as clients read it. Old ones need the details in every case.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Failure<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error_code: Option<&'static str>,
    pub(crate) error_details: &'a str,
}

/// A JSON answer.
pub(crate) fn json(status: StatusCode, bytes: Bytes) -> Answer {
    let mut answer = Response::new(Body::Known(bytes, Bytes::new()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Body::Known(Bytes::new(), Bytes::new()));
    *answer.status_mut() = status;
    answer
}

/// A question about flags that has no answer.
pub(crate) fn problem(key: Option<&str>, problem: Problem, details: &str) -> Answer {
    failure(problem.status(), key, Some(problem.as_str()), details)
}

/// A question that was not heard at all.
pub(crate) fn refused(status: StatusCode, details: &str) -> Answer {
    failure(status, None, None, details)
}

/// Come back later. The seconds are a whole number, the only form that all clients read.
pub(crate) fn later(status: StatusCode, seconds: u32, details: &str) -> Answer {
    let mut answer = refused(status, details);
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    answer
}

/// Another method is needed.
pub(crate) fn method(allowed: &'static str) -> Answer {
    let mut answer = refused(StatusCode::METHOD_NOT_ALLOWED, &format!("ask with {allowed}"));
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    answer
}

fn failure(
    status: StatusCode,
    key: Option<&str>,
    error_code: Option<&'static str>,
    error_details: &str,
) -> Answer {
    let failure = Failure { key, error_code, error_details };
    // Three texts always serialise; were it otherwise, the status says enough.
    json(status, serde_json::to_vec(&failure).unwrap_or_default().into())
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Body::Known(first, second) => {
                let piece = if first.is_empty() { second } else { first };
                let piece = std::mem::take(piece);
                Poll::Ready((!piece.is_empty()).then(|| Ok(Frame::data(piece))))
            }
            Body::Changes(stream) => stream.poll_next(context).map(|next| {
                let bytes = next?;
                Some(Ok(Frame::data(bytes)))
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Body::Known(first, second) if first.is_empty() && second.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Known(first, second) => SizeHint::with_exact((first.len() + second.len()) as u64),
            Body::Changes(_) => SizeHint::default(),
        }
    }
}
