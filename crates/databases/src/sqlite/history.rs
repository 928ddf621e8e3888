//! Migrations applied, taken back and applied again, each as one passage with its record.

use crate::migrations::{down_file, up_file};
use crate::sqlite::catalogue::Catalogue;
use crate::sqlite::connection::Session;
use crate::sqlite::integrity::told;
use crate::sqlite::kept::Kept;
use crate::sqlite::mapping::Pair;
use crate::sqlite::records::{self, Record};
use crate::sqlite::statement::Script;
use crate::sqlite::transition::{Passage, Passed, pass};
use crate::sqlite::trouble::{Result, Trouble};
use ripcord_core::model::MigrationRef;
use ripcord_core::schema::{DownReview, MigrationScript, diff};
use rusqlite::Connection;

/// Applies a migration, and brings back what was put out of sight when it was taken back before.
pub(crate) fn apply(session: &Session, script: &MigrationScript) -> Result<Passed> {
    let connection = &session.connection;
    let migration = &script.migration;
    let earlier = records::find(connection, migration.version)?;
    if let Some(record) = earlier.as_ref().filter(|record| record.applied) {
        return Err(Trouble::refuse(format!(
            "migration {migration} is already applied, as {} since {}",
            record.script.migration.name, record.at
        )));
    }
    let up = Script::parse(&up_file(migration), &script.up)?;
    let overlay: Vec<Kept> = earlier.map_or_else(Vec::new, |record| {
        let is_same = record.script.migration.checksum == migration.checksum;
        record.kept.into_iter().map(|kept| kept.for_script(is_same)).collect()
    });
    let way = Passage { script: Some(&up), goal: None, overlay: &overlay };
    let passed = pass(session, &way)?;
    remember(connection, script, true, &passed, &passed.pairs)?;
    Ok(passed)
}

/// Takes the migration back that was applied last.
pub(crate) fn take_back(session: &Session, script: &MigrationScript) -> Result<Passed> {
    let connection = &session.connection;
    let record = recorded(connection, &script.migration)?;
    let last = records::applied(connection)?.pop().map(|applied| applied.migration);
    if let Some(last) = last.filter(|last| last.version != script.migration.version) {
        return Err(Trouble::refuse(format!(
            "migration {} cannot be taken back before {last}, which was applied after it",
            script.migration
        )));
    }
    same_schema(connection, &record.after, &script.migration)?;
    let text = script.down.as_ref().or(record.script.down.as_ref());
    let read = text.map(|text| Script::parse(&down_file(&script.migration), text));
    let (down, refused) = match read {
        Some(Ok(down)) => (Some(down), None),
        Some(Err(why)) => (None, Some(why.to_string())),
        None => (None, None),
    };
    let back: Vec<Pair> = record.pairs.iter().map(Pair::reversed).collect();
    let goal = Some((&record.before, back.as_slice()));
    let way = Passage { script: down.as_ref(), goal, overlay: &record.kept };
    let mut passed = pass(session, &way)?;
    if let Some(why) = refused {
        passed.script = DownReview::Fails(why);
    }
    let taken = Record {
        applied: false,
        kept: passed.kept.clone(),
        script: MigrationScript { down: text.cloned(), ..record.script.clone() },
        ..record.clone()
    };
    records::save(connection, &taken)?;
    drop_consumed(connection, &passed)?;
    Ok(passed)
}

/// Takes the taking back of a migration back: the up script where it works, else the record.
pub(crate) fn redo(session: &Session, script: &MigrationScript) -> Result<Passed> {
    let connection = &session.connection;
    let missing = || not_applied(&script.migration);
    let record = records::find(connection, script.migration.version)?.ok_or_else(missing)?;
    same_schema(connection, &record.before, &script.migration)?;
    let up = Script::parse(&up_file(&script.migration), &record.script.up)?;
    let goal = Some((&record.after, record.pairs.as_slice()));
    let way = Passage { script: Some(&up), goal, overlay: &record.kept };
    let passed = pass(session, &way)?;
    remember(connection, &record.script, true, &passed, &record.pairs)?;
    Ok(passed)
}

/// The record of a migration that is in force.
pub(crate) fn recorded(connection: &Connection, migration: &MigrationRef) -> Result<Record> {
    let record = records::find(connection, migration.version)?;
    record.filter(|record| record.applied).ok_or_else(|| not_applied(migration))
}

fn not_applied(migration: &MigrationRef) -> Trouble {
    Trouble::refuse(format!("migration {migration} was not applied here through Ripcord"))
}

fn remember(
    connection: &Connection,
    script: &MigrationScript,
    applied: bool,
    passed: &Passed,
    pairs: &[Pair],
) -> Result<()> {
    let record = Record {
        script: script.clone(),
        applied,
        before: passed.before.clone(),
        after: passed.after.clone(),
        pairs: pairs.to_vec(),
        kept: passed.kept.clone(),
        at: records::now(connection)?,
    };
    records::save(connection, &record)?;
    drop_consumed(connection, passed)
}

fn drop_consumed(connection: &Connection, passed: &Passed) -> Result<()> {
    for store in &passed.merged.consumed {
        let store = crate::sql::quoted(store);
        connection.execute_batch(&format!("DROP TABLE IF EXISTS main.{store}"))?;
    }
    Ok(())
}

fn same_schema(
    connection: &Connection,
    expected: &Catalogue,
    migration: &MigrationRef,
) -> Result<()> {
    let found = Catalogue::read(connection)?;
    if found.snapshot == expected.snapshot {
        return Ok(());
    }
    let differences: Vec<String> =
        diff(&expected.snapshot, &found.snapshot).iter().map(ToString::to_string).collect();
    Err(Trouble::refuse(format!(
        "somebody changed the schema since migration {migration}: {}; undo that change first",
        told(&differences)
    )))
}
