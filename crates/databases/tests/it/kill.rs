//! A real process, really killed, in the middle of changes.

use crate::world::{World, script, with_ticket};
use ripcord_core::schema::{Direction, SchemaChange, Wanted};
use ripcord_databases::sqlite::{SqliteDatabase, SqliteOptions};
use ripcord_engine::Database;
use std::process::{Command, Stdio};
use std::time::Duration;

const HOME: &str = "RIPCORD_TEST_KILL_HOME";

/// Run by the other test in a process of its own; alone it has nothing to do.
#[test]
fn child() {
    let Some(home) = std::env::var_os(HOME).map(std::path::PathBuf::from) else { return };
    let text = std::fs::read(home.join("change.json")).unwrap();
    let change: SchemaChange = serde_json::from_slice(&text).unwrap();
    let database = SqliteDatabase::new(SqliteOptions {
        path: home.join("app.db"),
        backups: home.join("backups"),
        environment: "test".into(),
    });
    let _ = with_ticket(1, 60_000, |ticket| database.ensure(&change, Wanted::Made, ticket));
}

#[test]
fn a_killed_process_leaves_all_or_nothing() {
    let sql = "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, note TEXT);
               WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 3000)
               INSERT INTO t SELECT x, x, hex(randomblob(40)) FROM c";
    let (mut before_commit, mut after_commit) = (0, 0);
    for delay_ms in [0, 10, 20, 30, 40, 60, 80, 100, 150, 250] {
        let world = World::new(sql);
        let (digest, prints) = (world.digest(), world.prints());
        let up =
            "UPDATE t SET n = n + 1; ALTER TABLE t DROP COLUMN note; DELETE FROM t WHERE id % 2";
        let change = world.plan(Direction::Up, &[script(1, up, None)]);
        let json = serde_json::to_vec(&change).unwrap();
        std::fs::write(world.dir.path().join("change.json"), json).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kill::child", "--test-threads", "1"])
            .env(HOME, world.dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(delay_ms));
        child.kill().unwrap();
        child.wait().unwrap();
        if world.digest() == digest {
            before_commit += 1;
            assert_eq!(world.prints(), prints);
        } else {
            after_commit += 1;
            assert_eq!(world.digest(), change.to);
        }
        world.ensure(&change, Wanted::Made).unwrap();
        assert_eq!(world.rows("SELECT count(*), sum(n) FROM t"), "1500|2253000");
        world.ensure(&change, Wanted::Unmade).unwrap();
        assert_eq!((world.digest(), world.prints()), (digest, prints));
        world.database.integrity().unwrap();
    }
    assert!(before_commit > 0, "every kill came too late to show anything ({after_commit})");
}
