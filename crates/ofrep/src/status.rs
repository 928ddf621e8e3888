//! What the server says of itself: whether it is well, which document it serves to how many, and
//! the same as numbers for Prometheus.

use crate::answer::{self, Answer, Body};
use crate::clients::Reach;
use crate::counts::FlagSeen;
use crate::shared::Shared;
use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::atomic::Ordering::Relaxed;

/// The form of the status, for readers of other versions.
const FORMAT: u32 = 1;

/// Which document is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Serving {
    /// The one in the file.
    Current,
    /// An earlier one, since the file's cannot be used.
    LastGood,
    /// None; every question is answered with an error.
    Nothing,
}

#[derive(Serialize)]
struct Health<'a> {
    serving: Serving,
    digest: Option<&'a str>,
    refused: Option<RefusedSeen<'a>>,
}

#[derive(Serialize)]
struct Status<'a> {
    format: u32,
    serving: Serving,
    digest: Option<&'a str>,
    loaded_at_ms: Option<u64>,
    started_at_ms: u64,
    refused: Option<RefusedSeen<'a>>,
    clients_connected: usize,
    clients_confirmed: usize,
    clients_window_ms: u128,
    streams_open: usize,
    last_bulk_at_ms: Option<u64>,
    flags: BTreeMap<&'a str, FlagSeen>,
}

#[derive(Serialize)]
struct RefusedSeen<'a> {
    why: &'a str,
    since_ms: u64,
}

/// Whether the server can answer. Serving an earlier document is answering.
pub(crate) fn health(shared: &Shared) -> Answer {
    let served = shared.served.load();
    let refused = shared.refused.load();
    let serving = serving(shared);
    let health = Health {
        serving,
        digest: served.as_ref().map(|served| served.digest.as_str()),
        refused: refused.as_ref().map(|r| RefusedSeen { why: &r.why, since_ms: r.since_ms }),
    };
    let status = match serving {
        Serving::Nothing => StatusCode::SERVICE_UNAVAILABLE,
        Serving::Current | Serving::LastGood => StatusCode::OK,
    };
    answer::json(status, serde_json::to_vec(&health).unwrap_or_default().into())
}

/// Everything, for the controller.
pub(crate) fn status(shared: &Shared) -> Answer {
    let served = shared.served.load();
    let refused = shared.refused.load();
    let Reach { connected, confirmed } = reach(shared);
    let last_bulk = shared.tally.last_bulk_at_ms.load(Relaxed);
    let status = Status {
        format: FORMAT,
        serving: serving(shared),
        digest: served.as_ref().map(|served| served.digest.as_str()),
        loaded_at_ms: served.as_ref().map(|served| served.loaded_at_ms),
        started_at_ms: shared.started_at_ms,
        refused: refused.as_ref().map(|r| RefusedSeen { why: &r.why, since_ms: r.since_ms }),
        clients_connected: connected,
        clients_confirmed: confirmed,
        clients_window_ms: shared.limits.client_window.as_millis(),
        streams_open: shared.tally.streams.load(Relaxed),
        last_bulk_at_ms: (last_bulk > 0).then_some(last_bulk),
        flags: served.as_ref().map(|served| served.seen()).unwrap_or_default(),
    };
    answer::json(StatusCode::OK, serde_json::to_vec(&status).unwrap_or_default().into())
}

/// The numbers, in the text form of Prometheus.
pub(crate) fn metrics(shared: &Shared) -> Answer {
    let Reach { connected, confirmed } = reach(shared);
    let tally = &shared.tally;
    let served = shared.served.load();
    let rows = [
        ("evaluations_single_total", "counter", tally.singles.load(Relaxed)),
        ("evaluations_bulk_total", "counter", tally.bulks.load(Relaxed)),
        ("evaluations_unchanged_total", "counter", tally.unchanged.load(Relaxed)),
        ("failures_total", "counter", tally.failures.load(Relaxed)),
        ("documents_refused_total", "counter", tally.refused_documents.load(Relaxed)),
        ("document_refused", "gauge", u64::from(shared.refused.load().is_some())),
        ("document_loaded", "gauge", u64::from(served.is_some())),
        ("streams_open", "gauge", tally.streams.load(Relaxed) as u64),
        ("clients_connected", "gauge", connected as u64),
        ("clients_confirmed", "gauge", confirmed as u64),
    ];
    let text = rows.iter().fold(String::new(), |mut text, (name, kind, number)| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "# TYPE ripcord_flags_{name} {kind}\nripcord_flags_{name} {number}");
        text
    });
    let mut answer = Answer::new(Body::Known(text.into(), Bytes::new()));
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}

/// Whether somebody on this machine asks, and not a page or a proxy on behalf of somebody else.
pub(crate) fn is_local(address: IpAddr, headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').filter(|(_, port)| !port.ends_with(']'));
    let name = name.map_or(host, |(name, _)| name).trim_matches(['[', ']']);
    let host_is_local =
        name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    let on_behalf = ["origin", "forwarded", "x-forwarded-for", "x-real-ip"];
    address.is_loopback()
        && host_is_local
        && !on_behalf.iter().any(|name| headers.contains_key(*name))
}

fn serving(shared: &Shared) -> Serving {
    match (shared.served.load().is_some(), shared.refused.load().is_some()) {
        (true, false) => Serving::Current,
        (true, true) => Serving::LastGood,
        (false, _) => Serving::Nothing,
    }
}

fn reach(shared: &Shared) -> Reach {
    let number = shared.served.load().as_ref().map_or(0, |served| served.number);
    shared.clients.reach(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_local() {
        let check = |address: &str, headers: &[(&'static str, &'static str)], expected: bool| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.insert(*name, HeaderValue::from_static(value));
            }
            assert_eq!(is_local(address.parse().unwrap(), &map), expected, "{headers:?}");
        };
        check("127.0.0.1", &[("host", "127.0.0.1:8016")], true);
        check("127.0.0.1", &[("host", "localhost")], true);
        check("::1", &[("host", "[::1]:8016")], true);
        check("::1", &[("host", "[::1]")], true);
        check("10.0.0.1", &[("host", "127.0.0.1:8016")], false);
        check("127.0.0.1", &[("host", "flags.example.com")], false);
        check("127.0.0.1", &[], false);
        check("127.0.0.1", &[("host", "localhost"), ("origin", "http://localhost")], false);
        check("127.0.0.1", &[("host", "localhost"), ("x-forwarded-for", "10.0.0.1")], false);
    }
}
