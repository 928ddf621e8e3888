//! The help of every command, as a snapshot: what people read there is reviewed with the code.

use crate::site::RIPCORD;
use expect_test::expect_file;
use std::process::Command;

const COMMANDS: &[&[&str]] = &[
    &[],
    &["demo"],
    &["init"],
    &["check"],
    &["serve"],
    &["release"],
    &["release", "create"],
    &["release", "list"],
    &["release", "show"],
    &["release", "diff"],
    &["plan"],
    &["plan", "deploy"],
    &["deploy"],
    &["apply"],
    &["status"],
    &["promote"],
    &["pause"],
    &["abort"],
    &["retry"],
    &["rollback"],
    &["maintenance"],
    &["flags"],
    &["flags", "list"],
    &["flags", "off"],
    &["flags", "lift"],
    &["flags", "rollout"],
    &["flags", "revert"],
    &["flags", "import"],
    &["flags", "stale"],
    &["judge"],
    &["db"],
    &["db", "review"],
    &["db", "snapshot"],
    &["db", "diff"],
    &["db", "status"],
    &["db", "plan", "up"],
    &["db", "plan", "down"],
    &["db", "up"],
    &["db", "down"],
    &["db", "finish"],
    &["db", "attach"],
    &["db", "detach"],
    &["db", "kept"],
    &["db", "kept", "list"],
    &["db", "kept", "show"],
    &["db", "kept", "restore"],
    &["db", "kept", "purge"],
    &["db", "score"],
    &["ledger", "log"],
    &["ledger", "verify"],
];

#[test]
fn the_reference_of_commands_is_current() {
    let mut text = String::from(
        "# Commands\n\nThe help of every command. `UPDATE_EXPECT=1 cargo test -p ripcord` writes this page.\n",
    );
    for words in COMMANDS.iter().copied() {
        let output =
            Command::new(RIPCORD).args(words).arg("--help").env("COLUMNS", "100").output().unwrap();
        assert!(output.status.success(), "{words:?}");
        let name = ["ripcord"].iter().chain(words).copied().collect::<Vec<_>>().join(" ");
        let help = String::from_utf8(output.stdout).unwrap();
        let help = help.trim_end();
        text.extend(["\n## ", &name, "\n\n```text\n", help, "\n```\n"]);
    }
    expect_file!["../../../../docs/commands.md"].assert_eq(&text);
}

#[test]
fn wrong_words_exit_with_two() {
    for words in [vec!["deploi"], vec!["deploy", "--now"], vec![], vec!["rollback", "v1", "v2"]] {
        let output = Command::new(RIPCORD).args(&words).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(output.stdout.is_empty(), "talk on standard output");
    }
}

#[test]
fn no_controller_exits_with_six() {
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new(RIPCORD)
        .args(["status", "--environment", "test", "--state"])
        .arg(directory.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(6));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("RC0401") && text.contains("ripcord serve"), "{text}");
}
