//! What every store of the ledger must do, whichever it is: each function takes a fresh one.

use crate::support::{fact, open};
use ripcord_core::run::{Draft, Entry, Event, Observation, Subject};
use ripcord_engine::{Ledger, LedgerError};

/// A store under test. Appends and reads come from several threads.
type Store = dyn Ledger + Sync;

fn what_is_returned_is_what_is_stored(ledger: &Store) {
    let wrote: Vec<Entry> =
        (0..20).map(|n| ledger.append(fact("a", &format!("fact {n}"))).unwrap()).collect();
    assert_eq!(ledger.entries(&"a".into(), 0).unwrap(), wrote);
}

fn entries_are_dense_chained_and_fenced(ledger: &Store) {
    let wrote: Vec<Entry> = (0..20).map(|_| ledger.append(fact("a", "x")).unwrap()).collect();
    for pair in wrote.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence + 1);
        assert_eq!(pair[1].previous, pair[0].digest());
    }
    assert!(wrote.iter().all(|entry| entry.fence == ledger.fence()));
    assert!(ledger.fence().0 > 0);
}

fn entries_are_those_of_one_environment_after_a_place(ledger: &Store) {
    let first = ledger.append(fact("a", "1")).unwrap();
    ledger.append(fact("b", "2")).unwrap();
    let release = Subject::Release("v1".into());
    let event = Event::Resumed;
    ledger.append(Draft { subject: release, by: "ada".to_owned(), event }).unwrap();
    let last = ledger.append(fact("a", "3")).unwrap();
    assert_eq!(ledger.entries(&"a".into(), 0).unwrap(), [first.clone(), last.clone()]);
    assert_eq!(ledger.entries(&"a".into(), first.sequence).unwrap(), std::slice::from_ref(&last));
    assert_eq!(ledger.entries(&"a".into(), last.sequence).unwrap(), []);
    assert_eq!(ledger.entries(&"nowhere".into(), 0).unwrap(), []);
}

fn texts_and_numbers_come_back_to_the_bit(ledger: &Store) {
    for text in ["", "\u{0}\u{7}\n\"\\", "ä→🦀\u{202e}", "'; DROP TABLE entry; --"] {
        let wrote = ledger.append(fact(text, text)).unwrap();
        assert_eq!(ledger.entries(&text.into(), wrote.sequence - 1).unwrap(), [wrote]);
    }
    // Among these are numbers that a parser in a hurry reads one bit off.
    let mut number = 0.1_f64;
    for _ in 0..200 {
        number = (number * 1.732_050_807_568_877_2).fract() + 1e-9;
        let observation = watched(number * 1e-3, number * 1e17);
        let subject = Subject::Environment("numbers".into());
        let event = Event::Observed { observation };
        let wrote = ledger.append(Draft { subject, by: "ripcord".to_owned(), event }).unwrap();
        assert_eq!(ledger.entries(&"numbers".into(), wrote.sequence - 1).unwrap(), [wrote]);
    }
}

fn what_could_not_be_read_back_is_not_written(ledger: &Store) {
    let draft = Draft {
        subject: Subject::Environment("a".into()),
        by: "ripcord".to_owned(),
        event: Event::Observed { observation: watched(f64::NAN, 1.0) },
    };
    assert!(matches!(ledger.append(draft), Err(LedgerError::Unusable(_))));
    assert_eq!(ledger.entries(&"a".into(), 0).unwrap(), []);
    ledger.append(fact("a", "goes on")).unwrap();
}

fn many_threads_write_and_read_one_chain(ledger: &Store) {
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                for n in 0..25 {
                    ledger.append(fact("a", &format!("{thread}.{n}"))).unwrap();
                    let seen = ledger.entries(&"a".into(), 0).unwrap();
                    assert!(seen.windows(2).all(|pair| pair[0].sequence < pair[1].sequence));
                    assert!(!seen.is_empty());
                }
            });
        }
    });
    let entries = ledger.entries(&"a".into(), 0).unwrap();
    assert_eq!(entries.len(), 100);
    assert!(entries.windows(2).all(|pair| pair[1].previous == pair[0].digest()));
}

fn watched(tolerated: f64, evidence: f64) -> Observation {
    Observation::Watched { elapsed_ms: 1, requests: 2, errors: 3, tolerated, evidence }
}

fn check(suite: fn(&Store)) {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    suite(&ledger);
    ledger.verify(&[]).unwrap();
}

#[test]
fn sqlite_returns_what_it_stores() {
    check(what_is_returned_is_what_is_stored);
}

#[test]
fn sqlite_is_dense_chained_and_fenced() {
    check(entries_are_dense_chained_and_fenced);
}

#[test]
fn sqlite_selects_by_environment_and_place() {
    check(entries_are_those_of_one_environment_after_a_place);
}

#[test]
fn sqlite_keeps_every_bit() {
    check(texts_and_numbers_come_back_to_the_bit);
}

#[test]
fn sqlite_refuses_what_it_could_not_read() {
    check(what_could_not_be_read_back_is_not_written);
}

#[test]
fn sqlite_serves_many_threads() {
    check(many_threads_write_and_read_one_chain);
}
