//! From the words of an environment to the strategy and the judge of its plans.

use crate::config::document::{Environment, Strategy as Word};
use crate::config::judge::{Blind, Compared, Judge, Metric, Mode, Worse};
use crate::config::query::Query;
use crate::config::step::{self, ANALYSIS_MS};
use ripcord_core::analysis::{JudgeMode, JudgePolicy, MetricKind, MetricSpec, OnBlind, Thresholds};
use ripcord_core::model::ids::Millis;
use ripcord_core::model::{Canary, CanaryStep, Rolling, Strategy};
use toml::Spanned;

/// The shares of a canary of which nobody said the steps, in hundredths of a percent.
const SHARES: [u16; 3] = [500, 2_500, 5_000];

const LEASE_MS: Millis = 30_000;
const BATCH: u32 = 1;
const BATCH_PAUSE_MS: Millis = 30_000;
const EVERY_MS: Millis = 30_000;
const CONSECUTIVE: u32 = 3;
const WINDOW_MS: Millis = 60_000;

/// How a release takes over here.
pub(super) fn strategy(environment: &Environment) -> Strategy {
    let lease_ms = written(environment.lease.as_ref()).map_or(LEASE_MS, |lease| lease.ms);
    match environment.strategy {
        Word::BlueGreen => Strategy::BlueGreen,
        Word::Canary => Strategy::Canary(Canary {
            steps: steps(environment),
            sticky: written(environment.sticky.as_ref()).map(|sticky| sticky.0.clone()),
            lease_ms,
        }),
        Word::Rolling => Strategy::Rolling(Rolling {
            batch: written(environment.batch.as_ref()).map_or(BATCH, |batch| batch.0),
            pause_ms: written(environment.batch_pause.as_ref())
                .map_or(BATCH_PAUSE_MS, |pause| pause.ms),
            lease_ms,
        }),
    }
}

fn written<T>(key: Option<&Spanned<T>>) -> Option<&T> {
    key.map(Spanned::get_ref)
}

fn steps(environment: &Environment) -> Vec<CanaryStep> {
    // That each is a step was checked before.
    if let Some(steps) = written(environment.steps.as_ref()) {
        return steps.iter().filter_map(|text| step::parse(text.get_ref()).ok()).collect();
    }
    // What nobody judges is never proven; there, each share only lasts.
    let judged = written(environment.judge.as_ref()).is_none_or(Judge::looks);
    let watch = if judged {
        CanaryStep::Analysis(ANALYSIS_MS)
    } else {
        CanaryStep::Pause(Some(ANALYSIS_MS))
    };
    let step = |share| [CanaryStep::SetWeight(share), watch.clone()];
    SHARES.into_iter().flat_map(step).collect()
}

/// How the judge decides here. The share of errors that is tolerated whatever is usual, in
/// hundredths of a percent, is the same for it and for watching after the switch.
pub(super) fn judge(environment: &Environment, error_floor: u16) -> JudgePolicy {
    let usual =
        JudgePolicy { error_floor_ppm: u32::from(error_floor) * 100, ..JudgePolicy::default() };
    match written(environment.judge.as_ref()) {
        Some(judge) => rules(judge, &usual),
        None => usual,
    }
}

/// The rules that somebody wrote; what they left out is as usual.
pub(super) fn rules(judge: &Judge, usual: &JudgePolicy) -> JudgePolicy {
    let compares = |what: Compared| {
        written(judge.metrics.as_ref()).is_none_or(|metrics| metrics.contains(&what))
    };
    let burn_in = written(judge.burn_in.as_ref()).map(|burn_in| burn_in.ms);
    JudgePolicy {
        mode: match judge.mode {
            Mode::Act => JudgeMode::Act,
            Mode::Observe => JudgeMode::Observe,
            Mode::Off => JudgeMode::Off,
        },
        alpha_ppm: written(judge.alpha.as_ref()).map_or(usual.alpha_ppm, |alpha| alpha.ppm),
        tolerated_ratio_thousandths: written(judge.tolerated_ratio.as_ref())
            .map_or(usual.tolerated_ratio_thousandths, |ratio| ratio.thousandths()),
        latency_tolerance_ppm: written(judge.latency_tolerance.as_ref())
            .map_or(usual.latency_tolerance_ppm, |tolerance| tolerance.ppm),
        promote_ratio_thousandths: written(judge.promote_ratio.as_ref())
            .map_or(usual.promote_ratio_thousandths, |ratio| ratio.thousandths()),
        promote_beta_ppm: written(judge.promote_confidence.as_ref())
            .map_or(usual.promote_beta_ppm, |confidence| 1_000_000 - confidence.ppm),
        burn_in_ms: burn_in.unwrap_or(usual.burn_in_ms),
        // Whoever asks for no time to warm up asks for no requests to warm up either.
        burn_in_requests: if burn_in == Some(0) { 0 } else { usual.burn_in_requests },
        burn_in_errors: written(judge.burn_in_errors.as_ref()).copied().unwrap_or_default(),
        blind_ms_max: written(judge.blind_timeout.as_ref())
            .map_or(usual.blind_ms_max, |timeout| timeout.ms),
        on_blind: match written(judge.on_blind.as_ref()).copied().unwrap_or_default() {
            Blind::Pause => OnBlind::Pause,
            Blind::GoBack => OnBlind::GoBack,
        },
        outage_ms_max: written(judge.outage_timeout.as_ref())
            .map_or(usual.outage_ms_max, |timeout| timeout.ms),
        errors: compares(Compared::Errors),
        latency: compares(Compared::Latency),
        thresholds: thresholds(judge),
        external: judge.metric.iter().filter_map(|metric| external(metric.get_ref())).collect(),
        ..usual.clone()
    }
}

fn thresholds(judge: &Judge) -> Option<Thresholds> {
    let limits = Thresholds {
        max_error_rate_ppm: judge.max_error_rate.map(|rate| rate.ppm),
        max_p99_ms: judge.max_p99.map(|longest| longest.ms),
        consecutive: written(judge.consecutive.as_ref()).map_or(CONSECUTIVE, |count| count.0),
        window_ms: written(judge.window.as_ref()).map_or(WINDOW_MS, |window| window.ms),
        slo_ppm: judge.slo.map(|objective| objective.ppm),
    };
    judge.has_limits().then_some(limits)
}

/// The metric as plans carry it; that it has exactly one of the two forms was checked before.
fn external(metric: &Metric) -> Option<MetricSpec> {
    let text = |query: &Spanned<Query>| query.get_ref().as_str().to_owned();
    let kind = match (&metric.errors, &metric.requests, &metric.value) {
        (Some(errors), Some(requests), _) => {
            MetricKind::Counters { errors: text(errors), requests: text(requests) }
        }
        (_, _, Some(value)) => {
            let worse = written(metric.worse.as_ref()).copied().unwrap_or_default();
            MetricKind::Gauge { value: text(value), higher_is_worse: worse == Worse::Higher }
        }
        _ => return None,
    };
    Some(MetricSpec {
        name: metric.name.get_ref().as_str().to_owned(),
        source: metric.source.get_ref().as_str().to_owned(),
        kind,
        every_ms: written(metric.every.as_ref()).map_or(EVERY_MS, |every| every.ms),
    })
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use expect_test::{Expect, expect};
    use ripcord_core::analysis::{JudgeMode, JudgePolicy};
    use ripcord_core::model::{Policy, Strategy};

    const HEAD: &str = "service = \"shop\"\nartifact = { path = \"bin\", command = [\"./shop\"] }\n\
                        [environments.production]\nlisten = \"127.0.0.1:8080\"\n";

    fn config(more: &str) -> Config {
        Config::parse("ripcord.toml".into(), format!("{HEAD}{more}"), "/project".into()).unwrap()
    }

    fn policy(more: &str) -> Policy {
        config(more).environment(None).unwrap().policy
    }

    fn check(more: &str, expected: &Expect) {
        expected.assert_eq(&format!("{:?}", policy(more).strategy));
    }

    #[test]
    fn nothing_said_is_blue_green_and_leaves_at_once() {
        let policy = policy("");
        assert_eq!(policy.strategy, Strategy::BlueGreen);
        assert_eq!(policy.judge, JudgePolicy::default());
        assert_eq!(policy.abort_keep_ms, Some(0));
    }

    #[test]
    fn strategies() {
        check(
            "strategy = \"canary\"\n",
            &expect![
                "Canary(Canary { steps: [SetWeight(500), Analysis(600000), SetWeight(2500), Analysis(600000), SetWeight(5000), Analysis(600000)], sticky: None, lease_ms: 30000 })"
            ],
        );
        check(
            "strategy = \"canary\"\nsticky = \"cookie shop_release\"\nlease = \"1m\"\nsteps = [\"header X-Tester = yes\", \
             \"pause\", \"0.5%\", \"pause 2m\", \"no route\", \"50%\", \"50%\", \"analysis\"]\n",
            &expect![[
                r#"Canary(Canary { steps: [SetHeaderRoute(Some(Header { name: "X-Tester", value: Is("yes") })), Pause(None), SetWeight(50), Pause(Some(120000)), SetHeaderRoute(None), SetWeight(5000), SetWeight(5000), Analysis(600000)], sticky: Some(Cookie { name: "shop_release" }), lease_ms: 60000 })"#
            ]],
        );
        check(
            "strategy = \"canary\"\nsticky = \"header X-User\"\nsteps = [\"5%\"]\n",
            &expect![[
                r#"Canary(Canary { steps: [SetWeight(500)], sticky: Some(Header { name: "X-User" }), lease_ms: 30000 })"#
            ]],
        );
        check(
            "strategy = \"rolling\"\n",
            &expect!["Rolling(Rolling { batch: 1, pause_ms: 30000, lease_ms: 30000 })"],
        );
        check(
            "strategy = \"rolling\"\ninstances = 4\nbatch = 4\nbatch_pause = \"0s\"\nlease = \"1s\"\n",
            &expect!["Rolling(Rolling { batch: 4, pause_ms: 0, lease_ms: 1000 })"],
        );
    }

    #[test]
    fn how_long_instances_stay() {
        let kept = |text: &str| policy(&format!("abort_keep = \"{text}\"\n")).abort_keep_ms;
        assert_eq!(kept("0s"), Some(0));
        assert_eq!(kept("30s"), Some(30_000));
        assert_eq!(kept("keep"), None);
    }

    const JUDGE: &str = r#"
strategy = "canary"
tolerated_errors = "1.5%"
[environments.production.judge]
mode = "observe"
metrics = ["errors"]
alpha = "0.5%"
tolerated_ratio = 1.5
latency_tolerance = "10%"
promote_ratio = 3
promote_confidence = "99%"
burn_in = "1m"
burn_in_errors = true
blind_timeout = "5m"
on_blind = "go-back"
outage_timeout = "2m"
max_error_rate = "2.5%"
max_p99 = "300ms"
consecutive = 2
window = "30s"
slo = "99.95%"
[[environments.production.judge.metric]]
name = "payments"
source = "prometheus"
errors = 'payments_failed{release="{release}"}'
requests = 'payments_total{release="{release}"}'
[[environments.production.judge.metric]]
name = "queue"
source = "queue"
value = "{release}"
every = "5s"
[[environments.production.judge.metric]]
name = "orders"
source = "orders"
value = "{release}"
worse = "lower"
[metrics.sources.prometheus]
type = "prometheus"
url = "http://127.0.0.1:9090"
bearer = { secret = "file:/run/token" }
[metrics.sources.orders]
type = "web"
url = "https://orders.example/count"
method = "POST"
body = { release = "{query}", last = ["1m"] }
pointer = "/data/0"
headers = { X-Key = { secret = "env:KEY" }, Accept = "application/json" }
timeout = "2s"
[metrics.sources.queue]
type = "command"
command = ["./queue.sh", "{query}"]
"#;

    #[test]
    fn every_key_of_the_judge_reaches_it() {
        expect![[r#"
            JudgePolicy {
                mode: Observe,
                alpha_ppm: 5000,
                tolerated_ratio_thousandths: 1500,
                latency_tolerance_ppm: 100000,
                promote_ratio_thousandths: 3000,
                promote_beta_ppm: 10000,
                error_floor_ppm: 15000,
                burn_in_ms: 60000,
                burn_in_requests: 200,
                burn_in_errors: true,
                blind_ms_max: 300000,
                on_blind: GoBack,
                errors: true,
                latency: false,
                thresholds: Some(
                    Thresholds {
                        max_error_rate_ppm: Some(
                            25000,
                        ),
                        max_p99_ms: Some(
                            300,
                        ),
                        consecutive: 2,
                        window_ms: 30000,
                        slo_ppm: Some(
                            999500,
                        ),
                    },
                ),
                external: [
                    MetricSpec {
                        name: "payments",
                        source: "prometheus",
                        kind: Counters {
                            errors: "payments_failed{release=\"{release}\"}",
                            requests: "payments_total{release=\"{release}\"}",
                        },
                        every_ms: 30000,
                    },
                    MetricSpec {
                        name: "queue",
                        source: "queue",
                        kind: Gauge {
                            value: "{release}",
                            higher_is_worse: true,
                        },
                        every_ms: 5000,
                    },
                    MetricSpec {
                        name: "orders",
                        source: "orders",
                        kind: Gauge {
                            value: "{release}",
                            higher_is_worse: false,
                        },
                        every_ms: 30000,
                    },
                ],
                boundary: Ville,
                outage_ms_max: 120000,
                before: None,
            }"#]]
        .assert_eq(&format!("{:#?}", policy(JUDGE).judge));
    }

    #[test]
    fn what_is_not_said_of_the_judge_is_its_own_default() {
        let judge = |more: &str| {
            policy(&format!("strategy = \"rolling\"\n[environments.production.judge]\n{more}"))
                .judge
        };
        assert_eq!(judge(""), JudgePolicy::default());
        let limits = judge("max_p99 = \"1s\"\n").thresholds.unwrap();
        assert_eq!((limits.consecutive, limits.window_ms), (3, 60_000));
        let cold = judge("burn_in = \"0s\"\n");
        assert_eq!((cold.burn_in_ms, cold.burn_in_requests), (0, 0));
    }

    #[test]
    fn who_is_watched_alone_has_rules_too() {
        let judge = policy(
            "[environments.production.judge]\nmode = \"observe\"\nmetrics = [\"errors\"]\n\
             slo = \"99.9%\"\nmax_error_rate = \"5%\"\nmax_p99 = \"1s\"\nconsecutive = 2\n\
             window = \"30s\"\n",
        )
        .judge;
        assert_eq!((judge.mode, judge.errors, judge.latency), (JudgeMode::Observe, true, false));
        let limits = judge.thresholds.unwrap();
        assert_eq!((limits.slo_ppm, limits.max_p99_ms), (Some(999_000), Some(1_000)));
    }

    #[test]
    fn sources_are_resolved_with_their_secrets() {
        let config = config(JUDGE);
        let secret = |reference: &str| Ok(format!("<{reference}>"));
        let sources = config.metric_sources(&secret).unwrap();
        let shown: Vec<_> = sources.iter().map(|(name, it)| format!("{name}: {it:?}")).collect();
        expect![[r#"
            orders: Web { url: "https://orders.example/count", method: Post, headers: {"Accept", "X-Key"}, body: Some(Object {"last": Array [String("1m")], "release": String("{query}")}), pointer: "/data/0", timeout_ms: 2000 }
            prometheus: Prometheus { url: "http://127.0.0.1:9090", headers: {"Authorization"}, timeout_ms: 10000 }
            queue: Command { argv: ["./queue.sh", "{query}"], timeout_ms: 10000 }"#]]
        .assert_eq(&shown.join("\n"));
        let headers = [("Authorization".to_owned(), "Bearer <file:/run/token>".to_owned())];
        assert_eq!(
            sources["prometheus"],
            ripcord_integrations::SourceConfig::Prometheus {
                url: "http://127.0.0.1:9090".into(),
                headers: std::collections::BTreeMap::from(headers).into(),
                timeout_ms: 10_000,
            }
        );
        let failure = config.metric_sources(&|_| Err("it is not there".into())).unwrap_err();
        expect![[r"
            error[RC0007]: the source of metrics `orders`: it is not there
               --> ripcord.toml:45:1
                |
             45 | [metrics.sources.orders]
                | ^^^^^^^^^^^^^^^^^^^^^^^^"]]
        .assert_eq(&failure.to_string());
    }

    /// The usual service with a canary, as in the guide.
    const USUAL: &str = r#"service = "shop"
[artifact]
path = "bin"
command = ["./shop", "serve"]
[roles.worker]
command = ["./shop", "work"]
[config]
files = ["shop.json"]
[config.environment]
CONFIG_FILE = "{config}/shop.json"
DATABASE_PATH = "{database}"
FLAGS_FILE = "{flags}"
API_KEY = { secret = "file:/run/secrets/api-key" }
[health]
path = "/up"
[database]
engine = "sqlite"
path = "shop.db"
migrations = "migrations"
[flags]
file = "flags.json"
[environments.production]
listen = "127.0.0.1:8080"
preview = "127.0.0.1:8081"
checks = [{ http = "/products" }]
strategy = "canary"
steps = ["5%", "analysis 10m", "25%", "analysis 10m", "50%", "analysis 10m"]
sticky = "cookie shop_release"
"#;

    #[test]
    fn the_usual_canary_fits_thirty_lines() {
        assert!(USUAL.lines().count() <= 30);
        let config = Config::parse("ripcord.toml".into(), USUAL.into(), "/project".into()).unwrap();
        assert!(matches!(config.environment(None).unwrap().policy.strategy, Strategy::Canary(_)));
        let worker = &config.roles()["worker"];
        assert_eq!((worker.command.join(" "), worker.instances), ("./shop work".into(), 1));
    }
}
