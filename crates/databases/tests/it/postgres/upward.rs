//! Helpers: a migration is run by Ripcord in one database and by plain `psql` in a twin, and both
//! must be alike afterwards, in schema and in data.

use super::cluster::{Database, cluster, database};
use ripcord_databases::formats::{Format, Migration, MigrationSet, read};
use ripcord_databases::postgres::{
    Connection, History, Limits, Outcome, PostgresError, Progress, Session, Terms, up,
};
use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

/// A folder with these up scripts, numbered from 1.
pub(crate) fn folder(scripts: &[&str]) -> MigrationSet {
    let folder = tempfile::tempdir().unwrap();
    for (at, script) in scripts.iter().enumerate() {
        std::fs::write(folder.path().join(format!("{:03}_step.up.sql", at + 1)), script).unwrap();
    }
    read(folder.path(), Format::Plain).unwrap()
}

/// One migration.
pub(crate) fn migration(script: &str) -> Migration {
    folder(&[script]).migrations.remove(0)
}

/// Limits that a loaded machine keeps.
pub(crate) fn limits() -> Limits {
    Limits { turn: Duration::from_mins(1), ..Limits::default() }
}

pub(crate) fn history(set: &MigrationSet, url: &str) -> History {
    let mut connection = Connection::open(url, "test", &limits()).unwrap();
    History::of(set, &mut connection, None).unwrap()
}

/// Runs all migrations of a folder forward.
pub(crate) fn climb(
    url: &str,
    set: &MigrationSet,
    terms: &Terms,
) -> Result<Outcome, PostgresError> {
    let mut session = Session::open(url, "ripcord", &limits())?;
    climb_in(&mut session, url, set, terms, &mut |_| {})
}

pub(crate) fn climb_in(
    session: &mut Session,
    url: &str,
    set: &MigrationSet,
    terms: &Terms,
    progress: &mut dyn FnMut(Progress),
) -> Result<Outcome, PostgresError> {
    let mut history = history(set, url);
    let mut all = Outcome::default();
    for migration in &set.migrations {
        let one = up(session, migration, &mut history, terms, progress)?;
        all.kept.extend(one.kept);
        all.hidden.extend(one.hidden);
        all.gone.extend(one.gone);
        all.notes.extend(one.notes);
    }
    Ok(all)
}

/// Runs a script with `psql`, as people do.
pub(crate) fn psql(database: &Database, script: &str, single: bool) {
    let mut command = cluster().program("psql");
    command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &database.url, "-f", "-"]);
    if single {
        command.arg("-1");
    }
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}\n{script}", String::from_utf8_lossy(&output.stderr));
}

/// All rows of all tables, and where sequences stand.
pub(crate) fn data(database: &Database) -> Vec<String> {
    let mut client = database.client();
    let tables = client
        .query(
            "SELECT c.oid::regclass::text, c.relkind::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind IN ('r', 'S') AND n.nspname !~ '^pg_' \
             AND n.nspname NOT IN ('information_schema', 'ripcord') ORDER BY 1",
            &[],
        )
        .unwrap();
    let mut found = Vec::new();
    for table in tables {
        let (name, kind): (String, String) = (table.get(0), table.get(1));
        let sql = if kind == "S" {
            format!("SELECT last_value || ' ' || is_called FROM {name}")
        } else {
            format!("SELECT t::text FROM ONLY {name} AS t ORDER BY 1")
        };
        found.extend(
            client
                .query(&sql, &[])
                .unwrap()
                .iter()
                .map(|row| format!("{name}: {}", row.get::<_, String>(0))),
        );
    }
    found
}

/// Up by Ripcord and by `psql`: the same schema, the same data, nothing of Ripcord's left in what
/// belongs to users. Returns the database, what came of it, and what was there before.
pub(crate) struct Twin {
    pub(crate) database: Database,
    pub(crate) outcome: Outcome,
}

pub(crate) fn twin(setup: &str, script: &str) -> Twin {
    let (mine, plain) = (database(), database());
    mine.run(setup);
    plain.run(setup);
    let set = folder(&[script]);
    let outcome = climb(&mine.url, &set, &Terms::default())
        .unwrap_or_else(|error| panic!("{error}\n{setup}\n=> {script}"));
    psql(&plain, script, false);
    let (found, wanted) = (mine.dump(), plain.dump());
    let missing: Vec<&String> = wanted.iter().filter(|one| !found.contains(one)).collect();
    let surplus: Vec<&String> = found.iter().filter(|one| !wanted.contains(one)).collect();
    assert!(
        missing.is_empty() && surplus.is_empty(),
        "{setup}\n=> {script}\nlacks {missing:#?}\nhas {surplus:#?}"
    );
    assert_eq!(data(&mine), data(&plain), "{setup}\n=> {script}");
    Twin { database: mine, outcome }
}

/// The same, with what was kept in words.
pub(crate) fn check(setup: &str, script: &str, kept: &[&str]) -> Twin {
    let twin = twin(setup, script);
    let mut found: Vec<String> = twin.outcome.kept.iter().map(ToString::to_string).collect();
    found.sort();
    assert_eq!(found, kept, "{setup}\n=> {script}");
    assert!(twin.outcome.gone.is_empty() && twin.outcome.notes.is_empty(), "{:?}", twin.outcome);
    twin
}

impl Twin {
    /// What the only piece of this kind and relation holds, row by row.
    pub(crate) fn store(&self, kind: &str, relation: &str) -> Vec<String> {
        let mut client = self.database.client();
        let stores = client
            .query(
                "SELECT item ->> 'store' FROM ripcord.kept WHERE item ->> 'kind' = $1 AND relation = $2",
                &[&kind, &relation],
            )
            .unwrap();
        assert_eq!(stores.len(), 1, "pieces of {relation}");
        let store: String = stores[0].get(0);
        let rows = client.query(&format!("SELECT t::text FROM {store} t ORDER BY 1"), &[]).unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// A number that a query answers.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        self.database.client().query_one(sql, &[]).unwrap().get(0)
    }
}
