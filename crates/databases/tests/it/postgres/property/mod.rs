//! Random tables, rows, migrations and users: whatever the migration did is taken back, whatever
//! users did stays, and what they wrote into what it added returns with it. A case is a number of
//! tables that one migration changes, since most of the time goes by in looking at the schema.

mod case;

use super::cluster::{Database, database};
use super::upward::migration;
use case::{Act, Case, Dice, KEYS, Key};
use ripcord_databases::formats::{Format, MigrationSet};
use ripcord_databases::postgres::{
    Connection, History, Limits, Outcome, Scope, Session, Terms, down, snapshot, up,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// How many tables one migration changes: each is a case of its own, with its own schema, rows,
/// statements and users.
const TABLES: u64 = 8;

/// How many migrations are tried unless `RIPCORD_CASES` says another number. The seed of the first
/// is `RIPCORD_SEED`.
const CASES: u64 = 10;

/// One row as far as it is compared: `a`, `b`, `c` and `d` as text.
type Row = Vec<Option<String>>;

fn rows(database: &Database, table: &str, columns: &str) -> BTreeMap<i32, Vec<Row>> {
    let mut client = database.client();
    let sql = format!("SELECT l, ARRAY[{columns}]::text[] FROM {table} ORDER BY 1, 2");
    let mut found: BTreeMap<i32, Vec<Row>> = BTreeMap::new();
    for row in client.query(&sql, &[]).unwrap_or_else(|error| panic!("{error:?}: {sql}")) {
        found.entry(row.get(0)).or_default().push(row.get(1));
    }
    found
}

const ALL: &str = "k, a::text, b::text, c, encode(d, 'hex')";

/// What users did to a table.
#[derive(Debug, Default)]
struct Acts {
    edited: BTreeMap<i32, String>,
    filled: BTreeMap<i32, String>,
    deleted: BTreeSet<i32>,
    inserted: BTreeSet<i32>,
}

fn act(database: &Database, case: &Case) -> Acts {
    let mut client = database.client();
    let (mut acts, table) = (Acts::default(), &case.table);
    for user in &case.users {
        match user {
            Act::Insert(key) => {
                let sql = format!(
                    "INSERT INTO {table} (k, l, a) SELECT '{key}', {key}, {key} \
                     WHERE NOT EXISTS (SELECT FROM {table} WHERE l = {key})"
                );
                if client.execute(&sql, &[]).unwrap() == 1 {
                    acts.inserted.insert(i32::try_from(*key).unwrap());
                }
            }
            Act::Edit(key, value) => {
                let sql = format!("UPDATE {table} SET a = {value} WHERE l = {key}");
                if client.execute(&sql, &[]).unwrap() == 1 {
                    acts.edited.insert(i32::try_from(*key).unwrap(), value.to_string());
                }
            }
            Act::Fill(key, value) if case.has("COLUMN e ") => {
                let sql = format!("UPDATE {table} SET e = {value} WHERE l = {key}");
                if client.execute(&sql, &[]).unwrap() == 1 {
                    acts.filled.insert(i32::try_from(*key).unwrap(), value.to_string());
                }
            }
            Act::Fill(..) => {}
            Act::Delete(key) => {
                let sql = format!("DELETE FROM {table} WHERE l = {key}");
                if client.execute(&sql, &[]).unwrap() == 1 {
                    let key = i32::try_from(*key).unwrap();
                    acts.deleted.insert(key);
                    acts.edited.remove(&key);
                    acts.filled.remove(&key);
                }
            }
        }
    }
    acts
}

/// Judges one table after the way back.
fn judge(
    case: &Case,
    before: &BTreeMap<i32, Vec<Row>>,
    made: &BTreeMap<i32, Vec<Row>>,
    acts: &Acts,
    after: &BTreeMap<i32, Vec<Row>>,
) -> Result<(), String> {
    for (key, value) in &acts.edited {
        let kept = after
            .get(key)
            .is_some_and(|rows| rows.iter().any(|row| row[1].as_deref() == Some(value.as_str())));
        if !kept {
            return Err(format!("the edit of {key} to {value} was lost: {:?}", after.get(key)));
        }
    }
    if let Some(key) = acts.inserted.iter().find(|key| !after.contains_key(key)) {
        return Err(format!("the new row {key} was lost"));
    }
    for key in &acts.deleted {
        // Whoever deletes a row that the migration had written deletes the row. Without a key nobody
        // can tell that from an edit, and then the form from before the migration is there as well.
        let twofold = case.key == Key::Nothing && before.get(key) != made.get(key);
        if after.contains_key(key) && !twofold {
            return Err(format!("{key} rose from the dead"));
        }
    }
    for (key, rows) in before.iter().filter(|(key, _)| !acts.deleted.contains(key)) {
        let Some(found) = after.get(key) else { return Err(format!("{key} is missing")) };
        if !acts.edited.contains_key(key) {
            if found != rows {
                return Err(format!("{key} was {rows:?}, is {found:?}"));
            }
        } else if case.key != Key::Nothing {
            let rest = |row: &Row| (row[0].clone(), row[2..].to_vec());
            if found.len() != 1 || rest(&found[0]) != rest(&rows[0]) {
                return Err(format!("around its edit {key} was {rows:?}, is {found:?}"));
            }
        }
    }
    for key in after.keys() {
        let known = before.contains_key(key)
            || acts.inserted.contains(key)
            || acts.edited.contains_key(key);
        if !known {
            return Err(format!("the row {key} of the migration's stayed ({:?})", made.get(key)));
        }
    }
    Ok(())
}

/// How many edits of users stand where the migration had written another value into `a`.
fn expected_conflicts(
    before: &BTreeMap<i32, Vec<Row>>,
    made: &BTreeMap<i32, Vec<Row>>,
    acts: &Acts,
) -> u64 {
    let value = |rows: &BTreeMap<i32, Vec<Row>>, key: &i32| {
        rows.get(key).and_then(|rows| rows[0].get(1).cloned().flatten())
    };
    let stands = |(key, edit): &(&i32, &String)| {
        before.contains_key(key)
            && made.contains_key(key)
            && value(before, key) != value(made, key)
            && value(made, key).as_ref() != Some(*edit)
    };
    acts.edited.iter().filter(stands).count() as u64
}

struct World {
    database: Database,
    session: Session,
    history: History,
}

impl World {
    fn new(cases: &[Case]) -> World {
        let database = database();
        database.run(&cases.iter().map(Case::setup).collect::<String>());
        let limits = Limits::default();
        let set = MigrationSet {
            format: Format::Plain,
            root: PathBuf::from("."),
            history: None,
            migrations: Vec::new(),
            problems: Vec::new(),
        };
        let mut connection = Connection::open(&database.url, "test", &limits).unwrap();
        let history = History::of(&set, &mut connection, None).unwrap();
        let session = Session::open(&database.url, history.key(), &limits).unwrap();
        World { database, session, history }
    }

    fn digest(&self) -> String {
        let mut connection =
            Connection::open(&self.database.url, "test", &Limits::default()).unwrap();
        snapshot(&mut connection, &Scope::default()).unwrap().digest().to_string()
    }

    fn up(&mut self, script: &str) -> Result<Outcome, String> {
        let terms = Terms::default();
        up(&mut self.session, &migration(script), &mut self.history, &terms, &mut |_| {})
            .map_err(|error| format!("up: {error}"))
    }

    fn down(&mut self) -> Result<Outcome, String> {
        let sql = "SELECT max(id) FROM ripcord.applied WHERE state = 'applied'";
        let run = self.database.client().query_one(sql, &[]).unwrap().get(0);
        let terms = Terms::default();
        down(&mut self.session, run, None, &self.history, &terms, &mut |_| {})
            .map_err(|error| format!("down: {error}"))
    }
}

/// Runs a case. What went wrong is said with the table at which it shows, if it is one.
fn run(cases: &[Case]) -> Result<(), (Option<usize>, String)> {
    let all = |what: String| (None, what);
    let mut world = World::new(cases);
    let before: Vec<_> = cases.iter().map(|one| rows(&world.database, &one.table, ALL)).collect();
    let digest = world.digest();
    let script: String = cases.iter().map(Case::up).collect();
    world.up(&script).map_err(all)?;
    let seen = |case: &Case| {
        let mut columns = ALL.to_owned();
        if case.has("DROP COLUMN c") {
            columns = columns.replace(" c,", " NULL,");
        }
        if case.has("COLUMN d") {
            columns = columns.replace("encode(d, 'hex')", "NULL");
        }
        columns
    };
    let made: Vec<_> =
        cases.iter().map(|one| rows(&world.database, &one.table, &seen(one))).collect();
    let acts: Vec<Acts> = cases.iter().map(|one| act(&world.database, one)).collect();
    let outcome = world.down().map_err(all)?;
    if world.digest() != digest {
        return Err(all(format!("the schema is another: {:?}", outcome.notes)));
    }
    for (at, case) in cases.iter().enumerate() {
        let after = rows(&world.database, &case.table, ALL);
        let judged = judge(case, &before[at], &made[at], &acts[at], &after);
        judged.map_err(|why| (Some(at), why))?;
        if case.key != Key::Nothing {
            let expected = expected_conflicts(&before[at], &made[at], &acts[at]);
            let what = format!("public.{}.a", case.table);
            let counted = outcome.conflicts.iter().filter(|one| one.what == what);
            let counted: u64 = counted.map(|one| one.count).sum();
            if counted != expected {
                let why = format!("{counted} conflicts were counted, {expected} are");
                return Err((Some(at), why));
            }
        }
    }
    world.up(&script).map_err(|why| all(format!("again: {why}")))?;
    for (at, case) in cases.iter().enumerate().filter(|(_, case)| case.key != Key::Nothing) {
        if acts[at].filled.is_empty() {
            continue;
        }
        let found = rows(&world.database, &case.table, "e::text");
        for (key, value) in &acts[at].filled {
            let back = found.get(key).and_then(|rows| rows[0][0].clone());
            // A row that the script deletes once more takes its value along.
            if found.contains_key(key) && back.as_ref() != Some(value) {
                return Err((Some(at), format!("{value} did not return to {key}: {back:?}")));
            }
        }
    }
    world.down().map_err(|why| all(format!("again: {why}")))?;
    if world.digest() == digest { Ok(()) } else { Err(all("again: another schema".to_owned())) }
}

/// Makes a failing case as small as a few tries can.
fn shrunk(mut case: Case, mut why: String) -> (Case, String) {
    for _ in 0..3 {
        let mut smaller = Vec::new();
        for at in 0..case.statements.len() {
            let mut less = case.clone();
            less.statements.remove(at);
            smaller.push(less);
        }
        for at in 0..case.users.len() {
            let mut less = case.clone();
            less.users.remove(at);
            smaller.push(less);
        }
        let fails = smaller.into_iter().find_map(|less| {
            let failed = run(std::slice::from_ref(&less)).err()?;
            Some((less, failed.1))
        });
        let Some((less, said)) = fails else { break };
        (case, why) = (less, said);
    }
    (case, why)
}

fn check(seed: u64) {
    let mut dice = Dice::new(seed);
    let cases: Vec<Case> = (0..TABLES).map(|n| Case::new(format!("t{n}"), &mut dice)).collect();
    let Err((at, why)) = run(&cases) else { return };
    let alone =
        |case: &Case| run(std::slice::from_ref(case)).err().map(|(_, why)| (case.clone(), why));
    let found = at.map_or_else(|| cases.iter().find_map(alone), |at| alone(&cases[at]));
    let Some((case, why)) = found.map(|(case, why)| shrunk(case, why)) else {
        panic!("seed {seed}, only together: {why}\n{cases:#?}");
    };
    panic!("seed {seed}: {why}\n{}{}{:?}", case.setup(), case.up(), case.users);
}

fn seeds(part: u64, parts: u64) {
    const { assert!(KEYS < 20, "keys of users are others") };
    let many = std::env::var("RIPCORD_CASES").ok().and_then(|many| many.parse().ok());
    let from = std::env::var("RIPCORD_SEED").ok().and_then(|seed| seed.parse().ok());
    let from: u64 = from.unwrap_or(1);
    for seed in (from..from + many.unwrap_or(CASES)).filter(|seed| seed % parts == part) {
        check(seed);
    }
}

/// On demand: `RIPCORD_CASES=2500` is 20,000 tables.
#[test]
fn nothing_of_the_users_is_lost() {
    seeds(0, 2);
}

#[test]
fn nothing_of_the_users_is_lost_either() {
    seeds(1, 2);
}
