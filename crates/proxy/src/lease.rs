//! A state that holds only while somebody watches it.
//!
//! Time is monotonic throughout: no change of the wall clock shortens or lengthens a lease. The
//! wall clock is read once, for people, when a lease has lapsed.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::options::ms;
use crate::state::{self, Draw, ReleaseName, Share, State};

const MIN_MS: u64 = 1_000;
const MAX_MS: u64 = 60 * 60 * 1_000;

/// How long a state holds without a word from who watches, and who gets the requests then.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Lease {
    /// How long it holds after it was put in force, renewed, or found again by a restart.
    pub ms: u64,
    /// The split after that, without rules, without stickiness, and without a lease.
    pub lapse: BTreeMap<ReleaseName, Share>,
}

/// The proxy's own note in a state whose lease has lapsed. Nobody else may write it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Lapsed {
    /// When, in milliseconds since 1970 by the wall clock. For people; decides nothing.
    pub at_ms: u64,
    /// The split that was in force until then.
    pub from: BTreeMap<ReleaseName, Share>,
}

/// What is left of the lease in force.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseLeft {
    /// How long it is after each renewal.
    pub ms: u64,
    /// How long it still holds.
    pub left_ms: u64,
}

impl Lease {
    /// When it ends, if it is renewed at this moment.
    pub(crate) fn until(&self, now: Instant) -> Instant {
        now + ms(self.ms)
    }

    pub(crate) fn broken_rule(&self, state: &State) -> Option<String> {
        if !(MIN_MS..=MAX_MS).contains(&self.ms) {
            return Some(format!("a lease of {} ms, not {MIN_MS} to {MAX_MS}", self.ms));
        }
        if self.lapse.is_empty() {
            return Some("a lease that lapses to nobody".to_owned());
        }
        state::broken_split("lapse", &self.lapse, &state.targets)
    }
}

impl State {
    /// What this state becomes when its lease lapses; nothing, if it has none. It stays the same
    /// generation: only a newer one leads on from here.
    pub(crate) fn lapsed(&self, at_ms: u64) -> Option<Self> {
        let lease = self.lease.as_ref()?;
        let mut after = self.clone();
        after.split.clone_from(&lease.lapse);
        after.lapsed = Some(Lapsed { at_ms, from: self.split.clone() });
        after.lease = None;
        after.rules.clear();
        after.draw = Draw::Independent;
        if let Some(cookie) = self.draw.cookie() {
            after.expire_cookies.insert(0, cookie.to_owned());
            after.expire_cookies.truncate(state::MAX_EXPIRED_COOKIES);
        }
        Some(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lapse_keeps_what_is_not_at_stake() {
        let text = r#"{"format":1,"fence":3,"generation":8,"split":{"v1":9500,"v2":500},
            "preview":"v2","targets":{"v1":["127.0.0.1:1"],"v2":["127.0.0.1:2"]},
            "requests":"flowing","expire_cookies":["old"],
            "draw":{"sticky":{"canary":"v2","salt":"s","key":{"cookie":{"name":"id"}}}},
            "rules":[{"when":{"header":{"name":"x","value":"present"}},"to":"v2"}],
            "lease":{"ms":5000,"lapse":{"v1":10000}}}"#;
        let state: State = serde_json::from_str(text).unwrap();
        state.validate().unwrap();
        let after = state.lapsed(7).unwrap();
        after.validate().unwrap();
        let name = |name| ReleaseName::new(name).unwrap();
        let expected = State {
            split: [(name("v1"), Share::ALL)].into(),
            draw: Draw::Independent,
            rules: vec![],
            lease: None,
            lapsed: Some(Lapsed { at_ms: 7, from: state.split.clone() }),
            expire_cookies: vec!["id".to_owned(), "old".to_owned()],
            ..state
        };
        assert_eq!(after, expected);
        assert_eq!(after.lapsed(8), None, "there is nothing left to lapse");
    }
}
