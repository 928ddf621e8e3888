//! How fast what was dropped is back, against the better of what people do by hand.

use crate::{Line, Migrated, Size, copy, line, timed};

const DROP: &str = "ALTER TABLE orders DROP COLUMN note";

/// Writing the values into the rows, from a copy with its key.
const BY_UPDATE: &str = "ALTER TABLE orders ADD COLUMN note text; \
     UPDATE orders SET note = kept.note FROM kept WHERE kept.id = orders.id";

/// Writing the whole table anew.
const BY_REBUILD: &str = "BEGIN; CREATE TABLE anew (LIKE orders INCLUDING ALL); \
     ALTER TABLE anew ADD COLUMN note text; \
     INSERT INTO anew SELECT orders.*, kept.note FROM orders LEFT JOIN kept USING (id); \
     DROP TABLE orders; ALTER TABLE anew RENAME TO orders; COMMIT";

pub(crate) fn way_back(size: Size) -> Vec<Line> {
    let rounds: Vec<(f64, f64)> = (0..size.rounds).map(|_| (ours(), theirs())).collect();
    let what = "DROP COLUMN taken back, against UPDATE or rebuild by hand";
    vec![line(what, &rounds, 1.0)]
}

fn ours() -> f64 {
    let database = copy("bench_mine");
    let mut migrated = Migrated::ready(&database, DROP);
    migrated.up();
    migrated.down()
}

fn theirs() -> f64 {
    let by_hand = |script: &str| {
        let database = copy("bench_plain");
        database.run(&format!(
            "CREATE TABLE kept AS SELECT id, note FROM orders; ANALYZE kept; {DROP}"
        ));
        let mut client = database.client();
        timed(|| client.batch_execute(script).unwrap())
    };
    by_hand(BY_UPDATE).min(by_hand(BY_REBUILD))
}
