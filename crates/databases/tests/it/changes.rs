//! Every kind of statement, up and back: the same schema, the same rows.

use crate::world::{World, script};
use ripcord_core::schema::{Direction, DownReview, Wanted};
use ripcord_engine::Database as _;

const SHOP: &str = "
CREATE TABLE customers(id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT NOT NULL UNIQUE, name TEXT);
CREATE TABLE orders(
    id INTEGER PRIMARY KEY,
    customer INTEGER REFERENCES customers(id) ON DELETE CASCADE,
    note TEXT NOT NULL, -- a comment
    price REAL DEFAULT 1.5,
    twice REAL GENERATED ALWAYS AS (price * 2) VIRTUAL,
    data BLOB);
CREATE TABLE tags(a TEXT NOT NULL, b INT NOT NULL, v, PRIMARY KEY(a, b)) WITHOUT ROWID;
CREATE TABLE codes(code TEXT PRIMARY KEY, n ANY, m INTEGER NOT NULL DEFAULT 7) STRICT;
CREATE TABLE loose(x, y);
CREATE INDEX orders_price ON orders(price);
CREATE VIEW cheap AS SELECT id, price FROM orders WHERE price < 2;
CREATE TABLE log(what TEXT, id INTEGER PRIMARY KEY);
CREATE TRIGGER audit AFTER UPDATE ON orders BEGIN INSERT INTO log(what) VALUES('u' || NEW.id); END;
INSERT INTO customers(email, name) VALUES('a@x', 'A'), ('b@x', NULL), ('c@x', 'C');
INSERT INTO orders(id, customer, note, price, data)
VALUES(1, 1, 'one', 1, x'00ff'), (2, 2, 'two', 2.5, NULL), (3, NULL, '', NULL, 'text');
INSERT INTO tags VALUES('a', 1, 1), ('a', 2, '1'), ('b', 1, NULL);
INSERT INTO codes VALUES('p', 1, 1), ('q', 'x', 2), ('r', 1.0, 3);
INSERT INTO loose VALUES(1, 2), (1, 2), (NULL, 'z');
INSERT INTO log(what) VALUES('start');
";

fn check(up: &str) {
    for down in
        [None, Some("this is no SQL"), Some("CREATE TABLE junk(x); INSERT INTO junk VALUES(1)")]
    {
        let world = World::new(SHOP);
        let (digest, prints) = (world.digest(), world.prints());
        let change = world.plan(Direction::Up, &[script(1, up, down)]);
        world.ensure(&change, Wanted::Made).unwrap();
        assert_eq!(world.digest(), change.to, "{up}");
        world.ensure(&change, Wanted::Unmade).unwrap();
        assert_eq!(world.digest(), digest, "{up}");
        assert_eq!(world.prints(), prints, "{up}");
        world.database.integrity().unwrap();
    }
}

#[test]
fn comes_back_from_changes_of_tables() {
    check("CREATE TABLE new(x); INSERT INTO new VALUES(1)");
    check("DROP TABLE loose");
    check("DROP TABLE tags");
    check("DROP TABLE codes");
    check("DROP VIEW cheap; DROP TABLE orders");
    check("ALTER TABLE orders ADD COLUMN gift TEXT");
    check(
        "ALTER TABLE orders ADD COLUMN gift TEXT NOT NULL DEFAULT 'no'; UPDATE orders SET gift = note",
    );
    check("ALTER TABLE orders DROP COLUMN note");
    check("ALTER TABLE orders DROP COLUMN note; ALTER TABLE orders ADD COLUMN note TEXT");
    check("ALTER TABLE orders DROP COLUMN twice");
    check("ALTER TABLE codes DROP COLUMN n");
    check("ALTER TABLE codes DROP COLUMN m");
    check("ALTER TABLE tags DROP COLUMN v");
    check("ALTER TABLE loose DROP COLUMN x");
    check("ALTER TABLE orders RENAME COLUMN note TO remark");
    check("ALTER TABLE orders RENAME COLUMN id TO number");
    check("ALTER TABLE customers RENAME TO people");
    check("ALTER TABLE customers RENAME TO people; ALTER TABLE people DROP COLUMN name");
    check(
        "ALTER TABLE loose RENAME TO a; ALTER TABLE log RENAME TO loose; ALTER TABLE a RENAME TO log",
    );
}

#[test]
fn comes_back_from_changes_of_other_objects() {
    check("CREATE INDEX i ON orders(note); DROP INDEX orders_price");
    check("CREATE UNIQUE INDEX i ON customers(name, id)");
    check("DROP VIEW cheap; CREATE VIEW cheap AS SELECT id FROM orders");
    check("DROP TRIGGER audit");
    check(
        "CREATE TRIGGER t BEFORE DELETE ON log BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; END; DELETE FROM log",
    );
}

#[test]
fn comes_back_from_changes_of_rows() {
    check("DELETE FROM orders");
    check("DELETE FROM orders WHERE id = 2");
    check("DELETE FROM customers WHERE id = 1");
    check("UPDATE orders SET price = price + 1, note = upper(note)");
    check("UPDATE orders SET id = id + 10");
    check("UPDATE tags SET a = 'z' WHERE b = 2");
    check("UPDATE tags SET v = CAST(v AS TEXT)");
    check("UPDATE codes SET n = CAST(n AS INTEGER)");
    check(
        "UPDATE loose SET x = 5; DELETE FROM loose WHERE y = 'z'; INSERT INTO loose VALUES(9, 9)",
    );
    check(
        "INSERT INTO orders(id, note) VALUES(9, 'new'); UPDATE orders SET note = 'x' WHERE id = 9",
    );
    check("INSERT OR REPLACE INTO customers(id, email) VALUES(7, 'a@x'), (2, 'new')");
    check("REPLACE INTO tags VALUES('a', 1, 'replaced')");
    check("INSERT INTO customers(id, email) VALUES(1, 'q') ON CONFLICT DO UPDATE SET email = 'w'");
    check("DELETE FROM orders WHERE id = 1; INSERT INTO orders(id, note) VALUES(1, 'again')");
    check("WITH x AS (SELECT 2 AS i) UPDATE orders SET note = 'cte' WHERE id IN (SELECT i FROM x)");
    check(
        "UPDATE orders SET note = 'a'; ALTER TABLE orders DROP COLUMN note; DELETE FROM orders WHERE id = 1",
    );
    check(
        "UPDATE orders SET note = 'a'; ALTER TABLE orders RENAME note TO n; UPDATE orders SET n = 'b', price = 0",
    );
}

#[test]
fn comes_back_from_a_table_made_anew() {
    check(
        "CREATE TABLE new_orders(id INTEGER PRIMARY KEY, customer INTEGER, price TEXT);
         INSERT INTO new_orders SELECT id, customer, CAST(price AS TEXT) FROM orders WHERE id < 3;
         DROP VIEW cheap; DROP TABLE orders; ALTER TABLE new_orders RENAME TO orders;",
    );
}

#[test]
fn a_users_later_words_stand() {
    let world = World::new(SHOP);
    let up = "UPDATE orders SET note = upper(note), price = 9; DELETE FROM tags WHERE a = 'a';
              INSERT INTO codes(code) VALUES('seed1'), ('seed2'); ALTER TABLE customers DROP COLUMN name";
    let change = world.make(Direction::Up, &[script(1, up, None)]);
    world.write(
        "UPDATE orders SET note = 'mine' WHERE id = 1; DELETE FROM orders WHERE id = 2;
         INSERT INTO tags VALUES('a', 1, 'mine'); UPDATE codes SET n = 5 WHERE code = 'seed2';
         INSERT INTO customers(id, email) VALUES(50, 'n@x'); DELETE FROM customers WHERE id = 3;",
    );
    let receipt = world.ensure(&change, Wanted::Unmade).unwrap();
    assert_eq!(world.rows("SELECT id, note, price FROM orders"), "1|mine|1.0\n3||NULL");
    assert_eq!(world.rows("SELECT * FROM tags"), "a|1|mine\na|2|1\nb|1|NULL");
    assert_eq!(world.rows("SELECT code, n FROM codes WHERE code > 's'"), "seed2|5");
    assert_eq!(world.rows("SELECT id, name FROM customers"), "1|A\n2|NULL\n50|NULL");
    assert!(
        receipt.what.contains("left as users wrote since: 1 value of orders.note"),
        "{}",
        receipt.what
    );
    let restored: Vec<String> = receipt.restored.iter().map(ToString::to_string).collect();
    assert!(restored.contains(&"1 row of tags".to_owned()), "{restored:?}");
    assert!(restored.contains(&"1 value of customers.name".to_owned()), "{restored:?}");
}

#[test]
fn what_users_wrote_into_new_things_comes_back_with_them() {
    let world = World::new(SHOP);
    let up = script(
        1,
        "ALTER TABLE orders ADD gift TEXT; CREATE TABLE reviews(id INTEGER PRIMARY KEY, t);
                        INSERT INTO reviews VALUES(1, 'seed')",
        None,
    );
    let before = world.digest();
    world.make(Direction::Up, std::slice::from_ref(&up));
    world.write(
        "UPDATE orders SET gift = 'g' || id WHERE id < 3; INSERT INTO reviews VALUES(5, 'mine');
                 UPDATE reviews SET t = 'edited' WHERE id = 1",
    );
    let prints = world.prints();
    let down = world.plan(Direction::Down, std::slice::from_ref(&up));
    let receipt = world.ensure(&down, Wanted::Made).unwrap();
    let hidden: Vec<String> = receipt.hidden.iter().map(ToString::to_string).collect();
    assert_eq!(hidden, ["2 values of orders.gift", "2 rows of reviews"]);
    assert_eq!(world.digest(), before);
    world.ensure(&down, Wanted::Unmade).unwrap();
    assert_eq!(world.prints(), prints);
    world.make(Direction::Down, std::slice::from_ref(&up));
    world.write("INSERT INTO orders(id, note) VALUES(77, 'since')");
    world.make(Direction::Up, std::slice::from_ref(&up));
    assert_eq!(world.rows("SELECT id, gift FROM orders"), "1|g1\n2|g2\n3|NULL\n77|NULL");
    assert_eq!(world.rows("SELECT * FROM reviews"), "1|edited\n5|mine");
}

#[test]
fn rows_written_since_get_what_was_foretold() {
    let world = World::new(SHOP);
    let up = script(1, "ALTER TABLE orders DROP COLUMN note", None);
    world.make(Direction::Up, std::slice::from_ref(&up));
    world.write("INSERT INTO orders(id) VALUES(10), (11)");
    let preview = world.preview(Direction::Down, std::slice::from_ref(&up));
    assert_eq!(
        preview.forecast.caveats,
        ["2 rows of orders written since: orders.note has no kept value for them and becomes '', \
          unless the script sets it"]
    );
    world.make(Direction::Down, &[up]);
    assert_eq!(world.rows("SELECT id, note FROM orders"), "1|one\n2|two\n3|\n10|\n11|");
}

#[test]
fn several_migrations_come_back_one_by_one() {
    let world = World::new(SHOP);
    let first = script(1, "ALTER TABLE orders DROP COLUMN note", None);
    let second = script(2, "ALTER TABLE orders ADD gift; UPDATE orders SET price = 0", None);
    let third = script(3, "DROP TABLE loose", None);
    let digest = world.digest();
    let prints = world.prints();
    world.make(Direction::Up, &[first.clone(), second.clone()]);
    let middle = world.digest();
    world.make(Direction::Up, std::slice::from_ref(&third));
    world.make(Direction::Down, &[third]);
    assert_eq!(world.digest(), middle);
    let versions: Vec<u64> = world
        .database
        .observe()
        .unwrap()
        .applied
        .iter()
        .map(|applied| applied.migration.version.0)
        .collect();
    assert_eq!(versions, [1, 2]);
    world.make(Direction::Down, &[first, second]);
    assert_eq!((world.digest(), world.prints()), (digest, prints));
    assert!(world.database.observe().unwrap().applied.is_empty());
}

#[test]
fn down_scripts_are_judged_and_used() {
    let check = |down: Option<&str>, expected: &str| {
        let world = World::new(SHOP);
        let up = script(1, "ALTER TABLE orders DROP COLUMN note", down);
        let preview = world.preview(Direction::Up, &[up]);
        let shown = match &preview.reviews[0].down {
            DownReview::Exact => "exact".to_owned(),
            DownReview::Untried => "untried".to_owned(),
            DownReview::Missing => "missing".to_owned(),
            DownReview::Differs(how) => format!("differs: {}", how.join(", ")),
            DownReview::Fails(why) => why.lines().next().unwrap_or_default().to_owned(),
        };
        assert_eq!(shown, expected);
    };
    check(None, "missing");
    check(Some("ALTER TABLE orders ADD note TEXT"), "differs: ~ table orders");
    check(Some("SELECT what_ever"), "001_test.down.sql:1: no such column: what_ever");
    check(
        Some("COMMIT"),
        "001_test.down.sql:1: COMMIT is not allowed: a change is one transaction of \
                          Ripcord's, so that it happens whole or not at all; remove it",
    );
}

#[test]
fn numbers_given_out_once_are_not_given_out_again() {
    let world = World::new(SHOP);
    world
        .write("INSERT INTO customers(email) VALUES('gone@x'); DELETE FROM customers WHERE id = 4");
    let change = world.make(Direction::Up, &[script(1, "ALTER TABLE customers DROP name", None)]);
    world.ensure(&change, Wanted::Unmade).unwrap();
    world.write("INSERT INTO customers(email) VALUES('new@x')");
    assert_eq!(world.rows("SELECT max(id) FROM customers"), "5");
}

#[test]
fn virtual_tables_are_left_alone() {
    let world = World::new(SHOP);
    world
        .write("CREATE VIRTUAL TABLE words USING fts5(w); INSERT INTO words VALUES('hello world')");
    let (digest, prints) = (world.digest(), world.prints());
    let change = world
        .plan(Direction::Up, &[script(1, "UPDATE orders SET note = 'x'; DROP TABLE loose", None)]);
    world.ensure(&change, Wanted::Made).unwrap();
    world.ensure(&change, Wanted::Unmade).unwrap();
    assert_eq!((world.digest(), world.prints()), (digest, prints));
    assert_eq!(world.rows("SELECT w FROM words WHERE words MATCH 'hello'"), "hello world");
}

#[test]
fn several_users_in_rollback_journal_mode_too() {
    let world = World::new(SHOP);
    world.write("PRAGMA journal_mode = DELETE");
    let (digest, prints) = (world.digest(), world.prints());
    let change = world.make(Direction::Up, &[script(1, "ALTER TABLE orders DROP note", None)]);
    world.ensure(&change, Wanted::Unmade).unwrap();
    assert_eq!((world.digest(), world.prints()), (digest, prints));
}

#[test]
fn a_value_that_is_taken_meanwhile_stays_aside() {
    let world = World::new(SHOP);
    let up = "UPDATE customers SET email = email || '.old'";
    let change = world.make(Direction::Up, &[script(1, up, None)]);
    world.write("INSERT INTO customers(email) VALUES('a@x')");
    let receipt = world.ensure(&change, Wanted::Unmade).unwrap();
    assert_eq!(world.rows("SELECT email FROM customers ORDER BY id"), "a@x.old\nb@x\nc@x\na@x");
    let said = "kept aside, since there is no place for them: 1 value of customers.email";
    assert!(receipt.what.contains(said), "{}", receipt.what);
    assert_eq!(world.rows("SELECT o1 FROM ripcord_kept_1 WHERE k0 = 1"), "a@x");
}

#[test]
fn values_that_move_around_return() {
    let world = World::new(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT UNIQUE);
                            INSERT INTO t VALUES(1, 1), (2, 2), (3, 3)",
    );
    let prints = world.prints();
    for up in [
        "UPDATE t SET n = -n; UPDATE t SET n = 1 - n",
        "UPDATE t SET n = -n; UPDATE t SET n = -n - 1",
        "UPDATE t SET n = -n; UPDATE t SET n = n + 4",
    ] {
        let change = world.make(Direction::Up, &[script(1, up, None)]);
        world.ensure(&change, Wanted::Unmade).unwrap();
        assert_eq!(world.prints(), prints, "{up}");
    }
}

#[test]
fn a_mended_script_is_not_overruled_by_what_the_bad_one_did() {
    let world =
        World::new("CREATE TABLE t(id INTEGER PRIMARY KEY, n INT); INSERT INTO t VALUES(1, 1)");
    let bad =
        "UPDATE t SET n = -1; ALTER TABLE t ADD x; UPDATE t SET x = 'bad'; ALTER TABLE t ADD y";
    let mended =
        "UPDATE t SET n = 7; ALTER TABLE t ADD x; UPDATE t SET x = 'good'; ALTER TABLE t ADD y";
    world.make(Direction::Up, &[script(1, bad, None)]);
    world.write("UPDATE t SET y = 'mine'");
    world.make(Direction::Down, &[script(1, bad, None)]);
    world.make(Direction::Up, &[script(1, mended, None)]);
    assert_eq!(world.rows("SELECT n, x, y FROM t"), "7|good|mine");
}
