//! Whatever is changed behind the ledger's back is found, and named.

use crate::support::{Noise, fact, open, options};
use ripcord_core::model::{Digest, Fence};
use ripcord_core::run::Entry;
use ripcord_engine::{Ledger as _, LedgerError};
use ripcord_ledger::{Anchor, LedgerReader, OpenError, SqliteLedger};
use rusqlite::Connection;
use std::fs;
use std::path::Path;

/// A closed ledger of 41 entries, its entries and its head.
fn written(directory: &Path) -> (Vec<Entry>, Anchor) {
    let ledger = open(directory);
    for number in 0..40 {
        ledger.append(fact("production", &format!("fact-{number:02}"))).unwrap();
    }
    (ledger.all_entries(0).unwrap(), ledger.head())
}

fn verify(directory: &Path, anchors: &[Anchor]) -> Result<u64, OpenError> {
    let verified = LedgerReader::open(directory)?.verify(anchors)?;
    Ok(verified.entries)
}

fn damaged_at(result: Result<u64, OpenError>) -> u64 {
    match result {
        Err(OpenError::Ledger(LedgerError::Damaged { sequence, .. })) => sequence,
        other => panic!("{other:?}"),
    }
}

/// For each place where the file has this text: a copy in which one bit of it is turned over.
/// `SQLite` leaves old copies in the unused parts of its pages, where a flip changes nothing.
fn flips_within(directory: &Path, text: &str) -> Vec<tempfile::TempDir> {
    let bytes = fs::read(directory.join("ledger.db")).unwrap();
    let found = bytes.windows(text.len()).enumerate().filter(|(_, w)| *w == text.as_bytes());
    let copies = found.map(|(place, _)| {
        let copy = tempfile::tempdir().unwrap();
        let mut tampered = bytes.clone();
        tampered[place + text.len() / 2] ^= 1;
        fs::write(copy.path().join("ledger.db"), tampered).unwrap();
        copy
    });
    copies.collect()
}

fn raw(directory: &Path, sql: &str) -> rusqlite::Result<()> {
    Connection::open(directory.join("ledger.db"))?.execute_batch(sql)
}

#[test]
fn a_flipped_bit_in_a_body_is_named() {
    let directory = tempfile::tempdir().unwrap();
    written(directory.path());
    for number in 0..40 {
        let mut found = 0;
        for copy in flips_within(directory.path(), &format!("fact-{number:02}")) {
            if verify(copy.path(), &[]).is_ok() {
                continue;
            }
            found += 1;
            assert_eq!(damaged_at(verify(copy.path(), &[])), number + 2);
            let reader = LedgerReader::open(copy.path()).unwrap();
            let read = reader.entries(&"production".into(), 0);
            assert!(matches!(read, Err(LedgerError::Damaged { .. })), "a plain read sees it too");
            let refused = SqliteLedger::open(copy.path(), options());
            assert!(matches!(refused, Err(OpenError::Ledger(LedgerError::Damaged { .. }))));
        }
        assert_eq!(found, 1, "the text of entry {}", number + 2);
    }
}

#[test]
fn a_flipped_bit_in_a_digest_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let (entries, _) = written(directory.path());
    for entry in &entries[..40] {
        let copies = flips_within(directory.path(), entry.digest().as_str());
        let results = copies.iter().map(|copy| verify(copy.path(), &[]));
        let found: Vec<u64> = results.filter(Result::is_err).map(damaged_at).collect();
        // Once as the digest of its own row, once in the text of the entry behind it.
        assert!(found.contains(&entry.sequence), "{found:?} for {}", entry.sequence);
        assert!(found.contains(&(entry.sequence + 1)), "{found:?} for {}", entry.sequence);
    }
}

#[test]
fn a_flipped_bit_anywhere_is_found_or_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (entries, head) = written(directory.path());
    let bytes = fs::read(directory.path().join("ledger.db")).unwrap();
    let mut noise = Noise(4711);
    let mut found = 0;
    for _ in 0..600 {
        let copy = tempfile::tempdir().unwrap();
        let place = noise.below(bytes.len());
        let mut tampered = bytes.clone();
        tampered[place] ^= 1 << noise.below(8);
        fs::write(copy.path().join("ledger.db"), &tampered).unwrap();
        if verify(copy.path(), std::slice::from_ref(&head)).is_err() {
            found += 1;
        } else {
            let read = LedgerReader::open(copy.path()).unwrap().all_entries(0).unwrap();
            assert_eq!(read, entries, "byte {place} was changed, not found, and mattered");
        }
    }
    assert!(found > 200, "only {found} of 600 were found");
}

#[test]
fn a_damaged_log_is_found_by_an_anchor() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    for number in 0..10 {
        ledger.append(fact("production", &format!("fact-{number:02}"))).unwrap();
    }
    let (entries, head) = (ledger.all_entries(0).unwrap(), ledger.head());
    let main = fs::read(directory.path().join("ledger.db")).unwrap();
    let log = fs::read(directory.path().join("ledger.db-wal")).unwrap();
    let mut noise = Noise(1234);
    let mut found = 0;
    for _ in 0..150 {
        let copy = tempfile::tempdir().unwrap();
        let mut tampered = log.clone();
        tampered[noise.below(log.len())] ^= 1 << noise.below(8);
        fs::write(copy.path().join("ledger.db"), &main).unwrap();
        fs::write(copy.path().join("ledger.db-wal"), &tampered).unwrap();
        if verify(copy.path(), std::slice::from_ref(&head)).is_err() {
            found += 1;
        } else {
            let read = LedgerReader::open(copy.path()).unwrap().all_entries(0).unwrap();
            assert_eq!(read, entries);
        }
    }
    assert!(found > 50, "only {found} of 150 were found");
}

#[test]
fn a_cut_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (_, head) = written(directory.path());
    let bytes = fs::read(directory.path().join("ledger.db")).unwrap();
    for length in (0..bytes.len()).step_by(512) {
        let copy = tempfile::tempdir().unwrap();
        fs::write(copy.path().join("ledger.db"), &bytes[..length]).unwrap();
        let result = verify(copy.path(), std::slice::from_ref(&head));
        assert!(result.is_err(), "cut to {length} of {} bytes: {result:?}", bytes.len());
    }
}

#[test]
fn an_older_copy_of_the_state_is_found_by_an_anchor() {
    let directory = tempfile::tempdir().unwrap();
    let (_, early) = written(directory.path());
    let path = directory.path().join("ledger.db");
    let copy = fs::read(&path).unwrap();
    let late = open(directory.path()).append(fact("production", "after the copy")).unwrap();
    let late = Anchor { sequence: late.sequence, digest: late.digest() };
    assert_eq!(verify(directory.path(), &[early.clone(), late.clone()]).unwrap(), 43);
    fs::write(&path, copy).unwrap();
    // The head noted beside it tells without an anchor, unless it was put back as well.
    assert_eq!(damaged_at(verify(directory.path(), &[])), 42);
    fs::remove_file(directory.path().join("ledger.head")).unwrap();
    assert_eq!(verify(directory.path(), std::slice::from_ref(&early)).unwrap(), 41);
    assert_eq!(damaged_at(verify(directory.path(), &[early, late])), 42);
}

/// Damage within the log of the database makes the database drop the log's end, without a word.
#[test]
fn a_lost_end_of_the_log_is_found_by_the_noted_head() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    for number in 0..10 {
        ledger.append(fact("production", &format!("fact-{number}"))).unwrap();
    }
    let copy = tempfile::tempdir().unwrap();
    for name in ["ledger.db", "ledger.db-wal", "ledger.head"] {
        fs::copy(directory.path().join(name), copy.path().join(name)).unwrap();
    }
    assert!(verify(copy.path(), &[]).is_ok());
    let log = copy.path().join("ledger.db-wal");
    let mut bytes = fs::read(directory.path().join("ledger.db-wal")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&log, bytes).unwrap();
    assert!(verify(copy.path(), &[]).is_err());
}

#[test]
fn a_ledger_written_anew_is_found_by_an_anchor() {
    let directory = tempfile::tempdir().unwrap();
    let (entries, _) = written(directory.path());
    let other = tempfile::tempdir().unwrap();
    let ledger = open(other.path());
    for number in 0..40 {
        ledger.append(fact("production", &format!("lies-{number:02}"))).unwrap();
    }
    let anchor = Anchor { sequence: 30, digest: entries[29].digest() };
    assert_eq!(verify(directory.path(), std::slice::from_ref(&anchor)).unwrap(), 41);
    assert_eq!(damaged_at(verify(other.path(), &[anchor])), 30);
    assert_eq!(verify(other.path(), &[]).unwrap(), 41, "without an anchor it is a fine ledger");
}

#[test]
fn the_database_itself_refuses_changes() {
    let directory = tempfile::tempdir().unwrap();
    written(directory.path());
    let check = |sql: &str, expected: &str| {
        let error = raw(directory.path(), sql).unwrap_err().to_string();
        assert!(error.contains(expected), "{sql}: {error}");
    };
    check("UPDATE entry SET body = '{}' WHERE sequence = 3", "never changed");
    check("DELETE FROM entry WHERE sequence = 41", "never removed");
    check("INSERT OR REPLACE INTO entry VALUES (3, NULL, '{}', 'x')", "only grows");
    check("INSERT INTO entry VALUES (43, NULL, '{}', 'x')", "only grows");
    check("INSERT INTO entry VALUES (NULL, NULL, '{}', 'x')", "only grows");
    assert_eq!(verify(directory.path(), &[]).unwrap(), 41);
}

#[test]
fn changes_past_the_triggers_are_found() {
    let check = |sql: &str, expected: u64| {
        let directory = tempfile::tempdir().unwrap();
        written(directory.path());
        let triggers = "DROP TRIGGER entry_no_update; DROP TRIGGER entry_no_delete;";
        raw(directory.path(), &format!("{triggers} {sql}")).unwrap();
        assert_eq!(damaged_at(verify(directory.path(), &[])), expected, "{sql}");
    };
    check("", 0);
    check("UPDATE entry SET body = replace(body, 'ada', 'eve') WHERE sequence = 5", 5);
    check("UPDATE entry SET environment = 'staging' WHERE sequence = 6", 6);
    check("UPDATE entry SET environment = NULL WHERE sequence = 6", 6);
    check("DELETE FROM entry WHERE sequence = 7", 7);
    check("DELETE FROM entry WHERE sequence = 1", 1);
    check("UPDATE entry SET sequence = 50 WHERE sequence = 41", 41);
    check("UPDATE entry SET body = ' ' || body WHERE sequence = 8", 8);
}

#[test]
fn a_running_controller_does_not_build_on_what_it_did_not_write() {
    let check = |sql: &str| {
        let directory = tempfile::tempdir().unwrap();
        let ledger = open(directory.path());
        ledger.append(fact("a", "one")).unwrap();
        ledger.append(fact("a", "two")).unwrap();
        let triggers = "DROP TRIGGER entry_no_update; DROP TRIGGER entry_no_delete;";
        raw(directory.path(), &format!("{triggers} {sql}")).unwrap();
        let refused = ledger.append(fact("a", "three"));
        assert!(matches!(refused, Err(LedgerError::Damaged { .. })), "{sql}: {refused:?}");
    };
    check("DELETE FROM entry WHERE sequence = 3");
    check("DELETE FROM entry");
    check("UPDATE entry SET body = replace(body, 'two', 'too') WHERE sequence = 3");
    check("UPDATE entry SET digest = 'sha256:0' WHERE sequence = 3");
}

/// Puts another row in the place of one, as somebody would who knows how digests are made.
fn forge(directory: &Path, place: u64, body: &str) {
    let raw = Connection::open(directory.join("ledger.db")).unwrap();
    let digest = Digest::of_bytes(body.as_bytes());
    let trigger: String = raw
        .query_row("SELECT sql FROM sqlite_schema WHERE name = 'entry_no_update'", [], |r| r.get(0))
        .unwrap();
    raw.execute_batch("DROP TRIGGER entry_no_update").unwrap();
    raw.execute(
        "UPDATE entry SET body = ?2, digest = ?3 WHERE sequence = ?1",
        (place, body, &digest.0),
    )
    .unwrap();
    raw.execute_batch(&trigger).unwrap();
}

#[test]
fn forged_rows_are_found_by_what_they_say() {
    let check = |place: u64, expected: u64, forged: &dyn Fn(Entry) -> String| {
        let directory = tempfile::tempdir().unwrap();
        let (entries, _) = written(directory.path());
        let before = &entries[usize::try_from(place - 1).unwrap()];
        let text = forged(before.clone());
        forge(directory.path(), place, &text);
        assert_eq!(damaged_at(verify(directory.path(), &[])), expected, "{text}");
    };
    let text = |entry: &Entry| serde_json::to_string(entry).unwrap();
    // Another author: the row is consistent, the entry behind it no longer continues it.
    check(5, 6, &|entry| text(&Entry { by: "eve".to_owned(), ..entry }));
    // At the end nothing continues it, but what it says can still be impossible.
    check(41, 41, &|entry| text(&Entry { sequence: 40, ..entry }));
    check(41, 41, &|entry| text(&Entry { fence: Fence(9), ..entry }));
    check(41, 41, &|entry| text(&Entry { fence: Fence(0), ..entry }));
    check(41, 41, &|entry| text(&Entry { previous: Digest::of_bytes(b"x"), ..entry }));
    check(41, 41, &|entry| text(&entry).replace("\"by\":", "\"by\": "));
    check(41, 41, &|_| "{}".to_owned());
}

#[test]
fn a_damaged_index_is_found() {
    let directory = tempfile::tempdir().unwrap();
    written(directory.path());
    let copies = flips_within(directory.path(), "production");
    let results = copies.iter().map(|copy| verify(copy.path(), &[]));
    // Only the index differs there: every entry is as it was, and the file as a whole is not.
    let index = results.filter(Result::is_err).map(damaged_at).filter(|&place| place == 0);
    assert_eq!(index.count(), 41 - 1);
}
