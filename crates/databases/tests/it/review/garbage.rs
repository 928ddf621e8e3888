//! Bad input: bounded, never a panic, and never silently good.

use crate::review::{detected, folder, reviewed};
use proptest::prelude::*;
use ripcord_databases::formats::{self, Format};
use ripcord_databases::review::{Choice, Review, review};
use std::fmt::Write;
use std::fs::{self, File};
use std::process::Command;
use std::time::{Duration, Instant};

fn rules(review: &Review) -> Vec<&'static str> {
    let quiet = ["lock-timeout", "missing-down"];
    review.findings.iter().map(|found| found.rule).filter(|rule| !quiet.contains(rule)).collect()
}

#[test]
fn files_that_are_no_scripts() {
    let dir = folder(&[("1_ok.up.sql", "SELECT 1;"), ("2_empty.up.sql", " -- nothing\n")]);
    fs::write(dir.path().join("3_binary.up.sql"), [0_u8, 1, 2, 255]).unwrap();
    fs::write(dir.path().join("4_latin.up.sql"), b"SELECT 1;\nSELECT '\xe4';").unwrap();
    // A sparse file: 100 MB by size, nothing on the disk, and not read beyond the bound.
    File::create(dir.path().join("5_huge.up.sql")).unwrap().set_len(100 << 20).unwrap();
    let link = dir.path().join("6_loop.up.sql");
    std::os::unix::fs::symlink(&link, &link).unwrap();
    std::os::unix::fs::symlink(dir.path(), dir.path().join("circle")).unwrap();
    let pipe = dir.path().join("7_pipe.up.sql");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let began = Instant::now();
    let review = review(&detected(dir.path()), &Choice::default());
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let found: Vec<(&str, u32)> = review
        .findings
        .iter()
        .filter(|finding| finding.rule != "missing-down")
        .map(|finding| (finding.rule, finding.line))
        .collect();
    assert_eq!(
        found,
        [
            ("empty-script", 1),
            ("not-text", 1),
            ("not-text", 2),
            ("too-large", 1),
            ("unreadable-file", 1),
            ("unreadable-file", 1),
        ]
    );
    assert_eq!(review.counts.errors, 5);
}

#[test]
fn scripts_that_never_end() {
    for script in ["SELECT 'x", "SELECT \"x", "SELECT $a$ $$", "/* x", "SELECT E'\\'"] {
        let review = reviewed(Format::Plain, &[script]);
        assert_eq!(rules(&review), ["unreadable"], "{script}");
    }
}

#[test]
fn deep_nesting_is_refused_not_survived_by_luck() {
    for (open, close) in [("(", ")"), ("ARRAY[", "]"), ("CASE WHEN ", " END"), ("SELECT (", ")")] {
        let script = format!("SELECT {}1{};", open.repeat(50_000), close.repeat(50_000));
        let review = reviewed(Format::Plain, &[&script]);
        assert!(
            review.findings.iter().any(|f| f.rule == "unreadable" || f.rule == "opaque"),
            "{open}: {:?}",
            rules(&review)
        );
    }
    for chain in ["NOT ", "- ", "1 OR ", "1 UNION SELECT "] {
        reviewed(Format::Plain, &[&format!("SELECT {}1;", chain.repeat(9_000))]);
    }
}

#[test]
fn a_large_insert_is_an_insert() {
    let mut script = String::from("INSERT INTO a VALUES (0, 'x')");
    for number in 0..100_000 {
        write!(script, ",\n({number}, 'some text; with a semicolon')").unwrap();
    }
    let review = reviewed(Format::Plain, &[&script]);
    let statement = &review.migrations[0].up.statements[0];
    assert_eq!((statement.what.as_str(), statement.read_in_part), ("write rows of a", true));
    assert_eq!(rules(&review), [""; 0]);
}

#[test]
fn a_folder_that_is_not_there_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    assert!(formats::detect(&dir.path().join("nowhere")).is_err());
    assert!(formats::read(&dir.path().join("nowhere"), Format::Flyway).is_err());
}

/// Pieces from which garbage is made that looks like SQL.
fn word() -> impl Strategy<Value = String> {
    let words = [
        "ALTER",
        "TABLE",
        "a",
        "DROP",
        "COLUMN",
        "b",
        ",",
        "(",
        ")",
        ";",
        "CREATE",
        "INDEX",
        "ON",
        "CONCURRENTLY",
        "'",
        "\"",
        "$$",
        "$x$",
        "--",
        "\n",
        "/*",
        "*/",
        "\\",
        "BEGIN",
        "ATOMIC",
        "END",
        "CASE",
        "FUNCTION",
        "COPY",
        "FROM",
        "stdin",
        "TYPE",
        "ADD",
        "SET",
        "NOT",
        "NULL",
        "DEFAULT",
        "::",
        "1",
        "E'\\",
        "U&\"",
        "CHECK",
        "-- ripcord:",
        "destroy",
        "ignore",
        "ä",
        "\0",
        "-- +goose Up",
        "-- migrate:up",
        "${",
        "}",
        "WITH",
        "AS",
        "DELETE",
        "SELECT",
        "VALUES",
        ".",
    ];
    prop_oneof![
        9 => prop::sample::select(words.to_vec()).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn garbage_is_no_panic(words in prop::collection::vec(word(), 0..60), glue in "[ \n]?") {
        let script = words.join(&glue);
        for name in ["1_x.up.sql", "V1__x.sql", "1_x.sql"] {
            let dir = folder(&[(name, &script)]);
            for format in [Format::Plain, Format::Flyway, Format::Goose] {
                let set = formats::read(dir.path(), format).unwrap();
                let review = review(&set, &Choice::default());
                for finding in &review.findings {
                    prop_assert!(finding.line >= 1);
                }
            }
        }
    }
}
