//! The way back while users are at work, and where what they wrote stands against it: what is
//! reported is what is, and a refusal says which rows, how many, and what can be done.

use super::cluster::{Database, database};
use super::upward::{climb, folder, history, limits};
use ripcord_core::schema::SchemaForecast;
use ripcord_databases::formats::MigrationSet;
use ripcord_databases::postgres::{
    Ahead, Connection, Outcome, PostgresError, Session, Taking, Terms, down, preview_down,
};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

struct World {
    database: Database,
    set: MigrationSet,
}

impl World {
    fn new(setup: &str, script: &str) -> World {
        let world = World { database: database(), set: folder(&[script]) };
        world.database.run(setup);
        climb(&world.database.url, &world.set, &Terms::default()).unwrap();
        world
    }

    fn run(&self) -> i64 {
        let sql = "SELECT max(id) FROM ripcord.applied WHERE state = 'applied'";
        self.database.client().query_one(sql, &[]).unwrap().get(0)
    }

    fn ahead(&self) -> Ahead {
        let mut connection = Connection::open(&self.database.url, "test", &limits()).unwrap();
        let history = history(&self.set, &self.database.url);
        let taking = [Taking { run: self.run(), script: false }];
        preview_down(&mut connection, history.key(), &taking, &Terms::default()).unwrap()
    }

    fn down(&self, terms: &Terms) -> Result<Outcome, PostgresError> {
        let history = history(&self.set, &self.database.url);
        let mut session = Session::open(&self.database.url, history.key(), &limits())?;
        down(&mut session, self.run(), None, &history, terms, &mut |_| {})
    }

    fn number(&self, sql: &str) -> i64 {
        self.database.client().query_one(sql, &[]).unwrap().get(0)
    }
}

const NOTES: &str = "CREATE TABLE notes (id int PRIMARY KEY, body text, slug text UNIQUE);
    INSERT INTO notes SELECT n, 'body ' || n, 's' || n FROM generate_series(1, 90) AS n;";
const CHANGE: &str =
    "ALTER TABLE notes ADD COLUMN more text; UPDATE notes SET body = 'new' WHERE id <= 60";

/// Writes until the column is no more. Answers what was committed, by row.
fn write(world: &World, part: i32, stop: &AtomicBool) -> BTreeMap<i32, String> {
    let mut client = world.database.client();
    let mut written = BTreeMap::new();
    // Nothing goes on for ever, should the way back never come.
    for n in 0..20_000 {
        let id = 1 + part + 3 * ((n * 7) % 30);
        let sql = "UPDATE notes SET more = $1, body = $1 WHERE id = $2";
        let value = format!("{part} {n}");
        match client.execute(sql, &[&value, &id]) {
            Ok(_) => _ = written.insert(id, value),
            Err(_) => break,
        }
        if stop.load(Ordering::Relaxed) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    written
}

#[test]
fn what_is_reported_is_what_is_while_users_write() {
    let world = World::new(NOTES, CHANGE);
    let stop = AtomicBool::new(false);
    let (done, written) = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..3)
            .map(|part| {
                scope.spawn({
                    let (world, stop) = (&world, &stop);
                    move || write(world, part, stop)
                })
            })
            .collect();
        let many = "SELECT count(more) FROM notes";
        while world.number(many) < 5 {
            std::thread::yield_now();
        }
        // What was counted a moment ago is less than what is there under the lock, or as much.
        let ahead = world.ahead();
        let accept: SchemaForecast = ahead.forecast.clone();
        let conflicts = ahead.conflicts.iter().map(|one| one.count).sum();
        while world.number(many) < 20 {
            std::thread::yield_now();
        }
        let terms =
            Terms { accept: Some(accept), conflicts_max: Some(conflicts), ..Terms::default() };
        let refused = world.down(&terms).unwrap_err().to_string();
        assert!(refused.contains("were accepted; plan again"), "{refused}");
        let done = world.down(&Terms::default());
        stop.store(true, Ordering::Relaxed);
        let mut written = BTreeMap::new();
        for writer in writers {
            written.extend(writer.join().unwrap());
        }
        (done.unwrap(), written)
    });
    let hidden: Vec<String> = done.hidden.iter().map(ToString::to_string).collect();
    assert_eq!(hidden, [format!("{} values of notes.more", written.len())]);
    let edited = written.keys().filter(|id| **id <= 60).count() as u64;
    let told: u64 = done.conflicts.iter().map(|one| one.count).sum();
    assert_eq!(told, edited, "{:?}", done.conflicts);
    let mut client = world.database.client();
    for row in client.query("SELECT id, body FROM notes", &[]).unwrap() {
        let (id, body): (i32, String) = (row.get(0), row.get(1));
        let expected = written.get(&id).cloned().unwrap_or_else(|| format!("body {id}"));
        assert_eq!(body, expected, "{id}");
    }
    let store: String = client
        .query_one("SELECT item ->> 'store' FROM ripcord.kept WHERE direction = 'down'", &[])
        .unwrap()
        .get(0);
    let kept = world.number(&format!("SELECT count(c0) FROM {store}"));
    assert_eq!(kept, i64::try_from(written.len()).unwrap(), "every hidden value is kept");
}

#[test]
fn a_forecast_of_the_way_back_is_what_comes_of_it() {
    let check = |setup: &str, script: &str, users: &str| {
        let world = World::new(setup, script);
        world.database.run(users);
        let dump = world.database.dump();
        let ahead = world.ahead();
        assert_eq!(world.database.dump(), dump);
        assert!(ahead.against.is_empty(), "{ahead:?}");
        let mut ahead_conflicts = ahead.conflicts.clone();
        let outcome = world.down(&Terms::default()).unwrap();
        let mut conflicts = outcome.conflicts.clone();
        ahead_conflicts.sort();
        conflicts.sort();
        assert_eq!(ahead_conflicts, conflicts, "{script}\n{users}");
        let words = |list: &[ripcord_core::schema::Counted]| {
            let mut words: Vec<String> = list.iter().map(ToString::to_string).collect();
            words.sort();
            words
        };
        assert_eq!(words(&ahead.forecast.hidden), words(&outcome.hidden), "{script}\n{users}");
    };
    check(NOTES, CHANGE, "UPDATE notes SET more = 'x', body = 'mine' WHERE id IN (1, 2, 80)");
    check(
        NOTES,
        "INSERT INTO notes VALUES (100, 'a', 'a'), (101, 'b', 'b'); DELETE FROM notes WHERE id < 5",
        "UPDATE notes SET body = 'theirs' WHERE id = 100; INSERT INTO notes VALUES (3, 'back', 'x')",
    );
    check(
        NOTES,
        "TRUNCATE notes; INSERT INTO notes VALUES (1, 'seed', 's1'), (2, 'seed', 's2')",
        "UPDATE notes SET body = 'theirs' WHERE id = 2; INSERT INTO notes VALUES (7, 'own', 'own')",
    );
    check(
        NOTES,
        "CREATE TABLE extra (id int PRIMARY KEY); ALTER TABLE notes RENAME COLUMN body TO text; \
         ALTER TABLE notes ADD COLUMN body text",
        "INSERT INTO extra VALUES (1), (2); UPDATE notes SET body = 'x' WHERE id < 4",
    );
}

/// Refused, in words, and nothing has changed.
fn refuses(setup: &str, script: &str, users: &str, said: &[&str], foretold: Option<u64>) {
    let world = World::new(setup, script);
    world.database.run(users);
    let (dump, ahead) = (world.database.dump(), world.ahead());
    if let Some(count) = foretold {
        let found: u64 = ahead.against.iter().map(|one| one.count).sum();
        assert_eq!(found, count, "{ahead:?}");
    }
    let error = world.down(&Terms::default()).unwrap_err();
    assert!(matches!(error, PostgresError::Refused { .. }), "{error}");
    let words = error.to_string();
    for part in said {
        assert!(words.contains(part), "{part} is not in: {words}");
    }
    assert!(!words.contains("SQLSTATE 22") && !words.contains("a question about"), "{words}");
    assert_eq!(world.database.dump(), dump, "nothing has changed");
    assert_eq!(world.number("SELECT count(*) FROM ripcord.applied WHERE state = 'applied'"), 1);
}

#[test]
fn rows_that_stand_against_it_are_named() {
    refuses(
        "CREATE TABLE t (id int PRIMARY KEY, mail text NOT NULL); INSERT INTO t VALUES (1, 'a')",
        "ALTER TABLE t DROP COLUMN mail",
        "INSERT INTO t VALUES (2), (3)",
        &[
            "column t.mail",
            "2 rows of users",
            "such as (2,)",
            "Nothing was changed",
            "run it again",
        ],
        Some(2),
    );
    refuses(
        "CREATE TABLE t (id int PRIMARY KEY, mail text UNIQUE); INSERT INTO t VALUES (1, 'a')",
        "ALTER TABLE t DROP CONSTRAINT t_mail_key",
        "INSERT INTO t VALUES (2, 'a'), (3, 'a')",
        &["t_mail_key", "2 rows of users", "(a,3)", "Nothing was changed"],
        Some(2),
    );
    refuses(
        "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, p int CONSTRAINT own REFERENCES p); INSERT INTO p VALUES (1)",
        "ALTER TABLE t DROP CONSTRAINT own",
        "INSERT INTO t VALUES (1, 7)",
        &["own", "1 rows of users", "(1,7)"],
        Some(1),
    );
    refuses(
        NOTES,
        "UPDATE notes SET slug = 'old ' || slug WHERE id < 3",
        "INSERT INTO notes VALUES (900, 'new', 's1')",
        &["notes_slug_key", "nothing was changed", "run it again"],
        None,
    );
}

/// What somebody changed since on the same objects is not run over; what lies beside it is no
/// hindrance.
#[test]
fn what_somebody_changed_since_stands_in_the_way_by_name() {
    let drifted = |users: &str, said: &str| {
        let world = World::new(NOTES, "ALTER TABLE notes ADD COLUMN more text");
        world.database.run(users);
        let dump = world.database.dump();
        let error = world.down(&Terms::default()).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
        assert_eq!(world.database.dump(), dump, "nothing has changed");
    };
    drifted("ALTER TABLE notes ALTER more TYPE varchar(5)", "column notes.more was changed since");
    drifted("ALTER TABLE notes DROP COLUMN more", "column notes.more was dropped since");
    let world = World::new(NOTES, "ALTER TABLE notes ADD COLUMN more text");
    world.database.run(
        "COMMENT ON COLUMN notes.more IS 'theirs'; ALTER TABLE notes ADD COLUMN own int; \
         CREATE TABLE beside (a int)",
    );
    world.down(&Terms::default()).unwrap();
    assert_eq!(world.number("SELECT count(*) FROM beside"), 0);
    assert_eq!(world.number("SELECT count(own) FROM notes"), 0);
}
