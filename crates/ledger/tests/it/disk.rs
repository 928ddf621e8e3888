//! A full disk: nothing is half written, and an emergency has its reserve.

use crate::support::{fact, open, options};
use ripcord_engine::{Ledger as _, LedgerError};
use ripcord_ledger::{OpenOptions, SqliteLedger};
use std::path::Path;

/// A ledger that may take 40 pages, of which the reserve takes 16.
fn small(directory: &Path) -> SqliteLedger {
    let options = OpenOptions { bytes_max: Some(40 * 4096), ..options() };
    SqliteLedger::open(directory, options).unwrap()
}

/// Appends until the ledger refuses; returns how many entries it took and why it stopped.
fn fill(ledger: &SqliteLedger) -> (u64, LedgerError) {
    let long = "x".repeat(3000);
    for taken in 0..1000 {
        if let Err(error) = ledger.append(fact("a", &long)) {
            return (taken, error);
        }
    }
    panic!("the ledger never becomes full");
}

#[test]
fn a_full_disk_refuses_and_writes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = small(directory.path());
    let (taken, error) = fill(&ledger);
    assert!(matches!(error, LedgerError::Full(_)), "{error}");
    let head = ledger.head();
    assert_eq!(head.sequence, taken + 1);
    assert_eq!(ledger.verify(&[]).unwrap().entries, taken + 1);
    assert!(ledger.has_reserve(), "only an emergency may touch the reserve");
    assert!(ledger.append(fact("a", &"x".repeat(3000))).is_err());
    assert_eq!(ledger.head(), head);
}

#[test]
fn an_emergency_uses_the_reserve_and_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = small(directory.path());
    fill(&ledger);
    ledger.set_emergency(true);
    let wrote = ledger.append(fact("a", &"y".repeat(3000))).unwrap();
    assert!(!ledger.has_reserve());
    assert_eq!(ledger.verify(&[]).unwrap().entries, wrote.sequence);
    let (taken, error) = fill(&ledger);
    assert!(taken > 3, "{taken}");
    assert!(matches!(error, LedgerError::Full(_)), "{error}");
}

#[test]
fn after_the_emergency_there_is_space_again() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = small(directory.path());
    fill(&ledger);
    ledger.release_reserve().unwrap();
    ledger.release_reserve().unwrap();
    assert!(!ledger.has_reserve());
    ledger.append(fact("a", "goes on")).unwrap();
    drop(ledger);
    assert!(open(directory.path()).has_reserve(), "the next start sets it aside again");
}

#[test]
fn the_reserve_really_occupies_space() {
    use std::os::unix::fs::MetadataExt as _;
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    let file = std::fs::metadata(directory.path().join("ledger.reserve")).unwrap();
    assert_eq!(file.len(), 64 * 1024);
    assert!(file.blocks() * 512 >= 64 * 1024, "{} blocks", file.blocks());
    assert!(ledger.free_bytes().unwrap() > 0);
}

#[test]
fn without_space_there_is_no_reserve_and_no_failure() {
    let directory = tempfile::tempdir().unwrap();
    let options = OpenOptions { reserve_bytes: u64::MAX / 4, ..options() };
    let ledger = SqliteLedger::open(directory.path(), options).unwrap();
    assert!(!ledger.has_reserve());
    ledger.append(fact("a", "works nevertheless")).unwrap();
}
