//! How migrations stand, case by case.

use super::*;
use crate::formats::{Script, Transaction};
use std::path::PathBuf;

fn migration(kind: MigrationKind, version: &str, name: &str, text: &str) -> Migration {
    let up = Script { path: "x".into(), text: text.to_owned(), transaction: Transaction::Whole };
    let (version, name) = (version.to_owned(), name.to_owned());
    Migration { version, name, kind, up, down: None, checksum: None }
}

/// Versions `1`, `2` and so on, each with its number as its script.
fn set(format: Format, last: u32) -> MigrationSet {
    let one = |n: u32| migration(MigrationKind::Versioned, &n.to_string(), "x", &n.to_string());
    MigrationSet {
        format,
        root: PathBuf::new(),
        history: None,
        migrations: (1..=last).map(one).collect(),
        problems: Vec::new(),
    }
}

fn rows(versions: &[&str]) -> Memory {
    let row = |version: &&str| Row {
        version: (*version).to_owned(),
        name: None,
        kind: MigrationKind::Versioned,
        checksum: None,
        failed: version.ends_with('!'),
        at: None,
    };
    let mut rows: Vec<Row> = versions.iter().map(row).collect();
    for row in &mut rows {
        row.version = row.version.trim_end_matches('!').to_owned();
    }
    Memory::Each(rows)
}

fn reached(version: &str, dirty: bool) -> Memory {
    let version = (!version.is_empty()).then(|| version.to_owned());
    Memory::Reached { version, dirty }
}

/// Runs of versions whose script was the given text.
fn ran(runs: &[(&str, &str, State)]) -> Vec<Applied> {
    let one = |(at, (version, text, state)): (usize, &(&str, &str, State))| Applied {
        id: i64::try_from(at).unwrap() + 1,
        run: Run::of("h", &migration(MigrationKind::Versioned, version, "x", text)),
        delta: None,
        state: *state,
        statement: 0,
        applied_by: "ann".into(),
        applied_at: "then".into(),
        undone_at: None,
    };
    runs.iter().enumerate().map(one).collect()
}

fn words(all: &[Standing]) -> String {
    let one = |one: &Standing| {
        let remarks = one.remarks.iter().map(|remark| format!(" ({})", remark.words()));
        format!("{} {}{}", one.version, one.stand.words(), remarks.collect::<String>())
    };
    all.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn check(memory: &Memory, runs: &[(&str, &str, State)], expected: &str) {
    let format = match memory {
        Memory::Each(_) => Format::Dbmate,
        Memory::Reached { .. } => Format::GolangMigrate,
        Memory::Nothing => Format::Plain,
    };
    let all = standing(&set(format, 3), memory, &ran(runs));
    assert_eq!(words(&all), expected, "{memory:?} {runs:?}");
}

#[test]
fn the_tool_and_ripcord_agree() {
    let runs = [("1", "1", State::Applied), ("2", "2", State::Applied)];
    check(&rows(&["1", "2"]), &runs, "1 applied, 2 applied, 3 pending");
    check(&reached("2", false), &runs, "1 applied, 2 applied, 3 pending");
    check(&Memory::Nothing, &runs, "1 applied, 2 applied, 3 pending");
    let runs = [("1", "1", State::Applied), ("2", "2", State::Undone)];
    check(&rows(&["1"]), &runs, "1 applied, 2 undone, 3 pending");
    check(&reached("1", false), &runs, "1 applied, 2 undone, 3 pending");
    check(&Memory::Nothing, &runs, "1 applied, 2 undone, 3 pending");
    check(&rows(&[]), &[], "1 pending, 2 pending, 3 pending");
    check(&reached("", false), &[], "1 pending, 2 pending, 3 pending");
}

#[test]
fn they_take_turns() {
    let elsewhere = "1 applied (applied without Ripcord)";
    let pending = "2 pending, 3 pending";
    check(&rows(&["1"]), &[], &format!("{elsewhere}, {pending}"));
    check(&reached("1", false), &[], &format!("{elsewhere}, {pending}"));
    let undone = [("1", "1", State::Undone)];
    check(&rows(&["1"]), &undone, &format!("{elsewhere}, {pending}"));
    let applied = [("1", "1", State::Applied)];
    let back = "1 pending (taken back without Ripcord), 2 pending, 3 pending";
    check(&rows(&[]), &applied, back);
    check(&reached("", false), &applied, back);
    let twice = [("1", "1", State::Undone), ("1", "1", State::Applied)];
    check(&rows(&["1"]), &twice, "1 applied, 2 pending, 3 pending");
}

#[test]
fn what_is_out_of_the_ordinary() {
    let applied = [("1", "1", State::Applied)];
    check(&rows(&["1", "2!"]), &applied, "1 applied, 2 failed, 3 pending");
    check(&reached("2", true), &applied, "1 applied, 2 failed, 3 pending");
    let edited = [("1", "other", State::Applied)];
    check(&rows(&["1"]), &edited, "1 applied (changed since), 2 pending, 3 pending");
    let running = [("1", "1", State::Running)];
    check(&rows(&[]), &running, "1 unfinished, 2 pending, 3 pending");
    let undoing = [("1", "1", State::Undoing)];
    check(&rows(&["1"]), &undoing, "1 half undone, 2 pending, 3 pending");
    let late = "1 pending (out of order), 2 applied (applied without Ripcord), 3 pending";
    check(&rows(&["2"]), &[], late);
    let gone =
        "1 pending, 2 pending, 3 pending, 4 applied (applied without Ripcord) (file missing)";
    check(&rows(&["4"]), &[], gone);
    let own = [("9", "9", State::Applied)];
    check(&Memory::Nothing, &own, "1 pending, 2 pending, 3 pending, 9 applied (file missing)");
    let undone = [("9", "9", State::Undone)];
    check(&Memory::Nothing, &undone, "1 pending, 2 pending, 3 pending");
}

/// A tool that stores only how far it is has everything below in force, by its own word.
#[test]
fn how_far_it_is_counts_for_all_before() {
    let elsewhere = "applied (applied without Ripcord)";
    check(&reached("3", false), &[], &format!("1 {elsewhere}, 2 {elsewhere}, 3 {elsewhere}"));
    let unknown =
        format!("1 {elsewhere}, 2 {elsewhere}, 3 {elsewhere}, 7 {elsewhere} (file missing)");
    check(&reached("7", false), &[], &unknown);
}

fn flyway(rows: &[(&str, MigrationKind, Option<&str>)]) -> Memory {
    let row = |(version, kind, checksum): &(&str, MigrationKind, Option<&str>)| Row {
        version: (*version).to_owned(),
        name: None,
        kind: *kind,
        checksum: checksum.map(str::to_owned),
        failed: false,
        at: None,
    };
    Memory::Each(rows.iter().map(row).collect())
}

#[test]
fn baselines_cover_what_is_before() {
    use MigrationKind::{Baseline, Versioned};
    let found = flyway(&[("2", Baseline, None)]);
    let all = standing(&set(Format::Flyway, 3), &found, &[]);
    let begun = "2 applied (applied without Ripcord)";
    assert_eq!(words(&all), format!("1 covered, 2 covered, 3 pending, {begun}"));
    let mut with_script = set(Format::Flyway, 3);
    with_script.migrations.insert(0, migration(Baseline, "2", "start", "all"));
    let all = standing(&with_script, &flyway(&[]), &[]);
    assert_eq!(words(&all), "2 pending, 1 covered, 2 covered, 3 pending");
    let all = standing(&with_script, &flyway(&[("1", Versioned, None)]), &[]);
    let first = "1 applied (applied without Ripcord)";
    assert_eq!(words(&all), format!("2 covered, {first}, 2 pending, 3 pending"));
}

#[test]
fn repeatable_ones_run_again_when_they_change() {
    use MigrationKind::Repeatable;
    let mut set = set(Format::Flyway, 0);
    let mut one = migration(Repeatable, "", "views", "v");
    one.checksum = Some("7".into());
    set.migrations.push(one);
    let open = |memory: &Memory| {
        let all = standing(&set, memory, &[]);
        (words(&all), all[0].is_open())
    };
    assert_eq!(open(&flyway(&[])), ("views pending".into(), true));
    let same = flyway(&[("views", Repeatable, Some("7"))]);
    assert_eq!(open(&same), ("views applied (applied without Ripcord)".into(), false));
    let other = flyway(&[("views", Repeatable, Some("8"))]);
    assert!(open(&other).1);
}
