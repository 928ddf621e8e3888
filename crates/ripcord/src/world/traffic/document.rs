//! The same wishes in two languages: the plan's, which names releases, and the proxy's, which
//! also knows where they are. Both are written out in full, so that neither crate needs the other.

use super::name;
use ripcord_core::model::{
    Draw, HoldLimits, Lease, Match, Pattern, ReleaseId, Requests, Rule, Share, Split, Sticky,
    StickyKey, TrafficState,
};
use ripcord_engine::{Failure, Result};
use ripcord_proxy::{self as proxy, ReleaseName, State};
use std::collections::BTreeMap;

/// How many cookies of past rollouts users are told to forget.
const FORGOTTEN_MAX: usize = 8;

/// The state that the proxy is asked for, without what only the adapter knows.
pub(super) fn to_proxy(state: &TrafficState) -> Result<State> {
    Ok(State {
        split: shares(&state.split)?,
        preview: state.preview.as_ref().map(name).transpose()?,
        requests: requests(&state.requests),
        draw: match &state.draw {
            Draw::Independent => proxy::Draw::Independent,
            Draw::Exact => proxy::Draw::Exact,
            Draw::Sticky(sticky) => proxy::Draw::Sticky(proxy::Sticky {
                canary: name(&sticky.canary)?,
                salt: sticky.salt.clone(),
                key: match sticky.key.clone() {
                    StickyKey::Cookie { name } => proxy::StickyKey::Cookie { name },
                    StickyKey::Header { name } => proxy::StickyKey::Header { name },
                },
            }),
        },
        rules: state
            .rules
            .iter()
            .map(|rule| Ok(proxy::Rule { when: condition(&rule.when), to: name(&rule.to)? }))
            .collect::<Result<_>>()?,
        lease: match &state.lease {
            Some(lease) => Some(proxy::Lease { ms: lease.ms, lapse: shares(&lease.lapse)? }),
            None => None,
        },
        ..State::default()
    })
}

/// What the proxy does, as a plan would say it.
pub(super) fn from_proxy(state: State, limits: BTreeMap<ReleaseId, u32>) -> Result<TrafficState> {
    Ok(TrafficState {
        split: split(&state.split)?,
        preview: state.preview.map(|name| name.as_str().into()),
        requests: match state.requests {
            proxy::Requests::Flowing => Requests::Flowing,
            proxy::Requests::Held { max_requests, max_bytes, max_ms } => {
                Requests::Held(HoldLimits {
                    requests_max: max_requests,
                    bytes_max: max_bytes,
                    wait_ms_max: max_ms,
                })
            }
            proxy::Requests::Maintenance { page } => Requests::Maintenance { page },
        },
        draw: match state.draw {
            proxy::Draw::Independent => Draw::Independent,
            proxy::Draw::Exact => Draw::Exact,
            proxy::Draw::Sticky(sticky) => Draw::Sticky(Sticky {
                canary: sticky.canary.as_str().into(),
                salt: sticky.salt,
                key: match sticky.key {
                    proxy::StickyKey::Cookie { name } => StickyKey::Cookie { name },
                    proxy::StickyKey::Header { name } => StickyKey::Header { name },
                },
            }),
        },
        rules: state
            .rules
            .into_iter()
            .map(|rule| Rule { when: found(rule.when), to: rule.to.as_str().into() })
            .collect(),
        lease: match state.lease {
            Some(lease) => Some(Lease { ms: lease.ms, lapse: split(&lease.lapse)? }),
            None => None,
        },
        limits,
    })
}

/// The cookies of stickiness that is over with this state: whoever still sends one is told to
/// forget it.
pub(super) fn forgotten_cookies(found: &State, wanted: &TrafficState) -> Vec<String> {
    let kept = match &wanted.draw {
        Draw::Sticky(Sticky { key: StickyKey::Cookie { name }, .. }) => Some(name.as_str()),
        _ => None,
    };
    let left = found.draw.cookie().into_iter();
    let mut names: Vec<String> =
        left.chain(found.expire_cookies.iter().map(String::as_str)).map(str::to_owned).collect();
    let mut seen = Vec::new();
    names.retain(|name| {
        let new = Some(name.as_str()) != kept && !seen.contains(name);
        seen.push(name.clone());
        new
    });
    names.truncate(FORGOTTEN_MAX);
    names
}

pub(super) fn split(shares: &BTreeMap<ReleaseName, proxy::Share>) -> Result<Split> {
    let shares: BTreeMap<ReleaseId, Share> =
        shares.iter().map(|(name, share)| (name.as_str().into(), share.0)).collect();
    Split::new(shares).map_err(Failure::definite)
}

fn shares(split: &Split) -> Result<BTreeMap<ReleaseName, proxy::Share>> {
    let share = |(release, share): (&ReleaseId, &Share)| Ok((name(release)?, proxy::Share(*share)));
    split.shares().iter().map(share).collect()
}

fn requests(requests: &Requests) -> proxy::Requests {
    match requests {
        Requests::Flowing => proxy::Requests::Flowing,
        Requests::Held(limits) => proxy::Requests::Held {
            max_requests: limits.requests_max,
            max_bytes: limits.bytes_max,
            max_ms: limits.wait_ms_max,
        },
        Requests::Maintenance { page } => proxy::Requests::Maintenance { page: page.clone() },
    }
}

fn condition(when: &Match) -> proxy::Match {
    let pattern = |value: &Pattern| match value.clone() {
        Pattern::Is(text) => proxy::Pattern::Is(text),
        Pattern::Prefix(text) => proxy::Pattern::Prefix(text),
        Pattern::Present => proxy::Pattern::Present,
    };
    match when {
        Match::Header { name, value } => {
            proxy::Match::Header { name: name.clone(), value: pattern(value) }
        }
        Match::Cookie { name, value } => {
            proxy::Match::Cookie { name: name.clone(), value: pattern(value) }
        }
    }
}

fn found(when: proxy::Match) -> Match {
    let pattern = |value| match value {
        proxy::Pattern::Is(text) => Pattern::Is(text),
        proxy::Pattern::Prefix(text) => Pattern::Prefix(text),
        proxy::Pattern::Present => Pattern::Present,
    };
    match when {
        proxy::Match::Header { name, value } => Match::Header { name, value: pattern(value) },
        proxy::Match::Cookie { name, value } => Match::Cookie { name, value: pattern(value) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> TrafficState {
        let (v1, v2): (ReleaseId, ReleaseId) = ("v1".into(), "v2".into());
        TrafficState {
            split: Split::between(&v1, &v2, 500),
            preview: Some(v2.clone()),
            requests: Requests::Held(HoldLimits::default()),
            draw: Draw::Sticky(Sticky {
                canary: v2.clone(),
                salt: "production/3".into(),
                key: StickyKey::Cookie { name: "shop".into() },
            }),
            rules: vec![Rule {
                when: Match::Header { name: "x-tester".into(), value: Pattern::Is("yes".into()) },
                to: v2,
            }],
            lease: Some(Lease { ms: 30_000, lapse: Split::all_to(&v1) }),
            limits: BTreeMap::new(),
        }
    }

    #[test]
    fn there_and_back() {
        let header = Match::Header { name: "region".into(), value: Pattern::Prefix("eu-".into()) };
        let cookie = Match::Cookie { name: "beta".into(), value: Pattern::Present };
        let more = |when| TrafficState {
            rules: vec![Rule { when, to: "v1".into() }],
            draw: Draw::Exact,
            requests: Requests::Maintenance { page: "soon".into() },
            ..full()
        };
        for state in [TrafficState::default(), full(), more(header), more(cookie)] {
            let there = to_proxy(&state).unwrap();
            assert_eq!(from_proxy(there, BTreeMap::new()), Ok(state));
        }
    }

    #[test]
    fn cookies_are_forgotten_when_stickiness_ends() {
        let sticky = to_proxy(&full()).unwrap();
        assert_eq!(forgotten_cookies(&sticky, &TrafficState::default()), ["shop"]);
        assert!(forgotten_cookies(&sticky, &full()).is_empty());
        let mut over = to_proxy(&TrafficState::default()).unwrap();
        over.expire_cookies = vec!["shop".into(), "old".into()];
        assert_eq!(forgotten_cookies(&over, &TrafficState::default()), ["shop", "old"]);
        assert_eq!(forgotten_cookies(&over, &full()), ["old"]);
    }
}
