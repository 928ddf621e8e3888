//! Headers between client, proxy and release: what belongs to one connection stays on it, and
//! the release learns who asked.

use std::net::IpAddr;

use hyper::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue,
    PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Removes what RFC 9110 section 7.6.1 calls connection-specific, the ones that `Connection`
/// names included. `Upgrade` is removed too; who tunnels puts it back.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    // Two ways of telling a body's length are an invitation to smuggle; chunks win.
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
    let fixed = [
        CONNECTION,
        KEEP_ALIVE,
        PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION,
        PROXY_CONNECTION,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
    ];
    // A sender may not declare the message's own frame or addressee to be its private matter.
    let kept = [CONTENT_LENGTH, HOST];
    for name in fixed.iter().chain(named.iter().filter(|name| !kept.contains(name))) {
        headers.remove(name);
    }
}

/// Tells the release who asked, by what scheme and for which host.
pub(crate) fn set_forwarded(headers: &mut HeaderMap, client: IpAddr, trust: bool) {
    let client = client.to_canonical().to_string();
    let before = headers.get_all(&FORWARDED_FOR).iter().filter(|_| trust);
    let mut chain: Vec<_> = before.filter_map(|value| value.to_str().ok()).collect();
    chain.push(&client);
    let chain = chain.join(", ");
    if let Ok(chain) = HeaderValue::from_str(&chain) {
        headers.insert(FORWARDED_FOR, chain);
    }
    if !(trust && headers.contains_key(&FORWARDED_PROTO)) {
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static("http"));
    }
    if !(trust && headers.contains_key(&FORWARDED_HOST)) {
        match headers.get(HOST).cloned() {
            Some(host) => headers.insert(FORWARDED_HOST, host),
            None => headers.remove(FORWARDED_HOST),
        };
    }
}

/// What a client expects before it sends its body. The proxy asks for the body itself, so the
/// expectation ends here.
pub(crate) enum Expectation {
    None,
    Unknown,
}

pub(crate) fn take_expectation(headers: &mut HeaderMap) -> Expectation {
    match headers.remove(EXPECT) {
        Some(value) if !value.as_bytes().eq_ignore_ascii_case(b"100-continue") => {
            Expectation::Unknown
        }
        _ => Expectation::None,
    }
}

/// The protocol that a message wants to change to, if its connection is to be upgraded.
///
/// Never HTTP/2: the requests inside such a tunnel would pass unseen, uncounted and undrained.
pub(crate) fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let connection = headers.get_all(CONNECTION).iter();
    let mut names = connection.filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','));
    names.any(|name| name.trim().eq_ignore_ascii_case("upgrade")).then_some(())?;
    let protocol = headers.get(UPGRADE)?;
    let is_http2 = protocol.to_str().is_ok_and(|text| text.to_ascii_lowercase().contains("h2c"));
    (!is_http2).then(|| protocol.clone())
}

/// Puts the wish or the consent to upgrade back.
pub(crate) fn set_upgrade(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &str) -> HeaderMap {
        let mut all = HeaderMap::new();
        for line in lines.lines() {
            let (name, value) = line.split_once(": ").unwrap();
            all.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        all
    }

    fn shown(headers: &HeaderMap) -> String {
        let mut lines: Vec<_> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        lines.sort();
        lines.join("\n")
    }

    fn check_strip(before: &str, after: &str) {
        let mut all = headers(before);
        strip_hop_by_hop(&mut all);
        assert_eq!(shown(&all), after);
    }

    #[test]
    fn hop_by_hop() {
        check_strip("accept: a\nconnection: close, x-mine\nx-mine: 1\nte: trailers", "accept: a");
        check_strip("content-length: 3\ntransfer-encoding: chunked", "");
        check_strip(
            "connection: content-length, host\ncontent-length: 3\nhost: h",
            "content-length: 3\nhost: h",
        );
        check_strip("connection: upgrade\nupgrade: websocket\nkeep-alive: timeout=5", "");
        check_strip("proxy-authorization: x\ncookie: c", "cookie: c");
    }

    fn check_forwarded(before: &str, trust: bool, after: &str) {
        let mut all = headers(before);
        set_forwarded(&mut all, "10.0.0.9".parse().unwrap(), trust);
        assert_eq!(shown(&all), after);
    }

    #[test]
    fn forwarded() {
        let mine =
            "host: h\nx-forwarded-for: 10.0.0.9\nx-forwarded-host: h\nx-forwarded-proto: http";
        check_forwarded("host: h", false, mine);
        let claimed = "host: h\nx-forwarded-for: 2.2.2.2\nx-forwarded-for: 1.1.1.1\nx-forwarded-proto: https\nx-forwarded-host: e";
        check_forwarded(claimed, false, mine);
        check_forwarded(
            claimed,
            true,
            "host: h\nx-forwarded-for: 2.2.2.2, 1.1.1.1, 10.0.0.9\nx-forwarded-host: e\nx-forwarded-proto: https",
        );
    }

    #[test]
    fn upgrades() {
        let check = |lines, expected: Option<&str>| {
            let found = upgrade(&headers(lines));
            assert_eq!(found.as_ref().map(|value| value.to_str().unwrap()), expected, "{lines}");
        };
        check("connection: keep-alive, Upgrade\nupgrade: websocket", Some("websocket"));
        check("upgrade: websocket", None);
        check("connection: upgrade", None);
        check("connection: upgrade, http2-settings\nupgrade: h2c", None);
    }
}
