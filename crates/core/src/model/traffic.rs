//! Traffic: which release answers which share of the requests, and whether requests flow at all.

use crate::model::ReleaseId;
use crate::model::ids::Millis;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use thiserror::Error;

/// A share of the traffic in hundredths of a percent; the shares of a split add up to 10 000.
pub type Share = u16;

/// All of the traffic.
pub const WHOLE: Share = 10_000;

/// How traffic is divided. An empty split answers nobody (nothing was ever released).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Split(BTreeMap<ReleaseId, Share>);

/// Why a split is impossible.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SplitError {
    /// The shares do not add up to the whole.
    #[error("the shares of a split must add up to 10000 hundredths of a percent, not {0}")]
    Sum(u32),
    /// A release is named with no share.
    #[error("release {0} is named in a split with a share of 0")]
    Zero(ReleaseId),
}

impl Split {
    /// Nobody answers.
    pub fn none() -> Split {
        Split::default()
    }

    /// Everything goes to one release.
    pub fn all_to(release: &ReleaseId) -> Split {
        Split(BTreeMap::from([(release.clone(), WHOLE)]))
    }

    /// # Errors
    ///
    /// Refuses shares that do not add up to the whole, and shares of zero.
    pub fn new(shares: BTreeMap<ReleaseId, Share>) -> Result<Split, SplitError> {
        if let Some((release, _)) = shares.iter().find(|(_, share)| **share == 0) {
            return Err(SplitError::Zero(release.clone()));
        }
        let sum: u32 = shares.values().map(|share| u32::from(*share)).sum();
        if sum != u32::from(WHOLE) && !shares.is_empty() {
            return Err(SplitError::Sum(sum));
        }
        Ok(Split(shares))
    }

    /// A share to the canary, the rest to stable; nothing or all of it is a split of one.
    pub fn between(stable: &ReleaseId, canary: &ReleaseId, share: Share) -> Split {
        let share = share.min(WHOLE);
        let shares = [(stable.clone(), WHOLE - share), (canary.clone(), share)];
        Split(shares.into_iter().filter(|(_, share)| *share > 0).collect())
    }

    /// The share of one release; 0 for one that is not named.
    pub fn share(&self, release: &ReleaseId) -> Share {
        self.0.get(release).copied().unwrap_or(0)
    }

    /// The releases and their shares, in the order of their names.
    pub fn shares(&self) -> &BTreeMap<ReleaseId, Share> {
        &self.0
    }

    /// Whether this release answers any request.
    pub fn names(&self, release: &ReleaseId) -> bool {
        self.0.contains_key(release)
    }

    /// The one release that answers everything, if there is one.
    pub fn only(&self) -> Option<&ReleaseId> {
        if self.0.len() == 1 { self.0.keys().next() } else { None }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nobody");
        }
        for (index, (release, share)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            let (percent, rest) = (share / 100, share % 100);
            match rest {
                0 => write!(f, "{comma}{release} {percent} %")?,
                _ => write!(f, "{comma}{release} {percent}.{rest:02} %")?,
            }
        }
        Ok(())
    }
}

/// Whether requests are answered, held back for a bounded moment, or told to come back later.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Requests {
    /// Requests flow to the releases of the split.
    #[default]
    Flowing,
    /// Requests wait; what exceeds the limits is answered 503.
    Held(HoldLimits),
    /// A downtime window: every request is answered 503 with this page.
    Maintenance {
        /// The HTML shown to people.
        page: String,
    },
}

/// How many requests may wait, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldLimits {
    /// The most requests waiting at one time.
    pub requests_max: u32,
    /// The most bytes of waiting requests.
    pub bytes_max: u64,
    /// The longest that one request waits.
    pub wait_ms_max: Millis,
}

impl Default for HoldLimits {
    fn default() -> Self {
        HoldLimits { requests_max: 10_000, bytes_max: 64 << 20, wait_ms_max: 30_000 }
    }
}

/// Everything that the proxy of an environment is asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TrafficState {
    /// Who answers the users.
    pub split: Split,
    /// Who answers at the preview address.
    pub preview: Option<ReleaseId>,
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
    /// Only the first so many instances of a release get requests; all of one not named.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<ReleaseId, u32>,
}

/// By what chance a request finds its release.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Draw {
    /// An independent draw for each request, so that the releases can be compared.
    #[default]
    Independent,
    /// By counting: exact, and of no use to a judge.
    Exact,
    /// Each user keeps their release.
    Sticky(Sticky),
}

/// How users keep their release: the canary has those whose hash lies under its share, so raising
/// the share only adds users and lowering it only removes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sticky {
    /// The release whose users are those under the threshold.
    pub canary: ReleaseId,
    /// Another one for each rollout, so that it is not always the same users.
    pub salt: String,
    /// What tells users apart.
    pub key: StickyKey,
}

/// What tells users apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StickyKey {
    /// A cookie that the proxy sets.
    Cookie {
        /// Its name.
        name: String,
    },
    /// A header that the client or a gateway sends.
    Header {
        /// Its name.
        name: String,
    },
}

/// Requests that go to a certain release whatever the split says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Which.
    pub when: Match,
    /// Where to.
    pub to: ReleaseId,
}

/// What a request must carry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Match {
    /// A header.
    Header {
        /// Its name.
        name: String,
        /// Its value.
        value: Pattern,
    },
    /// A cookie.
    Cookie {
        /// Its name.
        name: String,
        /// Its value.
        value: Pattern,
    },
}

/// A condition on a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    /// It is exactly this.
    Is(String),
    /// It begins with this.
    Prefix(String),
    /// It is there.
    Present,
}

/// A state that holds only while somebody watches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// How long it holds after the last word.
    pub ms: Millis,
    /// Who answers then, without rules and without a lease.
    pub lapse: Split,
}

impl Draw {
    /// Whether it is the usual one.
    pub fn is_independent(&self) -> bool {
        *self == Draw::Independent
    }
}

impl TrafficState {
    /// A split and nothing special about it.
    pub fn of(split: Split, preview: Option<ReleaseId>, requests: Requests) -> TrafficState {
        TrafficState { split, preview, requests, ..TrafficState::default() }
    }

    /// The releases that get requests, be it from users or at the preview address.
    pub fn releases(&self) -> impl Iterator<Item = &ReleaseId> {
        let preview = self.preview.iter();
        let ruled = self.rules.iter().map(|rule| &rule.to);
        let lapse = self.lease.iter().flat_map(|lease| lease.lapse.shares().keys());
        let all: BTreeSet<&ReleaseId> =
            self.split.shares().keys().chain(preview).chain(ruled).chain(lapse).collect();
        all.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(shares: &[(&str, Share)]) -> Result<Split, SplitError> {
        Split::new(shares.iter().map(|(release, share)| ((*release).into(), *share)).collect())
    }

    #[test]
    fn shares_add_up() {
        assert!(split(&[("v1", 9_500), ("v2", 500)]).is_ok());
        assert_eq!(split(&[]), Ok(Split::none()));
        assert_eq!(split(&[("v1", 9_999)]), Err(SplitError::Sum(9_999)));
        assert_eq!(split(&[("v1", 10_000), ("v2", 0)]), Err(SplitError::Zero("v2".into())));
    }

    #[test]
    fn shown_as_percent() {
        assert_eq!(
            split(&[("v1", 9_995), ("v2", 5)]).unwrap().to_string(),
            "v1 99.95 %, v2 0.05 %"
        );
        assert_eq!(Split::none().to_string(), "nobody");
    }
}
