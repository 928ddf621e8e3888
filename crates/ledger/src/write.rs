//! One entry at a time: the attempt, its settlement after an error, and the reserve behind it. It
//! decides nothing about entries but whether they are written.

use crate::database::{open_to_write, settle_log};
use crate::error::{OpenError, damaged, meaning};
use crate::reader::last_row;
use crate::sqlite::SqliteLedger;
use crate::verify::{Anchor, Row};
use ripcord_core::run::Entry;
use ripcord_engine::LedgerError;
use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use std::sync::atomic::Ordering;

/// What is behind the mutex.
#[derive(Debug)]
pub(crate) struct State {
    /// None after an error, until it is opened again.
    pub(crate) connection: Option<Connection>,
    /// The last entry that is known to be written.
    pub(crate) head: Anchor,
    /// An entry that was not acknowledged and may be written nevertheless.
    pub(crate) doubt: Option<Entry>,
}

/// How an attempt to write ended.
enum Attempt {
    Refused(LedgerError),
    Failed(rusqlite::Error),
}

impl SqliteLedger {
    /// Writes an entry. After any error the connection is given up and the outcome looked for, so
    /// that the entry is neither lost nor written twice.
    pub(crate) fn write(&self, state: &mut State, entry: &Entry) -> Result<(), LedgerError> {
        let row = Row::of(entry).map_err(|error| LedgerError::Unusable(error.to_string()))?;
        // What could not be read back must never be written.
        row.entry().map_err(|error| LedgerError::Unusable(format!("refused to write: {error}")))?;
        let mut retried = false;
        loop {
            let error = match self.attempt(state, entry, &row) {
                Ok(()) => return Ok(()),
                Err(Attempt::Refused(error)) => return Err(error),
                Err(Attempt::Failed(error)) => error,
            };
            state.connection = None;
            state.doubt = Some(entry.clone());
            // When not even this can be known now, the doubt stays, and the next append asks again.
            self.connected(state)?;
            state.doubt = None;
            if state.head.sequence == entry.sequence {
                return Ok(());
            }
            if retried || !self.free_space_for(&error)? {
                return Err(meaning(&error, entry.sequence));
            }
            retried = true;
        }
    }

    /// The connection, opened again after an error. What was in doubt is settled by looking.
    pub(crate) fn connected<'s>(
        &self,
        state: &'s mut State,
    ) -> Result<&'s mut Connection, LedgerError> {
        if state.connection.is_none() {
            let connection = open_to_write(&self.directory).map_err(into_ledger_error)?;
            state.settle(&connection)?;
            state.connection = Some(connection);
        }
        let closed = || LedgerError::Unusable("the database is closed".to_owned());
        state.connection.as_mut().ok_or_else(closed)
    }

    /// One attempt to write the entry; the last entry must still be the one we know.
    fn attempt(&self, state: &mut State, entry: &Entry, row: &Row) -> Result<(), Attempt> {
        let head = state.head.clone();
        let connection = self.connected(state).map_err(Attempt::Refused)?;
        self.limit(connection).map_err(Attempt::Failed)?;
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(Attempt::Failed)?;
        let last = last_row(&transaction).map_err(Attempt::Failed)?;
        self.still_ours(&head, last.as_ref()).map_err(Attempt::Refused)?;
        transaction
            .prepare_cached("INSERT INTO entry VALUES (?1, ?2, ?3, ?4)")
            .and_then(|mut insert| {
                insert.execute((row.sequence, &row.environment, &row.body, &row.digest))
            })
            .map_err(Attempt::Failed)?;
        transaction.commit().map_err(Attempt::Failed)?;
        state.head = Anchor { sequence: entry.sequence, digest: entry.digest() };
        Ok(())
    }

    /// The fence: every start of a controller adds an entry, so a last entry that is not ours was
    /// written by a newer one, or by nobody who may.
    fn still_ours(&self, head: &Anchor, last: Option<&Row>) -> Result<(), LedgerError> {
        let Some(last) = last else {
            return if head.sequence == 0 {
                Ok(())
            } else {
                Err(damaged(1, "all entries are gone"))
            };
        };
        let entry = last.entry()?;
        if entry.fence > self.fence {
            return Err(LedgerError::Fenced { seen: entry.fence.0, ours: self.fence.0 });
        }
        if last.anchor() == *head {
            return Ok(());
        }
        let why = format!("this controller wrote entry {} last, and it differs", head.sequence);
        Err(damaged(head.sequence.min(last.sequence), why))
    }

    /// Holds the file to [`OpenOptions::bytes_max`], of which the reserve takes its part.
    fn limit(&self, connection: &Connection) -> rusqlite::Result<()> {
        let Some(most) = self.options.bytes_max else { return Ok(()) };
        let size: u64 = connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
        let pages = (most.saturating_sub(self.reserve.held_bytes()) / size.max(1)).max(1);
        connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))
    }

    /// Gives the reserve free if the disk is full and this is an emergency.
    fn free_space_for(&self, error: &rusqlite::Error) -> Result<bool, LedgerError> {
        let full = matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure)
        );
        if !full || !self.emergency.load(Ordering::SeqCst) || self.reserve.held_bytes() == 0 {
            return Ok(false);
        }
        self.release_reserve()?;
        Ok(true)
    }
}

impl State {
    /// Looks whether the entry in doubt was written. Any other end than before and that one means
    /// that somebody else wrote; the next attempt says who.
    fn settle(&mut self, connection: &Connection) -> Result<(), LedgerError> {
        let Some(doubt) = &self.doubt else { return Ok(()) };
        let pending = Anchor { sequence: doubt.sequence, digest: doubt.digest() };
        let failed = |error: rusqlite::Error| meaning(&error, pending.sequence);
        let last = last_row(connection).map_err(failed)?;
        if last.is_some_and(|row| row.anchor() == pending) {
            if !settle_log(connection).map_err(failed)? {
                let why = format!("entry {} is written, but not yet for good", pending.sequence);
                return Err(LedgerError::Unusable(why));
            }
            self.head = pending;
        }
        Ok(())
    }
}

/// What cannot be opened again cannot be used.
pub(crate) fn into_ledger_error(error: OpenError) -> LedgerError {
    match error {
        OpenError::Ledger(error) => error,
        other => LedgerError::Unusable(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::LedgerReader;
    use crate::sqlite::OpenOptions;
    use jiff::Timestamp;
    use ripcord_core::run::{Draft, Event, Subject};
    use ripcord_engine::Ledger as _;
    use std::path::Path;

    fn ledger(directory: &Path) -> SqliteLedger {
        let options = OpenOptions {
            reserve_bytes: 4096,
            ..OpenOptions::new("test", || Timestamp::UNIX_EPOCH)
        };
        SqliteLedger::open(directory, options).unwrap()
    }

    fn draft(reason: &str) -> Draft {
        let subject = Subject::Environment("production".into());
        let event = Event::Paused { reason: reason.to_owned() };
        Draft { subject, by: "ada".to_owned(), event }
    }

    /// As after an error of the disk: the connection is gone and so is the acknowledgement.
    fn lose(ledger: &SqliteLedger, head: Anchor, doubt: Entry) {
        *ledger.state() = State { connection: None, head, doubt: Some(doubt) };
    }

    #[test]
    fn an_entry_in_doubt_that_was_written_is_not_written_again() {
        let directory = tempfile::tempdir().unwrap();
        let ledger = ledger(directory.path());
        let before = ledger.head();
        // Whoever else has the database open keeps its log from being emptied by closing it.
        let reader = LedgerReader::open(directory.path()).unwrap();
        let written = ledger.append(draft("once")).unwrap();
        lose(&ledger, before, written.clone());
        assert_eq!(ledger.append(draft("once")).unwrap(), written);
        let log = directory.path().join("ledger.db-wal");
        assert_eq!(std::fs::metadata(log).unwrap().len(), 0, "it is in the database, and synced");
        assert_eq!(reader.verify(&[]).unwrap().entries, 2);
        // Only what was in doubt is recognised: the same fact happening again is a new entry.
        assert_eq!(ledger.append(draft("once")).unwrap().sequence, written.sequence + 1);
        assert_eq!(ledger.verify(&[]).unwrap().entries, 3);
    }

    #[test]
    fn an_entry_in_doubt_that_was_not_written_is_written_when_asked_for_again() {
        let directory = tempfile::tempdir().unwrap();
        let ledger = ledger(directory.path());
        let head = ledger.head();
        let mut lost = ledger.append(draft("written")).unwrap();
        let after = ledger.head();
        assert_ne!(head, after);
        lost.sequence += 1;
        lost.previous = after.digest.clone();
        lose(&ledger, after, lost.clone());
        let entry = ledger.append(draft("written")).unwrap();
        assert_eq!(entry.sequence, lost.sequence);
        assert_eq!(ledger.verify(&[]).unwrap().entries, 3);
    }

    #[test]
    fn another_fact_after_one_in_doubt_takes_the_place_behind_it() {
        let directory = tempfile::tempdir().unwrap();
        let ledger = ledger(directory.path());
        let before = ledger.head();
        let written = ledger.append(draft("first")).unwrap();
        lose(&ledger, before, written.clone());
        let next = ledger.append(draft("second")).unwrap();
        assert_eq!((next.sequence, next.previous), (3, written.digest()));
    }
}
