//! The way of a request: where it goes, whether it may, and what pages may read of the answer.

use crate::answer::{self, Answer, Body, Problem};
use crate::bulk::{self, Asker};
use crate::percent::parameter;
use crate::request;
use crate::route::{Route, route};
use crate::shared::Shared;
use crate::single;
use crate::status;
use crate::stream::ChangeStream;
use hyper::body::Incoming;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, CACHE_CONTROL, CONTENT_TYPE, HeaderMap,
    HeaderValue, ORIGIN, VARY,
};
use hyper::{Method, Request, StatusCode};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// What pages may send, and what they may read beside the body.
const HEADERS: &str =
    "content-type, authorization, x-api-key, if-none-match, flagd-selector, x-ripcord-client";
const EXPOSED: &str = "etag, retry-after";

/// Answers one request.
pub(crate) async fn answer(
    shared: &Arc<Shared>,
    request: Request<Incoming>,
    client: IpAddr,
) -> Answer {
    let origin = request.headers().get(ORIGIN).cloned();
    let uri = request.uri().clone();
    let route = route(uri.path());
    let for_pages = matches!(route, Route::Single(_) | Route::Bulk | Route::Events);
    let mut answer = if for_pages && request.method() == Method::OPTIONS {
        preflight()
    } else {
        dispatch(shared, route, request, client).await.unwrap_or_else(|answer| *answer)
    };
    if answer.status().is_client_error() || answer.status().is_server_error() {
        shared.tally.failures.fetch_add(1, Relaxed);
    }
    if let Some(origin) = origin.filter(|_| for_pages) {
        allow(&shared.origins, &origin, answer.headers_mut());
    }
    answer
}

async fn dispatch(
    shared: &Arc<Shared>,
    route: Route<'_>,
    request: Request<Incoming>,
    client: IpAddr,
) -> Result<Answer, Box<Answer>> {
    let asks_with = |method: &Method| request.method() == method;
    let asks = asks_with(&Method::GET) || asks_with(&Method::HEAD);
    let local = status::is_local(client, request.headers());
    match route {
        Route::Single(_) | Route::Bulk if !asks_with(&Method::POST) => Ok(answer::method("POST")),
        Route::Events | Route::Status | Route::Metrics | Route::Health if !asks => {
            Ok(answer::method("GET"))
        }
        Route::Single(key) => evaluate(shared, Some(&key), request, client).await,
        Route::Bulk => evaluate(shared, None, request, client).await,
        Route::Events => events(shared, &request),
        Route::Health => Ok(status::health(shared)),
        Route::Status if local => Ok(status::status(shared)),
        Route::Metrics if local => Ok(status::metrics(shared)),
        Route::Status | Route::Metrics => {
            Ok(answer::refused(StatusCode::FORBIDDEN, "only from this machine itself"))
        }
        Route::BadKey => {
            let details = "the key in the path is not percent-encoded UTF-8";
            Ok(answer::problem(None, Problem::Parse, details))
        }
        Route::Unknown => Ok(answer::refused(StatusCode::NOT_FOUND, "nothing is here")),
    }
}

/// Flags for a context: one, or all.
async fn evaluate(
    shared: &Shared,
    flag: Option<&str>,
    request: Request<Incoming>,
    client: IpAddr,
) -> Result<Answer, Box<Answer>> {
    let (head, body) = request.into_parts();
    let key = request::key(shared, &head.headers)?;
    if !shared.rate.admits(who(key, client)) {
        let details = "more requests per second than this client may ask";
        return Err(Box::new(answer::later(StatusCode::TOO_MANY_REQUESTS, 1, details)));
    }
    let body = request::body(shared, body).await?;
    let served = shared.served.load();
    let Some(served) = &*served else {
        let refused = shared.refused.load();
        let why = refused.as_ref().map_or("", |refused| refused.why.as_str());
        let details = format!("no flags document is in force: {why}");
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        return Err(Box::new(answer::refused(status, &details)));
    };
    request::selects(&head.headers, served.set_id.as_deref())?;
    if let Some(flag) = flag {
        shared.tally.singles.fetch_add(1, Relaxed);
        return single::answer(served, flag, &body);
    }
    shared.tally.bulks.fetch_add(1, Relaxed);
    let asker = Asker { key, address: client, headers: &head.headers };
    bulk::answer(shared, served, &asker, &body)
}

/// The change stream of the client that the token in the address was given to.
fn events(shared: &Arc<Shared>, request: &Request<Incoming>) -> Result<Answer, Box<Answer>> {
    let now_s = u64::try_from(request::now_s()).unwrap_or(0);
    let token = parameter(request.uri().query().unwrap_or_default(), "t");
    let bearer = token.and_then(|token| shared.signer.read(&token, now_s));
    let bearer = bearer
        .filter(|bearer| shared.keys.as_ref().is_none_or(|keys| keys.load().admits(bearer.key)));
    let Some(bearer) = bearer else {
        let details = "the address of this stream is no longer good; fetch all flags for a new one";
        return Err(Box::new(answer::refused(StatusCode::UNAUTHORIZED, details)));
    };
    if *request.method() == Method::HEAD {
        return Ok(answer::empty(StatusCode::OK));
    }
    let known = request.headers().get("last-event-id").and_then(|id| id.to_str().ok());
    let Some(stream) = ChangeStream::open(shared, bearer.client, known) else {
        let details = "too many change streams are open";
        return Err(Box::new(answer::later(StatusCode::SERVICE_UNAVAILABLE, 5, details)));
    };
    let mut answer = Answer::new(Body::Changes(stream));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would hold events back until its buffer is full.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(answer)
}

/// One client, as far as how often it asks is concerned.
fn who(key: u64, client: IpAddr) -> u64 {
    let mut hash = DefaultHasher::new();
    (key, client).hash(&mut hash);
    hash.finish()
}

fn preflight() -> Answer {
    let mut answer = answer::empty(StatusCode::NO_CONTENT);
    let headers = answer.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, OPTIONS"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(HEADERS));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("3600"));
    answer
}

/// Lets a page read the answer if it is from an origin that may. There are no cookies, so a page
/// gets no more than it could ask for with its key anyway.
fn allow(origins: &[String], origin: &HeaderValue, headers: &mut HeaderMap) {
    let allowed = if origins.is_empty() {
        HeaderValue::from_static("*")
    } else if origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()) {
        origin.clone()
    } else {
        return;
    };
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    headers.append(VARY, HeaderValue::from_static("origin"));
}
