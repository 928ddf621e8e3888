//! What a forecast says is what the run then keeps, and a role that may only read suffices.

use super::cluster::{cluster, database};
use super::upward::{climb, folder};
use ripcord_core::schema::Counted;
use ripcord_databases::postgres::{Connection, Limits, Terms, preview_up};

fn words(counted: &[Counted]) -> Vec<String> {
    let mut words: Vec<String> = counted.iter().map(ToString::to_string).collect();
    words.sort();
    words
}

/// Forecast, by a role that may only read, and then what the run kept.
fn check(setup: &str, script: &str) -> Vec<String> {
    let database = database();
    database.run(setup);
    database.run(
        "GRANT USAGE ON SCHEMA public TO bob; GRANT SELECT ON ALL TABLES IN SCHEMA public TO bob",
    );
    let set = folder(&[script]);
    let dump = database.dump();
    let url = cluster().tcp("bob", &database.name);
    let mut connection = Connection::open(&url, "preview", &Limits::default()).unwrap();
    let forecast = preview_up(&mut connection, &set.migrations, &Terms::default()).unwrap();
    assert_eq!(database.dump(), dump);
    let outcome = climb(&database.url, &set, &Terms::default()).unwrap();
    assert_eq!(words(&forecast.kept), words(&outcome.kept), "{setup}\n=> {script}");
    assert_eq!(words(&forecast.gone), words(&outcome.gone), "{setup}\n=> {script}");
    forecast.caveats
}

const SHOP: &str = "CREATE TYPE mood AS ENUM ('sad'); CREATE TABLE orders (id serial PRIMARY KEY, note text, total numeric(10,2), m mood);
    INSERT INTO orders (note, total, m) SELECT CASE WHEN i % 2 = 0 THEN 'n' END, i / 4.0, 'sad' FROM generate_series(1, 20) AS i;
    CREATE TABLE lines (order_id int REFERENCES orders ON DELETE CASCADE); INSERT INTO lines SELECT id FROM orders;
    CREATE TABLE logs (at int) PARTITION BY RANGE (at); CREATE TABLE logs_1 PARTITION OF logs FOR VALUES FROM (0) TO (9); INSERT INTO logs VALUES (1), (2);
    CREATE VIEW rich AS SELECT note FROM orders; ANALYZE";

#[test]
fn a_forecast_is_what_comes_of_it() {
    let caveats = check(
        SHOP,
        "ALTER TABLE orders DROP COLUMN note CASCADE; DROP TYPE mood CASCADE; ALTER TABLE orders ALTER total TYPE int",
    );
    assert!(caveats.is_empty(), "{caveats:?}");
    check(SHOP, "DROP TABLE logs; TRUNCATE orders CASCADE");
    check(SHOP, "DROP SCHEMA public CASCADE");
    check(
        SHOP,
        "-- ripcord: destroy law\nDROP TABLE lines; CREATE TABLE lines (a int); INSERT INTO lines VALUES (1)",
    );
}

#[test]
fn what_cannot_be_told_is_said() {
    let database = database();
    database.run(SHOP);
    let set = folder(&[
        "DO $$ BEGIN DELETE FROM lines; END $$; DELETE FROM orders WHERE id > 10; CREATE INDEX CONCURRENTLY i ON orders (id)",
    ]);
    let mut connection = Connection::open(&database.url, "preview", &Limits::default()).unwrap();
    let forecast = preview_up(
        &mut connection,
        &set.migrations,
        &Terms { copy_bytes_max: 10, ..Terms::default() },
    )
    .unwrap();
    let caveats = forecast.caveats.join("\n");
    assert!(caveats.contains("line 1: what this writes is seen only when it runs"), "{caveats}");
    assert!(caveats.contains("does not run in one transaction"), "{caveats}");
    // The server's own estimate, which is near.
    let [orders] = forecast.kept.as_slice() else { panic!("{forecast:?}") };
    assert!(orders.what == "orders" && (8..=12).contains(&orders.count), "{orders:?}");
}
