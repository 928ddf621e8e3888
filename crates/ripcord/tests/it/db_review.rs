//! `ripcord db review`: on a folder as it is, with no controller, configuration or database.

use crate::site::RIPCORD;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

/// A project with one good migration and one bad one.
fn project() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("migrations")).unwrap();
    let write = |name: &str, text: &str| {
        fs::write(dir.path().join("migrations").join(name), text).unwrap();
    };
    write("1_a.up.sql", "CREATE TABLE orders (id bigint PRIMARY KEY, note text);\n");
    write("1_a.down.sql", "DROP TABLE orders;\n");
    write("2_b.up.sql", "SET LOCAL lock_timeout = '2s';\nALTER TABLE orders DROP COLUMN note;\n");
    write("2_b.down.sql", "ALTER TABLE orders ADD COLUMN note text;\n");
    dir
}

fn review(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(RIPCORD).current_dir(dir).args(["db", "review"]).args(arguments).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn says_what_is_wrong_and_exits_with_three() {
    let dir = project();
    let output = review(dir.path(), &[]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let shown = text(&output);
    for part in [
        "migrations: plain",
        "drop column orders.note  AccessExclusive moment  BREAKS    column orders.note",
        "error migrations/2_b.up.sql:2 drop-column: ",
        "instead: release code that does not name the column",
        "2 migrations reviewed: 1 error, 0 warnings, 1 note, 0 silenced",
    ] {
        assert!(shown.contains(part), "{part:?} is not in\n{shown}");
    }
    assert!(!shown.contains('\u{1b}'), "colours without a terminal");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "it left something behind");
    let good = review(dir.path(), &["migrations/1_a.up.sql"]);
    assert_eq!(good.status.code(), Some(0), "{good:?}");
}

#[test]
fn speaks_to_machines() {
    let dir = project();
    let found = json(&review(dir.path(), &["migrations", "--json"]));
    let review_of = &found["reviews"][0];
    assert_eq!((&found["version"], &review_of["format"]), (&1.into(), &"plain".into()));
    let statement = &review_of["migrations"][1]["up"]["statements"][1];
    assert_eq!(statement["blocks"]["lock"], "AccessExclusive");
    assert_eq!(statement["phase"], "contract");
    assert_eq!(statement["mode"], "defer");
    assert_eq!(statement["kept"]["mode"], "hide");
    let sarif = json(&review(dir.path(), &["--sarif"]));
    let run = &sarif["runs"][0];
    let result = run["results"].as_array().unwrap().iter().find(|r| r["level"] == "error").unwrap();
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(sarif["version"], "2.1.0");
    assert_eq!(place["artifactLocation"]["uri"], "migrations/2_b.up.sql");
    assert_eq!(place["region"]["startLine"], 2);
    let named = |rule: &serde_json::Value| rule["id"] == result["ruleId"];
    assert!(run["tool"]["driver"]["rules"].as_array().unwrap().iter().any(named));
    let github = text(&review(dir.path(), &["--github"]));
    assert!(
        github.contains("::error file=migrations/2_b.up.sql,line=2,title=drop-column::column"),
        "{github}"
    );
    let markdown = text(&review(dir.path(), &["--markdown"]));
    assert!(markdown.contains("| 🛑 | `migrations/2_b.up.sql:2` | "), "{markdown}");
    assert!(text(&review(dir.path(), &["--rules"])).contains("\ndrop-column "));
}

#[test]
fn a_baseline_leaves_only_what_is_new() {
    let dir = project();
    let write = ["--baseline", "known.json", "--write-baseline"];
    assert_eq!(review(dir.path(), &write).status.code(), Some(0));
    assert_eq!(review(dir.path(), &["--baseline", "known.json"]).status.code(), Some(0));
    fs::write(dir.path().join("migrations/3_c.up.sql"), "DROP TABLE orders;").unwrap();
    assert_eq!(review(dir.path(), &["--baseline", "known.json"]).status.code(), Some(3));
    fs::write(dir.path().join("known.json"), "{").unwrap();
    assert_eq!(review(dir.path(), &["--baseline", "known.json"]).status.code(), Some(2));
}

#[test]
fn since_a_commit() {
    let dir = project();
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@localhost"];
        let mut git = Command::new("git");
        let done = git.current_dir(dir.path()).args(identity).args(arguments).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message", "all"]);
    let reviewed = |arguments: &[&str]| {
        let output = review(dir.path(), &[&["--since", "HEAD", "--json"], arguments].concat());
        let found = json(&output);
        let migrations = found["reviews"][0]["migrations"].as_array().unwrap();
        let names = migrations.iter().map(|m| m["up"]["file"].as_str().unwrap().to_owned());
        (output.status.code(), names.collect::<Vec<_>>())
    };
    assert_eq!(reviewed(&[]), (Some(0), vec![]));
    // One that git does not know, and one that differs.
    fs::write(dir.path().join("migrations/3_c.up.sql"), "DROP TABLE orders;").unwrap();
    assert_eq!(reviewed(&[]), (Some(3), vec!["3_c.up.sql".to_owned()]));
    fs::write(dir.path().join("migrations/1_a.down.sql"), "DROP TABLE orders;").unwrap();
    assert_eq!(reviewed(&[]).1, ["1_a.up.sql", "3_c.up.sql"]);
    for wrong in ["nowhere", "--output=x", ""] {
        let output = review(dir.path(), &[&format!("--since={wrong}")]);
        assert_eq!(output.status.code(), Some(2), "{wrong}: {output:?}");
    }
}

#[test]
fn what_cannot_be_reviewed_exits_with_two() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("empty")).unwrap();
    fs::create_dir(dir.path().join("both")).unwrap();
    fs::write(dir.path().join("both/V1__a.sql"), "SELECT 1;").unwrap();
    fs::write(dir.path().join("both/U2__b.sql"), "SELECT 1;").unwrap();
    for arguments in [
        &[][..],
        &["nowhere"],
        &["empty"],
        &["both"],
        &["empty", "--format", "liquibase"],
        &["empty", "--write-baseline"],
        &["both", "--github", "--sarif"],
    ] {
        let output = review(dir.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
    let told = review(dir.path(), &["both", "--format", "refinery"]);
    assert_eq!(told.status.code(), Some(0), "{told:?}");
}

/// What other processes do at the same time does not count: the time of the processor is taken.
#[test]
fn a_thousand_files_take_less_than_two_seconds() {
    let dir = tempfile::tempdir().unwrap();
    for number in 1..=1_000 {
        let up = format!(
            "CREATE TABLE t{number} (id bigserial PRIMARY KEY, name text NOT NULL, at timestamptz);
             CREATE INDEX ON t{number} (name);
             INSERT INTO t{number} (name) VALUES ('a'), ('b'), ('c');
             ALTER TABLE t{} ADD COLUMN extra int, ALTER COLUMN name TYPE varchar(50);
             CREATE FUNCTION f{number}() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$;",
            number / 2
        );
        fs::write(dir.path().join(format!("{number:04}_x.up.sql")), up).unwrap();
    }
    let script = "\"$0\" db review --github \"$1\" > \"$1/out\"; echo $?; times";
    let output = Command::new("sh").args(["-c", script, RIPCORD]).arg(dir.path()).output().unwrap();
    let shown = text(&output);
    let mut lines = shown.lines();
    assert_eq!(lines.next(), Some("3"), "{output:?}");
    // The second line of `times` is that of the children: user and system, as 0m0.12s.
    let seconds = |time: &str| {
        let (minutes, seconds) = time.trim_end_matches('s').split_once('m').unwrap();
        minutes.parse::<f64>().unwrap() * 60.0 + seconds.parse::<f64>().unwrap()
    };
    let took: f64 = lines.nth(1).unwrap().split_whitespace().map(seconds).sum();
    assert!(took > 0.0 && took < 2.0, "{took} s");
    let counted = fs::read_to_string(dir.path().join("out")).unwrap();
    // Each table's type is changed twice, and the second time it is the same type.
    assert!(counted.contains("1000 migrations reviewed: 501 errors"), "{counted}");
}
