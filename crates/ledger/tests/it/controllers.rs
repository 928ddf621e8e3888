//! One controller at a time: the lock, taking it over, and the fence behind it.

use crate::child::Controller;
use crate::support::{fact, now, open, options};
use ripcord_engine::{Ledger as _, LedgerError};
use ripcord_ledger::{LedgerReader, OpenError, OpenOptions, SqliteLedger};
use rustix::fs::{FlockOperation, flock};
use rustix::process::Signal;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

fn take_over(directory: &Path) -> Result<SqliteLedger, OpenError> {
    SqliteLedger::open(directory, OpenOptions { takeover: true, ..options() })
}

#[test]
fn a_second_controller_is_refused_and_told_by_whom() {
    let directory = tempfile::tempdir().unwrap();
    let holder = Controller::start(directory.path());
    match SqliteLedger::open(directory.path(), options()) {
        Err(OpenError::InUse { pid, since }) => {
            assert_eq!(pid, holder.pid());
            assert!(since <= now());
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn lock_6_a_killed_controller_leaves_no_lock() {
    let directory = tempfile::tempdir().unwrap();
    let mut holder = Controller::start(directory.path());
    holder.signal(Signal::KILL);
    assert_eq!(holder.ended_by(), Some(9));
    let began = Instant::now();
    assert_eq!(open(directory.path()).fence().0, 2);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[test]
fn a_takeover_kills_the_holder() {
    let directory = tempfile::tempdir().unwrap();
    let mut holder = Controller::start(directory.path());
    let ledger = take_over(directory.path()).unwrap();
    assert_eq!(holder.ended_by(), Some(9));
    assert_eq!(ledger.fence().0, 2);
    ledger.append(fact("a", "mine")).unwrap();
}

#[test]
fn a_takeover_kills_a_frozen_holder() {
    let directory = tempfile::tempdir().unwrap();
    let mut holder = Controller::start(directory.path());
    holder.signal(Signal::STOP);
    let ledger = take_over(directory.path()).unwrap();
    assert_eq!(holder.ended_by(), Some(9));
    ledger.append(fact("a", "mine")).unwrap();
}

#[test]
fn a_takeover_spares_a_process_that_only_has_the_same_pid() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()));
    let mut bystander = Command::new("sleep").arg("60").spawn().unwrap();
    let path = directory.path().join("controller.lock");
    let pid = bystander.id();
    let name = format!(r#"{{"pid":{pid},"started":1,"since":"2026-01-01T00:00:00Z"}}"#);
    fs::write(&path, name).unwrap();
    let held = fs::File::open(&path).unwrap();
    flock(&held, FlockOperation::LockExclusive).unwrap();
    let result = take_over(directory.path());
    let alive = bystander.try_wait().unwrap().is_none();
    bystander.kill().unwrap();
    bystander.wait().unwrap();
    assert!(alive, "a process that never held the lock was killed");
    assert!(matches!(result, Err(OpenError::InUseByUnknown(_))), "{result:?}");
}

#[test]
fn a_takeover_of_itself_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let _holder = open(directory.path());
    assert!(matches!(take_over(directory.path()), Err(OpenError::Takeover { .. })));
}

#[test]
fn ctrl_1_resumed_old_leader() {
    let directory = tempfile::tempdir().unwrap();
    let old = open(directory.path());
    old.append(fact("a", "old")).unwrap();
    // Somebody removes the lock file: the lock no longer keeps the two apart, the fence does.
    fs::remove_file(directory.path().join("controller.lock")).unwrap();
    let new = open(directory.path());
    assert_eq!((old.fence().0, new.fence().0), (1, 2));
    let fenced = LedgerError::Fenced { seen: 2, ours: 1 };
    assert_eq!(old.append(fact("a", "late")), Err(fenced.clone()));
    let wrote = new.append(fact("a", "new")).unwrap();
    assert_eq!(old.append(fact("a", "later")), Err(fenced));
    assert_eq!(new.verify(&[]).unwrap().entries, wrote.sequence);
    assert_eq!(new.entries(&"a".into(), 0).unwrap().len(), 2);
}

#[test]
fn every_start_raises_the_fence_and_says_so() {
    let directory = tempfile::tempdir().unwrap();
    for expected in 1..=4 {
        assert_eq!(open(directory.path()).fence().0, expected);
    }
    let reader = LedgerReader::open(directory.path()).unwrap();
    let fences: Vec<u64> = reader.all_entries(0).unwrap().iter().map(|e| e.fence.0).collect();
    assert_eq!(fences, [1, 2, 3, 4]);
}

#[test]
fn no_acknowledged_entry_is_lost_by_kills_at_any_time() {
    let directory = tempfile::tempdir().unwrap();
    let mut highest = 0;
    for round in 0..8 {
        let mut controller = Controller::start(directory.path());
        for _ in 0..round * 3 {
            highest = controller.next_acknowledged();
        }
        controller.signal(Signal::KILL);
        while let Some(sequence) = controller.acknowledged() {
            assert!(sequence > highest);
            highest = sequence;
        }
        controller.ended_by();
        let reader = LedgerReader::open(directory.path()).unwrap();
        assert!(reader.verify(&[]).unwrap().entries >= highest);
    }
    assert!(highest > 20);
}

#[test]
fn reading_needs_no_lock() {
    let directory = tempfile::tempdir().unwrap();
    assert!(matches!(LedgerReader::open(directory.path()), Err(OpenError::Missing(_))));
    let ledger = open(directory.path());
    let reader = LedgerReader::open(directory.path()).unwrap();
    ledger.append(fact("a", "while it is read")).unwrap();
    assert_eq!(reader.head().unwrap(), ledger.head());
    assert_eq!(reader.entries(&"a".into(), 0).unwrap().len(), 1);
    drop(ledger);
    assert_eq!(reader.verify(&[]).unwrap().entries, 2);
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()));
    let path = directory.path().join("ledger.db");
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.pragma_update(None, "user_version", 2).unwrap();
    drop(raw);
    fs::remove_file(directory.path().join("controller.lock")).unwrap();
    let before = fs::read(&path).unwrap();
    let refused = SqliteLedger::open(directory.path(), options());
    assert!(matches!(refused, Err(OpenError::NewerFormat { found: 2, known: 1 })), "{refused:?}");
    assert!(matches!(LedgerReader::open(directory.path()), Err(OpenError::NewerFormat { .. })));
    assert_eq!(fs::read(&path).unwrap(), before);
    assert!(!directory.path().join("controller.lock").exists());
}

#[test]
fn a_foreign_database_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let raw = rusqlite::Connection::open(directory.path().join("ledger.db")).unwrap();
    raw.execute_batch("CREATE TABLE recipe (name TEXT)").unwrap();
    drop(raw);
    let refused = SqliteLedger::open(directory.path(), options());
    assert!(matches!(refused, Err(OpenError::NotALedger(_))), "{refused:?}");
}
