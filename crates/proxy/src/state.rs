//! The desired state of the proxy: one document, replaced as a whole, numbered and fenced.
//!
//! It says who gets traffic, where they are, and whether requests flow. It knows releases as
//! opaque names; what a release is, and why its share changes, is no business of the proxy.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::error::Refusal;

const MAX_RELEASES: usize = 64;
const MAX_TARGETS: usize = 256;
const MAX_PAGE_BYTES: usize = 64 * 1024;
const MAX_HELD_REQUESTS: u32 = 100_000;
const MAX_HELD_MS: u64 = 10 * 60 * 1000;

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
        let sum: u64 = self.split.values().map(|share| u64::from(share.0)).sum();
        if !self.split.is_empty() && sum != u64::from(Share::ALL.0) {
            return Some(format!("the split sums to {sum}, not to 10000"));
        }
        if self.targets.len() > MAX_RELEASES {
            return Some(format!("more than {MAX_RELEASES} releases"));
        }
        let named = self.split.keys().map(|name| ("split", name));
        for (part, name) in named.chain(self.preview.iter().map(|name| ("preview", name))) {
            if !self.targets.contains_key(name) {
                return Some(format!("the {part} names {name}, which has no targets"));
            }
        }
        self.targets
            .iter()
            .find_map(|(name, targets)| broken_target(name, targets))
            .or_else(|| self.requests.broken_rule())
    }
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
