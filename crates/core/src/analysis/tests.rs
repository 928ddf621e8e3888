//! The judge as a whole: what it says of small stories, and what must hold for all of them.

mod forms;

use super::*;
use crate::model::ids::Millis;
use crate::model::{ReleaseId, Share};
use expect_test::{Expect, expect};
use proptest::prelude::*;

fn judge(policy: &JudgePolicy) -> Judge {
    Judge::new(policy, &ReleaseId::from("v3"), &ReleaseId::from("v2"))
}

fn errors_only() -> JudgePolicy {
    JudgePolicy { latency: false, ..JudgePolicy::default() }
}

fn arm((requests, errors): (u64, u64)) -> ArmCounts {
    ArmCounts { requests, errors, latency: Vec::new() }
}

fn tick(at_ms: Millis, weight: Share, canary: (u64, u64), stable: (u64, u64)) -> Tick {
    Tick { at_ms, weight, canary: arm(canary), stable: arm(stable) }
}

fn assess(policy: &JudgePolicy, ticks: &[Tick]) -> Assessment {
    let mut judge = judge(policy);
    for tick in ticks {
        judge.tick(tick).expect("a possible tick");
    }
    let now_ms = ticks.last().map_or(0, |tick| tick.at_ms);
    let assessment = judge.assess(now_ms);
    assert_eq!(judge.gone(), matches!(assessment.verdict, Verdict::GoBack { .. }));
    assert_eq!(judge.promotable(now_ms), assessment.promotable);
    assert!((judge.evidence() - assessment.evidence).abs() < f64::EPSILON);
    assessment
}

fn check(ticks: &[Tick], expected: &Expect) {
    let said = assess(&errors_only(), ticks);
    let verdict = match said.verdict {
        Verdict::Continue => "continue".to_owned(),
        Verdict::Wait { need } => format!("wait: {need}"),
        Verdict::GoBack { because } => format!("go back: {because}"),
        Verdict::Undecided { because } => format!("undecided: {because}"),
    };
    expected.assert_eq(&format!("{verdict}\n"));
}

#[test]
fn a_bad_release_goes_back_with_its_counts() {
    check(
        &[tick(60_000, 500, (412, 37), (7_981, 4))],
        &expect![[r"
        go back: v3 answered 37 of 412 canary requests with 5xx, stable 4 of 7,981: 179 times as often (34 to 2,996 at 99 %). Seen by chance in an equal release: less than once in 1,000,000,000.
    "]],
    );
}

#[test]
fn a_good_release_waits_and_goes_on() {
    check(
        &[tick(10_000, 500, (50, 0), (950, 0))],
        &expect![[r"
        wait: about 569 more canary requests, 114 s at the present traffic
    "]],
    );
    check(
        &[tick(120_000, 500, (620, 0), (11_380, 0))],
        &expect![[r"
        continue
    "]],
    );
    check(
        &[tick(400_000, 500, (2_000, 20), (38_000, 380))],
        &expect![[r"
        continue
    "]],
    );
    check(
        &[tick(60_000, 500, (300, 4), (5_700, 57))],
        &expect![[r"
        wait: about 3,801 more canary requests, 13 min at the present traffic
    "]],
    );
}

#[test]
fn little_traffic_is_said_and_what_would_help() {
    check(
        &[tick(600_000, 500, (5, 0), (95, 0))],
        &expect![[r"
        wait: about 614 more canary requests, 20 h at the present traffic; more weight, a longer step or a looser error floor would help
    "]],
    );
}

#[test]
fn no_data_is_neither_good_nor_bad() {
    check(
        &[],
        &expect![[r"
        undecided: no request has reached v3 or v2
    "]],
    );
    check(
        &[tick(1_000, 500, (0, 0), (0, 0))],
        &expect![[r"
        undecided: no request has reached v3 or v2
    "]],
    );
    check(
        &[tick(1_000, 500, (0, 0), (20, 0))],
        &expect![[r"
        undecided: no request has reached v3
    "]],
    );
    check(
        &[tick(1_000, 9_500, (20, 0), (0, 0))],
        &expect![[r"
        undecided: no request has reached v2, so v3 cannot be compared
    "]],
    );
    let ticks = [tick(1_000, 500, (5, 0), (95, 0)), tick(100_000, 500, (0, 0), (0, 0))];
    check(
        &ticks,
        &expect![[r"
        undecided: no request has been counted for 99 s
    "]],
    );
}

#[test]
fn a_canary_that_fails_from_the_start_goes_at_once() {
    let first = tick(500, 500, (5, 5), (60, 0));
    check(
        std::slice::from_ref(&first),
        &expect![[r"
        go back: v3 answered 5 of 5 canary requests with 5xx, stable 0 of 60: at least 6.7 times as often at 99 %. Seen by chance in an equal release: less than once in 100,000.
    "]],
    );
    // Even among twelve metrics, that would be too little evidence.
    let spec = |index: u32| MetricSpec {
        name: index.to_string(),
        source: "s".to_owned(),
        kind: MetricKind::Counters { errors: String::new(), requests: String::new() },
        every_ms: 1_000,
    };
    let many = JudgePolicy { external: (0..4_000).map(spec).collect(), ..errors_only() };
    let bad = |ticks: &[Tick]| matches!(assess(&many, ticks).verdict, Verdict::GoBack { .. });
    assert!(bad(&[first]));
    assert!(!bad(&[tick(500, 500, (5, 4), (60, 0))]), "four are not enough");
    assert!(!bad(&[tick(500, 500, (5, 5), (60, 1))]), "stable fails, too");
    assert!(!bad(&[tick(500, 500, (100, 5), (1_900, 0))]), "not among the first");
    assert!(!bad(&[tick(500, 5_000, (20, 5), (20, 0))]), "may be luck, once in 32 times");
}

#[test]
fn a_broken_division_ends_in_no_verdict() {
    check(
        &[tick(600_000, 500, (1_800, 900), (28_200, 100))],
        &expect![[r"
        undecided: requests are not divided as they should be: the canary got 6.00 % of the requests and should have got 5.00 %
    "]],
    );
}

#[test]
fn an_outage_of_both_is_nobodys_fault() {
    let mut ticks = vec![tick(60_000, 500, (1_000, 1), (19_000, 19))];
    ticks.push(tick(120_000, 500, (50, 15), (950, 285)));
    check(
        &ticks,
        &expect![[r"
            wait: both fail, the canary 30 % and stable 30 % of the last minute's requests, where up to 0.5 % is usual: something that both need is down, or the canary breaks it for both; it goes back as a precaution if that lasts 10 min
        "]],
    );
    let said = assess(&errors_only(), &ticks);
    assert!(said.suspect && !said.promotable);
    // One that is far worse goes back all the same.
    ticks.push(tick(121_000, 500, (50, 50), (950, 285)));
    assert!(matches!(assess(&errors_only(), &ticks).verdict, Verdict::GoBack { .. }));
}

#[test]
fn suspicion_holds_the_ramp() {
    check(
        &[tick(60_000, 500, (300, 5), (5_700, 13))],
        &expect![[r"
        wait: there is evidence against it, though not yet enough to go back
    "]],
    );
    let said = assess(&errors_only(), &[tick(60_000, 500, (300, 5), (5_700, 13))]);
    assert!(said.suspect && !said.promotable, "{}", said.evidence);
    assert_eq!(said.metrics[0].state, MetricState::Suspect);
}

#[test]
fn weights_may_change_on_the_way() {
    let ramp = |worse: u64| {
        let weights = [500, 1_000, 2_500, 5_000];
        let each = weights.iter().zip(1..).map(|(weight, step)| {
            let canary = u64::from(*weight) / 10;
            let errors = (canary * worse / 100, (1_000 - canary) / 100);
            tick(step * 60_000, *weight, (canary, errors.0), (1_000 - canary, errors.1))
        });
        assess(&errors_only(), &each.collect::<Vec<_>>())
    };
    assert!(matches!(ramp(5).verdict, Verdict::GoBack { .. }));
    assert!(ramp(1).evidence < 1.0);
    // The same counts in sum, if the errors come with the traffic, are nobody's fault: as many
    // errors in the canary as in stable, in sum, would be many in the first steps.
}

#[test]
fn the_calibrated_boundary_is_lower_for_one_weight() {
    let boundary = Boundary::Calibrated { horizon_errors: 1_000 };
    let policy = JudgePolicy { boundary, tolerated_ratio_thousandths: 1_000, ..errors_only() };
    let enough = |policy: &JudgePolicy, ticks: &[Tick]| assess(policy, ticks).enough;
    let (first, other) = (tick(1, 500, (5, 0), (95, 0)), tick(2, 600, (5, 0), (95, 0)));
    let calibrated = enough(&policy, std::slice::from_ref(&first));
    assert!((calibrated - 59.2).abs() < 0.5, "{calibrated}");
    assert!((enough(&policy, &[first.clone(), other]) - 100.0).abs() < 1e-9);
    let both = JudgePolicy { latency: true, ..policy.clone() };
    assert!((enough(&both, &[first]) - 100.0).abs() < 1e-9);
    let beyond = tick(1, 5_000, (5_000, 501), (5_000, 500));
    assert!((enough(&policy, &[beyond]) - 100.0).abs() < 1e-9);
}

#[test]
fn limits_go_back_without_a_comparison() {
    let limits = Thresholds {
        max_error_rate_ppm: Some(100_000),
        max_p99_ms: None,
        consecutive: 2,
        window_ms: 1_000,
        slo_ppm: None,
    };
    let policy = JudgePolicy { thresholds: Some(limits), ..errors_only() };
    let second = |at: Millis| tick(at * 1_000, 5_000, (100, 20), (100, 20));
    let ticks: Vec<_> = (1..=3).map(second).collect();
    let Verdict::GoBack { because } = assess(&policy, &ticks).verdict else { panic!("over it") };
    assert!(because.starts_with("20 % of the canary's answers were errors"), "{because}");
    assert!(!matches!(assess(&policy, &ticks[..2]).verdict, Verdict::GoBack { .. }));
}

#[test]
fn metrics_from_outside_share_the_budget_and_may_be_blind() {
    let kind = MetricKind::Counters { errors: "e".to_owned(), requests: "r".to_owned() };
    let (name, source) = ("checkout".to_owned(), "prometheus".to_owned());
    let external = vec![MetricSpec { name, source, kind, every_ms: 10_000 }];
    let policy = JudgePolicy { external, ..errors_only() };
    let mut judge = judge(&policy);
    judge.tick(&tick(60_000, 500, (700, 0), (13_300, 0))).expect("a possible tick");
    let said = judge.assess(60_000);
    let Verdict::Undecided { because } = said.verdict else { panic!("{:?}", said.verdict) };
    assert_eq!(because, "checkout is not known: prometheus has not said anything yet");
    assert_eq!(said.metrics[1].state, MetricState::Blind);
    let sample = |at_ms, events| Sample {
        at_ms,
        metric: "checkout".to_owned(),
        reading: Reading::Counters {
            canary: Pair { events, total: 100 },
            stable: Pair { events: 1, total: 1_900 },
        },
    };
    judge.sample(&sample(61_000, 0));
    assert_eq!(judge.assess(61_000).verdict, Verdict::Continue);
    judge.sample(&sample(71_000, 9));
    let said = judge.assess(71_000);
    let Verdict::GoBack { because } = said.verdict else { panic!("{:?}", said.verdict) };
    assert!(because.contains("checkout: 9 of 200 of the canary"), "{because}");
    let [errors, checkout] = [0, 1].map(|index: usize| said.metrics[index].evidence);
    assert!((said.evidence - 0.5 * (errors + checkout)).abs() < 1e-9 * said.evidence);
}

#[test]
fn latency_must_be_known_before_anything_proceeds() {
    let policy = JudgePolicy::default();
    let mut judge = judge(&policy);
    let second = |at: Millis, bucket: u16| {
        let counts =
            |requests| ArmCounts { requests, errors: 0, latency: vec![(bucket, requests)] };
        let stable = ArmCounts { requests: 190, errors: 0, latency: vec![(100, 190)] };
        Tick { at_ms: at * 1_000, weight: 500, canary: counts(10), stable }
    };
    judge.tick(&second(0, 100)).expect("a possible tick");
    assert!(!judge.has_reference() && judge.cap_bucket().is_none());
    let Verdict::Wait { need } = judge.assess(0).verdict else { panic!("not proven") };
    let suspended = "latency is not known: suspended: 200 answers of stable are needed to compare \
                     with, there are 190";
    assert_eq!(need, suspended);
    judge.tick(&second(1, 100)).expect("a possible tick");
    judge.refer(judge.reference_so_far().expect("380 answers"));
    // Slow for as long as it is cold, which does not count.
    (2..30).for_each(|at| judge.tick(&second(at, 200)).expect("a possible tick"));
    assert_eq!(judge.assess(30_000).metrics[1].state, MetricState::Blind);
    let warm = judge.clone();
    (30..90).for_each(|at| judge.tick(&second(at, 100)).expect("a possible tick"));
    let said = judge.assess(90_000);
    assert_eq!(said.verdict, Verdict::Continue, "{said:?}");
    let mut slow = warm;
    (30..90).for_each(|at| slow.tick(&second(at, 120)).expect("a possible tick"));
    let Verdict::GoBack { because } = slow.assess(90_000).verdict else { panic!("slow") };
    assert!(because.contains("Latency: half of the canary's answers take up to"), "{because}");
}

#[test]
fn errors_of_a_warm_up_may_be_left_out() {
    let cold = tick(10_000, 500, (100, 8), (1_900, 2));
    let policy = JudgePolicy { burn_in_errors: true, ..errors_only() };
    let evidence = |policy: &JudgePolicy| assess(policy, std::slice::from_ref(&cold)).evidence;
    assert!(evidence(&errors_only()) >= 100.0);
    assert!((evidence(&policy) - 1.0).abs() < 1e-9);
    let warm = [cold, tick(45_000, 500, (200, 0), (0, 0)), tick(46_000, 500, (9, 8), (90, 0))];
    assert!(assess(&policy, &warm).evidence >= 100.0);
}

/// A release that is as good as stable is promoted within the time that was foretold, nineteen
/// times in twenty, whether errors are common or rare.
#[test]
fn a_good_release_is_promoted_in_the_time_foretold() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut chance = |one_in: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11).is_multiple_of(one_in)
    };
    for one_in in [50, 1_000_000_000] {
        let usual = if one_in > 1_000 { 0.0 } else { 1.0 / f64::from(50) };
        let need = Need::beforehand(&errors_only(), 1_000, usual, 100.0).expect("some traffic");
        let seconds = need.ms.expect("some traffic").div_ceil(1_000);
        let late = (0..100).filter(|_| {
            let mut judge = judge(&errors_only());
            (1..=seconds).all(|second| {
                let mut errors =
                    |requests: u64| (0..requests).filter(|_| chance(one_in)).count() as u64;
                let (canary, stable) = ((10, errors(10)), (90, errors(90)));
                judge.tick(&tick(second * 1_000, 1_000, canary, stable)).expect("possible");
                second % 10 != 0 && second != seconds || !judge.assess(second * 1_000).promotable
            })
        });
        let late = late.count();
        assert!(late <= 10, "{late} of 100 took longer than {seconds} s, one error in {one_in}");
    }
}

fn ticks() -> impl Strategy<Value = Vec<Vec<Tick>>> {
    let arm = || {
        (0_u64..60, prop::collection::vec((0_u16..271, 0_u64..9), 0..4)).prop_flat_map(
            |(requests, latency)| {
                (0..=requests.min(4)).prop_map(move |errors| ArmCounts {
                    requests,
                    errors,
                    latency: latency.clone(),
                })
            },
        )
    };
    let weight = prop::sample::select(vec![500_u16, 1_000, 5_000]);
    let one = (weight, arm(), arm());
    prop::collection::vec((1_u64..20_000, prop::collection::vec(one, 1..5)), 1..6).prop_map(
        |looks| {
            let mut at_ms = 0;
            let mut ticks = |(later, ticks): (u64, Vec<(Share, ArmCounts, ArmCounts)>)| {
                at_ms += later;
                let tick = |(weight, canary, stable)| Tick { at_ms, weight, canary, stable };
                ticks.into_iter().map(tick).collect::<Vec<_>>()
            };
            looks.into_iter().map(&mut ticks).collect()
        },
    )
}

fn seen(policy: &JudgePolicy, looks: &[Vec<Tick>]) -> Assessment {
    let mut judge = judge(policy);
    judge.refer(Reference { latency: vec![(90, 300), (100, 500), (120, 20)] });
    looks.iter().flatten().for_each(|tick| judge.tick(tick).expect("a possible tick"));
    judge.assess(looks.last().and_then(|look| look.last()).map_or(0, |tick| tick.at_ms))
}

/// All ticks of a look with the same weight as one.
fn merged(look: &[Tick]) -> Vec<Tick> {
    let mut all: Vec<Tick> = Vec::new();
    for tick in look {
        let Some(same) = all.iter_mut().find(|other| other.weight == tick.weight) else {
            all.push(tick.clone());
            continue;
        };
        let arms = [(&mut same.canary, &tick.canary), (&mut same.stable, &tick.stable)];
        for (sum, more) in arms {
            sum.requests += more.requests;
            sum.errors += more.errors;
            sum.latency.extend(&more.latency);
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// In what order and batches counts of one look come makes no difference, to the bit.
    #[test]
    fn batches_and_order_change_nothing(looks in ticks(), burn_in_ms in 0_u64..30_000) {
        let policy = JudgePolicy { burn_in_ms, burn_in_requests: 20, ..JudgePolicy::default() };
        let once = seen(&policy, &looks);
        let backwards: Vec<Vec<Tick>> =
            looks.iter().map(|look| look.iter().rev().cloned().collect()).collect();
        prop_assert_eq!(&seen(&policy, &backwards), &once);
        let merged: Vec<Vec<Tick>> = looks.iter().map(|look| merged(look)).collect();
        prop_assert_eq!(&seen(&policy, &merged), &once);
    }

    /// Nor does it matter for the evidence when they came, once the canary is warm.
    #[test]
    fn evidence_does_not_depend_on_time(looks in ticks()) {
        let policy = JudgePolicy { burn_in_ms: 0, burn_in_requests: 0, ..JudgePolicy::default() };
        let at_once: Vec<Tick> = looks.iter().flatten().cloned().map(|tick| Tick { at_ms: 0, ..tick }).collect();
        let (one, other) = (seen(&policy, &looks), seen(&policy, &[merged(&at_once)]));
        prop_assert_eq!(one.evidence.to_bits(), other.evidence.to_bits());
        prop_assert_eq!(one.lift, other.lift);
    }

    /// Whatever comes in, nothing panics; what is refused changes nothing.
    #[test]
    fn nonsense_is_refused(
        looks in ticks(),
        bad in prop::collection::vec(
            (any::<u64>(), any::<u16>(), any::<u64>(), any::<u64>(), any::<(u16, u64)>()), 1..6,
        ),
        values in prop::collection::vec((any::<u64>(), any::<f64>(), any::<f64>()), 0..6),
    ) {
        let kind = MetricKind::Gauge { value: String::new(), higher_is_worse: true };
        let spec = MetricSpec { name: "g".into(), source: "s".into(), kind, every_ms: u64::MAX };
        let policy = JudgePolicy { external: vec![spec], ..JudgePolicy::default() };
        let mut judge = judge(&policy);
        looks.iter().flatten().for_each(|tick| judge.tick(tick).expect("a possible tick"));
        for (at_ms, weight, requests, errors, bucket) in bad {
            let arm = ArmCounts { requests, errors, latency: vec![bucket] };
            let stable = ArmCounts { requests: errors, errors: requests, latency: vec![bucket, bucket] };
            let before = judge.assess(at_ms);
            if judge.tick(&Tick { at_ms, weight, canary: arm, stable }).is_err() {
                prop_assert_eq!(judge.assess(at_ms), before);
            }
        }
        for (at_ms, canary, stable) in values {
            let metric = "g".to_owned();
            let pairs = vec![(canary, stable); 60];
            judge.sample(&Sample { at_ms, metric: metric.clone(), reading: Reading::Calibration { pairs } });
            judge.sample(&Sample { at_ms, metric, reading: Reading::Gauge { canary, stable } });
            prop_assert!(judge.assess(at_ms).evidence.is_finite());
        }
    }
}

#[test]
fn each_kind_of_nonsense_is_named() {
    let check = |bad: Tick, expected: &str| {
        let mut judge = judge(&errors_only());
        judge.tick(&tick(1_000, 500, (1, 0), (9, 0))).expect("a possible tick");
        let refused = judge.tick(&bad).expect_err("an impossible tick").to_string();
        assert!(refused.contains(expected), "{refused}");
    };
    check(tick(999, 500, (1, 0), (1, 0)), "counts of 999 ms came after those of 1000 ms");
    check(tick(1_000, 0, (1, 0), (1, 0)), "a canary weight of 0");
    check(tick(1_000, 10_000, (1, 0), (1, 0)), "a canary weight of 10000");
    check(tick(1_000, 500, (1, 2), (1, 0)), "the canary has 2 errors in 1 requests");
    check(tick(1_000, 500, (1, 0), (1, 2)), "stable has 2 errors in 1 requests");
    check(tick(1_000, 500, (u64::MAX, 0), (1, 0)), "a count of 18446744073709551615");
    let latency = vec![(271, 1)];
    let canary = ArmCounts { requests: 1, errors: 0, latency };
    check(Tick { at_ms: 1_000, weight: 500, canary, ..Tick::default() }, "bucket 271");
}

/// Seconds of 50 canary requests and 950 of stable, with so many errors in a hundred of both.
fn seconds(judge: &mut Judge, from_ms: Millis, count: u64, percent: u64) -> Millis {
    let mut at_ms = from_ms;
    for _ in 0..count {
        at_ms += 1_000;
        let (canary, stable) = ((50, percent / 2), (950, percent * 19 / 2));
        judge.tick(&tick(at_ms, 500, canary, stable)).expect("a possible tick");
    }
    at_ms
}

/// What both suffer from is waited out; what began with the canary and lasts takes it back, since
/// it may be of its making; for what began later a person is to be asked.
#[test]
fn an_outage_that_lasts() {
    let verdict = |judge: &Judge, at_ms| match judge.assess(at_ms).verdict {
        Verdict::GoBack { because } => because,
        Verdict::Wait { need } => need,
        other => format!("{other:?}"),
    };
    let mut with = judge(&errors_only());
    let mut at_ms = seconds(&mut with, 0, 60, 2);
    at_ms = seconds(&mut with, at_ms, 590, 40);
    assert!(verdict(&with, at_ms).ends_with("it goes back as a precaution if that lasts 10 min"));
    assert!(!with.gone());
    at_ms = seconds(&mut with, at_ms, 20, 40);
    assert!(verdict(&with, at_ms).starts_with("as a precaution, since it began when v3 got more"));
    assert!(with.gone());

    let mut over = judge(&errors_only());
    let mut at_ms = seconds(&mut over, 0, 60, 2);
    at_ms = seconds(&mut over, at_ms, 300, 40);
    at_ms = seconds(&mut over, at_ms, 600, 2);
    assert_eq!(over.assess(at_ms).outage, None);
    assert_eq!(over.failing_since_ms(), None);

    let mut later = judge(&errors_only());
    let mut at_ms = seconds(&mut later, 0, 400, 2);
    at_ms = seconds(&mut later, at_ms, 700, 40);
    let said = later.assess(at_ms);
    let outage = said.outage.expect("both fail");
    assert!(!outage.with_release && outage.lasts_ms >= 690_000, "{outage:?}");
    assert!(matches!(said.verdict, Verdict::Wait { .. }), "{:?}", said.verdict);
}

/// A single warm answer is no knowledge of latency.
#[test]
fn latency_is_known_from_enough_answers() {
    let policy = JudgePolicy {
        error_floor_ppm: 50_000,
        burn_in_ms: 0,
        burn_in_requests: 0,
        ..JudgePolicy::default()
    };
    let mut judge = judge(&policy);
    judge.refer(Reference { latency: vec![(50, 1_000)] });
    let timed = |requests| ArmCounts { requests, errors: 0, latency: vec![(50, requests)] };
    let mut look = |at_ms, canary| {
        let tick = Tick { at_ms, weight: 5_000, canary: timed(canary), stable: timed(canary) };
        judge.tick(&tick).expect("a possible tick");
        judge.promotable(at_ms)
    };
    assert!(!look(1_000, 100) && !look(2_000, 99), "errors alone are proof of nothing else");
    assert!(look(3_000, 1));
}
