//! Copies and their return.

use crate::world::{World, rows, script, with_ticket};
use ripcord_core::schema::Direction;
use ripcord_databases::sqlite::restore;
use ripcord_engine::{Database, Failure};
use rusqlite::Connection;

const SQL: &str =
    "CREATE TABLE t(id INTEGER PRIMARY KEY, n TEXT); INSERT INTO t VALUES(1, 'a'), (2, 'b')";

#[test]
fn a_copy_is_made_once_and_comes_back() {
    let world = World::new(SQL);
    world.make(Direction::Up, &[script(1, "ALTER TABLE t ADD x", None)]);
    let (prints, born) = (world.prints(), world.database.incarnation().unwrap());
    let back_up = || with_ticket(1, 10_000, |ticket| world.database.back_up("g1", ticket));
    assert!(back_up().unwrap().what.contains("read back"));
    world.write("DELETE FROM t; CREATE TABLE later(x)");
    assert!(back_up().unwrap().what.contains("exists and is sound"));
    let copy = world.dir.path().join("backups/g1.sqlite");
    assert_eq!(rows(&Connection::open(&copy).unwrap(), "SELECT count(*) FROM t"), "2");
    restore(&copy, &world.path()).unwrap();
    assert_eq!(world.prints(), prints);
    assert_eq!(world.rows("SELECT n FROM t"), "a\nb");
    assert_ne!(world.database.incarnation().unwrap(), born);
    assert_eq!(world.rows("PRAGMA journal_mode"), "wal");
}

#[test]
fn a_damaged_copy_is_found() {
    let world = World::new(SQL);
    let back_up = || with_ticket(1, 10_000, |ticket| world.database.back_up("g1", ticket));
    back_up().unwrap();
    let copy = world.dir.path().join("backups/g1.sqlite");
    Connection::open(&copy).unwrap().execute_batch("UPDATE t SET n = 'z' WHERE id = 1").unwrap();
    assert!(
        matches!(back_up(), Err(Failure::Definite(why)) if why.contains("is not what was copied"))
    );
    assert!(matches!(restore(&copy, &world.path()), Err(Failure::Definite(_))));
    assert_eq!(world.rows("SELECT n FROM t"), "a\nb");
}

#[test]
fn an_unfinished_copy_does_not_count() {
    let world = World::new(SQL);
    let folder = world.dir.path().join("backups");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("g1.partial"), "half").unwrap();
    with_ticket(1, 10_000, |ticket| world.database.back_up("g1", ticket)).unwrap();
    assert!(folder.join("g1.sqlite").exists() && !folder.join("g1.partial").exists());
    let refused = with_ticket(1, 10_000, |ticket| world.database.back_up("../x", ticket));
    assert!(matches!(refused, Err(Failure::Definite(_))));
}
