//! What releases write down in a target database, beside what every run writes: whose it is, the
//! highest controller that was seen, and each change with what the schema was called after it.

use crate::postgres::connection::Connection;
use crate::postgres::release::failure::Trouble;
use crate::sql::literal;
use ripcord_core::model::{Digest, Fence};
use ripcord_engine::Failure;

type Result<T> = std::result::Result<T, Trouble>;

const ABOUT: &str = "changes by releases";

/// They are made when first needed, and go with the schema.
const TABLES: &str = "CREATE TABLE IF NOT EXISTS ripcord.environment ( \
        one boolean PRIMARY KEY DEFAULT true CHECK (one), \
        name text NOT NULL, \
        fence bigint NOT NULL); \
    CREATE TABLE IF NOT EXISTS ripcord.change ( \
        id text PRIMARY KEY, \
        state text NOT NULL CHECK (state IN ('making', 'made', 'unmaking', 'unmade')), \
        label text, \
        digest text, \
        number bigint GENERATED ALWAYS AS IDENTITY, \
        at timestamptz NOT NULL DEFAULT now())";

/// How far a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Making,
    Made,
    Unmaking,
    Unmade,
}

impl Stage {
    fn word(self) -> &'static str {
        match self {
            Stage::Making => "making",
            Stage::Made => "made",
            Stage::Unmaking => "unmaking",
            Stage::Unmade => "unmade",
        }
    }
}

/// Makes the tables where they are missing, and sees to it that no other environment uses them.
pub(super) fn prepare(guard: &mut Connection, environment: &str) -> Result<()> {
    if guard.value(ABOUT, "SELECT pg_catalog.to_regclass('ripcord.change')::text")?.is_none() {
        guard.run(ABOUT, TABLES)?;
    }
    let owner = guard.value(ABOUT, "SELECT name FROM ripcord.environment")?;
    match owner {
        Some(owner) if owner != environment => Err(Trouble::refuse(format!(
            "this database belongs to the environment {owner}; give {environment} another one, or \
             remove what Ripcord keeps there with `ripcord db detach`"
        ))),
        Some(_) => Ok(()),
        None => {
            let sql = format!(
                "INSERT INTO ripcord.environment (name, fence) VALUES ({}, 0)",
                literal(environment)
            );
            Ok(guard.run(ABOUT, &sql)?)
        }
    }
}

/// Remembers the highest controller, and refuses lower ones. To be called while the lock is held.
pub(super) fn pass_fence(guard: &mut Connection, fence: Fence) -> Result<()> {
    let seen = guard.number(ABOUT, "SELECT fence FROM ripcord.environment")?;
    let ours = i64::try_from(fence.0).unwrap_or(i64::MAX);
    if ours < seen {
        let seen = u64::try_from(seen).unwrap_or(0);
        return Err(Trouble::Failure(Failure::Fenced { seen, ours: fence.0 }));
    }
    Ok(guard.run(ABOUT, &format!("UPDATE ripcord.environment SET fence = {ours}"))?)
}

/// How far a change is; none when it was never asked for.
pub(super) fn find(guard: &mut Connection, id: &str) -> Result<Option<Stage>> {
    let sql = format!("SELECT state FROM ripcord.change WHERE id = {}", literal(id));
    let word = guard.value(ABOUT, &sql)?;
    let all = [Stage::Making, Stage::Made, Stage::Unmaking, Stage::Unmade];
    Ok(all.into_iter().find(|stage| word.as_deref() == Some(stage.word())))
}

/// Writes down how far it is.
pub(super) fn set(guard: &mut Connection, id: &str, stage: Stage) -> Result<()> {
    let (id, word) = (literal(id), stage.word());
    let sql = format!(
        "INSERT INTO ripcord.change (id, state) VALUES ({id}, '{word}') ON CONFLICT (id) DO \
         UPDATE SET state = excluded.state, at = now()"
    );
    Ok(guard.run(ABOUT, &sql)?)
}

/// Writes down that a change is made, and that the schema which it left is what was foretold.
pub(super) fn made(
    guard: &mut Connection,
    id: &str,
    label: &Digest,
    digest: &Digest,
) -> Result<()> {
    let sql = format!(
        "UPDATE ripcord.change SET state = 'made', label = {}, digest = {}, at = now() \
         WHERE id = {}",
        literal(&label.to_string()),
        literal(&digest.to_string()),
        literal(id)
    );
    Ok(guard.run(ABOUT, &sql)?)
}

/// Under which name the schema is known that a change left; its own digest when no change did.
pub(super) fn name_of(connection: &mut Connection, digest: Digest) -> Result<Digest> {
    let found = format!(
        "SELECT label FROM ripcord.change WHERE state = 'made' AND digest = {} \
         ORDER BY at DESC, number DESC LIMIT 1",
        literal(&digest.to_string())
    );
    if !is_there(connection)? {
        return Ok(digest);
    }
    let label = connection.value(ABOUT, &found)?;
    Ok(label.map_or(digest, |label| Digest::from(label.as_str())))
}

/// The digests of the schemas that have this name.
pub(super) fn called(connection: &mut Connection, label: &Digest) -> Result<Vec<Digest>> {
    let mut all = vec![label.clone()];
    if is_there(connection)? {
        let found = format!(
            "SELECT digest FROM ripcord.change WHERE digest IS NOT NULL AND label = {}",
            literal(&label.to_string())
        );
        let rows = connection.rows(ABOUT, &found)?;
        let digest = |row: Vec<Option<String>>| {
            row.into_iter().next().flatten().map(|text| Digest::from(text.as_str()))
        };
        all.extend(rows.into_iter().filter_map(digest));
    }
    Ok(all)
}

fn is_there(connection: &mut Connection) -> Result<bool> {
    let sql = "SELECT pg_catalog.to_regclass('ripcord.change')::text";
    Ok(connection.value(ABOUT, sql)?.is_some())
}
