//! What can only be shown by breaking things on purpose: crashes between steps, lost answers, a
//! full disk, and the one mistake that the protocol exists to avoid.

use super::faults::AtCommit;
use super::{SqliteDatabase, SqliteOptions};
use ripcord_core::model::{Digest, Fence, MigrationRef, MigrationVersion, PlanId};
use ripcord_core::run::Receipt;
use ripcord_core::schema::{Direction, MigrationScript, SchemaChange, Wanted};
use ripcord_engine::{Database, Failure, Ticket};
use rusqlite::Connection;
use std::collections::BTreeMap;
use tempfile::TempDir;

const SQL: &str = "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, note TEXT);
                   INSERT INTO t VALUES(1, 1, 'a'), (2, 2, 'b')";
const UP: &str = "UPDATE t SET n = n + 1; ALTER TABLE t DROP COLUMN note";

struct World {
    _dir: TempDir,
    app: Connection,
    database: SqliteDatabase,
    change: SchemaChange,
}

impl World {
    fn new(sql: &str, up: &str) -> World {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.db");
        let app = Connection::open(&path).unwrap();
        app.execute_batch("PRAGMA journal_mode = WAL").unwrap();
        app.execute_batch(sql).unwrap();
        let backups = dir.path().join("backups");
        let options = SqliteOptions { path, backups, environment: "test".into() };
        let database = SqliteDatabase::new(options);
        let migration = MigrationRef {
            version: MigrationVersion(1),
            name: "test".into(),
            checksum: Digest::of_bytes(up.as_bytes()),
        };
        let script = MigrationScript { migration, up: up.into(), down: None, origin: None };
        let preview = database.preview(Direction::Up, &[script]).unwrap();
        let change = SchemaChange {
            id: "test/1/1".into(),
            direction: Direction::Up,
            scripts: preview.scripts,
            from: preview.from,
            to: preview.to,
            gone_max: 0,
        };
        World { _dir: dir, app, database, change }
    }

    fn ensure(&self, wanted: Wanted) -> Result<Receipt, Failure> {
        let plan = PlanId::from("plan");
        let fence = Fence(1);
        let ticket = Ticket { plan: &plan, step: 1, fence, deadline_ms: 10_000, stop: &|| false };
        self.database.ensure(&self.change, wanted, &ticket)
    }

    fn state(&self) -> (Digest, BTreeMap<String, Digest>) {
        (self.database.observe().unwrap().digest, self.database.fingerprints().unwrap())
    }

    fn own_tables(&self) -> i64 {
        let sql = "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'ripcord%'";
        self.app.query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

/// What an observer from outside demands: when `ensure` says that a change is made, it is.
fn keeps_its_word(world: &World) -> bool {
    world.ensure(Wanted::Made).is_ok() && world.state().0 == world.change.to
}

#[test]
fn a_crash_before_the_commit_leaves_nothing() {
    let mut world = World::new(SQL, UP);
    let before = world.state();
    world.database.faults.at_commit = Some(AtCommit::Crash);
    assert!(matches!(world.ensure(Wanted::Made), Err(Failure::Unknown(_))));
    assert_eq!(world.state(), before);
    assert_eq!(world.own_tables(), 0);
    world.database.faults.at_commit = None;
    assert!(keeps_its_word(&world));
    let made = world.state();
    world.database.faults.at_commit = Some(AtCommit::Crash);
    world.ensure(Wanted::Unmade).unwrap_err();
    assert_eq!(world.state(), made);
    world.database.faults.at_commit = None;
    world.ensure(Wanted::Unmade).unwrap();
    assert_eq!(world.state(), before);
}

#[test]
fn a_lost_answer_is_settled_by_asking_again() {
    let mut world = World::new(SQL, UP);
    let before = world.state();
    world.database.faults.at_commit = Some(AtCommit::LoseAnswer);
    for _ in 0..3 {
        assert!(matches!(world.ensure(Wanted::Made), Err(Failure::Unknown(_))));
        let sum: i64 = world.app.query_row("SELECT sum(n) FROM t", [], |row| row.get(0)).unwrap();
        assert_eq!(sum, 5);
    }
    for _ in 0..3 {
        world.ensure(Wanted::Unmade).unwrap_err();
        assert_eq!(world.state(), before);
    }
}

#[test]
fn a_marker_outside_the_transaction_would_be_found() {
    let check = |marker_apart: bool, expected: bool| {
        let mut world = World::new(SQL, UP);
        world.database.faults.marker_apart = marker_apart;
        world.database.faults.at_commit = Some(AtCommit::Crash);
        world.ensure(Wanted::Made).unwrap_err();
        world.database.faults.at_commit = None;
        assert_eq!(keeps_its_word(&world), expected, "marker apart: {marker_apart}");
    };
    check(false, true);
    check(true, false);
}

#[test]
fn a_full_disk_is_a_clean_refusal() {
    let sql = "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, note TEXT);
               WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 2000)
               INSERT INTO t SELECT x, x, hex(randomblob(50)) FROM c";
    let mut world = World::new(sql, UP);
    let before = world.state();
    let pages: u32 = world.app.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    for more in [1, 8, 20] {
        world.database.faults.pages_max = Some(pages + more);
        let Err(Failure::Definite(why)) = world.ensure(Wanted::Made) else { panic!("it fitted") };
        assert!(why.contains("is full; nothing was changed"), "{why}");
        assert_eq!(world.state(), before);
        assert_eq!(world.own_tables(), 0);
    }
    world.database.faults.pages_max = None;
    assert!(keeps_its_word(&world));
    world.ensure(Wanted::Unmade).unwrap();
    assert_eq!(world.state(), before);
}

#[test]
fn a_large_database_is_rehearsed_without_its_rows() {
    let up = "ALTER TABLE t DROP COLUMN note; DELETE FROM t WHERE n > 1; ALTER TABLE t ADD x";
    let mut world = World::new(SQL, up);
    let exact = world.change.clone();
    world.database.faults.all_are_large = true;
    let preview = |world: &World, direction| {
        world.database.preview(direction, &world.change.scripts).unwrap()
    };
    let shown = |counts: &[ripcord_core::schema::Counted]| {
        counts.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let up = preview(&world, Direction::Up);
    assert_eq!((&up.from, &up.to), (&exact.from, &exact.to));
    assert_eq!(shown(&up.forecast.kept), ["2 values of t.note", "1 row of t"]);
    assert!(up.forecast.caveats[0].contains("too large to rehearse"));
    world.ensure(Wanted::Made).unwrap();
    world.app.execute_batch("UPDATE t SET x = 5").unwrap();
    let down = preview(&world, Direction::Down);
    assert_eq!((&down.from, &down.to), (&exact.to, &exact.from));
    assert_eq!(shown(&down.forecast.hidden), ["1 value of t.x"]);
}
