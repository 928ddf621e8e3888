//! One client connection, and the way of each request on it: held, refused or let in, forwarded.
//!
//! A connection also watches for its request being cut off. The request itself cannot do that
//! alone: when the client reads slowly, nobody polls the answer's body.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::body::{Body, Incoming};
use hyper::header::{HeaderValue, SET_COOKIE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Uri, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::{timeout, timeout_at};

use crate::answer::{self, Code};
use crate::answer_body::AnswerBody;
use crate::board::{Board, Phase};
use crate::forward::{Forward, Reply};
use crate::gate::Entry;
use crate::headers::{self, Expectation};
use crate::hold;
use crate::options::ms;
use crate::release::{Pass, Seat, Side};
use crate::state::Requests;
use crate::table::{Chosen, Route, Table};
use crate::trial::Chance;
use crate::tunnel::{self, Tunnel};

/// How long a connection may take to say that its request was cut off when the process ends.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// Serves one connection until it ends, the proxy stops, or its request is cut off for good.
pub(crate) async fn connection(board: Arc<Board>, side: Side, stream: TcpStream, client: IpAddr) {
    let seat = Arc::new(Seat::default());
    let mut news = board.news.subscribe();
    let visit = Visit { board: Arc::clone(&board), side, client, seat: Arc::clone(&seat) };
    let service = service_fn(|request| visit.answer(request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(ms(board.limits.header_read_ms))
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    loop {
        let phase = news.borrow_and_update().phase;
        if phase != Phase::Running {
            connection.as_mut().graceful_shutdown();
        }
        let served = poll_fn(|context| poll_or_cut(connection.as_mut(), &seat, context));
        if phase == Phase::Ended {
            // Time to write that the request was cut off, and no more.
            let _ = timeout(LAST_WORDS, served).await;
            return;
        }
        tokio::select! {
            () = served => return,
            Ok(()) = news.changed() => {}
        }
    }
}

/// Polls the connection; if its request was cut off, lets it answer that, and if it cannot even do
/// that because the client does not read, ends the connection.
fn poll_or_cut<F: Future>(
    mut connection: Pin<&mut F>,
    seat: &Seat,
    context: &mut Context<'_>,
) -> Poll<()> {
    if connection.as_mut().poll(context).is_ready() {
        return Poll::Ready(());
    }
    if !seat.is_cut() {
        return Poll::Pending;
    }
    // Cut off before or during that poll: after one more, whoever can react has reacted.
    if connection.poll(context).is_ready() || seat.is_cut() {
        return Poll::Ready(());
    }
    Poll::Pending
}

/// A request that was let in, where it goes, by what chance, and what its answer shall set.
struct Admitted {
    pass: Pass,
    route: Arc<Route>,
    chance: Option<Chance>,
    cookies: Vec<HeaderValue>,
}

/// What all requests on one connection have in common.
struct Visit {
    board: Arc<Board>,
    side: Side,
    client: IpAddr,
    seat: Arc<Seat>,
}

impl Visit {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<AnswerBody>, Infallible> {
        Ok(self.admit_and_forward(request).await.unwrap_or_else(|answer| *answer))
    }

    async fn admit_and_forward(
        &self,
        mut request: Request<Incoming>,
    ) -> Result<Response<AnswerBody>, Box<Response<AnswerBody>>> {
        if *request.method() == Method::CONNECT {
            return Err(refuse(Code::NoTunnel));
        }
        if matches!(headers::take_expectation(request.headers_mut()), Expectation::Unknown) {
            return Err(refuse(Code::UnknownExpectation));
        }
        let limit = self.board.limits.max_body_bytes;
        if limit.is_some_and(|limit| request.body().size_hint().lower() > limit) {
            return Err(refuse(Code::BodyTooLarge));
        }
        let Admitted { pass, route, chance, cookies } = self.admit(&request).await?;
        let release = Arc::clone(pass.release());
        let mut answered = self.forward(request, pass, chance, &route).await;
        let headers = match &mut answered {
            Ok(answer) => answer.headers_mut(),
            Err(answer) => {
                answer.headers_mut().insert(answer::RELEASE, release.header.clone());
                answer.headers_mut()
            }
        };
        for cookie in cookies {
            headers.append(SET_COOKIE, cookie);
        }
        answered
    }

    /// Lets the request in, after having held it back for as long as requests do not flow.
    async fn admit(
        &self,
        request: &Request<Incoming>,
    ) -> Result<Admitted, Box<Response<AnswerBody>>> {
        let board = &self.board;
        let arrived = Instant::now();
        let mut place = None;
        let choose = |table: &Table| table.choose(self.side, request.headers());
        loop {
            let (seen, table) = match board.gate.enter(choose) {
                Entry::In(guard, Chosen { stub, route, chance, cookies }) => {
                    let pass = Pass::new(guard, stub, &self.seat);
                    return Ok(Admitted { pass, route, chance, cookies });
                }
                Entry::Nowhere => return Err(refuse(Code::NoRelease)),
                Entry::Closed { seen, table } => (seen, table),
            };
            if request.uri().path() == board.limits.health_path {
                return Err(Box::new(answer::healthy()));
            }
            let wait = board.gate.changed(seen);
            match &table.state.requests {
                Requests::Maintenance { page } => return Err(Box::new(answer::maintenance(page))),
                Requests::Held { max_requests, max_bytes, max_ms } => {
                    if place.is_none() {
                        let weight = hold::weight(request);
                        place = board.room.enter(weight, *max_requests, *max_bytes);
                    }
                    if place.is_none() {
                        return Err(refuse(Code::HoldFull));
                    }
                    let until = arrived + ms(*max_ms);
                    // Nobody opens the gate of a process that is about to end.
                    let mut news = board.news.subscribe();
                    let stopping = news.wait_for(|news| news.phase != Phase::Running);
                    let wait = async {
                        tokio::select! {
                            () = wait => true,
                            _ = stopping => false,
                        }
                    };
                    if timeout_at(until.into(), wait).await != Ok(true) {
                        return Err(refuse(Code::HoldExpired));
                    }
                }
                // The gate is about to open: the table is in place, its word is being raised.
                Requests::Flowing => wait.await,
            }
        }
    }

    async fn forward(
        &self,
        mut request: Request<Incoming>,
        mut pass: Pass,
        chance: Option<Chance>,
        route: &Route,
    ) -> Result<Response<AnswerBody>, Box<Response<AnswerBody>>> {
        let wanted = headers::upgrade(request.headers());
        let client = wanted.is_some().then(|| hyper::upgrade::on(&mut request));
        let (mut head, body) = request.into_parts();
        head.uri = origin_form(&head.uri).ok_or_else(|| refuse(Code::BadTarget))?;
        head.version = Version::HTTP_11;
        headers::strip_hop_by_hop(&mut head.headers);
        headers::set_forwarded(&mut head.headers, self.client, self.board.limits.trust_forwarded);
        if let Some(protocol) = &wanted {
            headers::set_upgrade(&mut head.headers, protocol.clone());
        }
        pass.assigned(chance);
        let run = Forward::new(&self.board.limits, pass, head, body).run(route);
        let reply = tokio::select! {
            biased;
            () = self.cut() => return Err(refuse(Code::DrainDeadline)),
            reply = run => reply.map_err(refuse)?,
        };
        match (reply.answer.status(), client) {
            (StatusCode::SWITCHING_PROTOCOLS, Some(client)) => Ok(begin_tunnel(reply, client)),
            // Nobody asked to switch: such an answer would leave the connection in no protocol.
            (StatusCode::SWITCHING_PROTOCOLS, None) => Err(refuse(Code::ReleaseBroke)),
            _ => Ok(reply.into_answer()),
        }
    }

    /// Resolves when this connection's request is cut off. The connection sees to being polled.
    async fn cut(&self) {
        poll_fn(|_| if self.seat.is_cut() { Poll::Ready(()) } else { Poll::Pending }).await;
    }
}

fn begin_tunnel(mut reply: Reply, client: hyper::upgrade::OnUpgrade) -> Response<AnswerBody> {
    let release = hyper::upgrade::on(&mut reply.answer);
    let protocol = headers::upgrade(reply.answer.headers());
    let is_websocket = protocol.as_ref().is_some_and(tunnel::is_websocket);
    // Counted as upgraded before it stops being counted as a request.
    let place = reply.pass.upgrade();
    let mut answer = Response::new(AnswerBody::empty());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *answer.headers_mut() = std::mem::take(reply.answer.headers_mut());
    headers::strip_hop_by_hop(answer.headers_mut());
    answer.headers_mut().insert(answer::RELEASE, reply.pass.release().header.clone());
    if let Some(protocol) = protocol {
        headers::set_upgrade(answer.headers_mut(), protocol);
    }
    let connection = reply.connection;
    tokio::spawn(Tunnel { client, release, is_websocket, place, connection }.run());
    answer
}

/// The path and query only, whether the client spoke as to a proxy or as to a server.
fn origin_form(uri: &Uri) -> Option<Uri> {
    if *uri == "*" {
        return Some(uri.clone());
    }
    Uri::builder().path_and_query(uri.path_and_query()?.clone()).build().ok()
}

fn refuse(code: Code) -> Box<Response<AnswerBody>> {
    Box::new(answer::error(code))
}
