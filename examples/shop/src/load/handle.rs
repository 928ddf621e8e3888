//! Starting and stopping a run of load from code that is not asynchronous.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

use super::book::Book;
use super::client::Client;
use super::mix::Mix;
use super::options::LoadOptions;
use super::record::Record;
use super::report::{LoadCounts, LoadReport, Totals};
use super::run::Run;
use crate::ShopError;
use crate::faults::lock;

/// A run of load, on a thread and runtime of its own.
pub struct Load;

/// A run that is going on. Dropping it ends the run without a report.
pub struct LoadHandle {
    run: Arc<Run>,
    stop: watch::Sender<bool>,
    thread: JoinHandle<()>,
    started_at_unix_ms: u64,
}

impl Load {
    /// Starts a run.
    ///
    /// # Errors
    /// When the options make no sense, or the record file or the thread cannot be had.
    pub fn start(options: LoadOptions) -> Result<LoadHandle, ShopError> {
        let timeout = Duration::from_millis(options.timeout_ms);
        let client = Client::new(&options.url, options.host.as_deref(), timeout)?;
        let file = options.record_file.as_ref().map(|path| {
            File::create(path).map_err(|source| ShopError::File {
                doing: "create record",
                path: path.clone(),
                source,
            })
        });
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let run = Arc::new(Run {
            client,
            mix: Mix { run: options.run.clone(), seed: options.seed },
            book: Mutex::new(Book::new(file.transpose()?)),
            options,
            started: Instant::now(),
        });
        let failed = |source| ShopError::Runtime { what: "starting the load", source };
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (stop, stopped) = watch::channel(false);
        let driven = Arc::clone(&run);
        let thread = std::thread::Builder::new()
            .name("load".to_owned())
            .spawn(move || runtime.block_on(driven.drive(stopped)))
            .map_err(failed)?;
        let started_at_unix_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        Ok(LoadHandle { run, stop, thread, started_at_unix_ms })
    }
}

impl LoadHandle {
    /// Counts so far.
    pub fn snapshot(&self) -> LoadCounts {
        lock(&self.run.book).counts.clone()
    }

    /// Begins no more requests, waits for those that are open, and reports.
    ///
    /// # Errors
    /// When the generator broke, or the record file or the fault log failed.
    pub fn stop(self) -> Result<(LoadReport, Record), ShopError> {
        self.stop.send_replace(true);
        self.wait()
    }

    /// Waits for the end that the options name, and reports.
    ///
    /// # Errors
    /// As for `stop`.
    pub fn wait(self) -> Result<(LoadReport, Record), ShopError> {
        let broke = |_| ShopError::Runtime {
            what: "the load generator",
            source: io::Error::other("its thread panicked"),
        };
        self.thread.join().map_err(broke)?;
        let mut book = std::mem::take(&mut *lock(&self.run.book));
        if let Some(source) = book.take_file_error() {
            return Err(ShopError::Runtime { what: "writing the record", source });
        }
        let totals = Totals {
            started_at_unix_ms: self.started_at_unix_ms,
            begun: book.counts.begun,
            held_back: book.counts.held_back,
            late_ms_max: book.late_ms_max,
        };
        let logged = logged_faults(&self.run.options)?;
        Ok((LoadReport::new(&totals, book.requests, &logged), book.record))
    }
}

/// Fault ids in the shop's log. A log that does not exist proves nothing.
fn logged_faults(options: &LoadOptions) -> Result<HashSet<String>, ShopError> {
    let Some(path) = &options.fault_log else { return Ok(HashSet::new()) };
    match fs::read_to_string(path) {
        Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(HashSet::new()),
        Err(source) => Err(ShopError::File { doing: "read fault log", path: path.clone(), source }),
    }
}
