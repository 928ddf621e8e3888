//! What scripts destroy is set aside, and what they do is what `psql` would have done.

use super::upward::{check, twin};

const ORDERS: &str = "
    CREATE TABLE orders (id serial PRIMARY KEY, note text, total numeric(10,2) NOT NULL DEFAULT 0, extra json);
    INSERT INTO orders (note, total, extra) VALUES ('a', 1.25, '{\"b\": 1}'), (NULL, 2.5, NULL), ('c', 3, '[]');
    CREATE TABLE lines (order_id int REFERENCES orders ON DELETE CASCADE, what text);
    INSERT INTO lines VALUES (1, 'x'), (1, 'y'), (3, 'z');";

#[test]
fn a_dropped_column() {
    let twin = check(ORDERS, "ALTER TABLE orders DROP COLUMN note", &["2 values of orders.note"]);
    assert_eq!(twin.store("values", "public.orders"), ["(1,a)", "(2,)", "(3,c)"]);
}

#[test]
fn a_dropped_key_takes_whole_rows() {
    let kept = &["3 values of orders.id"];
    let twin = check(ORDERS, "ALTER TABLE orders DROP COLUMN id CASCADE", kept);
    assert_eq!(twin.store("values", "public.orders").len(), 3);
    assert_eq!(
        twin.number("SELECT count(*) FROM ripcord.kept WHERE item ->> 'kind' = 'position'"),
        1
    );
}

#[test]
fn dropped_tables_with_what_hangs_on_them() {
    check(ORDERS, "DROP TABLE lines", &["3 rows of lines"]);
    check(ORDERS, "DROP TABLE lines, orders", &["3 rows of lines", "3 rows of orders"]);
    check(ORDERS, "DROP TABLE orders CASCADE", &["3 rows of orders"]);
    check(
        "CREATE SCHEMA old; CREATE TABLE old.a (x int); INSERT INTO old.a VALUES (1); CREATE TABLE old.\"Weird Näme\" (\"select\" int); INSERT INTO old.\"Weird Näme\" VALUES (2)",
        "DROP SCHEMA old CASCADE",
        &["1 row of old.\"Weird Näme\"", "1 row of old.a"],
    );
}

#[test]
fn dropped_types_take_columns() {
    check(
        "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN code AS text; CREATE TABLE t (id int PRIMARY KEY, m mood, ms mood[], c code); INSERT INTO t VALUES (1, 'sad', '{ok}', 'x')",
        "DROP TYPE mood CASCADE; DROP DOMAIN code CASCADE",
        &["1 value of t.c", "1 value of t.m", "1 value of t.ms"],
    );
}

#[test]
fn emptied_tables() {
    check(ORDERS, "TRUNCATE lines", &["3 rows of lines"]);
    let twin = check(
        ORDERS,
        "TRUNCATE orders RESTART IDENTITY CASCADE",
        &["3 rows of lines", "3 rows of orders"],
    );
    assert_eq!(
        twin.number("SELECT count(*) FROM ripcord.kept WHERE item ->> 'kind' = 'position'"),
        1
    );
}

#[test]
fn rows_that_are_written() {
    let twin = check(
        ORDERS,
        "UPDATE orders SET total = total * 2 WHERE id < 3; INSERT INTO orders (note) VALUES ('new'); DELETE FROM orders WHERE id = 3",
        &["1 row of lines", "4 rows of orders"],
    );
    let rows = twin.store("changes", "public.orders");
    let short: Vec<String> =
        rows.iter().map(|row| row.split_once(',').unwrap().1.to_owned()).collect();
    assert_eq!(
        short,
        [
            "u,1,1,a,1.25,\"{\"\"b\"\": 1}\",1,a,2.50,\"{\"\"b\"\": 1}\")",
            "u,2,2,,2.50,,2,,5.00,)",
            "i,4,,,,,4,new,0.00,)",
            "d,3,3,c,3.00,[],,,,)",
        ]
    );
}

#[test]
fn columns_that_come_and_go_between_writes() {
    check(
        ORDERS,
        "ALTER TABLE orders ADD COLUMN name text; UPDATE orders SET name = note; ALTER TABLE orders DROP COLUMN note; UPDATE orders SET name = 'b' WHERE name IS NULL; ALTER TABLE orders RENAME TO purchases; DELETE FROM purchases WHERE id = 1",
        &["1 row of purchases", "2 rows of lines", "2 values of orders.note", "3 rows of orders"],
    );
}

#[test]
fn blocks_of_code() {
    check(
        ORDERS,
        "DO $$ BEGIN UPDATE orders SET note = 'x'; ALTER TABLE orders DROP COLUMN total; DELETE FROM lines; TRUNCATE lines; END $$",
        &["3 rows of lines", "3 rows of orders", "3 values of orders.total"],
    );
    check(
        "CREATE TABLE t (id int); INSERT INTO t VALUES (1), (2); CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'TRUNCATE t'; DROP TABLE IF EXISTS t; END $$",
        "SELECT f()",
        &["2 rows of t"],
    );
}

#[test]
fn types_that_lose_values() {
    let twin = check(
        "CREATE TABLE t (id bigint PRIMARY KEY, n numeric(10,2), d timestamp, w text); INSERT INTO t SELECT i, i / 2.0, timestamp '2024-01-01' + i * interval '12 hours', i FROM generate_series(1, 4) AS i",
        "ALTER TABLE t ALTER n TYPE int, ALTER d TYPE date, ALTER w TYPE int USING length(w)",
        &["2 values of t.d", "2 values of t.n", "3 values of t.w"],
    );
    assert_eq!(twin.number("SELECT count(*) FROM ripcord.kept WHERE (item ->> 'lossy')::bool"), 3);
    check(
        "CREATE TABLE t (id int PRIMARY KEY, n int, v varchar(3)); INSERT INTO t VALUES (1, 5, 'abc')",
        "ALTER TABLE t ALTER id TYPE bigint, ALTER n TYPE text, ALTER v TYPE text",
        &[],
    );
}

#[test]
fn partitions_and_children() {
    const PARTED: &str = "CREATE TABLE logs (at int, what text, PRIMARY KEY (at)) PARTITION BY RANGE (at);
        CREATE TABLE logs_1 PARTITION OF logs FOR VALUES FROM (0) TO (10); CREATE TABLE logs_2 PARTITION OF logs FOR VALUES FROM (10) TO (20);
        INSERT INTO logs SELECT i, 'w' || i FROM generate_series(5, 14) AS i;
        CREATE TABLE animals (name text); CREATE TABLE cats (lives int) INHERITS (animals); INSERT INTO animals VALUES ('dog'); INSERT INTO cats VALUES ('tom', 9);";
    check(PARTED, "ALTER TABLE logs DROP COLUMN what", &["10 values of logs.what"]);
    check(PARTED, "DROP TABLE logs", &["5 rows of logs_1", "5 rows of logs_2"]);
    check(PARTED, "DROP TABLE logs_1", &["5 rows of logs_1"]);
    check(PARTED, "TRUNCATE logs", &["5 rows of logs_1", "5 rows of logs_2"]);
    check(
        PARTED,
        "UPDATE logs SET at = at + 10 WHERE at < 10; DELETE FROM logs WHERE at = 10",
        &["5 rows of logs_1", "6 rows of logs_2"],
    );
    check(PARTED, "DELETE FROM animals", &["1 row of animals", "1 row of cats"]);
    check(
        PARTED,
        "ALTER TABLE animals DROP COLUMN name",
        &["1 value of animals.name", "1 value of cats.name"],
    );
    check(PARTED, "TRUNCATE ONLY animals", &["1 row of animals"]);
}

#[test]
fn renaming_and_adding_destroys_nothing() {
    check(
        ORDERS,
        "ALTER TABLE orders RENAME note TO remark; ALTER TABLE lines RENAME TO parts; CREATE SCHEMA s; ALTER TABLE parts SET SCHEMA s; ALTER TABLE orders ADD x int DEFAULT 3; CREATE INDEX ON orders (x); CREATE TABLE fresh AS SELECT 1 AS a; UPDATE fresh SET a = 2; DROP TABLE fresh; CREATE VIEW v AS SELECT 1; DROP VIEW v CASCADE",
        &[],
    );
}

#[test]
fn rows_from_the_script() {
    check(
        "CREATE TABLE seeds (id int PRIMARY KEY, name text)",
        "COPY seeds FROM stdin;\n1\ta b\n2\t\\N\n3\t\n\\.\nCREATE TABLE n (a int);\nCOPY n FROM STDIN;\n\\.\n",
        &["3 rows of seeds"],
    );
}

#[test]
fn what_is_to_be_destroyed_is_not_kept() {
    let twin = twin(
        ORDERS,
        "-- ripcord: destroy the law\nALTER TABLE orders DROP COLUMN note;\n-- ripcord: destroy the law\nDELETE FROM lines WHERE what = 'x';\n-- ripcord: destroy law\nTRUNCATE lines; -- ripcord: destroy law\nDROP TABLE lines",
    );
    let gone: Vec<String> = twin.outcome.gone.iter().map(ToString::to_string).collect();
    assert_eq!(gone, ["2 values of orders.note", "3 rows of lines"]);
    assert!(twin.outcome.kept.is_empty());
    assert_eq!(twin.number("SELECT count(*) FROM ripcord.kept"), 0);
}

#[test]
fn triggers_of_the_application_are_followed() {
    check(
        "CREATE TABLE a (id int PRIMARY KEY, n int); CREATE TABLE audit (what text, n int); INSERT INTO a VALUES (1, 1);
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO audit VALUES (TG_OP, NEW.n); IF NEW.n < 5 THEN UPDATE a SET n = n + 1 WHERE id = NEW.id; END IF; RETURN NULL; END $$;
         CREATE TRIGGER t AFTER UPDATE ON a FOR EACH ROW EXECUTE FUNCTION note()",
        "UPDATE a SET n = 3",
        &["3 rows of a", "3 rows of audit"],
    );
    check(
        "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1)",
        "SET session_replication_role = replica; ALTER TABLE a DISABLE TRIGGER ALL; DELETE FROM a; ALTER TABLE a ENABLE TRIGGER ALL",
        &["1 row of a"],
    );
}
