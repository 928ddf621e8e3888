//! Good files with what they become, and bad files with what a person reads about them.

use super::*;
use crate::failure::Failure;
use expect_test::{Expect, expect};
use std::fs;
use std::path::Path;

const HEAD: &str = "service = \"shop\"\n[artifact]\npath = \"bin\"\ncommand = [\"./shop\"]\n";
const ENVIRONMENT: &str = "[environments.production]\nlisten = \"127.0.0.1:8080\"\n";
const DATABASE: &str =
    "[database]\nengine = \"sqlite\"\npath = \"shop.db\"\nmigrations = \"migrations\"\n";

fn parse(text: &str) -> Result<Config, Failure> {
    Config::parse("ripcord.toml".into(), text.into(), "/project".into())
}

fn refuse(text: &str, expected: &Expect) {
    let failure = parse(text).expect_err("must be refused");
    assert_eq!(failure.exit_code(), 2);
    expected.assert_eq(&format!("{failure}\n"));
}

/// The head, these lines, and an environment.
fn refuse_with(lines: &str, expected: &Expect) {
    refuse(&format!("{HEAD}{lines}\n{ENVIRONMENT}"), expected);
}

/// The head and an environment with these lines.
fn refuse_in_environment(lines: &str, expected: &Expect) {
    refuse(&format!("{HEAD}{ENVIRONMENT}{lines}\n"), expected);
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
            authority: Authorities(
                {},
            ),
            health_path: "/up",
            stop_ms: 35000,
            memory_bytes_max: None,
        }"#]]
    .assert_eq(&format!("{settings:#?}"));
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

#[test]
fn everything_there_is() {
    let text = format!(
        "{HEAD}{DATABASE}{}",
        r#"
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
"#
    );
    let config = parse(&text).unwrap();
    let settings = config.environment(Some("production")).unwrap();
    expect![[r#"
        EnvironmentSettings {
            name: EnvironmentName(
                "production",
            ),
            listen: 127.0.0.1:8080,
            preview: Some(
                127.0.0.1:8081,
            ),
            database: Some(
                "/data/production.db",
            ),
            policy: Policy {
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
            },
            authority: Authorities(
                {
                    Database: Propose,
                    Flags: Observe,
                },
            ),
            health_path: "/ready",
            stop_ms: 15000,
            memory_bytes_max: Some(
                536870912,
            ),
        }"#]]
    .assert_eq(&format!("{settings:#?}"));
    let frozen = |(name, value): (&text::VariableName, &toml::Spanned<Variable>)| {
        format!("{}={}", name.as_str(), value.get_ref().frozen())
    };
    let environment: Vec<String> =
        config.document().config.environment.iter().map(frozen).collect();
    expect![[r#"
        A={config}/shop.json in {release} of {environment} under {state}
        B={database} {flags}
        C=secret:file:/etc/shop/key
        D=secret:env:SHOP_KEY"#]]
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
        &expect![[r#"
        error[RC0010]: ripcord.toml has several environments and none was named
        hint: name one with --environment: production, staging"#]],
    );
    check(
        &one,
        Some("prod\u{1b}"),
        &expect![[r#"
        error[RC0009]: there is no environment `prod\u{1b}`
        hint: ripcord.toml has: production"#]],
    );
}

#[test]
fn not_toml() {
    refuse(
        "service = shop\n",
        &expect![[r#"
        error[RC0004]: string values must be quoted, expected literal string
          --> ripcord.toml:1:11
           |
         1 | service = shop
           |           ^^^^
    "#]],
    );
    refuse(
        "service = \"shop\n",
        &expect![[r#"
        error[RC0004]: invalid basic string, expected `"`
          --> ripcord.toml:1:16
           |
         1 | service = "shop
           |                ^
    "#]],
    );
    refuse(
        "service = \"a\"\nservice = \"b\"\n",
        &expect![[r#"
        error[RC0004]: duplicate key
          --> ripcord.toml:2:1
           |
         2 | service = "b"
           | ^^^^^^^
    "#]],
    );
    refuse(
        "[artifact\n",
        &expect![[r#"
        error[RC0004]: unclosed table, expected `]`
          --> ripcord.toml:1:10
           |
         1 | [artifact
           |          ^
    "#]],
    );
}

#[test]
fn unknown_keys() {
    refuse_with(
        "[helth]\npath = \"/up\"",
        &expect![[r#"
        error[RC0005]: unknown key `helth`
          --> ripcord.toml:5:2
           |
         5 | [helth]
           |  ^^^^^
        hint: did you mean `health`?
    "#]],
    );
    refuse_with(
        "[health]\npath = \"/up\"\nreadywithin = \"1s\"",
        &expect![[r#"
        error[RC0005]: unknown key `readywithin`
          --> ripcord.toml:7:1
           |
         7 | readywithin = "1s"
           | ^^^^^^^^^^^
        hint: did you mean `ready_within`?
    "#]],
    );
    refuse_with(
        "[zebra]",
        &expect![[r#"
        error[RC0005]: unknown key `zebra`
          --> ripcord.toml:5:2
           |
         5 | [zebra]
           |  ^^^^^
        hint: possible here: `service`, `artifact`, `config`, `health`, `database`, `flags`, `infrastructure`, `external`, `environments`
    "#]],
    );
    refuse_in_environment(
        "bakes = \"5m\"",
        &expect![[r#"
        error[RC0005]: unknown key `bakes`
          --> ripcord.toml:7:1
           |
         7 | bakes = "5m"
           | ^^^^^
        hint: did you mean `bake`?
    "#]],
    );
    refuse_in_environment(
        "[environments.production.authority]\ndatabse = \"act\"",
        &expect![[r#"
        error[RC0005]: unknown key `databse`
          --> ripcord.toml:8:1
           |
         8 | databse = "act"
           | ^^^^^^^
        hint: did you mean `database`?
    "#]],
    );
    refuse_in_environment(
        "checks = [{ htpp = \"/up\" }]",
        &expect![[r#"
        error[RC0005]: unknown key `htpp`
          --> ripcord.toml:7:13
           |
         7 | checks = [{ htpp = "/up" }]
           |             ^^^^
        hint: did you mean `http`?
    "#]],
    );
    refuse_with(
        "[config.environment]\nA = { secrets = \"env:A\" }",
        &expect![[r#"
        error[RC0005]: unknown key `secrets`
          --> ripcord.toml:6:7
           |
         6 | A = { secrets = "env:A" }
           |       ^^^^^^^
        hint: did you mean `secret`?
    "#]],
    );
}

#[test]
fn missing_keys() {
    refuse(
        "",
        &expect![[r#"
        error[RC0006]: ripcord.toml is empty
        hint: it needs at least `service`, [artifact] with `path` and `command`, and [environments.NAME] with `listen`
    "#]],
    );
    refuse(
        " \n\t\n",
        &expect![[r#"
        error[RC0006]: ripcord.toml is empty
        hint: it needs at least `service`, [artifact] with `path` and `command`, and [environments.NAME] with `listen`
    "#]],
    );
    refuse(
        "service = \"shop\"\n",
        &expect![[r#"
        error[RC0006]: the key `artifact` is missing in ripcord.toml
        hint: add [artifact] with `path` and `command`
    "#]],
    );
    refuse(
        HEAD,
        &expect![[r#"
        error[RC0006]: the key `environments` is missing in ripcord.toml
        hint: add [environments.production] with `listen = "127.0.0.1:8080"`
    "#]],
    );
    refuse_with(
        "[database]\nengine = \"sqlite\"",
        &expect![[r#"
        error[RC0006]: the key `path` is missing
          --> ripcord.toml:5:1
           |
         5 | [database]
           | ^^^^^^^^^^
        hint: add it to this table
    "#]],
    );
    refuse(
        &format!("{HEAD}[environments.production]\ninstances = 2\n"),
        &expect![[r#"
        error[RC0006]: the key `listen` is missing
          --> ripcord.toml:5:1
           |
         5 | [environments.production]
           | ^^^^^^^^^^^^^^^^^^^^^^^^^
        hint: add it to this table
    "#]],
    );
    refuse(
        &format!("{HEAD}[environments]\n"),
        &expect![[r#"
        error[RC0008]: there is no environment
          --> ripcord.toml:5:1
           |
         5 | [environments]
           | ^^^^^^^^^^^^^^
        hint: add one: [environments.production] with `listen = "127.0.0.1:8080"`
    "#]],
    );
}

#[test]
fn wrong_types() {
    refuse_with(
        "[health]\npath = 3",
        &expect![[r#"
        error[RC0007]: invalid type: integer `3`, expected a text in quotes
          --> ripcord.toml:6:8
           |
         6 | path = 3
           |        ^
    "#]],
    );
    refuse_in_environment(
        "approve = \"yes\"",
        &expect![[r#"
        error[RC0007]: invalid type: string "yes", expected true or false
          --> ripcord.toml:7:11
           |
         7 | approve = "yes"
           |           ^^^^^
    "#]],
    );
    refuse_in_environment(
        "instances = \"two\"",
        &expect![[r#"
        error[RC0007]: invalid type: string "two", expected a whole number
          --> ripcord.toml:7:13
           |
         7 | instances = "two"
           |             ^^^^^
    "#]],
    );
    refuse_with(
        "[config.environment]\nPAGE = 20",
        &expect![[r#"
        error[RC0007]: invalid type: integer `20`, expected a text or { secret = "..." }
          --> ripcord.toml:6:8
           |
         6 | PAGE = 20
           |        ^^
    "#]],
    );
    refuse(
        &HEAD.replace("[\"./shop\"]", "\"./shop\""),
        &expect![[r#"
        error[RC0007]: invalid type: string "./shop", expected a list in brackets
          --> ripcord.toml:4:11
           |
         4 | command = "./shop"
           |           ^^^^^^^^
    "#]],
    );
}

#[test]
fn impossible_values() {
    refuse_in_environment(
        "bake = \"5 minutes\"",
        &expect![[r#"
        error[RC0007]: `5 minutes` is not a duration
          --> ripcord.toml:7:8
           |
         7 | bake = "5 minutes"
           |        ^^^^^^^^^^^
        hint: write a whole number and ms, s, m, h or d, such as "10m"; at most "365d"
    "#]],
    );
    refuse_in_environment(
        "drain = \"0s\"",
        &expect![[r#"
        error[RC0007]: nothing happens in no time
          --> ripcord.toml:7:9
           |
         7 | drain = "0s"
           |         ^^^^
        hint: give it some, such as "30s"
    "#]],
    );
    refuse_in_environment(
        "tolerated_errors = \"half\"",
        &expect![[r#"
        error[RC0007]: `half` is not a share that can be tolerated
          --> ripcord.toml:7:20
           |
         7 | tolerated_errors = "half"
           |                    ^^^^^^
        hint: write 0% to 50% with at most two decimals, such as "0.5%"
    "#]],
    );
    refuse_in_environment(
        "preview = \"localhost:80\"",
        &expect![[r#"
        error[RC0007]: `localhost:80` is not an address
          --> ripcord.toml:7:11
           |
         7 | preview = "localhost:80"
           |           ^^^^^^^^^^^^^^
        hint: write IP address and port, such as "127.0.0.1:8080" or "[::1]:8080"
    "#]],
    );
    refuse_in_environment(
        "preview = \"127.0.0.1:0\"",
        &expect![[r#"
        error[RC0007]: `127.0.0.1:0` has port 0, which means any port
          --> ripcord.toml:7:11
           |
         7 | preview = "127.0.0.1:0"
           |           ^^^^^^^^^^^^^
        hint: name the port under which users find the service
    "#]],
    );
    refuse_in_environment(
        "instances = 0",
        &expect![[r#"
        error[RC0007]: 0 instances cannot serve
          --> ripcord.toml:7:13
           |
         7 | instances = 0
           |             ^
        hint: write 1 to 100
    "#]],
    );
    refuse_in_environment(
        "memory_max = \"512\"",
        &expect![[r#"
        error[RC0007]: `512` is not an amount of memory
          --> ripcord.toml:7:14
           |
         7 | memory_max = "512"
           |              ^^^^^
        hint: write a whole number and KiB, MiB or GiB, such as "512MiB"; at least "1MiB"
    "#]],
    );
    refuse_in_environment(
        "strategy = \"canary\"",
        &expect![[r#"
        error[RC0007]: `canary` is not possible here
          --> ripcord.toml:7:12
           |
         7 | strategy = "canary"
           |            ^^^^^^^^
        hint: possible here: `blue-green`
    "#]],
    );
    refuse_in_environment(
        "on_deadline = \"abrt\"",
        &expect![[r#"
        error[RC0007]: `abrt` is not possible here
          --> ripcord.toml:7:15
           |
         7 | on_deadline = "abrt"
           |               ^^^^^^
        hint: did you mean `abort`?
    "#]],
    );
    refuse_in_environment(
        "checks = [{ http = \"/up\", status = 2000 }]",
        &expect![[r#"
        error[RC0007]: 2000 is not the status of an HTTP answer
          --> ripcord.toml:7:36
           |
         7 | checks = [{ http = "/up", status = 2000 }]
           |                                    ^^^^
        hint: write 100 to 599, such as 200
    "#]],
    );
    refuse_with(
        &DATABASE.replace("sqlite", "postgres"),
        &expect![[r#"
        error[RC0007]: `postgres` is not possible here
          --> ripcord.toml:6:10
           |
         6 | engine = "postgres"
           |          ^^^^^^^^^^
        hint: possible here: `sqlite`
    "#]],
    );
    refuse_with(
        "[health]\npath = \"up\"",
        &expect![[r#"
        error[RC0007]: `up` is not the path of a URL
          --> ripcord.toml:6:8
           |
         6 | path = "up"
           |        ^^^^
        hint: write it like "/up": a leading slash, no spaces
    "#]],
    );
    refuse_with(
        "[flags]\nfile = \"../flags.json\"",
        &expect![[r#"
        error[RC0007]: `../flags.json` leads out of the project's directory
          --> ripcord.toml:6:8
           |
         6 | file = "../flags.json"
           |        ^^^^^^^^^^^^^^^
        hint: name a file beside ripcord.toml or below, without `.` and `..`
    "#]],
    );
    refuse_with(
        "[[external]]\nname = \"\"",
        &expect![[r#"
        error[RC0007]: `` does not describe anything
          --> ripcord.toml:6:8
           |
         6 | name = ""
           |        ^^
        hint: write up to 200 letters on one line
    "#]],
    );
    refuse(
        &HEAD.replace("\"shop\"", "\"my shop\\u001b\""),
        &expect![[r#"
        error[RC0007]: `my shop\u{1b}` is not a name
          --> ripcord.toml:1:11
           |
         1 | service = "my shop\u001b"
           |           ^^^^^^^^^^^^^^^
        hint: a name has letters, digits, `-` and `_`, begins with a letter or digit, and is at most 40 long
    "#]],
    );
    refuse(
        &HEAD.replace("[\"./shop\"]", "[]"),
        &expect![[r#"
        error[RC0007]: the command is empty
          --> ripcord.toml:4:11
           |
         4 | command = []
           |           ^^
        hint: write program and arguments, such as ["./shop", "serve"]
    "#]],
    );
    refuse(
        &HEAD.replace("\"bin\"", "\"b\\u0000in\""),
        &expect![[r#"
        error[RC0007]: `b\u{0}in` is not a path
          --> ripcord.toml:3:8
           |
         3 | path = "b\u0000in"
           |        ^^^^^^^^^^^
        hint: a path is not empty and has no control characters
    "#]],
    );
    refuse(
        &format!("{HEAD}[environments.\"a/b\"]\nlisten = \"127.0.0.1:1\"\n"),
        &expect![[r#"
        error[RC0007]: `a/b` is not a name
          --> ripcord.toml:5:15
           |
         5 | [environments."a/b"]
           |               ^^^^^
        hint: a name has letters, digits, `-` and `_`, begins with a letter or digit, and is at most 40 long
    "#]],
    );
}

#[test]
fn variables_of_the_service() {
    let variable = |line: &str, expected: &Expect| {
        refuse_with(&format!("[config.environment]\n{line}"), expected);
    };
    variable(
        "PORT = \"80\"",
        &expect![[r#"
        error[RC0007]: `PORT` is set by Ripcord for each instance
          --> ripcord.toml:6:1
           |
         6 | PORT = "80"
           | ^^^^
        hint: leave it out; the service reads where to listen from PORT
    "#]],
    );
    variable(
        "\"A B\" = \"1\"",
        &expect![[r#"
        error[RC0007]: `A B` is not the name of an environment variable
          --> ripcord.toml:6:1
           |
         6 | "A B" = "1"
           | ^^^^^
        hint: such a name has letters, digits and `_`
    "#]],
    );
    variable(
        "A = \"{confg}/a\"",
        &expect![[r#"
        error[RC0007]: there is no placeholder {confg}
          --> ripcord.toml:6:5
           |
         6 | A = "{confg}/a"
           |     ^^^^^^^^^^^
        hint: did you mean {config}? There are {config}, {database}, {environment}, {flags}, {release}, {state}
    "#]],
    );
    variable(
        "A = \"secret:file:/a\"",
        &expect![[r#"
        error[RC0007]: `secret:` at the beginning is kept for references to secrets
          --> ripcord.toml:6:5
           |
         6 | A = "secret:file:/a"
           |     ^^^^^^^^^^^^^^^^
        hint: write { secret = "file:/a" }
    "#]],
    );
    // A secret that somebody wrote down by mistake is shown nowhere.
    variable(
        "A = { secret = \"hunter2\" }",
        &expect![[r#"
        error[RC0007]: this is no reference to a secret
          --> ripcord.toml:6:16
           |
         6 | A = { secret = ********* }
           |                ^^^^^^^^^
        hint: write "file:/path/to/secret" with an absolute path, or "env:NAME" for a variable of the controller; never the secret itself
    "#]],
    );
    variable(
        "A = { secret = \"file:key\" }",
        &expect![[r#"
        error[RC0007]: this is no reference to a secret
          --> ripcord.toml:6:16
           |
         6 | A = { secret = ********** }
           |                ^^^^^^^^^^
        hint: write "file:/path/to/secret" with an absolute path, or "env:NAME" for a variable of the controller; never the secret itself
    "#]],
    );
}

#[test]
fn contradictions() {
    refuse_in_environment(
        "bake = \"10m\"\nkeep_warm = \"5m\"",
        &expect![[r#"
        error[RC0008]: `keep_warm` is shorter than `bake`, so a bad release would have nothing to go back to at once
          --> ripcord.toml:8:13
           |
         8 | keep_warm = "5m"
           |             ^^^^
        hint: make `keep_warm` at least 600 s, or `bake` shorter
    "#]],
    );
    refuse_in_environment(
        "keep_warm = \"5m\"",
        &expect![[r#"
        error[RC0008]: `keep_warm` is shorter than `bake`, so a bad release would have nothing to go back to at once
          --> ripcord.toml:7:13
           |
         7 | keep_warm = "5m"
           |             ^^^^
        hint: make `keep_warm` at least 600 s, or `bake` shorter
    "#]],
    );
    refuse_in_environment(
        "preview = \"127.0.0.1:8080\"",
        &expect![[r#"
        error[RC0008]: 127.0.0.1:8080 is used already as the listen address
          --> ripcord.toml:7:11
           |
         7 | preview = "127.0.0.1:8080"
           |           ^^^^^^^^^^^^^^^^
        hint: give each its own port
    "#]],
    );
    refuse_in_environment(
        "[environments.staging]\nlisten = \"127.0.0.1:8080\"",
        &expect![[r#"
        error[RC0008]: 127.0.0.1:8080 is used already by environment `production`
          --> ripcord.toml:8:10
           |
         8 | listen = "127.0.0.1:8080"
           |          ^^^^^^^^^^^^^^^^
        hint: give each its own port
    "#]],
    );
    refuse_in_environment(
        "database = \"a.db\"",
        &expect![[r#"
        error[RC0008]: the environment names a database, but the service has none
          --> ripcord.toml:7:12
           |
         7 | database = "a.db"
           |            ^^^^^^
        hint: add [database] with `engine`, `path` and `migrations`
    "#]],
    );
    refuse_in_environment(
        "checks = [{ http = \"/up\" }]",
        &expect![[r#"
        error[RC0008]: a check by `http` needs the preview address
          --> ripcord.toml:7:11
           |
         7 | checks = [{ http = "/up" }]
           |           ^^^^^^^^^^^^^^^^
        hint: add `preview = "127.0.0.1:PORT"` to the environment
    "#]],
    );
    refuse_in_environment(
        "checks = [{ command = [\"a\"], status = 200 }]",
        &expect![[r#"
        error[RC0008]: `status` belongs to `http`
          --> ripcord.toml:7:11
           |
         7 | checks = [{ command = ["a"], status = 200 }]
           |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        hint: a command must exit with 0
    "#]],
    );
    refuse_in_environment(
        "checks = [{}]",
        &expect![[r#"
        error[RC0008]: a check has either `http` or `command`
          --> ripcord.toml:7:11
           |
         7 | checks = [{}]
           |           ^^
        hint: write one check for each
    "#]],
    );
    refuse_with(
        &format!("{DATABASE}[environments.staging]\nlisten = \"127.0.0.1:9090\""),
        &expect![[r#"
            error[RC0008]: the environments `production` and `staging` would use the same database
               --> ripcord.toml:10:10
                |
             10 | listen = "127.0.0.1:9090"
                |          ^^^^^^^^^^^^^^^^
            hint: add `database = "staging.db"` to [environments.staging]
        "#]],
    );
    refuse_with(
        "[config.environment]\nA = \"{database}\"",
        &expect![[r#"
        error[RC0008]: {database} stands for nothing, because there is none
          --> ripcord.toml:6:5
           |
         6 | A = "{database}"
           |     ^^^^^^^^^^^^
        hint: add [database] with `engine`, `path` and `migrations`
    "#]],
    );
    refuse_with(
        "[config.environment]\nA = \"{flags}\"",
        &expect![[r#"
        error[RC0008]: {flags} stands for nothing, because there is none
          --> ripcord.toml:6:5
           |
         6 | A = "{flags}"
           |     ^^^^^^^^^
        hint: add [flags] with `file`
    "#]],
    );
    refuse_with(
        "[config]\nfiles = [\"a\", \"b\", \"a\"]",
        &expect![[r#"
        error[RC0008]: this file is named twice
          --> ripcord.toml:6:20
           |
         6 | files = ["a", "b", "a"]
           |                    ^^^
        hint: remove one of the two
    "#]],
    );
    let queue = "[[infrastructure]]\nname = \"queue\"\napply = [\"a\"]\nrevert = [\"b\"]\n";
    refuse_with(
        &format!("{queue}{queue}"),
        &expect![[r#"
        error[RC0008]: there are two pieces of infrastructure `queue`
           --> ripcord.toml:10:8
            |
         10 | name = "queue"
            |        ^^^^^^^
        hint: give each its own name
    "#]],
    );
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
        &expect![[r#"
        error[RC0002]: there is no configuration file DIR/ripcord.toml
        hint: go to the directory of the service, or name the file with --config"#]],
    );
    check(
        Some(b""),
        &expect![[r#"
        error[RC0006]: DIR/ripcord.toml is empty
        hint: it needs at least `service`, [artifact] with `path` and `command`, and [environments.NAME] with `listen`"#]],
    );
    check(
        Some(b"service = \"shop\"\n# \xff\n"),
        &expect![[r#"
        error[RC0003]: DIR/ripcord.toml is not UTF-8 (line 2, byte 19)
        hint: save it as UTF-8"#]],
    );
    check(
        Some(&vec![b'#'; (1 << 20) + 1]),
        &expect![[r#"
        error[RC0003]: DIR/ripcord.toml has more than 1 MiB
        hint: is this the right file? A usual configuration has about 30 lines"#]],
    );
    let failure = Config::load(directory.path()).expect_err("a directory").to_string();
    expect![[r#"
        error[RC0003]: DIR is not a file
        hint: name the file itself"#]]
    .assert_eq(&failure.replace(&directory.path().display().to_string(), "DIR"));
}

#[test]
fn a_byte_order_mark_is_no_letter() {
    let config = parse(&format!("\u{feff}{HEAD}{ENVIRONMENT}")).unwrap();
    assert_eq!(config.document().service.as_str(), "shop");
}
