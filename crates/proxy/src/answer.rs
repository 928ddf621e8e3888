//! Answers that the proxy makes itself. Each carries `x-ripcord-error`, so that whoever measures
//! knows that no release said this.

use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};

use crate::answer_body::AnswerBody;

/// Says which of the proxy's own errors an answer is.
pub(crate) const ERROR: HeaderName = HeaderName::from_static("x-ripcord-error");
/// Says which release a request was given to.
pub(crate) const RELEASE: HeaderName = HeaderName::from_static("x-ripcord-release");

/// All errors that the proxy itself answers with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Code {
    /// The state in force has no release for this listener.
    NoRelease,
    /// The waiting room is full.
    HoldFull,
    /// The request waited as long as it may.
    HoldExpired,
    Maintenance,
    /// No target accepted a connection.
    ConnectFailed,
    /// All connections to the targets are busy.
    TargetBusy,
    /// The connection broke before an answer began, and the request may have been acted on.
    ReleaseBroke,
    ReleaseTimeout,
    DrainDeadline,
    BodyTooLarge,
    /// The client stopped sending its body.
    BodyStalled,
    BodyBroke,
    UnknownExpectation,
    NoTunnel,
    BadTarget,
}

impl Code {
    fn parts(self) -> (StatusCode, &'static str) {
        use StatusCode as S;
        match self {
            Self::NoRelease => (S::SERVICE_UNAVAILABLE, "no_release"),
            Self::HoldFull => (S::SERVICE_UNAVAILABLE, "hold_full"),
            Self::HoldExpired => (S::SERVICE_UNAVAILABLE, "hold_expired"),
            Self::Maintenance => (S::SERVICE_UNAVAILABLE, "maintenance"),
            Self::ConnectFailed => (S::BAD_GATEWAY, "connect_failed"),
            Self::TargetBusy => (S::SERVICE_UNAVAILABLE, "target_busy"),
            Self::ReleaseBroke => (S::BAD_GATEWAY, "release_broke"),
            Self::ReleaseTimeout => (S::GATEWAY_TIMEOUT, "release_timeout"),
            Self::DrainDeadline => (S::GATEWAY_TIMEOUT, "drain_deadline"),
            Self::BodyTooLarge => (S::PAYLOAD_TOO_LARGE, "body_too_large"),
            Self::BodyStalled => (S::REQUEST_TIMEOUT, "body_stalled"),
            Self::BodyBroke => (S::BAD_REQUEST, "body_broke"),
            Self::UnknownExpectation => (S::EXPECTATION_FAILED, "unknown_expectation"),
            Self::NoTunnel => (S::NOT_IMPLEMENTED, "no_tunnel"),
            Self::BadTarget => (S::BAD_REQUEST, "bad_target"),
        }
    }
}

/// An answer with one of the proxy's errors.
pub(crate) fn error(code: Code) -> Response<AnswerBody> {
    let (status, name) = code.parts();
    let text = format!("{status}\n");
    own(status, code, name, text, "text/plain; charset=utf-8")
}

/// The maintenance page.
pub(crate) fn maintenance(page: &str) -> Response<AnswerBody> {
    let (status, name) = Code::Maintenance.parts();
    own(status, Code::Maintenance, name, page.to_owned(), "text/html; charset=utf-8")
}

/// What a balancer in front hears while requests do not flow.
pub(crate) fn healthy() -> Response<AnswerBody> {
    Response::new(AnswerBody::text("requests are held; the proxy is well\n"))
}

fn own(
    status: StatusCode,
    code: Code,
    name: &'static str,
    text: String,
    kind: &'static str,
) -> Response<AnswerBody> {
    let mut answer = Response::new(AnswerBody::text(text));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(ERROR, HeaderValue::from_static(name));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    // Not after a timeout: the release may have acted, and the client must decide whether to ask
    // again. All other reasons for 503 pass.
    if status == StatusCode::SERVICE_UNAVAILABLE {
        let seconds = if code == Code::Maintenance { "30" } else { "1" };
        headers.insert(RETRY_AFTER, HeaderValue::from_static(seconds));
    }
    answer
}
