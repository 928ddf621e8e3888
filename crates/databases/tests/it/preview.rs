//! What is said beforehand.

use crate::world::{World, rows, script};
use expect_test::{Expect, expect};
use ripcord_core::schema::{Direction, SchemaPreview};
use ripcord_engine::{Database, Failure};

const SQL: &str = "
CREATE TABLE orders(id INTEGER PRIMARY KEY, note TEXT, total INT);
CREATE TABLE audit(id INTEGER PRIMARY KEY, what TEXT);
INSERT INTO orders VALUES(1, 'a', 1), (2, NULL, 2), (3, 'c', 3);
INSERT INTO audit VALUES(1, 'x'), (2, 'y');
";

fn shown(preview: &SchemaPreview) -> String {
    let forecast = &preview.forecast;
    let list = |name: &str, counts: &[ripcord_core::schema::Counted]| {
        counts.iter().map(|counted| format!("{name} {counted}\n")).collect::<Vec<_>>()
    };
    let mut text: Vec<String> = list("kept", &forecast.kept);
    text.extend(list("hidden", &forecast.hidden));
    text.extend(list("gone", &forecast.gone));
    for caveat in &forecast.caveats {
        text.push(format!("caveat {caveat}\n"));
    }
    for why in preview.breaks_old_code() {
        text.push(format!("breaks {why}\n"));
    }
    text.concat()
}

fn check(up: &str, expected: &Expect) {
    let world = World::new(SQL);
    let before = (world.digest(), world.prints());
    let result = world.database.preview(Direction::Up, &[script(3, up, None)]);
    let text = match result {
        Ok(preview) => shown(&preview),
        Err(Failure::Definite(why)) => why,
        Err(other) => panic!("{other:?}"),
    };
    expected.assert_eq(&text);
    assert_eq!((world.digest(), world.prints()), before);
    let own = "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'ripcord%'";
    assert_eq!(rows(&world.app, own), "0");
}

#[test]
fn prices() {
    check(
        "ALTER TABLE orders DROP COLUMN note; DROP TABLE audit; UPDATE orders SET total = 2",
        &expect![[r"
            kept 2 values of orders.note
            kept 2 values of orders.total
            kept 2 rows of audit
            breaks column orders.note is dropped
            breaks table audit is dropped
        "]],
    );
    check(
        "-- ripcord: destroy the law says so\nDELETE FROM orders WHERE id > 1;
         -- ripcord: destroy likewise\nDROP TABLE audit",
        &expect![[r"
            gone 2 rows of audit
            gone 2 rows of orders
            breaks table audit is dropped
        "]],
    );
    check("ALTER TABLE orders ADD gift TEXT; CREATE INDEX i ON orders(gift)", &expect![""]);
}

#[test]
fn says_where_scripts_are_wrong() {
    check(
        "SELECT 1;\n\nALTER TABEL orders ADD x",
        &expect![[r#"
        003_test.up.sql:3: near "TABEL": syntax error
          ALTER TABEL orders ADD x
                ^"#]],
    );
    check(
        "UPDATE orders\n SET what_ever = 1",
        &expect![[r"
            003_test.up.sql:1: no such column: what_ever
              UPDATE orders
              ^"]],
    );
    check(
        "CREATE UNIQUE INDEX i ON audit(1)",
        &expect![[r"
        003_test.up.sql:1: UNIQUE constraint failed: index 'i'
          CREATE UNIQUE INDEX i ON audit(1)
          ^"]],
    );
    check(
        "SELECT 1;\nCOMMIT",
        &expect![
            "003_test.up.sql:2: COMMIT is not allowed: a change is one transaction of Ripcord's, so that it happens whole or not at all; remove it"
        ],
    );
    check(
        "DELETE FROM ripcord_fence",
        &expect!["003_test.up.sql:1: ripcord_fence is Ripcord's own; scripts must leave it alone"],
    );
    check(
        "CREATE TABLE c(p REFERENCES orders(id)); INSERT INTO c VALUES(99)",
        &expect![[r"
        003_test.up.sql:1: FOREIGN KEY constraint failed
          INSERT INTO c VALUES(99)
          ^"]],
    );
}

#[test]
fn a_database_that_is_not_there_is_empty() {
    let dir = tempfile::tempdir().unwrap();
    let database =
        ripcord_databases::sqlite::SqliteDatabase::new(ripcord_databases::sqlite::SqliteOptions {
            path: dir.path().join("none.db"),
            backups: dir.path().join("backups"),
            environment: "test".into(),
        });
    let preview = database.preview(Direction::Up, &[script(1, "CREATE TABLE a(x)", None)]).unwrap();
    assert_eq!(preview.from, database.observe().unwrap().digest);
    assert_ne!(preview.to, preview.from);
    assert!(!dir.path().join("none.db").exists());
}
