//! Who may look, what is left out, how long it takes, and what happens when somebody changes the
//! schema meanwhile.

use super::cluster::{cluster, database};
use super::journey::read;
use ripcord_databases::postgres::{
    Connection, Kind, Limits, PostgresError, SESSION, Scope, diff, inverse, snapshot,
};
use std::time::{Duration, Instant};

#[test]
fn anybody_who_may_connect_sees_the_same() {
    let database = database();
    database.run("CREATE SCHEMA hidden; CREATE TABLE hidden.t (id serial PRIMARY KEY, v text CHECK (v <> '')); CREATE VIEW hidden.v AS SELECT * FROM hidden.t;
                  REVOKE ALL ON SCHEMA public FROM PUBLIC; CREATE FUNCTION hidden.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE EXTENSION postgres_fdw;
                  CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw; CREATE USER MAPPING FOR bob SERVER s OPTIONS (password 'x')");
    let all = read(&database);
    let mut ann =
        Connection::open(&cluster().tcp("ann", &database.name), "test", &Limits::default())
            .unwrap();
    let seen = snapshot(&mut ann, &Scope::default()).unwrap();
    let differing: Vec<String> = diff(&all, &seen).iter().map(ToString::to_string).collect();
    assert_eq!(differing, ["user mapping FOR bob SERVER s: option names [password] -> none"]);
    assert!(seen.unseen.iter().any(|what| what.contains("FOR bob SERVER s")), "{:?}", seen.unseen);
}

#[test]
fn scope_and_what_is_ones_own() {
    let database = database();
    database.run("CREATE SCHEMA ripcord; CREATE TABLE ripcord.kept (a int); CREATE SCHEMA one; CREATE SCHEMA two; CREATE TABLE one.t (a int); CREATE TABLE two.t (a int); CREATE TEMP TABLE passing (a int)");
    let names = |catalogue: &ripcord_databases::postgres::Catalogue| -> Vec<String> {
        catalogue.objects.keys().map(ToString::to_string).collect()
    };
    let all = names(&read(&database));
    assert_eq!(
        all,
        [
            "schema one",
            "schema public",
            "schema two",
            "extension plpgsql",
            "table one.t",
            "table two.t",
            "column one.t.a",
            "column two.t.a"
        ]
    );
    let mut connection = Connection::open(&database.url, "test", &Limits::default()).unwrap();
    let scope = Scope { schemas: vec!["two".into()] };
    assert_eq!(
        names(&snapshot(&mut connection, &scope).unwrap()),
        ["schema two", "table two.t", "column two.t.a"]
    );
    let error = snapshot(&mut connection, &Scope { schemas: vec!["three".into()] }).unwrap_err();
    assert!(
        matches!(&error, PostgresError::NoSchema { schema, .. } if schema == "three"),
        "{error}"
    );
    assert_eq!(
        names(&snapshot(&mut connection, &Scope::default()).unwrap()),
        all,
        "the connection is still good"
    );
}

#[test]
fn what_cannot_be_reached_is_said_without_passwords() {
    let check = |address: &str, expected: &str| {
        let error = Connection::open(address, "test", &Limits::default()).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("swordfish"), "{error}");
    };
    check("postgresql://u:swordfish@127.0.0.1:1/d", "cannot reach d at 127.0.0.1:1");
    check("postgresql://u:swordfish@127.0.0.1:1/d?sslmode=require", "cannot reach");
    check("postgresql://u:swordfish@h/d?sslmode=verify-full&sslrootcert=/nowhere", "by TLS");
    check(
        "postgresql://u:swordfish@127.0.0.1:1/d?sslmode=nonsense",
        "not the address of a database",
    );
    check("mysql://u:swordfish@h/d", "not the address of a database");
    let nobody = cluster().tcp("swordless", "postgres");
    check(&nobody, "SQLSTATE 28000");
    check(&cluster().url("no_such_database"), "SQLSTATE 3D000");
}

#[test]
fn the_session_is_named_and_limited() {
    let database = database();
    let _connection = Connection::open(&database.url, "snapshot", &Limits::default()).unwrap();
    let row = database
        .client()
        .query_one("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'ripcord/snapshot' AND datname = current_database()", &[])
        .unwrap();
    assert_eq!(row.get::<_, i64>(0), 1);
    let mut holder = database.client();
    holder.batch_execute("CREATE TABLE t (a int); CREATE VIEW v AS SELECT a FROM t; BEGIN; LOCK TABLE v, t IN ACCESS EXCLUSIVE MODE").unwrap();
    let limits = Limits { lock: Duration::from_millis(200), ..Limits::default() };
    let begun = Instant::now();
    let mut connection = Connection::open(&database.url, "test", &limits).unwrap();
    let result = snapshot(&mut connection, &Scope::default());
    assert!(result.is_ok() || matches!(result, Err(PostgresError::Query { .. })), "{result:?}");
    assert!(begun.elapsed() < Duration::from_secs(30), "it does not wait for others");
}

/// A column is renamed back and forth under an index that names it. Columns are read as they were
/// when the transaction began, definitions of indexes as they are: they have to agree.
#[test]
fn changes_meanwhile_are_seen_whole_or_not_at_all() {
    let database = database();
    let many = "DO $$BEGIN FOR i IN 1..200 LOOP EXECUTE format('CREATE TABLE t%s (a int)', i); END LOOP; END$$";
    database.run(&format!("CREATE TABLE t (a int); CREATE INDEX i ON t (a); {many}"));
    let url = database.url.clone();
    let writer = std::thread::spawn(move || {
        let mut client = postgres::Client::connect(&url, postgres::NoTls).unwrap();
        for round in 0..60_u64 {
            let (from, to) = if round % 2 == 0 { ("a", "z") } else { ("z", "a") };
            client.batch_execute(&format!("ALTER TABLE t RENAME {from} TO {to}")).unwrap();
            std::thread::sleep(Duration::from_millis(round * 7 % 60));
        }
    });
    let mut connection = Connection::open(&database.url, "test", &Limits::default()).unwrap();
    while !writer.is_finished() {
        match snapshot(&mut connection, &Scope::default()) {
            Ok(seen) => {
                let name =
                    if seen.get(Kind::Column, "public.t.a").is_some() { "(a)" } else { "(z)" };
                let index =
                    seen.get(Kind::Index, "public.i").unwrap().facts["definition"].to_string();
                assert!(index.contains(name), "torn: {name} but {index}");
            }
            Err(PostgresError::Restless { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    writer.join().unwrap();
    assert!(snapshot(&mut connection, &Scope::default()).is_ok(), "in calm it is read");
}

/// The number of questions does not grow with the schema.
#[test]
fn many_tables() {
    let database = database();
    database.run(
        "DO $$BEGIN FOR i IN 1..1000 LOOP
           EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, a text NOT NULL DEFAULT ''x'', b int CHECK (b > 0), c date)', i);
           EXECUTE format('CREATE INDEX ON t%s (a)', i);
         END LOOP; END$$",
    );
    let begun = Instant::now();
    let before = read(&database);
    let took = begun.elapsed();
    assert_eq!(before.objects.keys().filter(|name| name.kind == Kind::Table).count(), 1000);
    assert!(took < Duration::from_secs(10), "1,000 tables took {took:?}");
    database.run(
        "DO $$BEGIN FOR i IN 1..300 LOOP EXECUTE format('DROP TABLE t%s', i); END LOOP; END$$",
    );
    let after = read(&database);
    let begun = Instant::now();
    let way = inverse(&before, &after);
    assert!(begun.elapsed() < Duration::from_secs(10), "the way back took {:?}", begun.elapsed());
    database.run(&format!("{SESSION}; {}", way.script()));
    assert_eq!(read(&database), before);
}

#[test]
fn what_people_read() {
    let database = database();
    database.run("CREATE TABLE orders (id int PRIMARY KEY, note text, total int); CREATE TABLE t (a int, b int)");
    let before = read(&database);
    database.run("ALTER TABLE orders DROP note; GRANT SELECT ON orders TO ann; DROP TABLE t; CREATE TABLE t (b int, a int); CREATE TABLE fresh (id int NOT NULL)");
    let words: Vec<String> =
        diff(&before, &read(&database)).iter().map(ToString::to_string).collect();
    assert_eq!(
        words,
        [
            "table fresh: created",
            "table orders: privileges + SELECT to ann",
            "column orders.note text: dropped",
            "column t.a: position 1 -> 2",
            "column t.b: position 2 -> 1",
        ]
    );
}
