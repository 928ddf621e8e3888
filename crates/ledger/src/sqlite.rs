//! The ledger of a running controller: its lock, its fence, its reserve, and what it appends.

use crate::database::{open_to_read, open_to_write, path, prepare, settle_log};
use crate::error::{OpenError, meaning};
use crate::head::{self, HeadFile};
use crate::lock::StateLock;
use crate::reader::{all_entries, entries_of, last_row};
use crate::reserve::Reserve;
use crate::verify::{Anchor, Verified, verify};
use crate::write::{State, into_ledger_error};
use jiff::Timestamp;
use ripcord_core::model::{EnvironmentName, Fence};
use ripcord_core::run::{Draft, Entry, Event, Subject};
use ripcord_engine::{Ledger, LedgerError};
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
    pub(crate) state: Mutex<State>,
    pub(crate) reserve: Reserve,
    pub(crate) emergency: AtomicBool,
    pub(crate) directory: PathBuf,
    pub(crate) fence: Fence,
    pub(crate) options: OpenOptions,
    head_file: HeadFile,
    // Given back last, after the database is closed.
    _lock: StateLock,
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
        let noted = head::noted(directory);
        let head = verify(&mut connection, noted.as_slice())?.head;
        // Before anything is built on it. A reader that is in the way does no harm here.
        settle_log(&connection).map_err(|error| meaning(&error, 0))?;
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
            head_file: HeadFile::open(directory)
                .map_err(OpenError::io("note the ledger's head"))?,
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

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // A panic between two statements leaves a transaction that was rolled back when dropped.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
        self.head_file.note(&state.head);
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
