//! Dividing requests: by chance, by counting, by user and by rule; and what is counted of it.

use std::collections::BTreeMap;
use std::time::Duration;

use ripcord_proxy::{
    Arm, Draw, Histogram, Match, Pattern, Period, Periods, Rule, Share, State, Sticky, StickyKey,
};
use tokio::time::sleep;

use crate::backend::Backend;
use crate::client::{Answer, Client, get};
use crate::world::{World, name, state};

/// `b` is the canary, with this share.
fn divided(generation: u64, releases: &[(&str, &Backend)], share: u16, draw: Draw) -> State {
    let split = [(name("a"), Share(10_000 - share)), (name("b"), Share(share))];
    State { split: split.into(), draw, ..state(generation, releases) }
}

fn by_cookie() -> Draw {
    let key = StickyKey::Cookie { name: "id".to_owned() };
    Draw::Sticky(Sticky { canary: name("b"), salt: "rollout".to_owned(), key })
}

fn by_header() -> Draw {
    let key = StickyKey::Header { name: "X-User".to_owned() };
    Draw::Sticky(Sticky { canary: name("b"), salt: "rollout".to_owned(), key })
}

async fn ask(client: &mut Client, path: &str, headers: &str) -> Answer {
    client.request("GET", path, headers, "").await.unwrap()
}

async fn periods(world: &World) -> Periods {
    world.ask(|control| control.periods()).await.unwrap()
}

async fn latest(world: &World) -> Period {
    periods(world).await.periods.pop().unwrap()
}

/// Requests, answered, errors, all requests, all errors, without a key.
fn numbers(arm: &Arm) -> [u64; 6] {
    let Arm { requests, answered, errors, requests_all, errors_all, keyless, .. } = arm;
    [*requests, *answered, *errors, *requests_all, *errors_all, *keyless]
}

/// Sends requests over eight connections at once; counts who answered.
async fn answers(world: &World, requests: usize) -> BTreeMap<String, usize> {
    let clients = [(); 8].map(|()| {
        let address = world.listen();
        tokio::spawn(async move {
            let mut client = Client::connect(address).await.unwrap();
            let mut answered = BTreeMap::<String, usize>::new();
            for _ in 0..requests / 8 {
                *answered.entry(client.get("/").await.unwrap().body).or_default() += 1;
            }
            answered
        })
    });
    let mut all = BTreeMap::new();
    for client in clients {
        for (who, count) in client.await.unwrap() {
            *all.entry(who).or_default() += count;
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_requests_are_divided_exactly_or_by_chance() {
    let world = World::start().await;
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    let releases = [("a", &a), ("b", &b)];
    world.apply(divided(1, &releases, 500, Draw::Exact), 1_000).await.unwrap();
    assert_eq!(answers(&world, 10_000).await["b"], 500);
    world.apply(divided(2, &releases, 500, Draw::Independent), 1_000).await.unwrap();
    let canary = answers(&world, 10_000).await["b"];
    // Four standard deviations.
    assert!(canary.abs_diff(500) < 88, "{canary}");
    let [exact, chance] = periods(&world).await.periods.try_into().unwrap();
    assert_eq!((exact.draw, chance.draw.clone()), (Draw::Exact, Draw::Independent));
    assert_eq!(numbers(&exact.arms[&name("b")]), [500, 500, 0, 500, 0, 0]);
    let canary = canary as u64;
    assert_eq!(numbers(&chance.arms[&name("b")]), [canary, canary, 0, canary, 0, 0]);
    assert_eq!((chance.generation, chance.number), (2, exact.number + 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cookie_keeps_a_user_until_it_is_taken_away() {
    let world = World::start().await;
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    let releases = [("a", &a), ("b", &b)];
    world.apply(divided(1, &releases, 5_000, by_cookie()), 1_000).await.unwrap();
    let mut client = Client::connect(world.listen()).await.unwrap();
    let mut users = Vec::new();
    for _ in 0..40 {
        let answer = ask(&mut client, "/", "").await;
        let set = answer.header("set-cookie").unwrap();
        let pair = set.split(';').next().unwrap().to_owned();
        users.push((format!("cookie: x=1; {pair}\r\n"), answer.body));
    }
    for (cookie, body) in &users {
        let answer = ask(&mut client, "/", cookie).await;
        assert_eq!((&answer.body, answer.header("set-cookie")), (body, None));
    }
    let counted = |period: Period| {
        let arms = period.arms.into_values().map(|arm| [arm.requests, arm.requests_all]);
        arms.fold([0, 0], |sum, arm| [sum[0] + arm[0], sum[1] + arm[1]])
    };
    assert_eq!(counted(latest(&world).await), [40, 80], "each user once");
    // The same salt at a higher share: nobody leaves the canary.
    world.apply(divided(2, &releases, 7_500, by_cookie()), 1_000).await.unwrap();
    let (mut moved, mut canary) = (0, 0);
    for (cookie, before) in &users {
        let now = ask(&mut client, "/", cookie).await.body;
        assert!(before != "b" || now == "b", "thrown out of the canary");
        canary += usize::from(now == "b");
        moved += usize::from(before != "b" && now == "b");
    }
    assert!(moved > 0 && canary > 15, "{moved} moved, {canary} are there");
    assert_eq!(counted(latest(&world).await), [40, 40], "heard again in another period");
    // Even an answer that the proxy makes itself says so to whoever has none.
    let dead = Backend::start("dead").await;
    let lost = divided(3, &[("a", &a), ("b", &dead)], 9_999, by_cookie());
    world.apply(lost, 1_000).await.unwrap();
    dead.kill().await;
    let answer = ask(&mut client, "/", "").await;
    assert_eq!(answer.error(), Some("connect_failed"));
    assert!(answer.header("set-cookie").is_some());

    let over = State { expire_cookies: vec!["id".to_owned()], ..state(4, &releases) };
    world.apply(over, 1_000).await.unwrap();
    let answer = ask(&mut client, "/", &users[0].0).await;
    let expected = "id=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax";
    assert_eq!((answer.body.as_str(), answer.header("set-cookie")), ("a", Some(expected)));
    assert_eq!(ask(&mut client, "/", "cookie: x=1\r\n").await.header("set-cookie"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_are_counted_once_beside_all_their_requests() {
    let world = World::start().await;
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    world.apply(divided(1, &[("a", &a), ("b", &b)], 2_500, by_header()), 1_000).await.unwrap();
    let mut client = Client::connect(world.listen()).await.unwrap();
    let (mut canary_users, mut canary_requests) = (0, 0);
    for user in 0..1_000_u64 {
        // A few users send most of the requests, as everywhere.
        let requests = if user.is_multiple_of(100) { 50 } else { 1 };
        let header = format!("x-user: {user}\r\n");
        for number in 0..requests {
            let answer = ask(&mut client, "/", &header).await;
            canary_users += u64::from(number == 0 && answer.body == "b");
            canary_requests += u64::from(answer.body == "b");
        }
    }
    for path in ["/status?500", "/status?503", "/"] {
        ask(&mut client, path, "x-user: 7\r\n").await;
    }
    for _ in 0..200 {
        ask(&mut client, "/status?500", "").await;
    }
    let period = latest(&world).await;
    let [stable, canary] = ["a", "b"].map(|release| &period.arms[&name(release)]);
    assert!(!period.users_overflow);
    // By users the share is kept, within four standard deviations; by requests it need not be.
    assert!(canary_users.abs_diff(250) < 55, "{canary_users} of 1,000 users");
    assert_eq!(canary.requests, canary_users);
    assert_eq!(canary.requests + stable.requests, 1_000, "each user once");
    assert_eq!(canary.requests_all - canary.keyless, canary_requests + 3 * u64::from(is_b(canary)));
    assert_eq!(canary.errors + stable.errors, 1, "the one user who met errors, once");
    assert_eq!(canary.keyless + stable.keyless, 200);
    assert_eq!(canary.errors_all + stable.errors_all, 202);
    let measured = period.measured_share(&name("b")).unwrap();
    let all = canary.requests_all + stable.requests_all;
    assert_eq!(u64::from(measured.0), canary.requests_all * 10_000 / all);
    assert!((1_000..4_500).contains(&measured.0), "asked for 25 %, measured {measured:?}");
}

/// Whether user 7 is the canary's, by the error that only they reported.
fn is_b(canary: &Arm) -> bool {
    canary.errors == 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_send_testers_and_keep_them_out_of_the_comparison() {
    let world = World::start().await;
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    let rule = |name_of: &str, value, to| Rule {
        when: Match::Header { name: name_of.to_owned(), value },
        to: name(to),
    };
    let rules = vec![
        rule("X-Region", Pattern::Prefix("eu-".to_owned()), "a"),
        rule("x-tester", Pattern::Present, "b"),
    ];
    let given = State { rules, preview: Some(name("b")), ..state(1, &[("a", &a), ("b", &b)]) };
    world.apply(given, 1_000).await.unwrap();
    let mut client = Client::connect(world.listen()).await.unwrap();
    assert_eq!(ask(&mut client, "/", "").await.body, "a");
    assert_eq!(ask(&mut client, "/", "x-tester: me\r\n").await.body, "b");
    assert_eq!(ask(&mut client, "/", "x-tester: me\r\nx-region: eu-1\r\n").await.body, "a");
    let mut preview = Client::connect(world.preview()).await.unwrap();
    assert_eq!(ask(&mut preview, "/", "x-region: eu-1\r\n").await.body, "b");
    let counted = world.ask(|control| control.counts()).await.unwrap().releases;
    assert_eq!([counted[&name("a")].requests, counted[&name("b")].requests], [2, 1]);
    let arms = latest(&world).await.arms;
    assert_eq!(arms.keys().collect::<Vec<_>>(), [&name("a")]);
    assert_eq!(numbers(&arms[&name("a")]), [1, 1, 0, 1, 0, 0]);

    // A release with nothing but a rule is not drained of those whom the rule sends.
    let slow = tokio::spawn(async move { ask(&mut client, "/slow?300", "x-tester: 1\r\n").await });
    world.inside("b", 1).await;
    let mut same = world.ask(|control| control.observe()).await.unwrap().state;
    (same.generation, same.preview) = (2, None);
    let applied = world.apply(same, 5_000).await.unwrap();
    assert!(applied.drained && applied.took_ms < 250, "{applied:?}");
    assert_eq!(slow.await.unwrap().body, "b");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_belongs_to_the_period_that_assigned_it() {
    let world = World::start().await;
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    let releases = [("a", &a), ("b", &b)];
    world.apply(state(1, &releases), 1_000).await.unwrap();
    let slow = tokio::spawn(get(world.listen(), "/slow?700"));
    world.inside("a", 1).await;
    world.apply(divided(2, &releases, 1, Draw::Independent), 1_000).await.unwrap();
    sleep(Duration::from_millis(300)).await;
    // 200 ms is bucket 155; a request in flight is known to be older than that, and in no latency.
    let bucket = 155;
    assert!(Histogram::upper_us(155).unwrap() < 205_000);
    let old = |periods: &Periods| periods.periods[0].arms[&name("a")].clone();
    let waiting = old(&periods(&world).await);
    assert_eq!(numbers(&waiting), [1, 0, 0, 1, 0, 0]);
    assert_eq!((waiting.overdue(bucket), waiting.overdue(250)), (1, 0), "{waiting:?}");
    assert_eq!(slow.await.unwrap().unwrap().status, 200);
    let now = periods(&world).await;
    let answered = old(&now);
    assert_eq!(numbers(&answered), [1, 1, 0, 1, 0, 0]);
    assert_eq!(answered.overdue, []);
    assert!(answered.latency.buckets[0].0 > bucket, "{answered:?}");
    assert_eq!(numbers(&now.periods[1].arms[&name("a")]), [0; 6]);

    // A client that goes away leaves what it knew: it took at least so long.
    let mut gone = Client::connect(world.listen()).await.unwrap();
    gone.send("GET /slow?60000 HTTP/1.1\r\nhost: shop\r\n\r\n").await.unwrap();
    sleep(Duration::from_millis(400)).await;
    drop(gone);
    world.inside("a", 0).await;
    let left = latest(&world).await.arms[&name("a")].clone();
    assert_eq!(numbers(&left), [1, 0, 0, 1, 0, 0]);
    assert_eq!(left.overdue(bucket), 1, "{left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_count_by_the_first_attempt_and_once() {
    let world = World::start().await;
    let (a, dead) = (Backend::start("a").await, Backend::start("dead").await);
    let mut given = state(1, &[("a", &dead)]);
    given.targets.get_mut(&name("a")).unwrap().push(a.address);
    world.apply(given, 1_000).await.unwrap();
    dead.kill().await;
    for _ in 0..2 {
        assert_eq!(get(world.listen(), "/").await.unwrap().status, 200, "saved by a retry");
    }
    let arm = latest(&world).await.arms[&name("a")].clone();
    assert_eq!(numbers(&arm), [2, 2, 1, 2, 1, 0], "one of the two met the dead target first");
    for path in ["/status?500", "/die", "/status?404"] {
        let mut client = Client::connect(world.listen()).await.unwrap();
        let _ = client.post(path, "").await;
    }
    let arm = latest(&world).await.arms[&name("a")].clone();
    assert_eq!((arm.requests, arm.answered), (5, 5));
    let met_dead_first = arm.errors - 3;
    assert!(met_dead_first <= 2, "{arm:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_periods_are_remembered() {
    let world = World::start().await;
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    let releases = [("a", &a), ("b", &b)];
    assert_eq!(periods(&world).await.periods, []);
    for generation in 1..=20_u16 {
        let state = divided(generation.into(), &releases, generation, Draw::Independent);
        world.apply(state, 1_000).await.unwrap();
    }
    let found = periods(&world).await;
    let numbers: Vec<_> = found.periods.iter().map(|period| period.generation).collect();
    assert_eq!(numbers, (5..=20).collect::<Vec<u64>>());
    assert_eq!(found.epoch, world.ask(|control| control.counts()).await.unwrap().epoch);
}
