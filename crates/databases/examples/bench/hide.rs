//! What is hidden: the time there and back, against `pg_restore` of the same table, and against the
//! same on a tenth of the rows.

use crate::cluster::cluster;
use crate::{Line, Migrated, Size, copy, line, timed};

/// What is hidden, whether it is a plain thing, whose way back takes the same time for any number
/// of rows, and what makes it other than plain.
const CASES: [(&str, &str, bool); 3] = [
    ("DROP TABLE", "DROP TABLE orders", true),
    ("DROP COLUMN", "ALTER TABLE orders DROP COLUMN note", true),
    ("DROP COLUMN with NOT NULL and an index", "ALTER TABLE orders DROP COLUMN customer", false),
];

/// The most that there and back may take of what `pg_restore` takes.
const RESTORE: f64 = 0.001;

/// The most that it may take of what a tenth of the rows take.
const FLAT: f64 = 1.5;

pub(crate) fn hide(size: Size) -> Vec<Line> {
    let restored: Vec<f64> = (0..size.rounds).map(|_| restore()).collect();
    let mut lines = Vec::new();
    for (what, script, plain) in CASES {
        let round = |_| both(script, false);
        let ours: Vec<(f64, f64)> = (0..size.rounds).map(round).collect();
        let pair = |side: fn(&(f64, f64)) -> f64| -> Vec<(f64, f64)> {
            ours.iter().map(side).zip(restored.iter().copied()).collect()
        };
        let most = if plain { RESTORE } else { 1.0 };
        lines.push(line(&format!("{what} hidden, against pg_restore"), &pair(|one| one.0), most));
        lines.push(line(&format!("{what} back, against pg_restore"), &pair(|one| one.1), most));
        if plain {
            let few: Vec<(f64, f64)> = (0..size.rounds).map(|_| both(script, true)).collect();
            let sum = |one: &(f64, f64)| one.0 + one.1;
            let rounds: Vec<(f64, f64)> = ours.iter().map(sum).zip(few.iter().map(sum)).collect();
            lines.push(line(
                &format!("{what} hidden and back, against a tenth of the rows"),
                &rounds,
                FLAT,
            ));
        }
    }
    lines
}

/// Seconds there and back.
fn both(script: &str, tenth: bool) -> (f64, f64) {
    let database = copy("bench_mine");
    if tenth {
        database.run("DELETE FROM orders WHERE id % 10 > 0");
        database.run("VACUUM FULL orders");
    }
    let mut migrated = Migrated::ready(&database, &format!("-- ripcord: hide\n{script}"));
    (migrated.up(), migrated.down())
}

/// Seconds that `pg_restore` takes for the table.
fn restore() -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("orders.dump");
    let database = copy("bench_plain");
    let run = |program: &str, words: &[&str]| {
        let done = cluster().program(program).args(words).status().unwrap();
        assert!(done.success(), "{program} {words:?}");
    };
    let path = file.to_str().unwrap();
    run("pg_dump", &["-Fc", "-Z1", "--no-sync", "-t", "orders", "-f", path, "-d", &database.url]);
    database.run("DROP TABLE orders");
    timed(|| run("pg_restore", &["-d", &database.url, path]))
}
