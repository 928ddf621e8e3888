//! Broken connections at every place: the server's process is ended before each statement, the
//! answer to COMMIT is lost, the whole server is killed. Afterwards the migration is in force
//! once, or not at all, and nobody has to mend anything.

use super::cluster::{Cluster, Database, cluster, database};
use super::proxy::Proxy;
use super::upward::{climb, climb_in, data, folder, limits, psql};
use ripcord_databases::formats::MigrationSet;
use ripcord_databases::postgres::{PostgresError, Progress, Session, Terms};

const SETUP: &str = "CREATE TABLE t (id int PRIMARY KEY, n int, note text); \
    INSERT INTO t SELECT i, i, 'n' || i FROM generate_series(1, 5) AS i; CREATE TABLE old (id int); INSERT INTO old VALUES (7)";

const SCRIPT: &str = "UPDATE t SET n = n + 1; ALTER TABLE t DROP COLUMN note; ALTER TABLE t ALTER n TYPE bigint; DROP TABLE old; CREATE TABLE fresh AS SELECT 1 AS a";

/// The same as by `psql`, once.
fn settled(database: &Database, plain: &Database, kept: i64) {
    assert_eq!(database.dump(), plain.dump());
    assert_eq!(data(database), data(plain));
    let mut client = database.client();
    let one = |client: &mut postgres::Client, sql: &str| -> i64 {
        client.query_one(sql, &[]).unwrap().get(0)
    };
    assert_eq!(one(&mut client, "SELECT count(*) FROM ripcord.applied WHERE state = 'applied'"), 1);
    assert_eq!(one(&mut client, "SELECT count(*) FROM ripcord.applied"), 1);
    assert_eq!(one(&mut client, "SELECT count(*) FROM ripcord.kept"), kept);
}

fn by_psql(setup: &str, script: &str) -> Database {
    let plain = database();
    plain.run(setup);
    psql(&plain, script, false);
    plain
}

/// Ends a server process of Ripcord's.
fn kill(database: &Database, which: &str) {
    let sql = format!(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity \
         WHERE datname = current_database() AND application_name LIKE '{which}'"
    );
    database.client().batch_execute(&sql).unwrap();
}

/// Runs the folder, and does something before one of its statements, the first time it is there.
fn disturbed(
    database: &Database,
    set: &MigrationSet,
    at: usize,
    disturb: impl Fn(),
) -> Result<(), PostgresError> {
    let mut session = Session::open(&database.url, "ripcord", &limits())?;
    let mut seen = 0;
    let mut progress = |one: Progress| {
        if matches!(one, Progress::Statement { .. }) {
            if seen == at {
                disturb();
            }
            seen += 1;
        }
    };
    climb_in(&mut session, &database.url, set, &Terms::default(), &mut progress).map(|_| ())
}

#[test]
fn the_work_process_is_ended_before_each_statement() {
    let plain = by_psql(SETUP, SCRIPT);
    let set = folder(&[SCRIPT]);
    for at in 0..5 {
        let database = database();
        database.run(SETUP);
        disturbed(&database, &set, at, || kill(&database, "ripcord/work/%")).unwrap();
        settled(&database, &plain, 3);
    }
}

#[test]
fn the_guard_is_ended_and_the_run_goes_on_or_is_run_again() {
    let plain = by_psql(SETUP, SCRIPT);
    let set = folder(&[SCRIPT]);
    for at in [0, 4] {
        let database = database();
        database.run(SETUP);
        if disturbed(&database, &set, at, || kill(&database, "ripcord/%")).is_err() {
            climb(&database.url, &set, &Terms::default()).unwrap();
        }
        settled(&database, &plain, 3);
    }
}

/// One process of the server is killed, whereupon the server ends all others and recovers.
#[test]
fn the_whole_server_crashes() {
    let plain = by_psql(SETUP, SCRIPT);
    let set = folder(&[SCRIPT]);
    let cluster = Cluster::own();
    for at in [0, 2, 4] {
        let name = format!("crash_{at}");
        let server = Database { url: cluster.url("postgres"), name: "unused".into() };
        server.run(&format!("CREATE DATABASE {name}"));
        let database = Database { url: cluster.url(&name), name: "unused".into() };
        database.run(SETUP);
        let crash = || {
            let work = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'ripcord/work/%' AND datname = current_database()";
            let pid: i32 = database.client().query_one(work, &[]).unwrap().get(0);
            let killed = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status();
            assert!(killed.unwrap().success());
        };
        disturbed(&database, &set, at, crash).unwrap();
        settled(&database, &plain, 3);
    }
}

/// Longer than was allowed is too long, and nothing is left of it.
#[test]
fn a_statement_that_takes_too_long() {
    let database = database();
    let terms = Terms { statement_budget_ms: 200, ..Terms::default() };
    let set = folder(&["CREATE TABLE t (id int); SET statement_timeout = 0; SELECT pg_sleep(60)"]);
    let error = climb(&database.url, &set, &terms).unwrap_err();
    assert_eq!(error.code(), "57014", "{error}");
    assert!(database.dump().iter().all(|one| !one.contains("CREATE TABLE")));
}

/// The statement that fails is named with its line, and nothing of the script is in force.
#[test]
fn half_1_and_5_a_failed_script_needs_no_hand() {
    let database = database();
    database.run(SETUP);
    let (dump, rows) = (database.dump(), data(&database));
    let bad = format!("{SCRIPT};\nSELECT 1 / 0");
    let error = climb(&database.url, &folder(&[&bad]), &Terms::default()).unwrap_err().to_string();
    assert!(error.contains("line 2") && error.contains("SELECT 1 / 0"), "{error}");
    assert!(error.contains("nothing of the script is in force"), "{error}");
    assert_eq!((database.dump(), data(&database)), (dump, rows));
    climb(&database.url, &folder(&[SCRIPT]), &Terms::default()).unwrap();
    settled(&database, &by_psql(SETUP, SCRIPT), 3);
}

/// A script that commits by itself: what is in force is said, and running it again goes on there.
#[test]
fn half_5_what_is_committed_is_never_called_undone() {
    let database = database();
    database.run(SETUP);
    let script = |last: &str| {
        format!("BEGIN;\nUPDATE t SET n = 0;\nCOMMIT;\nBEGIN;\nDROP TABLE old;\n{last};\nCOMMIT")
    };
    let bad = script("SELECT * FROM missing");
    let error = climb(&database.url, &folder(&[&bad]), &Terms::default()).unwrap_err().to_string();
    assert!(error.contains("the first 1 of its 3 statements are in force"), "{error}");
    // Another text is not taken for the rest of this one.
    let other = climb(&database.url, &folder(&[&script("SELECT 1")]), &Terms::default());
    let other = other.unwrap_err().to_string();
    assert!(other.contains("another text"), "{other}");
    database.run("CREATE TABLE missing ()");
    climb(&database.url, &folder(&[&bad]), &Terms::default()).unwrap();
    let plain = database_like(&bad);
    settled(&database, &plain, 2);
}

fn database_like(script: &str) -> Database {
    let plain = database();
    plain.run(SETUP);
    plain.run("CREATE TABLE missing ()");
    psql(&plain, script, false);
    plain
}

/// Statements that stand alone: cut off before each, the run goes on where it stopped.
#[test]
fn half_2_what_stands_alone_is_found_out_and_not_forced() {
    let setup = "CREATE TABLE t (id int, n int); INSERT INTO t SELECT i, i FROM generate_series(1, 50) AS i; CREATE INDEX gone ON t (n)";
    let script = "ALTER TABLE t ADD c int; CREATE INDEX CONCURRENTLY one ON t (id); UPDATE t SET c = 1; DROP INDEX CONCURRENTLY gone; CREATE INDEX CONCURRENTLY ON t (c); VACUUM t";
    let plain = by_psql(setup, script);
    let set = folder(&[script]);
    for at in 0..6 {
        let database = database();
        database.run(setup);
        disturbed(&database, &set, at, || kill(&database, "ripcord/work/%")).unwrap();
        settled(&database, &plain, 1);
    }
}

#[test]
fn half_3_no_invalid_index_remains() {
    let database = database();
    database.run("CREATE TABLE t (id int); INSERT INTO t VALUES (1), (1)");
    let script = "CREATE TABLE u (id int); CREATE UNIQUE INDEX CONCURRENTLY one ON t (id)";
    let set = folder(&[script]);
    let error = climb(&database.url, &set, &Terms::default()).unwrap_err().to_string();
    assert!(error.contains("first 1 of its 2 statements"), "{error}");
    let mut client = database.client();
    let invalid: i64 =
        client.query_one("SELECT count(*) FROM pg_index WHERE NOT indisvalid", &[]).unwrap().get(0);
    assert_eq!(invalid, 0);
    database.run("DELETE FROM t WHERE ctid = '(0,1)'");
    climb(&database.url, &set, &Terms::default()).unwrap();
    let valid: bool = client
        .query_one("SELECT indisvalid FROM pg_index WHERE indexrelid = 'one'::regclass", &[])
        .unwrap()
        .get(0);
    assert!(valid);
}

/// COMMIT arrives and its answer does not: the mark says that it happened.
#[test]
fn a_lost_answer_to_commit() {
    let plain = by_psql(SETUP, SCRIPT);
    let set = folder(&[SCRIPT]);
    for deliver in [true, false] {
        let database = database();
        database.run(SETUP);
        let proxy = Proxy::start(cluster().address(), deliver);
        let url = proxy.url(&database.name);
        let mut session = Session::open(&url, "ripcord", &limits()).unwrap();
        proxy.cut_at_commit(1);
        climb_in(&mut session, &database.url, &set, &Terms::default(), &mut |_| {}).unwrap();
        assert_eq!(proxy.cuts(), 1, "the connection was cut");
        settled(&database, &plain, 3);
    }
}

/// A label that its own transaction uses is committed first, as a tool that runs statements one
/// by one would.
#[test]
fn labels_that_are_used_at_once() {
    let setup =
        "CREATE TYPE mood AS ENUM ('sad'); CREATE TABLE t (m mood); INSERT INTO t VALUES ('sad')";
    let script = "ALTER TYPE mood ADD VALUE 'ok'; UPDATE t SET m = 'ok'";
    let database = database();
    database.run(setup);
    climb(&database.url, &folder(&[script]), &Terms::default()).unwrap();
    settled(&database, &by_psql(setup, script), 1);
}

/// More than may be copied, and more than was accepted to be lost, is refused and leaves no trace.
#[test]
fn what_is_too_much_is_refused() {
    let database = database();
    database.run(SETUP);
    let (dump, rows) = (database.dump(), data(&database));
    let small = Terms { copy_bytes_max: 100, ..Terms::default() };
    let error = climb(&database.url, &folder(&[SCRIPT]), &small).unwrap_err();
    assert!(matches!(error, PostgresError::Refused { .. }), "{error}");
    assert_eq!((database.dump(), data(&database)), (dump, rows));
}

/// Whoever owns the tables needs nothing more.
#[test]
fn an_owner_suffices() {
    let database = database();
    database.run(
        "GRANT CREATE ON DATABASE {} TO ann; GRANT ALL ON SCHEMA public TO ann"
            .replace("{}", &database.name)
            .as_str(),
    );
    let url = cluster().tcp("ann", &database.name);
    let set = folder(&[SETUP, SCRIPT]);
    climb(&url, &set, &Terms::default()).unwrap();
    let kept: i64 =
        database.client().query_one("SELECT count(*) FROM ripcord.kept", &[]).unwrap().get(0);
    assert_eq!(kept, 3);
}

/// Rows that a policy hides even from the owner would be lost unseen: that is refused.
#[test]
fn hidden_rows_are_not_lost_unseen() {
    let database = database();
    database.run(
        "GRANT CREATE ON DATABASE {} TO ann; GRANT ALL ON SCHEMA public TO ann"
            .replace("{}", &database.name)
            .as_str(),
    );
    let url = cluster().tcp("ann", &database.name);
    let setup = "CREATE TABLE secret (id int PRIMARY KEY, v text); INSERT INTO secret VALUES (1, 'a'), (2, 'b'); \
        CREATE POLICY half ON secret USING (id = 1); ALTER TABLE secret ENABLE ROW LEVEL SECURITY; ALTER TABLE secret FORCE ROW LEVEL SECURITY";
    climb(&url, &folder(&[setup]), &Terms::default()).unwrap();
    let error =
        climb(&url, &folder(&[setup, "ALTER TABLE secret DROP COLUMN v"]), &Terms::default());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("row-level security"), "{error}");
}
