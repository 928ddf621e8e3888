//! What keeping costs on the way forward, against the plain statement or a plain copy.

use crate::{Line, Migrated, Size, copy, line, timed};
use std::io::{Read, sink};

/// A statement, what it is held against, and the bar.
struct Case {
    what: &'static str,
    script: &'static str,
    against: Against,
    most: f64,
}

enum Against {
    /// The values that are kept, written by COPY to nowhere.
    Copy(&'static str),
    /// The statement itself.
    Plain,
}

const CASES: [Case; 5] = [
    Case {
        what: "DROP COLUMN, against COPY of key and values",
        script: "ALTER TABLE orders DROP COLUMN note",
        against: Against::Copy("SELECT id, note FROM orders"),
        most: 1.5,
    },
    Case {
        what: "DROP TABLE, against COPY of all rows",
        script: "DROP TABLE orders",
        against: Against::Copy("SELECT * FROM orders"),
        most: 1.5,
    },
    Case {
        what: "UPDATE of a quarter of the rows, against plain",
        script: "UPDATE orders SET note = 'changed' WHERE id % 4 = 0",
        against: Against::Plain,
        most: 1.8,
    },
    Case {
        what: "DELETE of a quarter of the rows, against plain",
        script: "DELETE FROM orders WHERE id % 4 = 0",
        against: Against::Plain,
        most: 1.8,
    },
    Case {
        what: "narrowing ALTER TYPE, against plain",
        script: "ALTER TABLE orders ALTER COLUMN state TYPE varchar(8) USING substr(state, 1, 8)",
        against: Against::Plain,
        most: 1.15,
    },
];

pub(crate) fn cost(size: Size) -> Vec<Line> {
    CASES.iter().map(|case| measure(case, size)).collect()
}

fn measure(case: &Case, size: Size) -> Line {
    let round = |at: usize| {
        // Who comes first changes, so that a warm cache helps both.
        let theirs_first = at.is_multiple_of(2).then(|| theirs(case));
        let mine = copy("bench_mine");
        let ours = Migrated::ready(&mine, case.script).up();
        drop(mine);
        (ours, theirs_first.unwrap_or_else(|| theirs(case)))
    };
    let rounds: Vec<(f64, f64)> = (0..size.rounds).map(round).collect();
    line(case.what, &rounds, case.most)
}

fn theirs(case: &Case) -> f64 {
    let plain = copy("bench_plain");
    let mut client = plain.client();
    match case.against {
        Against::Plain => timed(|| client.batch_execute(case.script).unwrap()),
        Against::Copy(values) => timed(|| {
            let mut rows = client.copy_out(&format!("COPY ({values}) TO STDOUT")).unwrap();
            std::io::copy(&mut rows.by_ref(), &mut sink()).unwrap()
        }),
    }
}
