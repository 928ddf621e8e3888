//! The table of routes made from one `State`: which release a request goes to, and where that is.
//!
//! A table never changes; an apply makes a new one and keeps the releases and targets that both
//! have in common, with their counters, connections and health.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::gate::InFlight;
use crate::options::Limits;
use crate::random;
use crate::release::{Lane, Lanes, Release, Side, Stub};
use crate::state::{ReleaseName, Requests, Share, State};
use crate::target::Target;

/// Where requests go while one state is in force.
pub(crate) struct Table {
    pub(crate) state: State,
    pub(crate) routes: BTreeMap<ReleaseName, Arc<Route>>,
    /// Each with the sum of the shares up to and including its own.
    split: Vec<(u64, Arc<Route>)>,
    preview: Option<Arc<Route>>,
}

/// A release and its targets.
pub(crate) struct Route {
    pub(crate) release: Arc<Release>,
    pub(crate) targets: Vec<Arc<Target>>,
    lanes: Arc<Lanes>,
    turn: AtomicUsize,
}

/// What a request gets from the table.
pub(crate) type Choice = (Arc<InFlight>, (Stub, Arc<Route>));

impl Table {
    /// Makes the table of a state that was validated. `known` are all releases seen so far.
    pub(crate) fn new(
        state: State,
        before: Option<&Self>,
        known: &mut BTreeMap<ReleaseName, Arc<Release>>,
        clock: Instant,
        limits: &Arc<Limits>,
    ) -> Self {
        let mut routes = BTreeMap::new();
        for (name, addresses) in &state.targets {
            let release =
                known.entry(name.clone()).or_insert_with(|| Arc::new(Release::new(name, clock)));
            let old = before.and_then(|table| table.routes.get(name));
            let keep = |address| old?.targets.iter().find(|target| target.address == address);
            let targets = addresses.iter().map(|address| {
                keep(*address).map_or_else(|| Target::start(*address, limits), Arc::clone)
            });
            let targets = targets.collect();
            // Whoever takes a target away wants to know when nobody is there any more.
            let loses_none = |old: &&Arc<Route>| {
                old.targets.iter().all(|target| addresses.contains(&target.address))
            };
            let lanes = old.filter(loses_none).map(|old| Arc::clone(&old.lanes));
            let lanes = lanes.unwrap_or_else(|| release.open_lanes());
            let (release, turn) = (Arc::clone(release), AtomicUsize::new(0));
            let route = Route { release, targets, lanes, turn };
            routes.insert(name.clone(), Arc::new(route));
        }
        let mut sum = 0;
        let shares = state.split.iter().filter(|(_, share)| **share > Share::NONE);
        let split = shares.filter_map(|(name, share)| {
            sum += u64::from(share.0);
            Some((sum, Arc::clone(routes.get(name)?)))
        });
        let split = split.collect();
        let preview = state.preview.as_ref().and_then(|name| routes.get(name)).map(Arc::clone);
        Self { state, routes, split, preview }
    }

    /// Picks the route of one request. A split is an independent draw for each request, so that
    /// whoever compares the releases may treat the assignment as a coin toss.
    pub(crate) fn choose(&self, side: Side) -> Option<Choice> {
        let route = match (side, self.split.as_slice()) {
            (Side::Preview, _) => self.preview.as_ref()?,
            (Side::Live, []) => return None,
            (Side::Live, [(_, only)]) => only,
            (Side::Live, split) => {
                let draw = random::below(u64::from(Share::ALL.0));
                &split.get(split.partition_point(|(end, _)| *end <= draw))?.1
            }
        };
        let in_flight = Arc::clone(&route.lanes.lane(side).requests);
        Some((in_flight, (Stub::new(&route.release, &route.lanes, side), Arc::clone(route))))
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state.requests, Requests::Flowing)
    }

    /// Of the given releases, the lanes that get no requests while this table is in force.
    pub(crate) fn idle_lanes<'a>(
        &self,
        releases: impl Iterator<Item = &'a Arc<Release>>,
    ) -> Vec<Arc<Lane>> {
        let is_used = |lane: &Arc<Lane>| {
            let live = self.split.iter().map(|(_, route)| &route.lanes.live);
            let preview = self.preview.iter().map(|route| &route.lanes.preview);
            self.is_open() && live.chain(preview).any(|used| Arc::ptr_eq(used, lane))
        };
        let lanes = releases.flat_map(|release| release.lanes());
        let lanes = lanes.flat_map(|lanes| lanes.both().map(Arc::clone));
        lanes.filter(|lane| !is_used(lane)).collect()
    }
}

impl Route {
    /// The targets in the order in which to try them: healthy ones first, each in turn; the
    /// others after them, because trying is better than giving up.
    pub(crate) fn in_turn(&self) -> impl Iterator<Item = &Arc<Target>> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let (healthy, ill): (Vec<_>, Vec<_>) =
            self.targets.iter().partition(|target| target.is_healthy());
        let rotate = |targets: Vec<_>| {
            let start = turn.checked_rem(targets.len()).unwrap_or(0);
            let length = targets.len();
            targets.into_iter().cycle().skip(start).take(length)
        };
        rotate(healthy).chain(rotate(ill))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table {
        let state: State = serde_json::from_str(text).unwrap();
        state.validate().unwrap();
        let limits = Arc::new(Limits { health_interval_ms: 3_600_000, ..Limits::default() });
        Table::new(state, None, &mut BTreeMap::new(), Instant::now(), &limits)
    }

    fn split(split: &str) -> Table {
        table(&format!(
            r#"{{"format":1,"fence":1,"generation":1,"split":{split},"preview":null,
                "targets":{{"a":["127.0.0.1:1"],"b":["127.0.0.1:2"],"c":["127.0.0.1:3"]}},
                "requests":"flowing"}}"#
        ))
    }

    fn drawn(table: &Table) -> BTreeMap<String, u32> {
        let mut drawn = BTreeMap::new();
        for _ in 0..20_000 {
            let (_, (_, route)) = table.choose(Side::Live).unwrap();
            *drawn.entry(route.release.header.to_str().unwrap().to_owned()).or_default() += 1;
        }
        drawn
    }

    #[tokio::test]
    async fn shares_are_kept_and_no_share_means_never() {
        let drawn = drawn(&split(r#"{"a":9000,"b":0,"c":1000}"#));
        assert_eq!(drawn.get("b"), None);
        // Expected 2000 with a standard deviation of 42.
        assert!(drawn["c"].abs_diff(2_000) < 260, "{drawn:?}");
    }

    #[tokio::test]
    async fn all_goes_to_one() {
        assert_eq!(drawn(&split(r#"{"b":10000}"#)), [("b".to_owned(), 20_000)].into());
        assert!(split("{}").choose(Side::Live).is_none());
        assert!(split("{}").choose(Side::Preview).is_none());
    }
}
