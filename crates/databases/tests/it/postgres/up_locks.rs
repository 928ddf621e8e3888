//! One Ripcord at a time, users first, and nothing left by those who were ended.

use super::cluster::{Database, database};
use super::upward::{climb, climb_in, folder, limits};
use postgres::Client;
use ripcord_databases::postgres::{Limits, PostgresError, Progress, Session, Terms};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, mpsc};
use std::time::{Duration, Instant};

/// The longest that anything here is waited for.
const PATIENCE: Duration = Duration::from_mins(1);

fn count(client: &mut Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).unwrap().get(0)
}

/// Whether Ripcord holds its lock.
const HELD: &str = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted \
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "{what} never happened");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn impatient() -> Limits {
    Limits { turn: Duration::from_millis(100), ..limits() }
}

/// Ends the guard of whoever is at work, as a crash of its process would.
fn end(database: &Database, which: &str) {
    let sql = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
         WHERE datname = current_database() AND application_name LIKE '{which}'"
    );
    count(&mut database.client(), &sql);
}

#[test]
fn lock_1_a_holder_that_is_gone_is_followed_without_a_command() {
    let database = database();
    let held = Session::open(&database.url, "ripcord", &limits()).unwrap();
    // The holder knows nothing of it: as if its machine were gone.
    end(&database, "ripcord/%");
    let next = Session::open(&database.url, "ripcord", &limits());
    assert!(next.is_ok(), "{:?}", next.err());
    drop(held);
}

/// A process that was stopped holds its lock for ever: it is ended, and what it sends when it
/// wakes is refused.
#[test]
fn a_holder_that_stands_still_is_followed() {
    let database = database();
    let mut still = Session::open(&database.url, "ripcord", &limits()).unwrap();
    let patient = Limits { still: Duration::from_millis(200), ..limits() };
    let next = Session::open(&database.url, "ripcord", &patient).unwrap();
    let set = folder(&["CREATE TABLE t (id int)"]);
    let impatient_to_return =
        climb_in(&mut still, &database.url, &set, &Terms::default(), &mut |_| {});
    drop(next);
    assert!(impatient_to_return.is_err());
    assert_eq!(
        count(&mut database.client(), "SELECT count(*) FROM pg_class WHERE relname = 't'"),
        0
    );
}

#[test]
fn lock_2_the_lock_is_released_with_its_holder() {
    let database = database();
    let mut client = database.client();
    let held = Session::open(&database.url, "ripcord", &limits()).unwrap();
    assert_eq!(count(&mut client, HELD), 1);
    drop(held);
    until("the release", || count(&mut client, HELD) == 0);
}

#[test]
fn lock_3_giving_up_takes_nothing_from_the_holder() {
    let database = database();
    let held = Session::open(&database.url, "ripcord", &limits()).unwrap();
    for _ in 0..3 {
        let refused = Session::open(&database.url, "ripcord", &impatient()).unwrap_err();
        assert!(matches!(refused, PostgresError::Busy { .. }), "{refused}");
        assert!(refused.to_string().contains("process"), "{refused}");
    }
    assert_eq!(count(&mut database.client(), HELD), 1);
    drop(held);
}

#[test]
fn lock_4_a_concurrent_index_under_the_lock() {
    let database = database();
    database.run("CREATE TABLE t (id int); INSERT INTO t SELECT generate_series(1, 1000)");
    let set = folder(&["CREATE INDEX CONCURRENTLY by_id ON t (id)"]);
    climb(&database.url, &set, &Terms::default()).unwrap();
    let valid = "SELECT count(*) FROM pg_index WHERE indexrelid = 'by_id'::regclass AND indisvalid";
    assert_eq!(count(&mut database.client(), valid), 1);
}

#[test]
fn lock_5_two_at_once_run_it_once() {
    let database = database();
    database.run("CREATE TABLE t (n int); INSERT INTO t VALUES (0)");
    let set = folder(&["UPDATE t SET n = n + 1", "CREATE TABLE u (id int)"]);
    let start = Barrier::new(4);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                start.wait();
                climb(&database.url, &set, &Terms::default()).unwrap();
            });
        }
    });
    let mut client = database.client();
    assert_eq!(count(&mut client, "SELECT n::bigint FROM t"), 1);
    assert_eq!(count(&mut client, "SELECT count(*) FROM ripcord.applied"), 2);
    assert_eq!(count(&mut client, "SELECT count(*) FROM ripcord.kept"), 1);
}

#[test]
fn who_was_overtaken_changes_nothing_more() {
    let database = database();
    let mut old = Session::open(&database.url, "ripcord", &limits()).unwrap();
    end(&database, "ripcord/%");
    let new = Session::open(&database.url, "ripcord", &limits()).unwrap();
    drop(new);
    let set = folder(&["CREATE TABLE t (id int)"]);
    let refused = climb_in(&mut old, &database.url, &set, &Terms::default(), &mut |_| {});
    assert!(
        matches!(
            refused,
            Err(PostgresError::Superseded { .. }
                | PostgresError::Unreachable { .. }
                | PostgresError::Query { .. })
        ),
        "{refused:?}"
    );
    assert_eq!(
        count(&mut database.client(), "SELECT count(*) FROM pg_class WHERE relname = 't'"),
        0
    );
}

/// A user's transaction stands on the table and does not end: the run waits in short turns, users
/// get theirs between, and in the end it gives up without a trace.
#[test]
fn users_come_first_while_a_transaction_stands_still() {
    let database = database();
    database.run("CREATE TABLE t (id int PRIMARY KEY, note text); INSERT INTO t VALUES (1, 'a')");
    let dump = database.dump();
    let mut idle = database.client();
    idle.batch_execute("BEGIN; SELECT * FROM t").unwrap();
    let terms = Terms { lock_timeout_ms: 100, attempts_max: 5, ..Terms::default() };
    let over = AtomicBool::new(false);
    let set = folder(&["ALTER TABLE t DROP COLUMN note"]);
    let (slowest, outcome) = std::thread::scope(|scope| {
        let user = scope.spawn(|| {
            let mut client = database.client();
            let mut slowest = Duration::ZERO;
            while !over.load(Ordering::Relaxed) {
                let began = Instant::now();
                client.batch_execute("SELECT note FROM t WHERE id = 1").unwrap();
                slowest = slowest.max(began.elapsed());
                std::thread::sleep(Duration::from_millis(1));
            }
            slowest
        });
        let outcome = climb(&database.url, &set, &terms);
        over.store(true, Ordering::Relaxed);
        (user.join().unwrap(), outcome)
    });
    let Err(PostgresError::Contended { attempts: 5, .. }) = outcome else { panic!("{outcome:?}") };
    // The lock timeout, and what a loaded machine adds to it.
    assert!(slowest < Duration::from_secs(3), "{slowest:?}");
    assert_eq!(database.dump(), dump);
    idle.batch_execute("COMMIT").unwrap();
    climb(&database.url, &set, &terms).unwrap();
}

/// The lock is had as soon as the transaction in the way ends.
#[test]
fn it_goes_on_when_the_way_is_free() {
    let database = database();
    database.run("CREATE TABLE t (id int PRIMARY KEY, note text); INSERT INTO t VALUES (1, 'a')");
    let mut idle = database.client();
    idle.batch_execute("BEGIN; UPDATE t SET note = 'b'").unwrap();
    let (tell, told) = mpsc::channel();
    let set = folder(&["UPDATE t SET note = note || 'c'; ALTER TABLE t DROP COLUMN note"]);
    let terms = Terms { lock_timeout_ms: 100, attempts_max: 1000, ..Terms::default() };
    std::thread::scope(|scope| {
        let (url, set, terms) = (&database.url, &set, &terms);
        let run = scope.spawn(move || {
            let mut session = Session::open(url, "ripcord", &limits()).unwrap();
            let mut progress = |one: Progress| drop(tell.send(one));
            climb_in(&mut session, url, set, terms, &mut progress)
        });
        // What it wants first is to watch the table, for which it tries again and again.
        std::thread::sleep(Duration::from_millis(300));
        idle.batch_execute("COMMIT").unwrap();
        run.join().unwrap().unwrap();
    });
    drop(told);
    let kept = "SELECT count(*) FROM ripcord.kept";
    assert_eq!(count(&mut database.client(), kept), 2);
}

/// What a run that was killed left in the way is removed by the next.
#[test]
fn left_over_triggers_are_swept() {
    let database = database();
    database.run("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let dump = database.dump();
    let session = Session::open(&database.url, "ripcord", &limits()).unwrap();
    drop(session);
    database.run(
        "CREATE FUNCTION ripcord.watch_1() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; \
         CREATE TRIGGER \" ripcord\" AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION ripcord.watch_1()",
    );
    assert_ne!(database.dump(), dump);
    climb(&database.url, &folder(&["SELECT 1"]), &Terms::default()).unwrap();
    assert_eq!(database.dump(), dump);
}
