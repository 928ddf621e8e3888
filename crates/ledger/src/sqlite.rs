//! Writing the ledger: one entry at a time, under a lock and a fence, settled after every error.

use crate::database::{open_to_read, open_to_write, path, prepare};
use crate::error::{OpenError, damaged, meaning};
use crate::lock::StateLock;
use crate::reader::{all_entries, entries_of, last_row};
use crate::reserve::Reserve;
use crate::verify::{Anchor, Row, Verified, verify};
use jiff::Timestamp;
use ripcord_core::model::{EnvironmentName, Fence};
use ripcord_core::run::{Draft, Entry, Event, Subject};
use ripcord_engine::{Ledger, LedgerError};
use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The size of the reserve unless something else is asked for.
const RESERVE_BYTES: u64 = 16 * 1024 * 1024;

/// How a ledger is opened.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// The version of this controller, written into the ledger.
    pub version: String,
    /// The wall clock; it decides nothing here.
    pub clock: fn() -> Timestamp,
    /// Whether the controller that holds the state directory is killed.
    pub takeover: bool,
    /// How much space is set aside for emergencies.
    pub reserve_bytes: u64,
    /// The most that the database and its reserve may take together; none for the whole disk.
    pub bytes_max: Option<u64>,
}

impl OpenOptions {
    /// What a controller of this version normally wants.
    pub fn new(version: impl Into<String>, clock: fn() -> Timestamp) -> OpenOptions {
        OpenOptions {
            version: version.into(),
            clock,
            takeover: false,
            reserve_bytes: RESERVE_BYTES,
            bytes_max: None,
        }
    }
}

/// The ledger of a state directory, as its one controller writes it.
#[derive(Debug)]
pub struct SqliteLedger {
    state: Mutex<State>,
    reserve: Reserve,
    emergency: AtomicBool,
    directory: PathBuf,
    fence: Fence,
    options: OpenOptions,
    // Given back last, after the database is closed.
    _lock: StateLock,
}

/// What is behind the mutex.
#[derive(Debug)]
struct State {
    /// None after an error, until it is opened again.
    connection: Option<Connection>,
    /// The last entry that is known to be written.
    head: Anchor,
    /// An entry that was not acknowledged and may be written nevertheless.
    doubt: Option<Entry>,
}

/// How an attempt to write ended.
enum Attempt {
    Refused(LedgerError),
    Failed(rusqlite::Error),
}

impl SqliteLedger {
    /// Opens or creates the ledger of a state directory, verifies it, and raises the fence.
    ///
    /// # Errors
    ///
    /// [`OpenError::InUse`] when another controller has it; see there for everything else.
    pub fn open(directory: &Path, options: OpenOptions) -> Result<SqliteLedger, OpenError> {
        prepare(directory)?;
        let lock = StateLock::take(directory, options.takeover, (options.clock)())?;
        let mut connection = open_to_write(directory)?;
        let head = verify(&mut connection, &[])?.head;
        let last = last_row(&connection).map_err(|error| meaning(&error, head.sequence))?;
        let fence = last.map_or(Ok(Fence(0)), |row| row.entry().map(|entry| entry.fence))?;
        let reserve = Reserve::new(directory, options.reserve_bytes);
        reserve.ensure().map_err(OpenError::io("set aside the reserve of the ledger"))?;
        let ledger = SqliteLedger {
            state: Mutex::new(State { connection: Some(connection), head, doubt: None }),
            reserve,
            emergency: AtomicBool::new(false),
            directory: directory.to_owned(),
            fence: Fence(fence.0 + 1),
            options,
            _lock: lock,
        };
        let event = Event::ControllerStarted { version: ledger.options.version.clone() };
        let draft = Draft { subject: Subject::Controller, by: "ripcord".to_owned(), event };
        ledger.append(draft)?;
        Ok(ledger)
    }

    /// All entries above `after`, whatever they are about.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when they cannot be read or are not what was written.
    pub fn all_entries(&self, after: u64) -> Result<Vec<Entry>, LedgerError> {
        all_entries(self.connected(&mut self.state())?, after)
    }

    /// Verifies every entry, the chain, the file and the anchors kept outside, while writing goes
    /// on.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Damaged`] names the first entry that is not what was written; 0 stands for
    /// the file as a whole.
    pub fn verify(&self, anchors: &[Anchor]) -> Result<Verified, LedgerError> {
        let mut anchors = anchors.to_vec();
        anchors.push(self.head());
        let mut connection = open_to_read(&path(&self.directory)).map_err(into_ledger_error)?;
        verify(&mut connection, &anchors)
    }

    /// The last entry that this controller knows to be written, to be kept outside.
    pub fn head(&self) -> Anchor {
        self.state().head.clone()
    }

    /// Whether an entry that finds the disk full may use the reserve.
    pub fn set_emergency(&self, on: bool) {
        self.emergency.store(on, Ordering::SeqCst);
    }

    /// Whether the reserve is there; nothing new should begin when it is not.
    pub fn has_reserve(&self) -> bool {
        self.reserve.exists()
    }

    /// Gives the reserve free. It is set aside again when the ledger is next opened.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Unusable`] when it cannot be removed.
    pub fn release_reserve(&self) -> Result<(), LedgerError> {
        self.reserve
            .release()
            .map_err(|error| LedgerError::Unusable(format!("cannot free the reserve: {error}")))
    }

    /// The space left to the ledger, besides its reserve.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Unusable`] when the file system does not say.
    pub fn free_bytes(&self) -> Result<u64, LedgerError> {
        let unknown = |error: std::io::Error| LedgerError::Unusable(error.to_string());
        let disk = self.reserve.free_bytes().map_err(unknown)?;
        let Some(most) = self.options.bytes_max else { return Ok(disk) };
        let database = std::fs::metadata(path(&self.directory)).map_err(unknown)?.len();
        Ok(disk.min(most.saturating_sub(database).saturating_sub(self.reserve.held_bytes())))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic between two statements leaves a transaction that was rolled back when dropped.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection, opened again after an error. What was in doubt is settled by looking.
    fn connected<'s>(&self, state: &'s mut State) -> Result<&'s mut Connection, LedgerError> {
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

    /// Writes an entry. After any error the connection is given up and the outcome looked for, so
    /// that the entry is neither lost nor written twice.
    fn write(&self, state: &mut State, entry: &Entry) -> Result<(), LedgerError> {
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
        let last = last_row(connection).map_err(|error| meaning(&error, self.head.sequence))?;
        if last.is_some_and(|row| row.anchor() == pending) {
            self.head = pending;
        }
        Ok(())
    }
}

impl Ledger for SqliteLedger {
    fn append(&self, draft: Draft) -> Result<Entry, LedgerError> {
        let mut state = self.state();
        self.connected(&mut state)?;
        if let Some(doubted) = state.doubt.take()
            && doubted.sequence == state.head.sequence
            && says(&doubted, &draft)
        {
            // It was asked for before, written, and not acknowledged.
            return Ok(doubted);
        }
        let entry = Entry {
            sequence: state.head.sequence + 1,
            subject: draft.subject,
            fence: self.fence,
            at: (self.options.clock)(),
            by: draft.by,
            event: draft.event,
            previous: state.head.digest.clone(),
        };
        self.write(&mut state, &entry)?;
        Ok(entry)
    }

    fn entries(
        &self,
        environment: &EnvironmentName,
        after: u64,
    ) -> Result<Vec<Entry>, LedgerError> {
        entries_of(self.connected(&mut self.state())?, environment, after)
    }

    fn fence(&self) -> Fence {
        self.fence
    }
}

/// Whether an entry is about the same fact as a draft.
fn says(entry: &Entry, draft: &Draft) -> bool {
    entry.subject == draft.subject && entry.by == draft.by && entry.event == draft.event
}

fn into_ledger_error(error: OpenError) -> LedgerError {
    match error {
        OpenError::Ledger(error) => error,
        other => LedgerError::Unusable(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let written = ledger.append(draft("once")).unwrap();
        lose(&ledger, before, written.clone());
        assert_eq!(ledger.append(draft("once")).unwrap(), written);
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
