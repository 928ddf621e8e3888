//! Fences, markers, locks and drift.

use crate::world::{World, script, with_ticket};
use ripcord_core::schema::{Direction, Wanted};
use ripcord_engine::{Database, Failure, Ticket};
use rusqlite::Connection;
use std::time::{Duration, Instant};

const SQL: &str =
    "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT); INSERT INTO t VALUES(1, 1), (2, 2)";
const UP: &str = "UPDATE t SET n = n + 1";

fn definite(result: Result<impl std::fmt::Debug, Failure>) -> String {
    match result {
        Err(Failure::Definite(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn twice_is_once() {
    let world = World::new(SQL);
    let change = world.plan(Direction::Up, &[script(1, UP, None)]);
    for _ in 0..2 {
        world.ensure(&change, Wanted::Made).unwrap();
        assert_eq!(world.rows("SELECT n FROM t"), "2\n3");
    }
    for _ in 0..2 {
        world.ensure(&change, Wanted::Unmade).unwrap();
        assert_eq!(world.rows("SELECT n FROM t"), "1\n2");
    }
    definite(world.ensure(&change, Wanted::Made));
}

#[test]
fn a_tombstone_stops_a_late_change() {
    let world = World::new(SQL);
    let change = world.plan(Direction::Up, &[script(1, UP, None)]);
    world.ensure(&change, Wanted::Unmade).unwrap();
    assert!(definite(world.ensure(&change, Wanted::Made)).contains("cannot be made late"));
    assert_eq!(world.rows("SELECT n FROM t"), "1\n2");
}

#[test]
fn a_lower_fence_is_refused() {
    let world = World::new(SQL);
    let change = world.plan(Direction::Up, &[script(1, UP, None)]);
    world.ensure_as(&change, Wanted::Made, 7).unwrap();
    let refused = world.ensure_as(&change, Wanted::Unmade, 6);
    assert_eq!(refused.unwrap_err(), Failure::Fenced { seen: 7, ours: 6 });
    assert_eq!(world.rows("SELECT n FROM t"), "2\n3");
    world.ensure_as(&change, Wanted::Unmade, 8).unwrap();
    assert!(matches!(world.ensure_as(&change, Wanted::Unmade, 7), Err(Failure::Fenced { .. })));
}

#[test]
fn drift_is_refused() {
    let world = World::new(SQL);
    let change = world.plan(Direction::Up, &[script(1, UP, None)]);
    world.write("CREATE TABLE stray(x)");
    assert!(definite(world.ensure(&change, Wanted::Made)).contains("changed by somebody else"));
    world.write("DROP TABLE stray");
    world.ensure(&change, Wanted::Made).unwrap();
    world.write("CREATE INDEX stray ON t(n)");
    definite(world.ensure(&change, Wanted::Unmade));
    assert_eq!(world.rows("SELECT n FROM t"), "2\n3");
}

#[test]
fn more_than_accepted_is_not_destroyed() {
    let world = World::new(SQL);
    let up = "-- ripcord: destroy test\nDELETE FROM t";
    let change = world.plan(Direction::Up, &[script(1, up, None)]);
    assert_eq!(change.gone_max, 2);
    world.write("INSERT INTO t VALUES(3, 3)");
    assert!(definite(world.ensure(&change, Wanted::Made)).contains("more than the 2"));
    assert_eq!(world.rows("SELECT count(*) FROM t"), "3");
    world.write("DELETE FROM t WHERE id = 1");
    let receipt = world.ensure(&change, Wanted::Made).unwrap();
    assert_eq!(receipt.gone[0].count, 2);
    world.ensure(&change, Wanted::Unmade).unwrap();
    assert_eq!(world.rows("SELECT count(*) FROM t"), "0");
}

#[test]
fn a_busy_database_is_waited_for_and_then_given_up() {
    let world = World::new(SQL);
    let change = world.plan(Direction::Up, &[script(1, UP, None)]);
    let other = Connection::open(world.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused =
        with_ticket(1, 150, |ticket| world.database.ensure(&change, Wanted::Made, ticket));
    assert!(matches!(refused, Err(Failure::Transient(_))), "{refused:?}");
    let plan = "p".into();
    let ticket = Ticket {
        plan: &plan,
        step: 1,
        fence: ripcord_core::model::Fence(1),
        deadline_ms: 60_000,
        stop: &|| true,
    };
    let began = Instant::now();
    assert_eq!(world.database.ensure(&change, Wanted::Made, &ticket), Err(Failure::Interrupted));
    assert!(began.elapsed() < Duration::from_secs(5));
    std::thread::scope(|scope| {
        scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            other.execute_batch("COMMIT").unwrap();
        });
        world.ensure(&change, Wanted::Made).unwrap();
    });
    assert_eq!(world.rows("SELECT n FROM t"), "2\n3");
}

#[test]
fn a_change_that_takes_too_long_is_given_up() {
    let world = World::new(SQL);
    let up = "UPDATE t SET n = (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c \
              WHERE x < 400000) SELECT max(x) FROM c) + id";
    let change = world.plan(Direction::Up, &[script(1, up, None)]);
    let result = with_ticket(1, 20, |ticket| world.database.ensure(&change, Wanted::Made, ticket));
    assert!(matches!(result, Err(Failure::Deadline(_))), "{result:?}");
    assert_eq!(world.rows("SELECT n FROM t"), "1\n2");
}

#[test]
fn the_application_goes_on_reading_and_writing() {
    let world = World::new(SQL);
    world.write("BEGIN; SELECT * FROM t;");
    let change = world.plan(Direction::Up, &[script(1, UP, None)]);
    world.ensure(&change, Wanted::Made).unwrap();
    assert_eq!(world.rows("SELECT n FROM t"), "1\n2");
    world.write("COMMIT");
    assert_eq!(world.rows("SELECT n FROM t"), "2\n3");
}

#[test]
fn detaching_leaves_nothing() {
    let world = World::new(SQL);
    world.make(Direction::Up, &[script(1, "ALTER TABLE t DROP COLUMN n", None)]);
    assert!(world.database.incarnation().unwrap().is_some());
    let digest = world.digest();
    world.database.detach().unwrap();
    assert_eq!(world.rows("SELECT count(*) FROM sqlite_schema WHERE name LIKE '%ripcord%'"), "0");
    assert_eq!(world.digest(), digest);
    assert_eq!(world.database.incarnation().unwrap(), None);
}

#[test]
fn integrity_tells_of_orphans() {
    let world = World::new(SQL);
    world.database.integrity().unwrap();
    world.write(
        "PRAGMA foreign_keys = OFF; CREATE TABLE c(p REFERENCES t(id)); INSERT INTO c VALUES(9)",
    );
    assert!(definite(world.database.integrity()).contains("row 1 of c refers to t"));
}

#[test]
fn only_the_last_migration_is_taken_back() {
    let world = World::new(SQL);
    let first = script(1, "CREATE TABLE a(x)", None);
    world.make(Direction::Up, std::slice::from_ref(&first));
    world.make(Direction::Up, &[script(2, "CREATE TABLE b(x)", None)]);
    let refused = definite(world.database.preview(Direction::Down, std::slice::from_ref(&first)));
    assert!(refused.contains("cannot be taken back before 2 test"), "{refused}");
    let refused = definite(world.database.preview(Direction::Up, &[first]));
    assert!(refused.contains("is already applied"), "{refused}");
    let refused = definite(world.database.preview(Direction::Down, &[script(9, "SELECT 1", None)]));
    assert!(refused.contains("was not applied here"), "{refused}");
}

#[test]
fn a_database_of_another_environment_is_refused() {
    let world = World::new(SQL);
    world.make(Direction::Up, &[script(1, UP, None)]);
    let other =
        ripcord_databases::sqlite::SqliteDatabase::new(ripcord_databases::sqlite::SqliteOptions {
            path: world.path(),
            backups: world.dir.path().join("backups"),
            environment: "other".into(),
        });
    let refused = definite(other.preview(Direction::Up, &[script(2, UP, None)]));
    assert!(refused.contains("belongs to environment test, not other"), "{refused}");
}
