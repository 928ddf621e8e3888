//! What is written of the judge keeps its form, and its evidence is the same everywhere.

use super::*;

fn form<T: serde::Serialize>(value: &T, expected: &Expect) {
    expected.assert_eq(&format!("{}\n", serde_json::to_string(value).expect("plain data")));
}

/// Plans, journals and programs that read them hold these.
#[test]
fn forms_are_stable() {
    form(
        &JudgePolicy::default(),
        &expect![[r#"
        {"mode":"act","alpha_ppm":10000,"tolerated_ratio_thousandths":1250,"latency_tolerance_ppm":50000,"promote_ratio_thousandths":2000,"promote_beta_ppm":50000,"error_floor_ppm":5000,"burn_in_ms":30000,"burn_in_requests":200,"burn_in_errors":false,"blind_ms_max":600000,"on_blind":"pause","errors":true,"latency":true,"thresholds":null,"external":[],"boundary":"ville"}
    "#]],
    );
    let canary = ArmCounts { requests: 2, errors: 1, latency: vec![(90, 2)] };
    form(
        &Tick { at_ms: 20, weight: 500, canary, stable: arm((38, 0)) },
        &expect![[r#"
        {"at_ms":20,"weight":500,"canary":{"requests":2,"errors":1,"latency":[[90,2]]},"stable":{"requests":38,"errors":0}}
    "#]],
    );
    let reading = Reading::Calibration { pairs: vec![(1.0, 2.5)] };
    form(
        &Sample { at_ms: 0, metric: "p99".to_owned(), reading },
        &expect![[r#"
        {"at_ms":0,"metric":"p99","reading":{"calibration":{"pairs":[[1.0,2.5]]}}}
    "#]],
    );
    form(
        &assess(&errors_only(), &[tick(1, 500, (20, 1), (380, 0))]),
        &expect![[r#"
            {"verdict":{"wait":{"need":"about 16,942 more canary requests, a second at the present traffic"}},"evidence":6.209897205375095,"enough":100.0,"metrics":[{"name":"errors","state":"ok","evidence":6.209897205375095,"bound":"exact","words":"1 of 20 of the canary, 0 of 380 of stable"}],"lift":{"estimate":null,"low":0.052394083730715746,"high":null,"confidence":0.99},"counts":{"canary":{"events":1,"total":20},"stable":{"events":0,"total":380}},"promotable":false,"suspect":false,"need":{"requests":16942,"ms":848},"words":"v3 answered 1 of 20 canary requests with 5xx, stable 0 of 380: at least 0.05 times as often at 99 %. Seen by chance in an equal release: less than once in 6."}
        "#]],
    );
}

#[test]
fn what_is_not_written_has_a_meaning() {
    let policy: JudgePolicy = serde_json::from_str("{}").expect("everything has a default");
    assert_eq!(policy, JudgePolicy::default());
    assert!(serde_json::from_str::<JudgePolicy>(r#"{"alpha": 1}"#).is_err());
    // A source that knows of no errors among its requests has counted none.
    let counts: ArmCounts = serde_json::from_str(r#"{"requests": 5}"#).expect("no errors");
    assert_eq!(counts, arm((5, 0)));
}

/// Evidence is the same to the last bit on every machine, since what a ledger holds is judged anew
/// elsewhere. Whoever changes how it is computed changes this, and old ledgers no longer agree.
#[test]
fn evidence_is_the_same_on_every_machine() {
    let named = |name: &str, kind| {
        let (name, source) = (name.to_owned(), "prometheus".to_owned());
        MetricSpec { name, source, kind, every_ms: 1_000 }
    };
    let counters = MetricKind::Counters { errors: "e".into(), requests: "r".into() };
    let gauge = MetricKind::Gauge { value: "v".into(), higher_is_worse: true };
    let policy = JudgePolicy {
        burn_in_ms: 0,
        burn_in_requests: 0,
        external: vec![named("payments", counters), named("queue", gauge)],
        ..JudgePolicy::default()
    };
    let mut judge = judge(&policy);
    judge.refer(Reference { latency: vec![(90, 300), (100, 500), (120, 20)] });
    let sample = |judge: &mut Judge, at_ms, metric: &str, reading| {
        judge.sample(&Sample { at_ms, metric: metric.to_owned(), reading });
    };
    let pairs = (0..120_u32).map(|turn| (f64::from(turn * 37 % 120) + 100.0, 160.0)).collect();
    sample(&mut judge, 0, "queue", Reading::Calibration { pairs });
    for second in 1..=9_u64 {
        let at_ms = second * 1_000;
        let timed = |requests, errors, bucket| ArmCounts {
            requests,
            errors,
            latency: vec![(bucket, requests - errors)],
        };
        let weight = if second < 5 { 500 } else { 2_500 };
        let (canary, stable) = (timed(10, second % 3, 101), timed(90, second % 2, 99));
        judge.tick(&Tick { at_ms, weight, canary, stable }).expect("a possible tick");
        let (canary, stable) = (Pair { events: 2, total: 9 }, Pair { events: 7, total: 91 });
        sample(&mut judge, at_ms, "payments", Reading::Counters { canary, stable });
        let canary = 190.0 + f64::from(u32::try_from(second).expect("few"));
        sample(&mut judge, at_ms, "queue", Reading::Gauge { canary, stable: 160.0 });
    }
    let said = judge.assess(9_000);
    let metric = |one: &MetricEvidence| format!("{} {:016x}\n", one.name, one.evidence.to_bits());
    let bits: String = said.metrics.iter().map(metric).collect();
    expect![[r"
        errors 4085a37049e79b98
        latency 46facb41502b4616
        payments 402c69dea71f6814
        queue 3ff115fa6fbda41c
        total 46dacb41502b4616
    "]]
    .assert_eq(&format!("{bits}total {:016x}\n", said.evidence.to_bits()));
}
