//! There and back: a change is made, taken back by the inverse, and made once more by the inverse
//! of the inverse. Each time the snapshot and `pg_dump` must see what they saw before.

use super::cluster::{Database, database};
use ripcord_databases::postgres::{
    Catalogue, Connection, Limits, SESSION, Scope, diff, inverse, snapshot,
};

/// A change from one schema to another, and what is known of it.
pub(crate) struct Journey {
    pub(crate) setup: &'static str,
    pub(crate) change: &'static str,
    /// What the way back names as not done by definitions.
    pub(crate) left: &'static [&'static str],
}

pub(crate) fn read(database: &Database) -> Catalogue {
    let mut connection = Connection::open(&database.url, "test", &Limits::default()).unwrap();
    snapshot(&mut connection, &Scope::default()).unwrap()
}

/// Turns what is into `wanted` and compares; returns what was left.
pub(crate) fn turn(
    database: &Database,
    wanted: &Catalogue,
    dump: &[String],
    context: &str,
) -> Vec<String> {
    let way = inverse(wanted, &read(database));
    let mut client = database.client();
    client.batch_execute(SESSION).unwrap();
    let (apart, together): (Vec<_>, Vec<_>) = way.statements.iter().partition(|one| one.apart);
    for statement in apart {
        client
            .batch_execute(&statement.sql)
            .unwrap_or_else(|error| panic!("{context}\n{error:?}\n{}", way.script()));
    }
    client.batch_execute("BEGIN").unwrap();
    for statement in together {
        if let Err(error) = client.batch_execute(&statement.sql) {
            panic!("{context}\n{error:?}\nat: {}\nin:\n{}", statement.sql, way.script());
        }
    }
    client.batch_execute("COMMIT").unwrap();
    let found = read(database);
    let differences: Vec<String> = diff(wanted, &found).iter().map(ToString::to_string).collect();
    assert!(differences.is_empty(), "{context}\n{differences:#?}\n{}", way.script());
    let (wanted_json, found_json) = (
        serde_json::to_string_pretty(wanted).unwrap(),
        serde_json::to_string_pretty(&found).unwrap(),
    );
    if wanted_json != found_json {
        let line = wanted_json.lines().zip(found_json.lines()).find(|(one, other)| one != other);
        panic!("{context}\n{line:?}\n{}", way.script());
    }
    let dumped = database.dump();
    let missing: Vec<&String> = dump.iter().filter(|one| !dumped.contains(one)).collect();
    let surplus: Vec<&String> = dumped.iter().filter(|one| !dump.contains(one)).collect();
    assert!(
        missing.is_empty() && surplus.is_empty(),
        "{context}\npg_dump lacks {missing:#?}\nhas {surplus:#?}\n{}",
        way.script()
    );
    way.left.iter().map(|left| format!("{}: {}", left.what, left.why)).collect()
}

impl Journey {
    /// There, back, there again, and back again.
    pub(crate) fn check(&self) {
        let database = database();
        let context = format!("{} => {}", self.setup, self.change);
        database.run(self.setup);
        let (before, before_dump) = (read(&database), database.dump());
        database.run(self.change);
        let (after, after_dump) = (read(&database), database.dump());
        let changes = diff(&before, &after);
        assert!(!changes.is_empty(), "{context}: the snapshot does not see it");
        assert_ne!(before.digest(), after.digest(), "{context}");
        let left = turn(&database, &before, &before_dump, &format!("back: {context}"));
        assert_eq!(left, self.left, "{context}");
        turn(&database, &after, &after_dump, &format!("again: {context}"));
        turn(&database, &before, &before_dump, &format!("back again: {context}"));
    }
}

/// A journey on which nothing is left.
pub(crate) fn check(setup: &'static str, change: &'static str) {
    Journey { setup, change, left: &[] }.check();
}

/// A journey on which something is left.
pub(crate) fn check_left(setup: &'static str, change: &'static str, left: &'static [&'static str]) {
    Journey { setup, change, left }.check();
}
