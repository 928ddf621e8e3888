//! How long it takes to read large schemas and many scripts, against a fixed time.

use crate::cluster::database;
use crate::{Line, Size, median, timed};
use ripcord_databases::formats::{Format, read};
use ripcord_databases::postgres::{Connection, Limits, Scope, snapshot};
use ripcord_databases::review::{Choice, review};
use std::time::Duration;

pub(crate) fn reading(size: Size) -> Vec<Line> {
    let mut lines = Vec::new();
    for tables in [size.tables / 10, size.tables] {
        // A second for a thousand.
        let bar = Duration::from_millis(tables).as_secs_f64();
        let seconds = schema(tables, size.rounds);
        lines.push(fixed(&format!("snapshot of {tables} tables"), seconds, bar));
    }
    let files = size.tables / 10;
    let seconds = scripts(files, size.rounds);
    lines.push(fixed(
        &format!("review of {files} files"),
        seconds,
        Duration::from_millis(2 * files).as_secs_f64(),
    ));
    lines
}

fn schema(tables: u64, rounds: usize) -> f64 {
    let database = database();
    // In parts, since a transaction holds a lock on each.
    for part in 0..tables.div_ceil(500) {
        let make = |n: u64| {
            format!(
                "CREATE TABLE t{n} (id bigint PRIMARY KEY, a text NOT NULL, b integer DEFAULT 1, \
                 c timestamptz CHECK (c > '2020-01-01')); CREATE INDEX t{n}_a ON t{n} (a);"
            )
        };
        let script: String = (part * 500..tables.min(part * 500 + 500)).map(make).collect();
        database.run(&script);
    }
    let mut connection = Connection::open(&database.url, "bench", &Limits::default()).unwrap();
    let read = |_| timed(|| snapshot(&mut connection, &Scope::default()).unwrap());
    median((0..rounds).map(read).collect())
}

fn scripts(files: u64, rounds: usize) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    for n in 1..=files {
        let script = format!(
            "CREATE TABLE t{n} (id bigint PRIMARY KEY, a text NOT NULL);\n\
             CREATE INDEX t{n}_a ON t{n} (a);\n\
             ALTER TABLE t{n} ADD COLUMN b integer NOT NULL DEFAULT 1;\n\
             UPDATE t{n} SET b = 2 WHERE a = 'x';\n\
             ALTER TABLE t{n} DROP COLUMN a;\n"
        );
        let path = folder.path().join(format!("{n:06}_step.up.sql"));
        std::fs::write(path, script).unwrap();
    }
    let work = |_| {
        timed(|| {
            let set = read(folder.path(), Format::Plain).unwrap();
            review(&set, &Choice::default())
        })
    };
    median((0..rounds).map(work).collect())
}

fn fixed(what: &str, seconds: f64, bar: f64) -> Line {
    Line {
        what: what.to_owned(),
        ours: format!("{:.0} ms", seconds * 1_000.0),
        theirs: format!("{:.0} ms", bar * 1_000.0),
        ratio: seconds / bar,
        most: 1.0,
    }
}
