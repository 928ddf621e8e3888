//! The table of routes made from one `State`: which release a request goes to, and where that is.
//!
//! A table never changes; an apply makes a new one and keeps the releases and targets that both
//! have in common, with their counters, connections and health.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use hyper::header::{HeaderMap, HeaderValue};

use crate::cookie;
use crate::gate::InFlight;
use crate::line::Line;
use crate::options::Limits;
use crate::period::PeriodTally;
use crate::release::{Lane, Lanes, Release, Side, Stub};
use crate::rule::Rule;
use crate::state::{ReleaseName, Requests, State};
use crate::target::Target;
use crate::trial::Chance;

/// Where requests go while one state is in force.
pub(crate) struct Table {
    pub(crate) state: State,
    pub(crate) routes: BTreeMap<ReleaseName, Arc<Route>>,
    pub(crate) period: Arc<PeriodTally>,
    rules: Vec<(Rule, Arc<Route>)>,
    line: Line,
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
pub(crate) type Choice = (Arc<InFlight>, Chosen);

/// Where a request goes, and by what chance.
pub(crate) struct Chosen {
    pub(crate) stub: Stub,
    pub(crate) route: Arc<Route>,
    /// None if no chance was in it: a rule, or the preview.
    pub(crate) chance: Option<Chance>,
    /// What the answer shall set or take away.
    pub(crate) cookies: Vec<HeaderValue>,
}

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
        let period = PeriodTally::of(&state, before.map(|table| &table.period));
        let line = Line::new(&state, &routes, &period, before.map(|table| &table.line));
        let rules = state.rules.iter();
        let rules =
            rules.filter_map(|rule| Some((rule.clone(), Arc::clone(routes.get(&rule.to)?))));
        let rules = rules.collect();
        let preview = state.preview.as_ref().and_then(|name| routes.get(name)).map(Arc::clone);
        Self { state, routes, period, rules, line, preview }
    }

    /// Picks the route of one request, by its headers where the state says so.
    pub(crate) fn choose(&self, side: Side, headers: &HeaderMap) -> Option<Choice> {
        let (route, chance, cookies) = match side {
            Side::Preview => (self.preview.as_ref()?, None, vec![]),
            Side::Live => self.choose_live(headers)?,
        };
        let in_flight = Arc::clone(&route.lanes.lane(side).requests);
        let stub = Stub::new(&route.release, &route.lanes, side);
        Some((in_flight, Chosen { stub, route: Arc::clone(route), chance, cookies }))
    }

    fn choose_live(
        &self,
        headers: &HeaderMap,
    ) -> Option<(&Arc<Route>, Option<Chance>, Vec<HeaderValue>)> {
        let mut cookies = self.expired_cookies(headers);
        if let Some((_, route)) = self.rules.iter().find(|(rule, _)| rule.when.is_met(headers)) {
            return Some((route, None, cookies));
        }
        let (stretch, who) = self.line.draw(&self.state.draw, headers, &mut cookies)?;
        let arm = Arc::clone(&stretch.arm);
        Some((&stretch.route, Some(Chance { arm, who }), cookies))
    }

    fn expired_cookies(&self, headers: &HeaderMap) -> Vec<HeaderValue> {
        let names = self.state.expire_cookies.iter();
        let sent = names.filter(|name| cookie::find(headers, name).is_some());
        sent.filter_map(|name| cookie::expire(name)).collect()
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
            let shares = self.line.routes();
            let live = shares.chain(self.rules.iter().map(|(_, route)| route));
            let live = live.map(|route| &route.lanes.live);
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
    use crate::trial::Who;

    fn table(text: &str) -> Table {
        after(text, None)
    }

    fn after(text: &str, before: Option<&Table>) -> Table {
        let state: State = serde_json::from_str(text).unwrap();
        state.validate().unwrap();
        let limits = Arc::new(Limits { health_interval_ms: 3_600_000, ..Limits::default() });
        Table::new(state, before, &mut BTreeMap::new(), Instant::now(), &limits)
    }

    fn split(split: &str) -> Table {
        with(split, "\"independent\"", "[]")
    }

    fn with(split: &str, draw: &str, rules: &str) -> Table {
        table(&format!(
            r#"{{"format":1,"fence":1,"generation":1,"split":{split},"preview":"b",
                "targets":{{"a":["127.0.0.1:1"],"b":["127.0.0.1:2"],"c":["127.0.0.1:3"]}},
                "requests":"flowing","draw":{draw},"rules":{rules},"expire_cookies":["old"]}}"#
        ))
    }

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        lines.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap())).collect()
    }

    /// Which release a live request goes to.
    fn to(table: &Table, lines: &[(&'static str, &str)]) -> String {
        let (_, chosen) = table.choose(Side::Live, &headers(lines)).unwrap();
        chosen.route.release.header.to_str().unwrap().to_owned()
    }

    fn drawn(table: &Table, requests: u32) -> BTreeMap<String, u32> {
        let mut drawn = BTreeMap::new();
        for _ in 0..requests {
            *drawn.entry(to(table, &[])).or_default() += 1;
        }
        drawn
    }

    #[tokio::test]
    async fn independent_draws_keep_the_shares() {
        for canary in [0_u32, 100, 500, 1_000, 2_500, 5_000] {
            let rest = 10_000 - canary;
            let drawn = drawn(&split(&format!(r#"{{"a":{rest},"b":0,"c":{canary}}}"#)), 10_000);
            assert_eq!(drawn.get("b"), None);
            let expected = f64::from(canary);
            let four_sd = 4.0 * (expected * (1.0 - expected / 10_000.0)).sqrt();
            let off = f64::from(drawn.get("c").copied().unwrap_or(0)) - expected;
            assert!(off.abs() <= four_sd, "{drawn:?}");
        }
    }

    #[tokio::test]
    async fn counting_is_exact_over_any_ten_thousand() {
        for canary in [1_u32, 100, 500, 1_000, 2_500, 5_000, 9_999] {
            let text = format!(r#"{{"a":{},"b":{canary}}}"#, 10_000 - canary);
            let table = with(&text, "\"exact\"", "[]");
            // From anywhere, not only from the first request.
            drawn(&table, 1_234);
            assert_eq!(drawn(&table, 10_000)["b"], canary);
        }
        let three = with(r#"{"a":3333,"b":3334,"c":3333}"#, "\"exact\"", "[]");
        let of_each = drawn(&three, 10_000).into_values().collect::<Vec<_>>();
        assert_eq!(of_each, [3_333, 3_334, 3_333]);
    }

    const BY_HEADER: &str =
        r#"{"sticky":{"canary":"b","salt":"s","key":{"header":{"name":"x-user"}}}}"#;
    const BY_COOKIE: &str =
        r#"{"sticky":{"canary":"b","salt":"s","key":{"cookie":{"name":"id"}}}}"#;

    /// The users among 5 000 whose requests go to the canary, at this share of it.
    fn canary_users(share: u32) -> Vec<u32> {
        let shares = format!(r#"{{"a":{},"b":{share},"c":1000}}"#, 9_000 - share);
        let table = with(&shares, BY_HEADER, "[]");
        let is_canary = |user: &u32| to(&table, &[("x-user", &user.to_string())]) == "b";
        (0..5_000).filter(is_canary).collect()
    }

    #[tokio::test]
    async fn a_raised_share_only_adds_users_and_a_lowered_one_only_takes_away() {
        let steps = [0, 1, 100, 1_000, 2_500, 5_000, 8_999, 9_000].map(canary_users);
        for pair in steps.windows(2) {
            assert!(pair[0].iter().all(|user| pair[1].contains(user)), "somebody was thrown out");
        }
        let counts = steps.map(|users| users.len());
        assert_eq!(counts[0], 0);
        // 10 % of 5 000 users, with a standard deviation of 21; and half of them, with 35.
        assert!(counts[3].abs_diff(500) < 85 && counts[5].abs_diff(2_500) < 142, "{counts:?}");
    }

    #[tokio::test]
    async fn counting_goes_on_when_something_else_changes() {
        let text = |preview: &str| {
            format!(
                r#"{{"format":1,"fence":1,"generation":1,"split":{{"a":9900,"b":100}},
                    "preview":{preview},"targets":{{"a":["127.0.0.1:1"],"b":["127.0.0.1:2"]}},
                    "requests":"flowing","draw":"exact"}}"#
            )
        };
        let (mut before, mut canary) = (table(&text("null")), 0);
        for change in 0..200 {
            let preview = if change % 2 == 0 { "\"b\"" } else { "null" };
            before = after(&text(preview), Some(&before));
            canary += drawn(&before, 50).get("b").copied().unwrap_or(0);
        }
        assert_eq!(canary, 100);
    }

    #[tokio::test]
    async fn the_canary_has_the_lower_end_whatever_its_name_and_the_others_do() {
        let is_canary = |shares: [u32; 3]| {
            let [a, b, c] = shares;
            let by_header = BY_HEADER.replace("\"s\"", "\"rollout-7\"");
            let table = with(&format!(r#"{{"a":{a},"b":{b},"c":{c}}}"#), &by_header, "[]");
            to(&table, &[("x-user", "ada@example.com")]) == "b"
        };
        // The place of this user is 6 113.
        assert!(!is_canary([3_887, 6_113, 0]) && is_canary([3_886, 6_114, 0]));
        assert!(!is_canary([0, 6_113, 3_887]) && is_canary([0, 6_114, 3_886]));
        assert!(is_canary([3_000, 6_500, 500]) && is_canary([500, 6_500, 3_000]));
    }

    #[tokio::test]
    async fn users_keep_their_release_and_who_has_no_key_has_no_user() {
        let table = with(r#"{"a":5000,"b":5000}"#, BY_HEADER, "[]");
        let first = to(&table, &[("x-user", "ada")]);
        assert!((0..50).all(|_| to(&table, &[("x-user", "ada")]) == first));
        let who = |lines: &[(&'static str, &str)]| {
            let (_, chosen) = table.choose(Side::Live, &headers(lines)).unwrap();
            assert!(chosen.cookies.is_empty());
            chosen.chance.unwrap().who
        };
        assert!(matches!(who(&[("x-user", "ada")]), Who::User(_)));
        assert_eq!((who(&[]), who(&[("x-user", "")])), (Who::Keyless, Who::Keyless));
        let off = drawn(&table, 10_000)["b"].abs_diff(5_000);
        assert!(off < 200, "without a key each request is a draw, within 4 standard deviations");
    }

    #[tokio::test]
    async fn who_has_no_cookie_gets_one_and_keeps_the_release() {
        let table = with(r#"{"a":5000,"b":5000}"#, BY_COOKIE, "[]");
        for _ in 0..50 {
            let (_, fresh) = table.choose(Side::Live, &HeaderMap::new()).unwrap();
            let set = fresh.cookies[0].to_str().unwrap();
            let (pair, attributes) = set.split_once(';').unwrap();
            assert!(attributes.contains("HttpOnly") && pair.len() == "id=".len() + 32, "{set}");
            let (_, again) = table.choose(Side::Live, &headers(&[("cookie", pair)])).unwrap();
            assert!(again.cookies.is_empty(), "it has one");
            assert_eq!(again.route.release.header, fresh.route.release.header);
        }
    }

    #[tokio::test]
    async fn the_first_matching_rule_wins_and_no_chance_is_in_it() {
        let rules = r#"[
            {"when":{"header":{"name":"x-region","value":{"prefix":"eu"}}},"to":"b"},
            {"when":{"cookie":{"name":"beta","value":"present"}},"to":"c"}]"#;
        let table = with(r#"{"a":10000}"#, "\"independent\"", rules);
        assert_eq!(to(&table, &[]), "a");
        assert_eq!(to(&table, &[("cookie", "beta=1")]), "c");
        let both = [("cookie", "beta=1; old=1"), ("x-region", "eu-1")];
        let (_, sent) = table.choose(Side::Live, &headers(&both)).unwrap();
        assert_eq!(sent.route.release.header, "b");
        assert!(sent.chance.is_none());
        assert!(sent.cookies[0].to_str().unwrap().starts_with("old=; Path=/; Max-Age=0"));
        // The preview has its own address; rules and cookies do not concern it.
        let (_, preview) = table.choose(Side::Preview, &headers(&both)).unwrap();
        assert_eq!(preview.route.release.header, "b");
        assert!(preview.chance.is_none() && preview.cookies.is_empty());
    }

    #[tokio::test]
    async fn all_goes_to_one() {
        assert_eq!(drawn(&split(r#"{"b":10000}"#), 9), [("b".to_owned(), 9)].into());
        assert!(split("{}").choose(Side::Live, &HeaderMap::new()).is_none());
    }
}
