//! What is hidden instead of being dropped: out of sight and out of everybody's way, and back as
//! it was, with what users wrote meanwhile.

use super::cluster::{Database, database};
use super::upward::{climb_in, data, folder, history, limits};
use ripcord_core::schema::Mode;
use ripcord_databases::postgres::{
    Connection, Outcome, PostgresError, Session, Terms, belongings, detach, down, finish, hidden,
    waiting,
};

fn hide() -> Terms {
    Terms { mode: Mode::Hide, ..Terms::default() }
}

fn up(database: &Database, scripts: &[&str], terms: &Terms) -> Result<Outcome, PostgresError> {
    let set = folder(scripts);
    let mut session = session(database, scripts);
    climb_in(&mut session, &database.url, &set, terms, &mut |_| {})
}

fn session(database: &Database, scripts: &[&str]) -> Session {
    let history = history(&folder(scripts), &database.url);
    Session::open(&database.url, history.key(), &limits()).unwrap()
}

fn back(database: &Database, scripts: &[&str], run: i64) -> Result<Outcome, PostgresError> {
    let set = folder(scripts);
    let history = history(&set, &database.url);
    let mut session = session(database, scripts);
    down(&mut session, run, None, &history, &Terms::default(), &mut |_| {})
}

fn look(database: &Database) -> Connection {
    Connection::open(&database.url, "test", &limits()).unwrap()
}

fn words(outcome: &Outcome) -> Vec<String> {
    let mut words: Vec<String> = outcome.hidden.iter().map(ToString::to_string).collect();
    words.sort();
    words
}

/// Hides, and brings back, twice. `users` is what users write meanwhile; the same is written into
/// a twin where nothing was ever hidden, and both must be alike.
fn check(setup: &str, script: &str, users: &str, expected: &[&str]) {
    let (mine, twin) = (database(), database());
    mine.run(setup);
    twin.run(setup);
    let dump = twin.dump();
    twin.run(users);
    for run in 1..=2 {
        let outcome = up(&mine, &[script], &hide())
            .unwrap_or_else(|error| panic!("{error}\n{setup}\n=> {script}"));
        assert_eq!(words(&outcome), expected, "{setup}\n=> {script}\n{outcome:?}");
        assert!(outcome.kept.is_empty() || script.contains("UPDATE"), "{script}: {outcome:?}");
        let named = |note: &String| note.contains("is still there as");
        assert!(outcome.notes.iter().all(named), "{script}: {outcome:?}");
        if run == 1 {
            mine.run(users);
        }
        let outcome = back(&mine, &[script], run)
            .unwrap_or_else(|error| panic!("{error}\n{setup}\n=> {script}"));
        assert!(outcome.repaired.is_empty(), "{outcome:?}");
        let found = mine.dump();
        let missing: Vec<&String> = dump.iter().filter(|one| !found.contains(one)).collect();
        let surplus: Vec<&String> = found.iter().filter(|one| !dump.contains(one)).collect();
        assert!(
            missing.is_empty() && surplus.is_empty(),
            "{setup}\n=> {script}\nlacks {missing:#?}\nhas {surplus:#?}\n{outcome:?}"
        );
        assert_eq!(data(&mine), data(&twin), "{setup}\n=> {script}");
    }
}

const SHOP: &str = "
    CREATE TABLE people (id serial PRIMARY KEY, name text);
    CREATE TABLE orders (id serial PRIMARY KEY, who int REFERENCES people, code text NOT NULL DEFAULT 'none' CHECK (code <> ''),
      note text, tag text UNIQUE, total numeric(10,2) NOT NULL);
    CREATE INDEX orders_note ON orders (note, total); CREATE STATISTICS orders_stat ON note, total FROM orders;
    COMMENT ON COLUMN orders.note IS 'what they say'; COMMENT ON TABLE orders IS 'bought';
    CREATE TABLE lines (order_id int REFERENCES orders ON DELETE CASCADE, what text);
    CREATE VIEW said AS SELECT id, note FROM orders;
    GRANT SELECT ON orders TO ann; GRANT UPDATE (note) ON orders TO bob;
    ALTER TABLE orders ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON orders FOR SELECT USING (true);
    CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
    CREATE TRIGGER before BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION nothing();
    INSERT INTO people (name) VALUES ('a'), ('b');
    INSERT INTO orders (who, code, note, tag, total) VALUES (1, 'x', 'n1', 't1', 1), (2, 'y', NULL, 't2', 2);
    INSERT INTO lines VALUES (1, 'l1'), (2, 'l2');";

#[test]
fn a_column_with_everything_on_it() {
    check(
        SHOP,
        "ALTER TABLE orders DROP COLUMN note CASCADE",
        "INSERT INTO orders (who, code, tag, total) VALUES (1, 'z', 't3', 3); DELETE FROM orders WHERE id = 2",
        &["column orders.note"],
    );
}

#[test]
fn columns_that_demand() {
    check(
        SHOP,
        "ALTER TABLE orders DROP COLUMN code, DROP COLUMN tag; ALTER TABLE orders DROP COLUMN who",
        "INSERT INTO orders (note, total) VALUES ('new', 3), ('newer', 4)",
        &["column orders.code", "column orders.tag", "column orders.who"],
    );
    check(
        "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int, twice int GENERATED ALWAYS AS (n * 2) STORED); INSERT INTO t (n) VALUES (1), (2)",
        "ALTER TABLE t DROP COLUMN n CASCADE",
        "INSERT INTO t DEFAULT VALUES",
        &["column t.n"],
    );
}

#[test]
fn a_key_that_is_given_by_a_sequence() {
    check(
        "CREATE TABLE t (id serial PRIMARY KEY, n int); INSERT INTO t (n) VALUES (1), (2)",
        "ALTER TABLE t DROP COLUMN id",
        "UPDATE t SET n = n + 1",
        &["column t.id"],
    );
}

#[test]
fn tables_with_what_hangs_on_them() {
    check(SHOP, "DROP TABLE lines", "DELETE FROM orders WHERE id > 5", &["table lines"]);
    check(
        SHOP,
        "DROP TABLE orders CASCADE",
        "INSERT INTO people (name) VALUES ('c')",
        &["table orders"],
    );
    check(
        SHOP,
        "DROP TABLE IF EXISTS lines, orders, nothing_of_the_kind CASCADE",
        "UPDATE people SET name = 'd'",
        &["table lines", "table orders"],
    );
}

#[test]
fn names_that_collide_and_names_of_every_sort() {
    check(
        "CREATE SCHEMA a; CREATE SCHEMA \"B c\"; CREATE TABLE a.t (id serial PRIMARY KEY); CREATE TABLE \"B c\".t (id serial PRIMARY KEY, \"Größe ¼\" int);
         CREATE TABLE applied (id serial PRIMARY KEY); CREATE TABLE kept (id int PRIMARY KEY); INSERT INTO a.t DEFAULT VALUES; INSERT INTO \"B c\".t DEFAULT VALUES; INSERT INTO kept VALUES (7)",
        "DROP TABLE a.t; ALTER TABLE \"B c\".t DROP COLUMN \"Größe ¼\"; DROP TABLE \"B c\".t; DROP TABLE applied; DROP TABLE kept",
        "SELECT 1",
        &[
            "column \"B c\".t.\"Größe ¼\"",
            "table \"B c\".t",
            "table a.t",
            "table applied",
            "table kept",
        ],
    );
}

#[test]
fn partitions_and_children() {
    const PARTED: &str = "CREATE TABLE logs (at int, what text, PRIMARY KEY (at)) PARTITION BY RANGE (at);
        CREATE TABLE logs_1 PARTITION OF logs FOR VALUES FROM (0) TO (10); CREATE TABLE logs_2 PARTITION OF logs FOR VALUES FROM (10) TO (20);
        INSERT INTO logs SELECT i, 'w' || i FROM generate_series(5, 14) AS i;
        CREATE TABLE animals (name text); CREATE TABLE cats (lives int) INHERITS (animals); INSERT INTO animals VALUES ('dog'); INSERT INTO cats VALUES ('tom', 9);";
    check(
        PARTED,
        "ALTER TABLE logs DROP COLUMN what",
        "INSERT INTO logs (at) VALUES (1)",
        &["column logs.what"],
    );
    check(PARTED, "DROP TABLE logs", "SELECT 1", &["table logs", "table logs_1", "table logs_2"]);
    check(PARTED, "DROP TABLE logs_1", "INSERT INTO logs VALUES (15, 'x')", &["table logs_1"]);
    let database = database();
    database.run(PARTED);
    let outcome = up(&database, &["DROP TABLE cats"], &hide()).unwrap();
    assert_eq!(outcome.kept[0].to_string(), "1 row of cats");
}

#[test]
fn rows_that_were_written_before() {
    check(
        SHOP,
        "UPDATE lines SET what = 'other'; DELETE FROM lines WHERE order_id = 2; UPDATE orders SET note = 'gone'; DROP TABLE lines; ALTER TABLE orders DROP COLUMN note CASCADE",
        "INSERT INTO orders (who, tag, total) VALUES (1, 't3', 3)",
        &["column orders.note", "table lines"],
    );
}

#[test]
fn publications_forget_it_and_remember_it() {
    check(
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY, n int); CREATE PUBLICATION told FOR TABLE a, b",
        "DROP TABLE a; ALTER TABLE b DROP COLUMN n",
        "INSERT INTO b VALUES (1)",
        &["column b.n", "table a"],
    );
}

#[test]
fn a_demand_without_a_default_names_the_rows_and_changes_nothing() {
    let database = database();
    database.run(
        "CREATE TABLE t (id int PRIMARY KEY, code text NOT NULL); INSERT INTO t VALUES (1, 'a')",
    );
    let scripts = ["ALTER TABLE t DROP COLUMN code"];
    up(&database, &scripts, &hide()).unwrap();
    database.run("INSERT INTO t VALUES (2), (3)");
    let before = (database.dump(), data(&database));
    let why = back(&database, &scripts, 1).unwrap_err().to_string();
    assert!(why.contains("t.code") && why.contains('2'), "{why}");
    assert_eq!((database.dump(), data(&database)), before);
    database.run("UPDATE t SET ripcord_hidden_1_1 = 'given' WHERE id > 1");
    back(&database, &scripts, 1).unwrap();
    assert_eq!(data(&database), ["t: (1,a)", "t: (2,given)", "t: (3,given)"]);
}

#[test]
fn what_cannot_be_hidden_is_copied_or_refused() {
    let database = database();
    database.run("CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 2)");
    let mixed = "ALTER TABLE t DROP COLUMN n, ADD COLUMN m int";
    let asked = format!("-- ripcord: hide\n{mixed}");
    let why = up(&database, &[&asked], &Terms::default()).unwrap_err().to_string();
    assert!(why.contains("cannot be hidden") && why.contains("statement of their own"), "{why}");
    let outcome = up(&database, &[mixed], &Terms { mode: Mode::Hide, ..Terms::default() });
    assert_eq!(outcome.unwrap().kept[0].to_string(), "1 value of t.n");
}

#[test]
fn what_the_same_script_makes_again_is_copied() {
    let database = database();
    database.run(
        "CREATE TABLE t (id int PRIMARY KEY, n int); CREATE TABLE u (id int PRIMARY KEY); \
         INSERT INTO t VALUES (1, 2); INSERT INTO u VALUES (3)",
    );
    let before = (database.dump(), data(&database));
    let scripts = [
        "ALTER TABLE t DROP COLUMN n; ALTER TABLE t ADD COLUMN n text; DROP TABLE u; CREATE TABLE u (id text)",
    ];
    let outcome = up(&database, &scripts, &hide()).unwrap();
    assert!(outcome.hidden.is_empty(), "{outcome:?}");
    back(&database, &scripts, 1).unwrap();
    assert_eq!((database.dump(), data(&database)), before);
}

#[test]
fn the_size_decides_when_nobody_else_does() {
    let database = database();
    database.run(
        "CREATE TABLE small (id int); INSERT INTO small VALUES (1); CREATE TABLE large AS \
         SELECT i, repeat('x', 100) AS text FROM generate_series(1, 1000) AS i; \
         CREATE TABLE wanted AS SELECT 1 AS a",
    );
    let terms = Terms { hide_above_bytes: Some(64 << 10), ..Terms::default() };
    let script = "DROP TABLE small; DROP TABLE large; -- ripcord: hide\nDROP TABLE wanted";
    let outcome = up(&database, &[script], &terms).unwrap();
    assert_eq!(words(&outcome), ["table large", "table wanted"]);
    assert_eq!(outcome.kept[0].to_string(), "1 row of small");
    let listed = hidden(&mut look(&database)).unwrap();
    assert_eq!(listed.len(), 2, "{listed:?}");
    back(&database, &[script], 1).unwrap();
    assert_eq!(data(&database).len(), 1002);
    assert!(hidden(&mut look(&database)).unwrap().is_empty());
}

#[test]
fn a_whole_run_may_destroy_with_a_reason() {
    let database = database();
    database.run("CREATE TABLE t (id int); INSERT INTO t VALUES (1), (2)");
    let terms = Terms { mode: Mode::Destroy, reason: "the law".to_owned(), ..Terms::default() };
    let outcome = up(&database, &["CREATE TABLE u (id int);\nDROP TABLE t"], &terms).unwrap();
    assert_eq!(outcome.gone[0].to_string(), "2 rows of t");
    assert_eq!(outcome.notes, ["destroyed on line 2: the law"]);
}

#[test]
fn what_is_put_off_waits_and_is_run_later() {
    let database = database();
    database.run("CREATE TABLE t (id int PRIMARY KEY, old text); INSERT INTO t VALUES (1, 'a')");
    let before = (database.dump(), data(&database));
    let scripts = [
        "ALTER TABLE t ADD COLUMN new int;\nALTER TABLE t DROP COLUMN old",
        "CREATE TABLE u (id int)",
    ];
    let terms = Terms { mode: Mode::Defer, ..Terms::default() };
    let outcome = up(&database, &scripts, &terms).unwrap();
    assert!(outcome.notes[0].contains("waits for `ripcord db finish`: line 2"), "{outcome:?}");
    database.run("INSERT INTO t (id, old) VALUES (2, 'old code still writes')");
    let mut session = session(&database, &scripts);
    let key = session.history().to_owned();
    let due = waiting(&mut look(&database), &key).unwrap();
    assert_eq!((due.len(), due[0].line, due[0].run), (1, 2, 1));
    assert_eq!(belongings(&mut session).unwrap().waiting.len(), 1);
    let outcome = finish(&mut session, 1, &terms, &mut |_| {}).unwrap();
    assert_eq!(outcome.kept[0].to_string(), "2 values of t.old");
    assert!(waiting(&mut look(&database), &key).unwrap().is_empty());
    assert_eq!(data(&database), ["t: (1,)", "t: (2,)"]);
    drop(session);
    back(&database, &scripts, 2).unwrap();
    back(&database, &scripts, 1).unwrap();
    database.run("DELETE FROM t WHERE id = 2");
    let columns = |dump: &[String]| -> Vec<String> {
        let mut words: Vec<String> =
            dump.concat().split_whitespace().map(|word| word.replace(',', "")).collect();
        words.sort();
        words
    };
    assert_eq!(columns(&database.dump()), columns(&before.0));
    assert_eq!(data(&database), before.1);
}

#[test]
fn taking_back_what_was_put_off_is_nothing() {
    let database = database();
    database.run("CREATE TABLE t (id int); INSERT INTO t VALUES (1)");
    let before = (database.dump(), data(&database));
    let scripts = ["-- ripcord: defer\nDROP TABLE t"];
    for run in 1..=2 {
        up(&database, &scripts, &Terms::default()).unwrap();
        back(&database, &scripts, run).unwrap();
        assert_eq!((database.dump(), data(&database)), before);
    }
}

#[test]
fn leaving_takes_what_is_hidden_along() {
    let database = database();
    database
        .run("CREATE TABLE t (id int, n int); CREATE TABLE u (id int); INSERT INTO u VALUES (1)");
    let scripts = ["ALTER TABLE t DROP COLUMN n; DROP TABLE u"];
    up(&database, &scripts, &hide()).unwrap();
    let mut session = session(&database, &scripts);
    assert_eq!(belongings(&mut session).unwrap().hidden, ["public.t.n", "public.u"]);
    detach(&mut session).unwrap();
    let dump = database.dump().concat();
    assert!(!dump.contains("ripcord") && dump.contains("id integer"), "{dump}");
}
