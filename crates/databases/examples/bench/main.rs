//! What it costs to keep what a migration destroys, and how fast it is back, against what anybody
//! would do by hand, side by side in one run on a real server: ratios, each held to its bar.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on ends")]
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

#[path = "../../tests/it/postgres/cluster.rs"]
#[expect(dead_code, reason = "tests need more of it")]
mod cluster;
mod cost;
mod hide;
mod reading;
mod way_back;

use cluster::{Database, cluster};
use postgres::{Client, NoTls};
use ripcord_databases::formats::{Format, MigrationSet, read};
use ripcord_databases::postgres::{Connection, History, Limits, Session, Terms, down, up};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) rows: u64,
    pub(crate) tables: u64,
    pub(crate) rounds: usize,
    /// Whether the bars hold at this size.
    pub(crate) whole: bool,
}

/// One measured figure against its bar.
pub(crate) struct Line {
    pub(crate) what: String,
    pub(crate) ours: String,
    pub(crate) theirs: String,
    pub(crate) ratio: f64,
    pub(crate) most: f64,
}

fn main() -> ExitCode {
    let quick = std::env::args().any(|word| word == "--quick");
    let size = if quick {
        Size { rows: 100_000, tables: 200, rounds: 1, whole: false }
    } else {
        Size { rows: 2_000_000, tables: 10_000, rounds: 3, whole: true }
    };
    let mut lines = Vec::new();
    lines.extend(reading::reading(size));
    big(size.rows);
    lines.extend(cost::cost(size));
    lines.extend(way_back::way_back(size));
    lines.extend(hide::hide(size));
    report(&lines, size)
}

fn report(lines: &[Line], size: Size) -> ExitCode {
    println!("{:<58} {:>10} {:>10} {:>7} {:>8}", "", "ripcord", "by hand", "ratio", "at most");
    let mut failed = 0;
    for line in lines {
        let holds = line.ratio <= line.most;
        failed += usize::from(!holds);
        let word = if holds { "PASS" } else { "FAIL" };
        println!(
            "{:<58} {:>10} {:>10} {:>7.4} {:>8.3}  {word}",
            line.what, line.ours, line.theirs, line.ratio, line.most
        );
    }
    println!(
        "{} rows, median of {} rounds, {failed} of {} over",
        size.rows,
        size.rounds,
        lines.len()
    );
    if failed == 0 || !size.whole { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The database that all others are copies of.
const TEMPLATE: &str = "bench_template";

/// Makes a table of so many rows, about 150 bytes each.
fn big(rows: u64) {
    admin(&format!("CREATE DATABASE {TEMPLATE} TEMPLATE template0"));
    let mut client = Client::connect(&cluster().url(TEMPLATE), NoTls).unwrap();
    client
        .batch_execute(&format!(
            "CREATE TABLE orders (id bigint PRIMARY KEY, customer bigint NOT NULL, note text, \
             amount bigint NOT NULL, state text NOT NULL, made timestamptz NOT NULL); \
             INSERT INTO orders SELECT n, n % 50000, 'a note about order number ' || n, n % 997, \
             CASE WHEN n % 7000 = 0 THEN 'a state that is too long' ELSE 'paid' END, \
             timestamptz '2026-01-01' + n * interval '1 second' FROM generate_series(1, {rows}) n; \
             CREATE INDEX orders_by_customer ON orders (customer)"
        ))
        .unwrap();
    client.batch_execute("VACUUM ANALYZE orders").unwrap();
}

pub(crate) fn admin(sql: &str) {
    Client::connect(&cluster().url("postgres"), NoTls).unwrap().batch_execute(sql).unwrap();
}

/// A fresh copy of the template, so that every round begins alike.
pub(crate) fn copy(name: &str) -> Database {
    admin(&format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}"));
    let database = Database { url: cluster().url(name), name: name.to_owned() };
    database.run("CHECKPOINT");
    database
}

/// Migrates forward by one script, as `ripcord db up` does.
pub(crate) struct Migrated {
    session: Session,
    set: MigrationSet,
    history: History,
    _folder: tempfile::TempDir,
}

impl Migrated {
    pub(crate) fn ready(database: &Database, script: &str) -> Migrated {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("001_step.up.sql"), script).unwrap();
        let set = read(folder.path(), Format::Plain).unwrap();
        let limits = Limits { statement: Duration::from_mins(30), ..Limits::default() };
        let mut connection = Connection::open(&database.url, "bench", &limits).unwrap();
        let history = History::of(&set, &mut connection, None).unwrap();
        let session = Session::open(&database.url, history.key(), &limits).unwrap();
        Migrated { session, set, history, _folder: folder }
    }

    /// Seconds that going forward takes.
    pub(crate) fn up(&mut self) -> f64 {
        let migration = &self.set.migrations[0];
        let terms = Terms { copy_bytes_max: u64::MAX, ..Terms::default() };
        timed(|| up(&mut self.session, migration, &mut self.history, &terms, &mut |_| {}).unwrap())
    }

    /// Seconds that the way back takes.
    pub(crate) fn down(&mut self) -> f64 {
        let terms = Terms { rebuild_bytes_max: u64::MAX, ..Terms::default() };
        timed(|| down(&mut self.session, 1, None, &self.history, &terms, &mut |_| {}).unwrap())
    }
}

/// Seconds that something takes.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> f64 {
    let began = Instant::now();
    drop(work());
    began.elapsed().as_secs_f64()
}

/// The one in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A line from rounds of both, ours first.
pub(crate) fn line(what: &str, rounds: &[(f64, f64)], most: f64) -> Line {
    let ours = median(rounds.iter().map(|(ours, _)| *ours).collect());
    let theirs = median(rounds.iter().map(|(_, theirs)| *theirs).collect());
    let ratio = median(rounds.iter().map(|(ours, theirs)| ours / theirs).collect());
    let seconds = |value: f64| format!("{:.0} ms", value * 1_000.0);
    Line { what: what.to_owned(), ours: seconds(ours), theirs: seconds(theirs), ratio, most }
}
