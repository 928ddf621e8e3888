//! Traffic: which release answers which share of the requests, and whether requests flow at all.

use crate::model::ReleaseId;
use crate::model::ids::Millis;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
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
}

impl TrafficState {
    /// The releases that get requests, be it from users or at the preview address.
    pub fn releases(&self) -> impl Iterator<Item = &ReleaseId> {
        let preview = self.preview.as_ref().filter(|release| !self.split.names(release));
        self.split.shares().keys().chain(preview)
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
