//! Good files with what they become, and bad files with what a person reads about them.

use super::*;
use crate::failure::Failure;
use expect_test::{Expect, expect, expect_file};
use ripcord_core::model::{Authority, Domain};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

const HEAD: &str = "service = \"shop\"\n[artifact]\npath = \"bin\"\ncommand = [\"./shop\"]\n";
const ENVIRONMENT: &str = "[environments.production]\nlisten = \"127.0.0.1:8080\"\n";
const DATABASE: &str =
    "[database]\nengine = \"sqlite\"\npath = \"shop.db\"\nmigrations = \"migrations\"\n";

fn parse(text: &str) -> Result<Config, Failure> {
    Config::parse("ripcord.toml".into(), text.into(), "/project".into())
}

/// Without the lines about the judge, which has tests and defaults of its own.
fn without_judge(shown: &str) -> String {
    let (before, rest) = shown.split_once("judge: JudgePolicy {").unwrap();
    let indentation = before.rsplit('\n').next().unwrap();
    let (_, after) = rest.split_once(&format!("\n{indentation}}},\n")).unwrap();
    format!("{}{after}", before.trim_end_matches(' '))
}

#[test]
fn the_least_that_suffices() {
    let config = parse(&format!("{HEAD}{ENVIRONMENT}")).unwrap();
    let settings = config.environment(None).unwrap();
    expect![[r#"
        EnvironmentSettings {
            name: EnvironmentName(
                "production",
            ),
            listen: 127.0.0.1:8080,
            preview: None,
            database: None,
            policy: Policy {
                strategy: BlueGreen,
                abort_keep_ms: Some(
                    0,
                ),
                instances: 2,
                ready_ms_max: 30000,
                drain_ms_max: 30000,
                hold: HoldLimits {
                    requests_max: 10000,
                    bytes_max: 67108864,
                    wait_ms_max: 30000,
                },
                bake_ms: 600000,
                keep_warm_ms: 1800000,
                rollback_window_ms: 604800000,
                error_floor: 50,
                approve: false,
                abort_on_deadline: true,
                checks: [],
                resources: [],
                does_not_come_back: [],
            },
            flags_server: None,
            flag_services: {},
            authority: Authorities(
                {},
            ),
            health_path: "/up",
            stop_ms: 35000,
            memory_bytes_max: None,
        }"#]]
    .assert_eq(&without_judge(&format!("{settings:#?}")));
}

#[test]
fn a_longer_bake_keeps_the_old_release_warm_for_longer() {
    let config = parse(&format!("{HEAD}{ENVIRONMENT}bake = \"2h\"\n")).unwrap();
    assert_eq!(config.environment(None).unwrap().policy.keep_warm_ms, 7_200_000);
}

#[test]
fn the_examples_are_read_and_short() {
    let releases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/shop/releases");
    let mut texts = Vec::new();
    for folder in fs::read_dir(releases).unwrap() {
        let folder = folder.unwrap().path();
        let config = Config::load(&folder.join("ripcord.toml")).unwrap();
        assert_eq!(config.environments().unwrap().len(), 1);
        let text = fs::read_to_string(folder.join("ripcord.toml")).unwrap();
        let lines = text.lines().filter(|line| !line.trim().is_empty()).count();
        assert!(lines <= 30, "{} has {lines} lines", folder.display());
        let differs = |line: &&str| !line.starts_with("command = ");
        texts.push(text.lines().filter(differs).collect::<Vec<_>>().join("\n"));
    }
    assert!(texts.len() >= 8);
    assert!(texts.windows(2).all(|pair| pair[0] == pair[1]), "they differ beyond the command");
}

const EVERYTHING: &str = r#"
[config]
files = ["shop.json", "conf/more.json"]
[config.environment]
A = "{config}/shop.json in {release} of {environment} under {state}"
B = "{database} {flags}"
C = { secret = "file:/etc/shop/key" }
D = { secret = "env:SHOP_KEY" }
[health]
path = "/ready"
ready_within = "5s"
[flags]
file = "flags.json"
[[infrastructure]]
name = "queue"
apply = ["./infra.sh", "apply"]
revert = ["./infra.sh", "revert"]
[[external]]
name = "order mails"
[environments.production]
listen = "127.0.0.1:8080"
preview = "127.0.0.1:8081"
database = "/data/production.db"
instances = 3
strategy = "blue-green"
bake = "5m"
keep_warm = "5m"
rollback_window = "14d"
drain = "10s"
pause_requests_max = "20s"
tolerated_errors = "1.25%"
memory_max = "512MiB"
approve = true
on_deadline = "hold"
checks = [{ http = "/up" }, { http = "/a", status = 204 }, { command = ["./smoke.sh"] }]
[environments.production.authority]
database = "propose"
flags = "observe"
[environments.staging]
listen = "[::1]:8080"
"#;

fn everything() -> Config {
    parse(&format!("{HEAD}{DATABASE}{EVERYTHING}")).unwrap()
}

#[test]
fn all_that_planning_needs() {
    let settings = everything().environment(Some("production")).unwrap();
    expect![[r#"
        Policy {
            strategy: BlueGreen,
            abort_keep_ms: Some(
                0,
            ),
            instances: 3,
            ready_ms_max: 5000,
            drain_ms_max: 10000,
            hold: HoldLimits {
                requests_max: 10000,
                bytes_max: 67108864,
                wait_ms_max: 20000,
            },
            bake_ms: 300000,
            keep_warm_ms: 300000,
            rollback_window_ms: 1209600000,
            error_floor: 125,
            approve: true,
            abort_on_deadline: false,
            checks: [
                Http {
                    path: "/up",
                    status: 200,
                },
                Http {
                    path: "/a",
                    status: 204,
                },
                Command {
                    argv: [
                        "./smoke.sh",
                    ],
                },
            ],
            resources: [
                ResourceSpec {
                    name: "queue",
                    apply: [
                        "./infra.sh",
                        "apply",
                    ],
                    revert: [
                        "./infra.sh",
                        "revert",
                    ],
                },
            ],
            does_not_come_back: [
                "order mails",
            ],
        }"#]]
    .assert_eq(&without_judge(&format!("{:#?}", settings.policy)));
}

#[test]
fn all_that_the_rest_needs() {
    let config = everything();
    let settings = config.environment(Some("production")).unwrap();
    assert_eq!(settings.listen, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(settings.preview, Some("127.0.0.1:8081".parse().unwrap()));
    assert_eq!(settings.database, Some(DatabasePlace::Sqlite("/data/production.db".into())));
    assert_eq!(settings.authority.of(Domain::Database), Authority::Propose);
    assert_eq!(settings.authority.of(Domain::Flags), Authority::Observe);
    assert_eq!(settings.authority.of(Domain::Traffic), Authority::Act);
    assert_eq!((settings.health_path.as_str(), settings.stop_ms), ("/ready", 15_000));
    assert_eq!(settings.memory_bytes_max, Some(512 << 20));
    let staging = config.environment(Some("staging")).unwrap();
    assert_eq!(staging.database, Some(DatabasePlace::Sqlite("/project/shop.db".into())));
    let frozen = |(name, value): (&text::VariableName, &toml::Spanned<Variable>)| {
        format!("{}={}", name.as_str(), value.get_ref().frozen())
    };
    let environment: Vec<String> =
        config.document().config.environment.iter().map(frozen).collect();
    expect![[r"
        A={config}/shop.json in {release} of {environment} under {state}
        B={database} {flags}
        C=secret:file:/etc/shop/key
        D=secret:env:SHOP_KEY"]]
    .assert_eq(&environment.join("\n"));
}

#[test]
fn which_environment() {
    let check = |text: &str, name: Option<&str>, expected: &Expect| {
        let found = parse(text).unwrap().environment(name);
        let shown =
            found.map_or_else(|failure| failure.to_string(), |found| found.name.to_string());
        expected.assert_eq(&shown);
    };
    let one = format!("{HEAD}{ENVIRONMENT}");
    let two = format!("{one}[environments.staging]\nlisten = \"127.0.0.1:9090\"\n");
    check(&one, None, &expect!["production"]);
    check(&two, Some("staging"), &expect!["staging"]);
    check(
        &two,
        None,
        &expect![[r"
        error[RC0010]: ripcord.toml has several environments and none was named
        hint: name one with --environment: production, staging"]],
    );
    check(
        &one,
        Some("prod\u{1b}"),
        &expect![[r"
        error[RC0009]: there is no environment `prod\u{1b}`
        hint: ripcord.toml has: production"]],
    );
}

/// What stands in the guide can be copied: each example is read, those of one part of a file below
/// the least that is around it.
#[test]
fn the_examples_of_the_guide_are_read() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide.md");
    let guide = fs::read_to_string(guide).unwrap();
    let examples: Vec<&str> =
        guide.split("```toml\n").skip(1).map(|rest| rest.split_once("```").unwrap().0).collect();
    assert!(examples.len() >= 5, "only {} examples", examples.len());
    for example in examples {
        let mut text = String::new();
        if !example.contains("service = ") {
            text += HEAD;
        }
        if !example.contains("[environments.production]\n") {
            writeln!(text, "{ENVIRONMENT}strategy = \"canary\"").unwrap();
        }
        text += example;
        if let Err(failure) = parse(&text) {
            panic!("{failure}\n{example}");
        }
    }
}

/// Each case of `refused.txt` is a name, a file, and what a person reads about it.
/// `UPDATE_EXPECT=1` in the environment rewrites what people read.
#[test]
fn refused() {
    let expected = expect_file!["./refused.txt"];
    let mut shown = String::new();
    let mut count = 0;
    for case in include_str!("refused.txt").split("=== ").skip(1) {
        let (name, rest) = case.split_once('\n').unwrap();
        let (input, _) = rest.split_once("---\n").unwrap();
        let text = input
            .replace("@head\n", HEAD)
            .replace("@database\n", DATABASE)
            .replace("@environment\n", ENVIRONMENT);
        let failure = parse(&text).expect_err(name);
        assert_eq!(failure.exit_code(), 2, "{name}");
        writeln!(shown, "=== {name}\n{input}---\n{failure}").unwrap();
        count += 1;
    }
    assert!(count >= 110, "only {count} cases");
    expected.assert_eq(&shown);
}

/// The line with a secret that was written down by mistake is shown, the secret is not.
#[test]
fn a_secret_is_shown_nowhere() {
    let text = format!("{HEAD}[config.environment]\nA = {{ secret = \"hunter2\" }}\n{ENVIRONMENT}");
    let shown = format!("{:?}", parse(&text).expect_err("no reference"));
    assert!(shown.contains("secret = *********") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn files_that_cannot_be_read() {
    let directory = tempfile::tempdir().unwrap();
    let check = |bytes: Option<&[u8]>, expected: &Expect| {
        let path = directory.path().join("ripcord.toml");
        if let Some(bytes) = bytes {
            fs::write(&path, bytes).unwrap();
        }
        let failure = Config::load(&path).expect_err("must be refused").to_string();
        expected.assert_eq(&failure.replace(&directory.path().display().to_string(), "DIR"));
    };
    check(
        None,
        &expect![[r"
        error[RC0002]: there is no configuration file DIR/ripcord.toml
        hint: go to the directory of the service, or name the file with --config"]],
    );
    check(
        Some(b""),
        &expect![[r"
        error[RC0006]: DIR/ripcord.toml is empty
        hint: it needs at least `service`, [artifact] with `path` and `command`, and [environments.NAME] with `listen`"]],
    );
    check(
        Some(b"service = \"shop\"\n# \xff\n"),
        &expect![[r"
        error[RC0003]: DIR/ripcord.toml is not UTF-8 (line 2, byte 19)
        hint: save it as UTF-8"]],
    );
    check(
        Some(&vec![b'#'; (1 << 20) + 1]),
        &expect![[r"
        error[RC0003]: DIR/ripcord.toml has more than 1 MiB
        hint: is this the right file? A usual configuration has about 30 lines"]],
    );
    let failure = Config::load(directory.path()).expect_err("a directory").to_string();
    expect![[r"
        error[RC0003]: DIR is not a file
        hint: name the file itself"]]
    .assert_eq(&failure.replace(&directory.path().display().to_string(), "DIR"));
}

#[test]
fn a_byte_order_mark_is_no_letter() {
    let config = parse(&format!("\u{feff}{HEAD}{ENVIRONMENT}")).unwrap();
    assert_eq!(config.document().service.as_str(), "shop");
}
