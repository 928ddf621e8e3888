//! The desired state of the proxy: one document, replaced as a whole, numbered and fenced.
//!
//! It says who gets traffic, where they are, and whether requests flow. It knows releases as
//! opaque names; what a release is, and why its share changes, is no business of the proxy.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::draw::broken_cookie;
pub use crate::draw::{Draw, Sticky, StickyKey};
use crate::error::Refusal;
pub use crate::lease::{Lapsed, Lease};
use crate::rule;
pub use crate::rule::{Match, Pattern, Rule};

const MAX_RELEASES: usize = 64;
const MAX_TARGETS: usize = 256;
const MAX_PAGE_BYTES: usize = 64 * 1024;
const MAX_HELD_REQUESTS: u32 = 100_000;
const MAX_HELD_MS: u64 = 10 * 60 * 1000;
pub(crate) const MAX_EXPIRED_COOKIES: usize = 8;

/// What the proxy shall do. [`State::default`] routes nothing: every request gets a 503.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Version of this document's layout.
    pub format: Format,
    /// Who may write: a newer fence wins over everything written under an older one.
    pub fence: u64,
    /// Which of the states written under one fence this is.
    pub generation: u64,
    /// Who gets which part of the requests; sums to 10 000, or is empty.
    pub split: BTreeMap<ReleaseName, Share>,
    /// Who answers on the preview listener.
    pub preview: Option<ReleaseName>,
    /// Where the releases are. A release may stand by here without any share.
    pub targets: BTreeMap<ReleaseName, Vec<SocketAddr>>,
    /// Whether requests flow.
    pub requests: Requests,
    /// By what chance a request finds its release, where the split names several.
    #[serde(default, skip_serializing_if = "Draw::is_independent")]
    pub draw: Draw,
    /// Requests that go to a certain release whatever the split says; the first match wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// How long this holds without a word from who watches, and what then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// Written by the proxy alone: the lease has lapsed, and this is what came of the state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lapsed: Option<Lapsed>,
    /// Cookies of stickiness that is over. Whoever still sends one is told to forget it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expire_cookies: Vec<String>,
}

/// Layout versions of [`State`] that this proxy reads and writes; always 1 so far.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Format;

impl From<Format> for u32 {
    fn from(_: Format) -> Self {
        1
    }
}

impl TryFrom<u32> for Format {
    type Error = String;

    fn try_from(number: u32) -> Result<Self, String> {
        if number == 1 { Ok(Self) } else { Err(format!("format {number} is not known here")) }
    }
}

/// Whether requests flow.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Requests {
    /// They are served.
    #[default]
    Flowing,
    /// They wait, within bounds; beyond any of them the answer is 503 with `Retry-After`.
    Held {
        /// How many may wait at once.
        max_requests: u32,
        /// How many bytes of heads and announced bodies may wait at once.
        max_bytes: u64,
        /// How long each may wait.
        max_ms: u64,
    },
    /// They are answered with 503 and this HTML page.
    Maintenance {
        /// The page's HTML.
        page: String,
    },
}

/// A part of the requests, in hundredths of a percent: 10 000 is all of them.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(transparent)]
pub struct Share(pub u16);

impl Share {
    /// All requests.
    pub const ALL: Self = Self(10_000);
    /// No requests.
    pub const NONE: Self = Self(0);
}

/// The name of a release: 1 to 64 printable ASCII characters, so that it fits a header.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReleaseName(String);

impl ReleaseName {
    /// Checks and takes a name.
    ///
    /// # Errors
    /// If it is empty, too long, or has a space or a character that is not printable ASCII.
    pub fn new(name: impl Into<String>) -> Result<Self, Refusal> {
        let name = name.into();
        let fits = (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic());
        if fits {
            Ok(Self(name))
        } else {
            let why = format!("{name:?} is no release name: 1 to 64 printable ASCII characters");
            Err(Refusal::Invalid { why })
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReleaseName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl TryFrom<String> for ReleaseName {
    type Error = Refusal;

    fn try_from(name: String) -> Result<Self, Refusal> {
        Self::new(name)
    }
}

impl From<ReleaseName> for String {
    fn from(name: ReleaseName) -> Self {
        name.0
    }
}

impl State {
    /// Refuses a state that could not be served as written. Nothing is mended silently.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] with the rule that is broken.
    pub fn validate(&self) -> Result<(), Refusal> {
        self.broken_rule().map_or(Ok(()), |why| Err(Refusal::Invalid { why }))
    }

    fn broken_rule(&self) -> Option<String> {
        if self.targets.len() > MAX_RELEASES {
            return Some(format!("more than {MAX_RELEASES} releases"));
        }
        if let Some(name) = self.preview.iter().find(|name| !self.targets.contains_key(*name)) {
            return Some(format!("the preview names {name}, which has no targets"));
        }
        broken_split("split", &self.split, &self.targets)
            .or_else(|| self.targets.iter().find_map(|(name, at)| broken_target(name, at)))
            .or_else(|| self.requests.broken_rule())
            .or_else(|| self.draw.broken_rule(self))
            .or_else(|| rule::broken(self))
            .or_else(|| self.lease.as_ref().and_then(|lease| lease.broken_rule(self)))
            .or_else(|| self.broken_cookies())
    }

    fn broken_cookies(&self) -> Option<String> {
        if self.expire_cookies.len() > MAX_EXPIRED_COOKIES {
            return Some(format!("more than {MAX_EXPIRED_COOKIES} cookies to expire"));
        }
        let is_in_use = |name: &str| self.draw.cookie() == Some(name);
        self.expire_cookies.iter().find_map(|name| {
            broken_cookie(name).or_else(|| {
                is_in_use(name).then(|| format!("the cookie {name} is to be set and to expire"))
            })
        })
    }
}

/// What is wrong with this as a division of all requests among releases.
pub(crate) fn broken_split(
    part: &str,
    split: &BTreeMap<ReleaseName, Share>,
    targets: &BTreeMap<ReleaseName, Vec<SocketAddr>>,
) -> Option<String> {
    let sum: u64 = split.values().map(|share| u64::from(share.0)).sum();
    if !split.is_empty() && sum != u64::from(Share::ALL.0) {
        return Some(format!("the {part} sums to {sum}, not to 10000"));
    }
    let missing = split.keys().find(|name| !targets.contains_key(*name))?;
    Some(format!("the {part} names {missing}, which has no targets"))
}

fn broken_target(name: &ReleaseName, targets: &[SocketAddr]) -> Option<String> {
    if targets.is_empty() || targets.len() > MAX_TARGETS {
        return Some(format!("{name} has {} targets, not 1 to {MAX_TARGETS}", targets.len()));
    }
    let mut seen = BTreeSet::new();
    targets.iter().find_map(|target| {
        if target.port() == 0 || target.ip().is_unspecified() {
            return Some(format!("{name} has the target {target}, which nobody can connect to"));
        }
        (!seen.insert(target)).then(|| format!("{name} has the target {target} twice"))
    })
}

impl Requests {
    /// Whether they are served.
    pub fn are_flowing(&self) -> bool {
        matches!(self, Self::Flowing)
    }

    fn broken_rule(&self) -> Option<String> {
        match self {
            Self::Flowing => None,
            Self::Held { max_requests, max_ms, .. } => {
                if *max_requests > MAX_HELD_REQUESTS {
                    return Some(format!("more than {MAX_HELD_REQUESTS} requests may be held"));
                }
                (!(1..=MAX_HELD_MS).contains(max_ms))
                    .then(|| format!("requests held for {max_ms} ms, not 1 to {MAX_HELD_MS}"))
            }
            Self::Maintenance { page } => (page.len() > MAX_PAGE_BYTES)
                .then(|| format!("a maintenance page of more than {MAX_PAGE_BYTES} bytes")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = r#"{"format":1,"fence":1,"generation":2,"split":{"v1":10000},
        "preview":null,"targets":{"v1":["127.0.0.1:80"]},"requests":"flowing"}"#;

    fn check(change: fn(&mut State), expected: Option<&str>) {
        let mut state: State = serde_json::from_str(ONE).unwrap();
        change(&mut state);
        match (state.validate(), expected) {
            (Ok(()), None) => {}
            (Err(refusal), Some(part)) => {
                assert!(refusal.to_string().contains(part), "{refusal}");
            }
            (got, _) => panic!("{got:?} instead of {expected:?}"),
        }
    }

    fn name(text: &str) -> ReleaseName {
        ReleaseName::new(text).unwrap()
    }

    #[test]
    fn rules() {
        check(|_| {}, None);
        check(|s| s.split.clear(), None);
        check(|s| s.split.extend([(name("v1"), Share(9_999))]), Some("sums to 9999"));
        check(|s| s.split.extend([(name("v2"), Share(0))]), Some("names v2"));
        check(|s| s.preview = Some(name("v3")), Some("preview names v3"));
        check(|s| s.targets.extend([(name("v2"), vec![])]), Some("0 targets"));
        check(|s| s.targets.get_mut(&name("v1")).unwrap().push(local(80)), Some("twice"));
        check(|s| s.targets.get_mut(&name("v1")).unwrap().push(local(0)), Some("nobody"));
        let page = |s: &mut State| s.requests = Requests::Maintenance { page: "x".repeat(65_537) };
        check(page, Some("65536"));
        check(|s| s.requests = held(0), Some("held for 0 ms"));
        check(|s| s.requests = held(1), None);
    }

    fn check_with(fields: &str, expected: Option<&str>) {
        let text = ONE.replace("\"requests\"", &format!("{fields},\"requests\""));
        let text = text.replace("\"v1\":10000", "\"v1\":9000,\"v2\":1000");
        let text = text.replace(":80\"]", ":80\"],\"v2\":[\"127.0.0.1:81\"]");
        let state: State = serde_json::from_str(&text).unwrap();
        match (state.validate(), expected) {
            (Ok(()), None) => {
                let text = serde_json::to_string(&state).unwrap();
                assert_eq!(serde_json::from_str::<State>(&text).unwrap(), state);
            }
            (Err(refusal), Some(part)) => {
                assert!(refusal.to_string().contains(part), "{refusal}");
            }
            (got, _) => panic!("{fields}: {got:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn rules_of_draws() {
        let sticky = |canary: &str, salt: &str, key: &str| {
            format!(r#""draw":{{"sticky":{{"canary":"{canary}","salt":"{salt}","key":{key}}}}}"#)
        };
        let (cookie, header) = (r#"{"cookie":{"name":"id"}}"#, r#"{"header":{"name":"X-User"}}"#);
        check_with(r#""draw":"independent""#, None);
        check_with(r#""draw":"exact""#, None);
        check_with(&sticky("v2", "s", cookie), None);
        check_with(&sticky("v2", &"s".repeat(128), header), None);
        check_with(&sticky("v2", &"s".repeat(129), header), Some("129 bytes"));
        check_with(&sticky("v2", "", header), Some("0 bytes"));
        check_with(&sticky("v3", "s", header), Some("v3 is not in the split"));
        check_with(&sticky("v2", "s", r#"{"cookie":{"name":"a b"}}"#), Some("no cookie name"));
        check_with(&sticky("v2", "s", r#"{"cookie":{"name":""}}"#), Some("no cookie name"));
        check_with(&sticky("v2", "s", r#"{"header":{"name":"a:b"}}"#), Some("no header name"));
        check_with(&sticky("v2", "s", r#"{"header":{"name":""}}"#), Some("no header name"));
        let both = format!(r#"{},"expire_cookies":["id"]"#, sticky("v2", "s", cookie));
        check_with(&both, Some("set and to expire"));
    }

    #[test]
    fn rules_of_rules_leases_and_cookies() {
        let rule = |name: &str, value: &str, to: &str| {
            let when = format!(r#"{{"header":{{"name":"{name}","value":{value}}}}}"#);
            format!(r#"{{"when":{when},"to":"{to}"}}"#)
        };
        let rules =
            |number: usize, rule: &str| format!(r#""rules":[{}]"#, vec![rule; number].join(","));
        check_with(&rules(32, &rule("x", "\"present\"", "v2")), None);
        check_with(&rules(33, &rule("x", "\"present\"", "v2")), Some("more than 32 rules"));
        check_with(&rules(1, &rule("x y", "\"present\"", "v2")), Some("no header name"));
        check_with(&rules(1, &rule(&"x".repeat(65), "\"present\"", "v2")), Some("no header"));
        check_with(&rules(1, &rule("x", "\"present\"", "v3")), Some("rule names v3"));
        let long = format!(r#"{{"prefix":"{}"}}"#, "x".repeat(257));
        check_with(&rules(1, &rule("x", &long, "v2")), Some("256 bytes"));
        let lease = |ms: u64, lapse: &str| format!(r#""lease":{{"ms":{ms},"lapse":{lapse}}}"#);
        check_with(&lease(1_000, r#"{"v1":10000}"#), None);
        check_with(&lease(3_600_000, r#"{"v1":5000,"v2":5000}"#), None);
        check_with(&lease(999, r#"{"v1":10000}"#), Some("999 ms"));
        check_with(&lease(3_600_001, r#"{"v1":10000}"#), Some("3600001 ms"));
        check_with(&lease(1_000, r#"{"v1":9999}"#), Some("lapse sums to 9999"));
        check_with(&lease(1_000, r#"{"v3":10000}"#), Some("lapse names v3"));
        check_with(&lease(1_000, "{}"), Some("lapses to nobody"));
        let expired = |names: Vec<String>| {
            format!(r#""expire_cookies":{}"#, serde_json::to_string(&names).unwrap())
        };
        check_with(&expired(vec!["id".to_owned(); 8]), None);
        check_with(&expired(vec!["id".to_owned(); 9]), Some("more than 8 cookies"));
        check_with(&expired(vec!["i d".to_owned()]), Some("no cookie name"));
    }

    #[test]
    fn what_is_not_used_is_not_written() {
        let state: State = serde_json::from_str(ONE).unwrap();
        let text = serde_json::to_string(&state).unwrap();
        for field in ["draw", "rules", "lease", "lapsed", "expire_cookies"] {
            assert!(!text.contains(field), "{text}");
        }
    }

    fn local(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn held(max_ms: u64) -> Requests {
        Requests::Held { max_requests: 1, max_bytes: 1, max_ms }
    }

    #[test]
    fn unknown_fields_formats_and_names_are_refused() {
        let refused = |from: &str, to: &str| {
            let text = ONE.replace(from, to);
            assert_ne!(text, ONE);
            serde_json::from_str::<State>(&text).unwrap_err().to_string()
        };
        assert!(refused("\"fence\"", "\"sticky\":1,\"fence\"").contains("unknown field"));
        assert!(refused("\"format\":1", "\"format\":2").contains("format 2"));
        assert!(refused("{\"v1\":10000}", "{\"v 1\":10000}").contains("no release name"));
        assert!(refused("\"flowing\"", "\"maybe\"").contains("unknown variant"));
        let held = r#"{"held":{"max_requests":1,"max_bytes":1,"max_ms":1,"max_years":1}}"#;
        assert!(refused("\"flowing\"", held).contains("unknown field"));
    }

    #[test]
    fn text_and_back() {
        let state: State = serde_json::from_str(ONE).unwrap();
        let text = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<State>(&text).unwrap(), state);
    }
}
