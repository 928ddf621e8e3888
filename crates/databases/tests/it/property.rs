//! Random schemas, rows, migrations and users: whatever the migration did is taken back, whatever
//! users did stays.

use crate::world::{World, rows, script};
use proptest::prelude::*;
use ripcord_core::schema::{Direction, Wanted};
use ripcord_engine::Database as _;
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet};

/// The key of a table, which decides how its rows are found again.
#[derive(Debug, Clone, Copy)]
enum KeyKind {
    Number,
    Text,
    Pair,
    None,
}

#[derive(Debug, Clone)]
struct Case {
    key: KeyKind,
    rows: Vec<(i64, i64, Option<i64>)>,
    migration: Vec<String>,
    users: Vec<User>,
    again: bool,
}

/// One thing that a user does while the newer schema is in force.
#[derive(Debug, Clone, Copy)]
enum User {
    Insert(i64),
    Edit(i64, i64),
    Delete(i64),
}

const KEYS: i64 = 12;

fn statement() -> impl Strategy<Value = String> {
    let value = || 0..5_i64;
    prop_oneof![
        value().prop_map(|n| format!("UPDATE t SET a = a + 1 WHERE b = {n}")),
        value().prop_map(|n| format!("UPDATE t SET a = 100, b = NULL WHERE a = {n}")),
        value().prop_map(|n| format!("DELETE FROM t WHERE b = {n}")),
        Just("ALTER TABLE t ADD COLUMN e DEFAULT 8".to_owned()),
        Just("ALTER TABLE t DROP COLUMN c".to_owned()),
        Just("ALTER TABLE t RENAME COLUMN d TO dd".to_owned()),
        Just("ALTER TABLE t RENAME TO u; ALTER TABLE u RENAME TO t".to_owned()),
        Just("CREATE INDEX i ON t(a)".to_owned()),
        Just("CREATE TABLE w(x); INSERT INTO w SELECT a FROM t".to_owned()),
        Just("INSERT OR REPLACE INTO t(k, l, a) VALUES(3, 3, 77), (50, 50, 7)".to_owned()),
    ]
}

fn user() -> impl Strategy<Value = User> {
    prop_oneof![
        (20..40_i64).prop_map(User::Insert),
        (0..KEYS, 0..9_i64).prop_map(|(key, value)| User::Edit(key, 1_000 + value)),
        (0..KEYS).prop_map(User::Delete),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let key = prop_oneof![
        Just(KeyKind::Number),
        Just(KeyKind::Text),
        Just(KeyKind::Pair),
        Just(KeyKind::None)
    ];
    let row = (0..KEYS, 0..5_i64, proptest::option::of(0..5_i64));
    let migration = proptest::sample::subsequence((0..6).collect::<Vec<usize>>(), 1..4)
        .prop_flat_map(|picks| proptest::collection::vec(statement(), picks.len()));
    (
        key,
        proptest::collection::vec(row, 0..12),
        migration,
        proptest::collection::vec(user(), 0..8),
        any::<bool>(),
    )
        .prop_map(|(key, rows, migration, users, again)| {
            let mut migration = migration;
            // Without a key, replacing makes a new row as far as anybody can tell.
            migration.retain(|sql| !matches!(key, KeyKind::None) || !sql.contains("REPLACE"));
            migration.sort();
            migration.dedup();
            Case { key, rows, migration, users, again }
        })
}

impl Case {
    fn schema(&self) -> String {
        let table = match self.key {
            KeyKind::Number => "k INTEGER PRIMARY KEY, l INT, a, b, c TEXT NOT NULL, d)",
            KeyKind::Text => "k TEXT PRIMARY KEY, l INT, a, b, c TEXT NOT NULL, d)",
            KeyKind::Pair => {
                "k INT NOT NULL, l INT, a, b, c TEXT NOT NULL DEFAULT '-', d, PRIMARY KEY(k, l)) \
                 WITHOUT ROWID"
            }
            KeyKind::None => "k INT UNIQUE, l INT, a, b, c TEXT NOT NULL, d)",
        };
        // Replacing needs a value for `c` where there is one.
        let table = table.replace("NOT NULL, d", "NOT NULL DEFAULT '-', d");
        let mut sql = vec![format!("CREATE TABLE t({table};")];
        for (key, a, b) in &self.rows {
            let b = b.map_or("NULL".to_owned(), |b| b.to_string());
            sql.push(format!(
                "INSERT OR IGNORE INTO t VALUES({key}, {key}, {a}, {b}, 'c{key}', x'0{}');",
                key % 10
            ));
        }
        sql.concat()
    }
}

type Row = (String, Option<i64>, Option<i64>, String, String);

fn table(connection: &Connection) -> Vec<Row> {
    rows(connection, "SELECT 1");
    let mut query = connection
        .prepare("SELECT CAST(k AS TEXT), a, b, c, hex(d) FROM t ORDER BY CAST(k AS INT)")
        .unwrap();
    let read = query
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)));
    read.unwrap().collect::<Result<_, _>>().unwrap()
}

/// What users did, by key.
#[derive(Default)]
struct Acts {
    edited: BTreeMap<String, i64>,
    deleted: BTreeSet<String>,
    inserted: BTreeSet<String>,
}

impl Acts {
    fn of(users: &[User], world: &World) -> Acts {
        let mut acts = Acts::default();
        rows(&world.app, "SELECT * FROM t");
        let did = |sql: String| world.app.execute(&sql, []).unwrap() == 1;
        for user in users {
            match user {
                User::Insert(key) => {
                    let values = format!("{key}, {key}, {key}");
                    if did(format!("INSERT OR IGNORE INTO t(k, l, a) VALUES({values})")) {
                        acts.inserted.insert(key.to_string());
                    }
                }
                User::Edit(key, value) => {
                    if did(format!("UPDATE t SET a = {value} WHERE k = {key}")) {
                        acts.edited.insert(key.to_string(), *value);
                    }
                }
                User::Delete(key) => {
                    if did(format!("DELETE FROM t WHERE k = {key}")) {
                        acts.deleted.insert(key.to_string());
                        acts.edited.remove(&key.to_string());
                    }
                }
            }
        }
        acts
    }
}

fn check(case: &Case) -> bool {
    if case.migration.is_empty() {
        return false;
    }
    let world = World::new(&case.schema());
    let before = (world.digest(), table(&world.app));
    let scripts = [script(1, &case.migration.join(";\n"), None)];
    // Some migrations cannot run, such as one that drops a column and then names it.
    let Ok(preview) = world.database.preview(Direction::Up, &scripts) else { return false };
    assert!(preview.forecast.caveats.iter().all(|caveat| caveat.contains("primary key")));
    let change = world.make(Direction::Up, &scripts);

    let Acts { edited, deleted, inserted } = Acts::of(&case.users, &world);
    world.ensure(&change, Wanted::Unmade).unwrap();
    if case.again {
        let again = world.make(Direction::Up, &scripts);
        world.ensure(&again, Wanted::Unmade).unwrap();
    }

    assert_eq!(world.digest(), before.0);
    let after = table(&world.app);
    let find = |rows: &[Row], key: &str| rows.iter().find(|row| row.0 == key).cloned();
    for (key, value) in &edited {
        let row = find(&after, key).expect("what a user edited is still there");
        assert_eq!(row.1, Some(*value), "the edit of {key} was overwritten");
    }
    for key in &deleted {
        assert_eq!(find(&after, key), None, "{key} rose from the dead");
    }
    for key in &inserted {
        assert!(find(&after, key).is_some(), "the new row {key} was lost");
    }
    for row in before.1.iter().filter(|row| !deleted.contains(&row.0)) {
        let now = find(&after, &row.0).expect("every old row is there again");
        let untouched = !edited.contains_key(&row.0);
        if untouched {
            assert_eq!(&now, row);
        } else {
            assert_eq!((&now.2, &now.3, &now.4), (&row.2, &row.3, &row.4), "{}", row.0);
        }
    }
    let known = |key: &String| {
        before.1.iter().any(|row| row.0 == *key)
            || inserted.contains(key)
            || edited.contains_key(key)
    };
    for row in &after {
        assert!(known(&row.0), "a row of the migration's stayed: {row:?}");
    }
    world.database.integrity().unwrap();
    true
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_global_rejects: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_of_the_users_is_lost(case in case()) {
        // Cases that cannot run at all are counted, and too many of them fail the test.
        prop_assume!(check(&case));
    }
}
