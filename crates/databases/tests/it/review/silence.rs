//! Annotations, baselines, and reviewing only some files.

use crate::review::{detected, folder, reviewed};
use expect_test::{Expect, expect};
use ripcord_databases::formats::Format;
use ripcord_databases::review::{Baseline, Choice, Review, review};
use std::path::PathBuf;

fn shown(review: &Review) -> String {
    let line = |finding: &ripcord_databases::review::Finding| {
        let silenced = if finding.silenced.is_some() { " (silenced)" } else { "" };
        format!("{}:{} {}{silenced}", finding.line, finding.level, finding.rule)
    };
    let quiet = ["lock-timeout", "missing-down"];
    let found = review.findings.iter().filter(|finding| !quiet.contains(&finding.rule));
    found.map(line).collect::<Vec<_>>().join("\n")
}

fn check(script: &str, expected: &Expect) {
    expected.assert_eq(&shown(&reviewed(Format::Plain, &[script])));
}

#[test]
fn annotations_hold_for_the_next_statement() {
    check(
        "-- ripcord: ignore drop-table nobody uses it\nDROP TABLE a;\nDROP TABLE b;",
        &expect![[r"
            2:error drop-table (silenced)
            3:error drop-table"]],
    );
    check("-- ripcord: destroy the law says so\nDROP TABLE a;", &expect!["2:warning drop-table"]);
}

#[test]
fn annotations_must_mean_something() {
    check(
        "-- ripcord: ignore drop-tabel x\nDROP TABLE a;",
        &expect![[r"
        1:error annotation
        2:error drop-table"]],
    );
    check("-- ripcord: ignore drop-column x\nSELECT 1;", &expect!["1:error annotation"]);
    check("-- ripcord: destroy x\nSELECT 1;", &expect!["2:error annotation"]);
    check(
        "-- ripcord: destroy\nDROP TABLE a;",
        &expect![[r"
        1:error annotation
        2:error drop-table"]],
    );
    check("SELECT 1;\n-- ripcord: destroy x", &expect!["2:error annotation"]);
}

#[test]
fn an_annotation_may_be_about_the_file() {
    let script = "-- ripcord: ignore missing-down there is no way back\nCREATE TABLE a (x int);";
    let review = reviewed(Format::Plain, &[script]);
    assert!(review.findings.iter().all(|finding| finding.silenced.is_some()));
    assert_eq!((review.counts.notes, review.counts.silenced), (0, 1));
}

#[test]
fn a_baseline_silences_what_was_there_and_no_more() {
    let before = reviewed(Format::Plain, &["DROP TABLE a;"]);
    let baseline = Baseline::of(before.loud());
    let text = serde_json::to_string(&baseline).unwrap();
    let baseline = Baseline::read(&text).unwrap();
    // Lines may move; a second one like it is new.
    let mut after = reviewed(Format::Plain, &["\n\nDROP TABLE a;\nDROP TABLE a;\nDROP TABLE b;"]);
    after.apply(&baseline);
    expect![[r"
        3:error drop-table (silenced)
        4:error drop-table
        5:error drop-table"]]
    .assert_eq(&shown(&after));
    assert_eq!(after.counts.errors, 2);
    assert!(Baseline::read("{}").is_err());
    assert!(Baseline::read("{\"version\":2,\"findings\":{}}").is_err());
}

#[test]
fn files_not_chosen_still_tell_what_the_schema_is() {
    let dir = folder(&[
        ("1_a.up.sql", "CREATE TABLE a (x varchar(5)); DROP TABLE b;"),
        ("2_b.up.sql", "ALTER TABLE a ALTER x TYPE varchar(9);"),
    ]);
    let set = detected(dir.path());
    let only = Some([PathBuf::from("2_b.up.sql")].into());
    let review = review(&set, &Choice { only });
    assert_eq!(review.migrations.len(), 1);
    // Without the first script the type before would be unknown, and the change an error.
    assert_eq!(shown(&review), "");
}
