//! One database with the shop in it, what can be done to it, and what it looks like.

use super::Way;
use super::steps::Step;
use crate::postgres::cluster::{Database, cluster, database};
use postgres::{Client, SimpleQueryMessage};
use ripcord_databases::formats::{
    Format, Migration, MigrationKind, MigrationSet, Script, Transaction,
};
use ripcord_databases::postgres::{Connection, History, Limits, Session, Terms, down, up};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::OnceLock;

/// A shop.
pub(super) struct Shop {
    pub(super) database: Database,
}

/// Everything that can be seen of a database, Ripcord's own apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct State {
    dump: Vec<String>,
    rows: BTreeMap<String, Vec<String>>,
}

/// The database that others are copied from.
fn template() -> &'static str {
    static TEMPLATE: OnceLock<Database> = OnceLock::new();
    let template = TEMPLATE.get_or_init(|| {
        let database = database();
        database.run(include_str!("base.sql"));
        database
    });
    &template.name
}

impl Shop {
    pub(super) fn new() -> Shop {
        let database = crate::postgres::cluster::copy(template());
        Shop { database }
    }

    /// Runs a script as `psql` would, in one transaction where that is possible.
    pub(super) fn plain(&self, script: &str) -> Result<(), String> {
        let whole = !script.contains("CONCURRENTLY");
        let mut command = cluster().program("psql");
        command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &self.database.url]);
        if whole {
            command.arg("--single-transaction");
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), script).unwrap();
        let output = command.arg("-f").arg(file.path()).stdin(Stdio::null()).output().unwrap();
        if output.status.success() {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    fn session(&self, migration: &Migration) -> (Session, History) {
        let set = MigrationSet {
            format: Format::Plain,
            root: PathBuf::from("."),
            history: None,
            migrations: vec![migration.clone()],
            problems: Vec::new(),
        };
        let limits = Limits::default();
        let mut connection = Connection::open(&self.database.url, "test", &limits).unwrap();
        let history = History::of(&set, &mut connection, None).unwrap();
        let session = Session::open(&self.database.url, history.key(), &limits).unwrap();
        (session, history)
    }

    pub(super) fn up(&self, step: &Step, way: Way) -> Result<(), String> {
        let migration = migration(step, way);
        let (mut session, mut history) = self.session(&migration);
        up(&mut session, &migration, &mut history, &Terms::default(), &mut |_| {})
            .map(|_| ())
            .map_err(|error| error.to_string())
    }

    pub(super) fn down(&self, step: &Step, way: Way) -> Result<(), String> {
        let migration = migration(step, way);
        let (mut session, history) = self.session(&migration);
        let run = self.run();
        down(&mut session, run, Some(&migration), &history, &Terms::default(), &mut |_| {})
            .map(|_| ())
            .map_err(|error| error.to_string())
    }

    /// The run that is in force.
    fn run(&self) -> i64 {
        let sql = "SELECT max(id) FROM ripcord.applied WHERE state = 'applied'";
        self.database.client().query_one(sql, &[]).unwrap().get(0)
    }
}

fn migration(step: &Step, way: Way) -> Migration {
    let script = |text: String| Script {
        path: PathBuf::from(format!("{}.sql", step.name)),
        text,
        transaction: Transaction::Whole,
    };
    let down = match way {
        Way::Script => Some(step.down.to_owned()),
        Way::Wrong => Some(step.wrong.map_or_else(|| cut_short(step.down), str::to_owned)),
        Way::None => None,
    };
    Migration {
        version: step.name.replace(' ', "_"),
        name: step.name.to_owned(),
        kind: MigrationKind::Versioned,
        up: script(step.up.to_owned()),
        down: down.map(script),
        checksum: None,
    }
}

/// A script that lacks its end, or fails there when it has but one statement.
fn cut_short(script: &str) -> String {
    match script.rsplit_once("; ") {
        Some((first, _)) => first.to_owned(),
        None => format!("{script}; SELECT 1 / 0"),
    }
}

impl State {
    pub(super) fn of(shop: &Shop) -> State {
        let mut client = shop.database.client();
        let tables = client
            .query(
                "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c \
                 JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'm') \
                 AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'ripcord')",
                &[],
            )
            .unwrap();
        let rows = tables.iter().map(|row| {
            let table: String = row.get(0);
            let rows = rows(&mut client, &table);
            (table, rows)
        });
        State { rows: rows.collect(), dump: shop.database.dump() }
    }

    /// Says where another state differs from this one.
    pub(super) fn same(&self, other: &State) -> Result<(), String> {
        let missing: Vec<&String> =
            self.dump.iter().filter(|one| !other.dump.contains(one)).collect();
        let surplus: Vec<&String> =
            other.dump.iter().filter(|one| !self.dump.contains(one)).collect();
        if !missing.is_empty() || !surplus.is_empty() {
            return Err(format!("pg_dump lacks {missing:#?} and has {surplus:#?}"));
        }
        for (table, rows) in &self.rows {
            let found = other.rows.get(table).map_or(&[][..], Vec::as_slice);
            if rows != found {
                let lacks = rows.iter().find(|row| !found.contains(row));
                let has = found.iter().find(|row| !rows.contains(row));
                let (many, now) = (rows.len(), found.len());
                return Err(format!(
                    "{table}: {many} rows, now {now}; lacks {lacks:?}, has {has:?}"
                ));
            }
        }
        Ok(())
    }
}

fn rows(client: &mut Client, table: &str) -> Vec<String> {
    let sql = format!("SELECT t::text FROM ONLY {table} t ORDER BY 1");
    let messages = client.simple_query(&sql).unwrap();
    let row = |message| match message {
        SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("NULL").to_owned()),
        _ => None,
    };
    messages.into_iter().filter_map(row).collect()
}
