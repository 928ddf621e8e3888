//! Tables and names of every sort.

use super::cluster::database;
use super::upward::{check, climb, data, folder, twin};
use ripcord_databases::postgres::Terms;

/// The longest name that the server keeps, and one that it would cut.
const LONG: &str = "an_identifier_that_is_exactly_sixty_three_bytes_long_and_no_more";

#[test]
fn names_of_every_sort() {
    let setup = format!(
        "CREATE SCHEMA \"Other \"\"Schema\"\"\"; CREATE TABLE \"Other \"\"Schema\"\"\".\"select\" (\"group\" int PRIMARY KEY, \"Größe ¼\" text, \"a.b\" int, \"c'd\" int);
         INSERT INTO \"Other \"\"Schema\"\"\".\"select\" VALUES (1, 'x', 2, 3); CREATE TABLE {LONG} (id int PRIMARY KEY, {LONG} text); INSERT INTO {LONG} VALUES (1, 'l');
         CREATE TABLE \"user\" (\"order\" int); INSERT INTO \"user\" VALUES (5)"
    );
    check(
        &setup,
        &format!(
            "ALTER TABLE \"Other \"\"Schema\"\"\".\"select\" DROP COLUMN \"Größe ¼\", DROP COLUMN \"a.b\", ALTER \"c'd\" TYPE text USING 'x' || \"c'd\";
             UPDATE \"user\" SET \"order\" = 6; TRUNCATE \"user\"; ALTER TABLE {LONG} DROP COLUMN {LONG}; DROP TABLE \"Other \"\"Schema\"\"\".\"select\""
        ),
        &[
            "1 row of \"Other \"\"Schema\"\"\".\"select\"",
            "1 value of \"Other \"\"Schema\"\"\".\"select\".\"Größe ¼\"",
            "1 value of \"Other \"\"Schema\"\"\".\"select\".\"a.b\"",
            "1 value of \"Other \"\"Schema\"\"\".\"select\".\"c'd\"",
            &format!("1 value of {0}.{0}", &LONG[..63]),
            "3 rows of \"user\"",
        ],
    );
}

#[test]
fn generated_and_identity_columns() {
    let setup = "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int, twice int GENERATED ALWAYS AS (n * 2) STORED); INSERT INTO t (n) VALUES (1), (2)";
    check(
        setup,
        "UPDATE t SET n = 5 WHERE id = 1; ALTER TABLE t DROP COLUMN twice",
        &["1 row of t"],
    );
    check(setup, "ALTER TABLE t DROP COLUMN n CASCADE", &["2 values of t.n"]);
    let dropped = check(setup, "ALTER TABLE t ALTER id DROP IDENTITY", &[]);
    let positions = "SELECT count(*) FROM ripcord.kept WHERE item ->> 'kind' = 'position'";
    assert_eq!(dropped.number(positions), 1);
    check(setup, "TRUNCATE t RESTART IDENTITY; INSERT INTO t (n) VALUES (9)", &["3 rows of t"]);
    let restarted = check(setup, "ALTER TABLE t ALTER id RESTART WITH 50", &[]);
    assert_eq!(restarted.number(positions), 1);
}

#[test]
fn tables_that_are_none_of_a_users() {
    check(
        "CREATE UNLOGGED TABLE fast (id int); INSERT INTO fast VALUES (1); CREATE MATERIALIZED VIEW m AS SELECT * FROM fast",
        "CREATE TEMPORARY TABLE passing AS SELECT 1 AS a; UPDATE passing SET a = 2; DROP TABLE passing; DELETE FROM fast; DROP MATERIALIZED VIEW m; DROP TABLE fast; CREATE TEMP TABLE again (a int) ON COMMIT DROP",
        &["1 row of fast"],
    );
}

#[test]
fn types_of_users_are_stored_as_text() {
    let twin = check(
        "CREATE TYPE pair AS (a int, b text); CREATE TYPE mood AS ENUM ('sad', 'it''s ok'); CREATE DOMAIN when_ AS timestamptz; CREATE COLLATION german (provider = icu, locale = 'de');
         CREATE TABLE t (id int PRIMARY KEY, p pair, m mood[], w when_, g text COLLATE german); INSERT INTO t VALUES (1, '(1,\"a,b\")', '{\"it''s ok\"}', '2024-01-01 00:00:00.123456+02', 'ä')",
        "SET TimeZone = 'Asia/Tokyo'; SET DateStyle = 'German'; UPDATE t SET id = 2; DROP TABLE t; DROP TYPE pair; DROP TYPE mood; DROP DOMAIN when_; DROP COLLATION german",
        &["3 rows of t"],
    );
    let rows = twin.store("rows", "public.t");
    assert_eq!(
        rows,
        ["(2,\"(1,\"\"a,b\"\")\",\"{\"\"it's ok\"\"}\",\"2023-12-31 22:00:00.123456+00\",ä)"]
    );
}

#[test]
fn published_tables_and_views_that_can_be_written() {
    check(
        "CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 1), (2, 2); CREATE VIEW v AS SELECT * FROM t WHERE n < 9; CREATE PUBLICATION p FOR TABLE t",
        "UPDATE v SET n = 3; DELETE FROM t WHERE id = 2; INSERT INTO v VALUES (7, 7)",
        &["4 rows of t"],
    );
}

/// What a script makes itself can lead to rows that were there before.
#[test]
fn views_and_triggers_of_the_script_itself() {
    const SETUP: &str = "CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 1); CREATE TABLE log (n int); CREATE TABLE fresh_parent (id int PRIMARY KEY)";
    check(
        SETUP,
        "CREATE VIEW v AS SELECT * FROM t; CREATE VIEW w AS SELECT * FROM v; UPDATE w SET n = 2",
        &["1 row of t"],
    );
    check(
        SETUP,
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO log VALUES (NEW.n); RETURN NULL; END$$; CREATE TRIGGER g AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f(); UPDATE t SET n = 2",
        &["1 row of log", "1 row of t"],
    );
    check(
        SETUP,
        "INSERT INTO fresh_parent VALUES (1); ALTER TABLE t ADD FOREIGN KEY (n) REFERENCES fresh_parent ON DELETE CASCADE; DELETE FROM fresh_parent",
        &["1 row of t", "2 rows of fresh_parent"],
    );
}

#[test]
fn tables_at_another_server() {
    let database = database();
    database.run("CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE far (a int) SERVER s");
    let error = climb(&database.url, &folder(&["DELETE FROM far"]), &Terms::default());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("at another server"), "{error}");
    climb(&database.url, &folder(&["DROP FOREIGN TABLE far"]), &Terms::default()).unwrap();
}

#[test]
fn attributes_of_a_composite_type() {
    check(
        "CREATE TYPE pair AS (a int, b text); CREATE TABLE t (id int PRIMARY KEY, p pair, ps pair[]); INSERT INTO t VALUES (1, '(1,x)', '{\"(2,y)\"}')",
        "ALTER TYPE pair DROP ATTRIBUTE b",
        &["1 value of t.p", "1 value of t.ps"],
    );
}

#[test]
fn a_column_that_a_block_uses_and_drops() {
    check(
        "CREATE TABLE t (id int PRIMARY KEY, a int, b int); INSERT INTO t VALUES (1, 1, 1), (2, 2, NULL)",
        "DO $$ BEGIN UPDATE t SET a = a + 1; ALTER TABLE t DROP COLUMN b; UPDATE t SET a = a * 2; END $$",
        &["1 value of t.b", "4 rows of t"],
    );
}

#[test]
fn settings_and_roles_of_a_script() {
    check(
        "CREATE SCHEMA app; CREATE TABLE app.t (id int PRIMARY KEY, n int); INSERT INTO app.t VALUES (1, 1); GRANT ALL ON SCHEMA app TO ann; ALTER TABLE app.t OWNER TO ann",
        "SET search_path = app; SET ROLE ann; UPDATE t SET n = 2; ALTER TABLE t DROP COLUMN n; CREATE TABLE u AS SELECT 1 AS a; RESET ROLE; DROP TABLE u",
        &["1 row of app.t", "1 value of app.t.n"],
    );
}

/// What the database finds wrong only at the end fails as a whole.
#[test]
fn what_fails_at_the_end() {
    let database = database();
    database.run("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a int REFERENCES a DEFERRABLE INITIALLY DEFERRED)");
    let (dump, rows) = (database.dump(), data(&database));
    let error = climb(&database.url, &folder(&["INSERT INTO b VALUES (1)"]), &Terms::default());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("violates foreign key"), "{error}");
    assert_eq!((database.dump(), data(&database)), (dump, rows));
}

/// Rows that come with the script stay as they are written, empty fields at the end of a line too.
#[test]
fn many_statements_share_what_they_are_noted_in() {
    let insert = |i: u32| format!("INSERT INTO t VALUES ({i});\n");
    let inserts = (0..200).map(insert).collect::<Vec<_>>().concat();
    let twin = twin("CREATE TABLE t (id int PRIMARY KEY)", &inserts);
    assert_eq!(twin.store("changes", "public.t").len(), 200);
}
