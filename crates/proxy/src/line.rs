//! The line from 0 to 10 000 on which the releases lie end to end, each as long as its share, and
//! the ways to find a request's place on it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::header::{HeaderMap, HeaderValue};

use crate::arm::ArmTally;
use crate::cookie;
use crate::draw::{Draw, Place, Sticky, StickyKey};
use crate::period::PeriodTally;
use crate::random;
use crate::state::{ReleaseName, Share, State};
use crate::table::Route;
use crate::trial::Who;
use crate::users::Mint;

/// The releases with a share. The sticky canary has the lower end; for other draws the order means
/// nothing.
pub(crate) struct Line {
    stretches: Vec<Stretch>,
    split: BTreeMap<ReleaseName, Share>,
    /// How many requests were divided by counting. It goes on while the split stays.
    counted: Arc<AtomicU64>,
    mint: Mint,
}

/// One release's part of the line.
pub(crate) struct Stretch {
    /// The sum of the shares up to and including this one.
    end: u64,
    pub(crate) route: Arc<Route>,
    pub(crate) arm: Arc<ArmTally>,
}

impl Line {
    pub(crate) fn new(
        state: &State,
        routes: &BTreeMap<ReleaseName, Arc<Route>>,
        period: &PeriodTally,
        before: Option<&Self>,
    ) -> Self {
        let canary = match &state.draw {
            Draw::Sticky(sticky) => Some(&sticky.canary),
            _ => None,
        };
        let mut shares: Vec<_> =
            state.split.iter().filter(|(_, share)| **share > Share::NONE).collect();
        shares.sort_by_key(|(name, _)| Some(*name) != canary);
        let mut end = 0;
        let stretches = shares.into_iter().filter_map(|(name, share)| {
            end += u64::from(share.0);
            let (route, arm) = (routes.get(name)?, period.arms.get(name)?);
            Some(Stretch { end, route: Arc::clone(route), arm: Arc::clone(arm) })
        });
        let same = before.filter(|before| before.split == state.split);
        Self {
            stretches: stretches.collect(),
            split: state.split.clone(),
            counted: same.map(|before| Arc::clone(&before.counted)).unwrap_or_default(),
            mint: period.mint,
        }
    }

    /// Who has a share.
    pub(crate) fn routes(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.stretches.iter().map(|stretch| &stretch.route)
    }

    /// Draws the release of a request; none if nobody has a share. `cookies` gets what the answer
    /// shall set.
    pub(crate) fn draw(
        &self,
        draw: &Draw,
        headers: &HeaderMap,
        cookies: &mut Vec<HeaderValue>,
    ) -> Option<(&Stretch, Who)> {
        let (place, who) = match (draw, self.stretches.as_slice()) {
            (Draw::Sticky(sticky), [_, ..]) => sticky_place(sticky, headers, self.mint, cookies),
            (_, [] | [_]) => (0, Who::Anyone),
            (Draw::Exact, _) => {
                (counted_place(self.counted.fetch_add(1, Ordering::Relaxed)), Who::Anyone)
            }
            _ => (random_place(), Who::Anyone),
        };
        let stretch = self.stretches.partition_point(|stretch| stretch.end <= place);
        Some((self.stretches.get(stretch)?, who))
    }
}

fn random_place() -> u64 {
    random::below(u64::from(Share::ALL.0))
}

/// Walks through all 10 000 places, each once, in steps near the golden section of the line. So any
/// 10 000 requests in a row are divided exactly, any few of them nearly, and a client who comes
/// every so many requests does not always meet the same release.
fn counted_place(number: u64) -> u64 {
    /// Has no factor in common with 10 000.
    const STEP: u64 = 6_181;
    let whole = u64::from(Share::ALL.0);
    number % whole * STEP % whole
}

/// The place of whoever sends the request. Who has no cookie gets one on the answer.
fn sticky_place(
    sticky: &Sticky,
    headers: &HeaderMap,
    mint: Mint,
    cookies: &mut Vec<HeaderValue>,
) -> (u64, Who) {
    let (place, who): (_, fn(Place) -> Who) = match (sticky.key.of(headers), &sticky.key) {
        (Some(key), StickyKey::Cookie { .. }) if mint.has_struck(key) => {
            (sticky.place(key), Who::HeardUser)
        }
        (Some(key), _) => (sticky.place(key), Who::User),
        (None, StickyKey::Header { .. }) => return (random_place(), Who::Keyless),
        (None, StickyKey::Cookie { name }) => {
            let fresh = mint.strike();
            cookies.extend(cookie::set(name, &fresh));
            (sticky.place(fresh.as_bytes()), Who::NewUser)
        }
    };
    (place.share(), who(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_is_nearly_exact_in_short_windows_and_for_periodic_clients() {
        let is_canary: Vec<_> = (0..20_000).map(|n| counted_place(n) < 1_000).collect();
        let counts = is_canary.windows(100).map(|w| w.iter().filter(|canary| **canary).count());
        let (fewest, most) = counts.fold((100, 0), |(low, high), n| (low.min(n), high.max(n)));
        assert!(fewest >= 8 && most <= 12, "{fewest}..{most}");
        let whole = is_canary.windows(10_000).step_by(97);
        assert!(whole.clone().count() > 100);
        for window in whole {
            assert_eq!(window.iter().filter(|canary| **canary).count(), 1_000, "exactly a tenth");
        }
        // Who sends every tenth request gets the same share as everybody.
        let tenth = is_canary.iter().step_by(10).take(1_000).filter(|canary| **canary).count();
        assert_eq!(tenth, 100);
    }
}
