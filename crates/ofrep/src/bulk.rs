//! All flags for one context, and whether they are what the client has already.

use crate::answer::{self, Answer, Body, Problem};
use crate::keys::hex;
use crate::memo::BulkFlags;
use crate::request::{attributes, now_s};
use crate::served::Served;
use crate::shared::Shared;
use crate::token::Bearer;
use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH};
use ripcord_flags::Context;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

const CLIENT: HeaderName = HeaderName::from_static("x-ripcord-client");
/// How long a hidden page keeps its change stream.
const INACTIVITY_DELAY_S: u32 = 120;

/// Who asks for all flags.
pub(crate) struct Asker<'a> {
    pub(crate) key: u64,
    pub(crate) address: IpAddr,
    pub(crate) headers: &'a HeaderMap,
}

/// The answer for all flags; 304 when the client has exactly it.
pub(crate) fn answer(
    shared: &Shared,
    served: &Served,
    asker: &Asker<'_>,
    body: &Bytes,
) -> Result<Answer, Box<Answer>> {
    let attributes = attributes(None, body)?;
    let client = asker.client(&attributes);
    let flags = evaluated(served, &attributes, body)?;
    flags.count();
    shared.tally.last_bulk_at_ms.store(crate::shared::now_ms(), Relaxed);
    shared.clients.answered(client, served.number);
    let bearer = Bearer { client, key: asker.key };
    let token = shared.signer.token(bearer, u64::try_from(now_s()).unwrap_or(0));
    let end = end(served, &token);
    let etag = etag(&flags.hash, end.as_bytes());
    let known = asker.headers.get_all(IF_NONE_MATCH).iter();
    let mut answer = if known.into_iter().any(|known| names(known, &etag)) {
        shared.tally.unchanged.fetch_add(1, Relaxed);
        answer::empty(StatusCode::NOT_MODIFIED)
    } else {
        let mut answer = answer::json(StatusCode::OK, Bytes::new());
        *answer.body_mut() = Body::Known(flags.json.clone(), end.into());
        answer
    };
    let headers = answer.headers_mut();
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(ETAG, etag);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(answer)
}

/// All flags, from memory if the same was asked in this second.
fn evaluated(
    served: &Served,
    attributes: &Value,
    body: &Bytes,
) -> Result<Arc<BulkFlags>, Box<Answer>> {
    let second = now_s();
    if let Some(flags) = served.memo.get(body, second) {
        return Ok(flags);
    }
    let context = Context::new(attributes, second).map_err(|bad| {
        Box::new(answer::problem(None, Problem::InvalidContext, &bad.to_string()))
    })?;
    let flags = Arc::new(served.bulk(&context));
    served.memo.put(body, second, &flags);
    Ok(flags)
}

/// What stands behind the flags: what is said of the set, and where changes are told.
fn end(served: &Served, token: &str) -> String {
    let metadata = served.metadata();
    format!(
        "],\"metadata\":{metadata},\"eventStreams\":[{{\"type\":\"sse\",\"endpoint\":{{\
         \"requestUri\":\"/ofrep/v1/events?t={token}\"}},\
         \"inactivityDelaySec\":{INACTIVITY_DELAY_S}}}]}}"
    )
}

/// A strong hash of the whole answer: of its parts' hashes, so that no byte is hashed twice.
fn etag(flags: &[u8; 32], end: &[u8]) -> String {
    let hash = Sha256::new().chain_update(flags).chain_update(end).finalize();
    format!("\"{}\"", hex(&hash[..16]))
}

/// Whether an `If-None-Match` names this answer.
fn names(known: &HeaderValue, etag: &str) -> bool {
    let Ok(known) = known.to_str() else { return false };
    known
        .split(',')
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == etag)
}

impl Asker<'_> {
    /// A number that stands for this client as long as the process lives, and after a restart.
    fn client(&self, attributes: &Value) -> u64 {
        let mut hash = DefaultHasher::new();
        (self.key, self.address).hash(&mut hash);
        match self.headers.get(CLIENT) {
            Some(named) => named.as_bytes().hash(&mut hash),
            None => attributes["targetingKey"].as_str().hash(&mut hash),
        }
        hash.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_tags_name_the_answer() {
        let check = |known: &'static str, expected: bool| {
            assert_eq!(names(&HeaderValue::from_static(known), "\"a\""), expected, "{known}");
        };
        check("\"a\"", true);
        check("W/\"a\"", true);
        check("\"b\", \"a\"", true);
        check("*", true);
        check("a", false);
        check("\"b\"", false);
        check("", false);
    }
}
