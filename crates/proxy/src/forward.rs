//! Carries one request to its release and the answer back, and retries where that is safe.
//!
//! What may be tried again:
//! - nobody accepted the connection: any method, on the next target;
//! - the request was provably not sent (the connection hands it back): any method;
//! - a *reused* connection broke after sending: idempotent methods whose body can be replayed,
//!   because the server most likely closed the idle connection at that moment.
//!
//! Anything else may have been acted on, and repeating it is the client's decision. Each target
//! gets at most two attempts, all together at most [`MAX_ATTEMPTS`]. Only the first attempt
//! counts in the release's numbers.

use std::sync::Arc;
use std::time::Instant;

use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::http::request::Parts;
use hyper::{Method, Request, Response};

use crate::answer::{self, Code};
use crate::answer_body::{AnswerBody, ReleaseBody};
use crate::counts::Outcome;
use crate::headers;
use crate::options::{Limits, ms};
use crate::pool::{Connection, NoConnection};
use crate::release::Pass;
use crate::request_body::{RequestBody, Source};
use crate::table::Route;
use crate::target::Target;

const MAX_ATTEMPTS: usize = 4;

/// One request on its way, over all its attempts.
pub(crate) struct Forward<'a> {
    limits: &'a Limits,
    pass: Pass,
    head: Parts,
    source: Source,
    assigned: Instant,
    attempts: usize,
    /// Whether the first attempt's outcome is known. A request that was handed back unsent, or
    /// never left the proxy, was no attempt.
    counted: bool,
}

/// What a release said, before it is dressed for the client.
pub(crate) struct Reply {
    pub(crate) answer: Response<Incoming>,
    pub(crate) connection: Connection,
    pub(crate) pass: Pass,
    first: bool,
    sent_whole: bool,
}

/// How one attempt ended without an answer.
enum Miss {
    /// It was not sent; another target may be asked.
    Connect(NoConnection),
    /// It was not sent, because the reused connection was already gone.
    HandedBack,
    /// It was sent, and may be sent again.
    Repeatable,
    /// It was sent, and must not be sent again.
    Final(Code),
}

impl<'a> Forward<'a> {
    /// `head` is what the release shall see.
    pub(crate) fn new(limits: &'a Limits, pass: Pass, head: Parts, body: Incoming) -> Self {
        let idempotent = is_idempotent(&head.method);
        let source = Source::new(body, idempotent, limits.max_body_bytes);
        Self { limits, pass, head, source, assigned: Instant::now(), attempts: 0, counted: false }
    }

    /// Tries until there is an answer or nothing more may be tried.
    pub(crate) async fn run(mut self, route: &Route) -> Result<Reply, Code> {
        match self.try_targets(route).await {
            Ok((answer, connection, first)) => {
                let sent_whole = self.source.has_ended();
                Ok(Reply { answer, connection, pass: self.pass, first, sent_whole })
            }
            Err(code) => {
                if matches!(code, Code::TargetBusy | Code::ReleaseBroke) {
                    self.pass.refused();
                }
                Err(code)
            }
        }
    }

    async fn try_targets(
        &mut self,
        route: &Route,
    ) -> Result<(Response<Incoming>, Connection, bool), Code> {
        let mut failure = Code::ConnectFailed;
        for target in route.in_turn() {
            let mut fresh = false;
            // A second attempt at the same target is made on a new connection, and is the last.
            for last in [false, true] {
                if self.attempts == MAX_ATTEMPTS {
                    return Err(failure);
                }
                match self.attempt(target, fresh).await {
                    Ok(answered) => return Ok(answered),
                    Err(Miss::Connect(NoConnection::Connect)) => break,
                    Err(Miss::Connect(NoConnection::Busy)) => {
                        failure = Code::TargetBusy;
                        break;
                    }
                    Err(Miss::Final(code)) => return Err(code),
                    Err(Miss::HandedBack | Miss::Repeatable) if last => {
                        return Err(Code::ReleaseBroke);
                    }
                    Err(Miss::HandedBack | Miss::Repeatable) => fresh = true,
                }
            }
        }
        Err(failure)
    }

    async fn attempt(
        &mut self,
        target: &Arc<Target>,
        fresh: bool,
    ) -> Result<(Response<Incoming>, Connection, bool), Miss> {
        self.attempts += 1;
        let checkout = async {
            if fresh { target.pool.connect().await } else { target.pool.checkout().await }
        };
        let mut connection = checkout.await.map_err(|none| {
            if matches!(none, NoConnection::Connect) {
                self.count(Some(Outcome::ConnectFailure));
            }
            Miss::Connect(none)
        })?;
        let Some(body) = self.source.attempt() else {
            return Err(Miss::Final(Code::ReleaseBroke));
        };
        let mut request = Request::new(body);
        *request.method_mut() = self.head.method.clone();
        *request.uri_mut() = self.head.uri.clone();
        *request.headers_mut() = self.head.headers.clone();
        let sent = connection.sender.try_send_request(request);
        tokio::select! {
            biased;
            answer = sent => match answer {
                Ok(answer) => {
                    let bad = answer.status().is_server_error().then_some(Outcome::Error5xx);
                    let first = self.count(bad);
                    Ok((answer, connection, first))
                }
                Err(error) => Err(self.miss(error, connection.reused)),
            },
            code = stalled(self.limits, &self.source) => {
                if code == Code::ReleaseTimeout {
                    self.count(Some(Outcome::Timeout));
                }
                Err(Miss::Final(code))
            }
        }
    }

    fn miss(&mut self, mut error: TrySendError<Request<RequestBody>>, reused: bool) -> Miss {
        if self.source.is_over_limit() {
            return Miss::Final(Code::BodyTooLarge);
        }
        if error.take_message().is_some() {
            return Miss::HandedBack;
        }
        if error.error().is_user() {
            // Our own body stopped early: the client went away in the middle of it.
            return Miss::Final(Code::BodyBroke);
        }
        self.count(Some(Outcome::Aborted));
        if reused && is_idempotent(&self.head.method) && self.source.is_replayable() {
            Miss::Repeatable
        } else {
            Miss::Final(Code::ReleaseBroke)
        }
    }

    /// Counts the first attempt's outcome; tells whether this was it.
    fn count(&mut self, outcome: Option<Outcome>) -> bool {
        let first = !std::mem::replace(&mut self.counted, true);
        if first {
            self.pass.ended(self.assigned.elapsed(), outcome);
        }
        first
    }
}

/// Resolves when neither the client's body nor the release has given a sign for too long; tells
/// whose turn it was.
async fn stalled(limits: &Limits, source: &Source) -> Code {
    let patience = ms(limits.response_header_ms);
    let began = Instant::now();
    loop {
        let last = source.last_sign().map_or(began, |sign| sign.max(began));
        if last.elapsed() >= patience {
            let body_is_due = !source.has_ended();
            return if body_is_due { Code::BodyStalled } else { Code::ReleaseTimeout };
        }
        tokio::time::sleep_until((last + patience).into()).await;
    }
}

fn is_idempotent(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::PUT | Method::DELETE | Method::OPTIONS | Method::TRACE
    )
}

impl Reply {
    /// The answer for the client; its body keeps the request inside the release.
    pub(crate) fn into_answer(self) -> Response<AnswerBody> {
        let (mut head, incoming) = self.answer.into_parts();
        headers::strip_hop_by_hop(&mut head.headers);
        // Only the proxy speaks as the proxy, whatever a release sends.
        head.headers.remove(answer::ERROR);
        head.headers.insert(answer::RELEASE, self.pass.release().header.clone());
        let mut body = ReleaseBody {
            incoming,
            connection: Some(self.connection),
            reusable: self.sent_whole,
            pass: Some(self.pass),
            counts: self.first,
        };
        body.end_if_empty();
        Response::from_parts(head, AnswerBody::Release(body))
    }
}
