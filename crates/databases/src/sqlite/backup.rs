//! Copies of the whole database: made while it is in use, read back before they count, and
//! brought back into the live file without swapping it under open handles.

use crate::sqlite::connection::{Session, Watch, open_to_read};
use crate::sqlite::fingerprint::fingerprints;
use crate::sqlite::records;
use crate::sqlite::trouble::{Result, Trouble};
use ripcord_core::model::Digest;
use ripcord_core::run::Receipt;
use ripcord_engine::Failure;
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Pages copied between two looks at the time.
const PAGES_AT_ONCE: i32 = 1_024;

/// How long a restore waits for others to let go of the database.
const RESTORE_WAIT: Duration = Duration::from_secs(30);

/// What a copy must hold, written beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Manifest {
    fingerprints: BTreeMap<String, Digest>,
}

/// Ensures that a copy of this name exists and holds what the database held when it was made.
pub(crate) fn back_up(session: &Session, watch: &Watch, dir: &Path, name: &str) -> Result<Receipt> {
    let copy = path_of(dir, name)?;
    if copy.exists() {
        verify(&copy)?;
        return Ok(Receipt::of(format!("backup {} exists and is sound", copy.display())));
    }
    fs::create_dir_all(dir)
        .map_err(|source| file("cannot create the folder of backups", source))?;
    let partial = copy.with_extension("partial");
    remove(&partial)?;
    let source = &session.connection;
    // Everything is read in one transaction, so fingerprints and copy are of the same moment.
    source.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema;")?;
    let manifest = Manifest { fingerprints: fingerprints(source)? };
    let mut target = Connection::open(&partial)?;
    step(&Backup::new(source, &mut target)?, watch)?;
    source.execute_batch("COMMIT")?;
    target.pragma_update(None, "journal_mode", "DELETE")?;
    check(&target, &manifest, &partial)?;
    target.close().map_err(|(_, error)| error)?;
    let text = serde_json::to_vec_pretty(&manifest)?;
    let beside = manifest_of(&copy);
    fs::write(&beside, text).map_err(|source| file("cannot write the backup", source))?;
    for path in [&beside, &partial] {
        sync(path)?;
    }
    fs::rename(&partial, &copy).map_err(|source| file("cannot name the backup", source))?;
    sync(dir)?;
    Ok(Receipt::of(format!("backup {} made and read back", copy.display())))
}

/// Brings a backup back into a database file, which may be in use by nobody or by processes that
/// write nothing meanwhile. What the database held is gone afterwards.
///
/// # Errors
///
/// [`Failure::Definite`] when the backup is not sound, [`Failure::Transient`] when the database
/// is in use; nothing has changed then.
pub fn restore(backup: &Path, into: &Path) -> std::result::Result<Receipt, Failure> {
    Ok(restore_inner(backup, into)?)
}

fn restore_inner(backup: &Path, into: &Path) -> Result<Receipt> {
    let manifest = verify(backup)?;
    let source = open(backup)?;
    let mut session = Session::open(into)?;
    let watch = Watch::new(u64::try_from(RESTORE_WAIT.as_millis()).unwrap_or(u64::MAX));
    step(&Backup::new(&source, &mut session.connection)?, &watch)?;
    check(&session.connection, &manifest, into)?;
    if records::exist(&session.connection)? {
        records::renew_incarnation(&session.connection)?;
    }
    Ok(Receipt::of(format!("restored {} into {}", backup.display(), into.display())))
}

/// Reads a copy back and compares it with what it must hold.
fn verify(copy: &Path) -> Result<Manifest> {
    let beside = manifest_of(copy);
    let text = fs::read(&beside)
        .map_err(|source| file(&format!("cannot read {}", beside.display()), source))?;
    let manifest: Manifest = serde_json::from_slice(&text)?;
    check(&open(copy)?, &manifest, copy)?;
    Ok(manifest)
}

fn open(copy: &Path) -> Result<Connection> {
    open_to_read(copy)?
        .ok_or_else(|| Trouble::refuse(format!("there is no backup {}", copy.display())))
}

fn check(copy: &Connection, manifest: &Manifest, path: &Path) -> Result<()> {
    let sound: String = copy.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if sound != "ok" {
        return Err(Trouble::refuse(format!("the copy {} is damaged: {sound}", path.display())));
    }
    let found = fingerprints(copy)?;
    for (table, expected) in &manifest.fingerprints {
        if found.get(table) != Some(expected) {
            return Err(Trouble::refuse(format!(
                "table {table} in {} is not what was copied",
                path.display()
            )));
        }
    }
    if found.len() != manifest.fingerprints.len() {
        let why = format!("{} has other tables than were copied", path.display());
        return Err(Trouble::refuse(why));
    }
    Ok(())
}

fn step(backup: &Backup<'_, '_>, watch: &Watch) -> Result<()> {
    loop {
        match backup.step(PAGES_AT_ONCE)? {
            StepResult::Done => return Ok(()),
            StepResult::More => watch.check("the copy takes longer than its deadline")?,
            _ => {
                watch.check("another process is writing to the database")?;
                let until = Instant::now() + Duration::from_millis(5);
                std::thread::sleep(until.saturating_duration_since(Instant::now()));
            }
        }
    }
}

fn path_of(dir: &Path, name: &str) -> Result<PathBuf> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 200 || name.starts_with('.') || !name.chars().all(plain) {
        return Err(Trouble::refuse(format!(
            "{name:?} cannot name a backup: use letters, digits, hyphens and dots"
        )));
    }
    Ok(dir.join(format!("{name}.sqlite")))
}

fn manifest_of(copy: &Path) -> PathBuf {
    copy.with_extension("json")
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(file("cannot remove an unfinished backup", error))
        }
        _ => Ok(()),
    }
}

fn sync(path: &Path) -> Result<()> {
    let synced = File::open(path).and_then(|file| file.sync_all());
    synced.map_err(|source| file(&format!("cannot make {} last", path.display()), source))
}

fn file(what: &str, source: std::io::Error) -> Trouble {
    Trouble::File { what: what.to_owned(), source }
}
